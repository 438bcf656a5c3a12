import { exists, readNames, readNumber, readSlowNumber, readText } from './files.ts';

/** One network device in sysfs (Linux, Documentation/ABI/testing/sysfs-class-net). */

export interface Device {
  name: string;
  folder: string;
  /** Whether it is switched on: `ip link set … up`. */
  up: boolean;
  /** Asks for MACs by ARP: a tunnel does not. */
  arp: boolean;
}

/** `IFF_UP` and `IFF_NOARP` of linux/if.h. */
const flag = { up: 0x1, noArp: 0x80 };
/** A VLAN on a bond on a NIC is three. */
const maxDepth = 8;

/** Null: there is no such device, or this process is in another network namespace. */
export function readDevice(root: string, name: string | null): Device | null {
  // No device can have another name (`dev_valid_name` of the kernel), so no name leads out of the folder.
  if (name === null || !/^[^/\s]{1,15}$/.test(name) || name === '.' || name === '..') return null;
  const folder = `${root}/sys/class/net/${name}`;
  const flags = readNumber(`${folder}/flags`);
  if (flags === null) return null;
  return { name, folder, up: (flags & flag.up) !== 0, arp: (flags & flag.noArp) === 0 };
}

/** Its cable has another end. False while it is down: then the kernel cannot tell. */
export async function hasCarrier(folder: string): Promise<boolean> {
  // Many virtual devices and some drivers leave it at `unknown`.
  if (readText(`${folder}/operstate`) === 'up') return true;
  return (await readSlowNumber(`${folder}/carrier`)) === 1;
}

/** Whether it is hardware, or a bond, team or VLAN on hardware: a way out of this machine. A tap or a veth never is. */
export function isPhysical(folder: string, depth = 0): boolean {
  if (depth === maxDepth) return false;
  if (exists(`${folder}/device`)) return true;
  const below = readNames(folder)?.filter(entry => entry.startsWith('lower_'));
  return (below ?? []).some(lower => isPhysical(`${folder}/${lower}`, depth + 1));
}
