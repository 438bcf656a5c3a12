import { join } from 'node:path';
import { type Device, folderOf, isPhysical, readDevice } from './device.ts';
import { readBytes, readNames, readNumber } from './files.ts';
import { maxForwardingBytes, parseForwarding } from './forwarding.ts';

/** What sysfs and proc tell of a Linux bridge, beyond its being a device. */

/** Its ports that lead out of this machine. */
export async function readUplinks(root: string, bridge: string): Promise<Device[]> {
  const folder = folderOf(root, bridge);
  const ports = folder === null ? [] : await readNames(join(folder, 'brif'));
  const uplinks = await Promise.all(
    ports.map(async port => ((await isPhysical(root, port)) ? await readDevice(root, port) : null)),
  );
  return uplinks.filter(uplink => uplink !== null);
}

/**
 * Whether what is bridged passes the host's own IPv4 firewall rules too (br_netfilter); Docker turns it on. Either
 * setting is enough, and without the module, hence without its folder, neither counts.
 */
export async function isFiltered(root: string, bridge: string): Promise<boolean> {
  const everyBridge = await readNumber(join(root, 'proc/sys/net/bridge/bridge-nf-call-iptables'));
  const folder = folderOf(root, bridge);
  if (everyBridge === null || folder === null) return false;
  return everyBridge === 1 || (await readNumber(join(folder, 'bridge/nf_call_iptables'))) === 1;
}

/** Docker has its own bridge here. */
export async function hasDocker(root: string): Promise<boolean> {
  return (await readDevice(root, 'docker0')) !== null;
}

export interface Heard {
  /** Milliseconds since the bridge last took a frame of this MAC from this port; null: none, or too long ago. */
  ago: number | null;
}

/** Null: the bridge does not say. */
export async function readHeard(root: string, bridge: string, port: string, mac: string): Promise<Heard | null> {
  const [of, at] = [folderOf(root, bridge), folderOf(root, port)];
  if (of === null || at === null) return null;
  const [table, number] = await Promise.all([
    readBytes(join(of, 'brforward'), maxForwardingBytes),
    readNumber(join(at, 'brport/port_no')),
  ]);
  if (table === null || number === null) return null;
  const entry = parseForwarding(table).find(each => each.mac === mac && each.port === number && !each.local);
  return { ago: entry?.age ?? null };
}
