import { endianness } from 'node:os';
import { join } from 'node:path';
import type { Nic } from '../../model/domain.ts';
import { type Device, isPhysical, readDevice } from './device.ts';
import { readBytes, readNames, readNumber } from './files.ts';

/** All that this host's kernel knows of one NIC's cable, from the tap to the bridge's way out. */
export interface Plug {
  nic: Nic;
  tap: Device | null;
  /** Where the definition plugs it in; null: it does not exist here, or is a libvirt network that does not tell. */
  bridge: Device | null;
  /** The bridge's ports that lead out of this machine. */
  uplinks: readonly Device[];
  /** The host's firewall rules also filter bridged traffic. */
  filtered: boolean;
  /** Docker has its own bridge here. */
  docker: boolean;
  /** When the bridge last received from the guest; null: unknown. */
  heard: Heard | null;
}

export interface Heard {
  /** Milliseconds since the bridge last received a frame of this MAC on this port; null: never, or too long ago. */
  ago: number | null;
}

export async function readPlug(root: string, nic: Nic): Promise<Plug> {
  const tap = await readDevice(root, nic.tap);
  const named = await readDevice(root, nic.source);
  // An older libvirt tells the network, but not its bridge.
  const bridge = named ?? (nic.type === 'network' && tap ? await readDevice(root, tap.master) : null);
  if (bridge?.kind !== 'linux-bridge') {
    return { nic, tap, bridge, uplinks: [], filtered: false, docker: false, heard: null };
  }
  const [uplinks, filtered, docker, heard] = await Promise.all([
    readUplinks(root, bridge),
    isFiltered(root, bridge),
    readDevice(root, 'docker0'),
    tap && readHeard(bridge, tap, nic.mac),
  ]);
  return { nic, tap, bridge, uplinks, filtered, docker: docker !== null, heard };
}

async function readUplinks(root: string, { folder }: Device): Promise<Device[]> {
  const ports = await readNames(join(folder, 'brif'));
  const uplinks = await Promise.all(
    ports.map(async port => ((await isPhysical(root, port)) ? await readDevice(root, port) : null)),
  );
  return uplinks.filter(uplink => uplink !== null);
}

/**
 * Whether the host's own IPv4 firewall also filters bridged traffic (br_netfilter); Docker turns it on. Either setting
 * is enough. Without the module, and so without its folder, neither counts.
 */
async function isFiltered(root: string, { folder }: Device): Promise<boolean> {
  const everyBridge = await readNumber(join(root, 'proc/sys/net/bridge/bridge-nf-call-iptables'));
  if (everyBridge === null) return false;
  return everyBridge === 1 || (await readNumber(join(folder, 'bridge/nf_call_iptables'))) === 1;
}

async function readHeard(bridge: Device, port: Device, mac: string): Promise<Heard | null> {
  const [table, number] = await Promise.all([
    readBytes(join(bridge.folder, 'brforward'), maxForwardingBytes),
    readNumber(join(port.folder, 'brport/port_no')),
  ]);
  if (table === null || number === null) return null;
  const entry = parseForwarding(table).find(each => each.mac === mac && each.port === number && !each.local);
  return { ago: entry?.age ?? null };
}

/** One entry of a Linux bridge's forwarding table. */
export interface Learnt {
  /** Lower case, with colons. */
  mac: string;
  /** The port's number, as in its `brport/port_no`. */
  port: number;
  /** The host's own MAC, which was never heard. */
  local: boolean;
  /** Milliseconds since it was last heard. */
  age: number;
}

const entryBytes = 16;
/** 16 384 machines; the rest of a larger table is not read. */
const maxForwardingBytes = entryBytes * 16_384;
/** The kernel reports times in hundredths of a second, whatever its own clock (`USER_HZ`). */
const tick = 10;

/**
 * `brforward` (`struct __fdb_entry` of linux/if_bridge.h): MAC of 6 bytes, port, is_local, a 32-bit age in the machine's
 * byte order, the port's upper byte, 3 unused.
 */
export function parseForwarding(table: Buffer, order: 'LE' | 'BE' = endianness()): Learnt[] {
  return Array.from({ length: Math.floor(table.length / entryBytes) }, (_, i) => {
    const entry = table.subarray(i * entryBytes, (i + 1) * entryBytes);
    const age = order === 'LE' ? entry.readUInt32LE(8) : entry.readUInt32BE(8);
    return {
      mac: entry.toString('hex', 0, 6).replace(/..(?!$)/g, '$&:'),
      port: entry.readUInt8(12) * 256 + entry.readUInt8(6),
      local: entry.readUInt8(7) !== 0,
      age: age * tick,
    };
  });
}
