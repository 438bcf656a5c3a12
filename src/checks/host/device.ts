import { join } from 'node:path';
import { exists, readLink, readNames, readNumber } from './files.ts';

/** One network device in sysfs (Linux, Documentation/ABI/testing/sysfs-class-net). */

export interface Device {
  name: string;
  folder: string;
  /** Whether it is switched on: `ip link set … up`. */
  up: boolean;
  /** Its cable has another end, or a process has its tap open; null: it is down, so the kernel cannot tell. */
  carrier: boolean | null;
  /** Asks for MACs by ARP: a tunnel does not. */
  arp: boolean;
  kind: 'linux-bridge' | 'other';
  /** The bridge, bond or Open vSwitch that it is a port of. */
  master: string | null;
}

/** `IFF_UP` and `IFF_NOARP` of linux/if.h. */
const flag = { up: 0x1, noArp: 0x80 };
/** A VLAN on a bond on a NIC is three. */
const maxDepth = 8;

/** Null: there is no such device, or this process is in another network namespace. */
export async function readDevice(root: string, name: string | null): Promise<Device | null> {
  const folder = name === null ? null : folderOf(root, name);
  const flags = folder === null ? null : await readNumber(join(folder, 'flags'));
  if (name === null || folder === null || flags === null) return null;
  const [carrier, master, bridge] = await Promise.all([
    readNumber(join(folder, 'carrier')),
    readLink(join(folder, 'master')),
    exists(join(folder, 'bridge')),
  ]);
  return {
    ...{ name, folder, master, up: (flags & flag.up) !== 0, arp: (flags & flag.noArp) === 0 },
    carrier: carrier === null ? null : carrier === 1,
    kind: bridge ? 'linux-bridge' : 'other',
  };
}

/** Whether it is hardware, or a bond, team or VLAN on hardware: a way out of this machine. A tap or a veth never is. */
export async function isPhysical(root: string, name: string, depth = 0): Promise<boolean> {
  const folder = folderOf(root, name);
  if (folder === null || depth === maxDepth) return false;
  const inside = await readNames(folder);
  if (inside.includes('device')) return true;
  const below = inside.filter(entry => entry.startsWith('lower_')).map(entry => entry.slice('lower_'.length));
  const answers = await Promise.all(below.map(lower => isPhysical(root, lower, depth + 1)));
  return answers.includes(true);
}

/** Null: no device can have that name (`dev_valid_name` of the kernel), so no name leads out of the folder. */
function folderOf(root: string, name: string): string | null {
  const valid = /^[^/\s]{1,15}$/.test(name) && name !== '.' && name !== '..';
  return valid ? join(root, 'sys/class/net', name) : null;
}
