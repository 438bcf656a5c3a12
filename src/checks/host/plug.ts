import { endianness } from 'node:os';
import type { Nic } from '../../model/domain.ts';
import { type Device, hasCarrier, isPhysical, readDevice } from './device.ts';
import { exists, readBytes, readLink, readNames, readNumber } from './files.ts';

/** All that this host's kernel knows of one NIC's cable, from the tap to the bridge's way out. */
export interface Plug {
  nic: Nic;
  tap: Device | null;
  /** The bridge, bond or Open vSwitch that the tap is a port of. */
  master: string | null;
  /** Where the definition plugs it in; null: it does not exist here, or is a libvirt network that does not tell. */
  bridge: Device | null;
  kind: 'linux-bridge' | 'other';
  /** The bridge's ports that lead out of this machine. */
  uplinks: readonly { name: string; carrier: boolean }[];
  /** The host's firewall rules also filter bridged traffic. */
  filtered: boolean;
  /** And Docker has its own bridge here. */
  docker: boolean;
  /** Milliseconds since the bridge last received from the guest, null: never, or too long ago; null: unknown. */
  heard: { ago: number | null } | null;
}

export async function readPlug(root: string, nic: Nic): Promise<Plug> {
  const tap = readDevice(root, nic.tap);
  const master = tap && readLink(`${tap.folder}/master`);
  // An older libvirt tells the network, but not its bridge.
  const bridge = readDevice(root, nic.source) ?? (nic.type === 'network' ? readDevice(root, master) : null);
  const ports = bridge && readNames(`${bridge.folder}/brif`)?.filter(port => port !== tap?.name);
  if (!ports) {
    return { nic, tap, master, bridge, kind: 'other', uplinks: [], filtered: false, docker: false, heard: null };
  }
  const filtered = isFiltered(root, bridge);
  return {
    ...{ nic, tap, master, bridge, kind: 'linux-bridge', filtered },
    docker: filtered && exists(`${root}/sys/class/net/docker0`),
    heard: tap && readHeard(bridge, tap, nic.mac),
    uplinks: await readUplinks(root, ports),
  };
}

async function readUplinks(root: string, ports: readonly string[]): Promise<Plug['uplinks']> {
  const devices = ports.map(name => ({ name, folder: `${root}/sys/class/net/${name}` }));
  const uplinks = devices.filter(({ folder }) => isPhysical(folder));
  return Promise.all(uplinks.map(async ({ name, folder }) => ({ name, carrier: await hasCarrier(folder) })));
}

/**
 * Whether the host's own IPv4 firewall also filters bridged traffic (br_netfilter); Docker turns it on. Either setting
 * is enough. Without the module, and so without its folder, neither counts.
 */
function isFiltered(root: string, { folder }: Device): boolean {
  const everyBridge = readNumber(`${root}/proc/sys/net/bridge/bridge-nf-call-iptables`);
  return everyBridge === 1 || (everyBridge === 0 && readNumber(`${folder}/bridge/nf_call_iptables`) === 1);
}

function readHeard(bridge: Device, port: Device, mac: string): Plug['heard'] {
  const table = readBytes(`${bridge.folder}/brforward`);
  const number = readNumber(`${port.folder}/brport/port_no`);
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
