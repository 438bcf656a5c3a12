import type { Nic } from '../../model/domain.ts';
import { type Heard, hasDocker, isFiltered, readHeard, readUplinks } from './bridge.ts';
import { type Device, readDevice } from './device.ts';

/** Everything that this host's kernel tells of one NIC's cable, from the tap to the bridge's way out. */
export interface Plug {
  nic: Nic;
  tap: Device | null;
  /** What the definition plugs it into; null: it does not exist here, or is a libvirt network that does not say. */
  bridge: Device | null;
  uplinks: readonly Device[];
  /** The host's firewall rules judge what is bridged too. */
  filtered: boolean;
  docker: boolean;
  /** When the bridge last heard the guest; null: it does not say. */
  heard: Heard | null;
}

export async function readPlug(root: string, nic: Nic): Promise<Plug> {
  const tap = nic.tap === null ? null : await readDevice(root, nic.tap);
  const named = nic.source === null ? null : await readDevice(root, nic.source);
  // An older libvirt says which network it is, and not by which bridge.
  const bridge = named ?? (nic.type === 'network' && tap?.master ? await readDevice(root, tap.master) : null);
  if (bridge?.kind !== 'linux-bridge') {
    return { nic, tap, bridge, uplinks: [], filtered: false, docker: false, heard: null };
  }
  const [uplinks, filtered, docker, heard] = await Promise.all([
    readUplinks(root, bridge.name),
    isFiltered(root, bridge.name),
    hasDocker(root),
    tap && readHeard(root, bridge.name, tap.name, nic.mac),
  ]);
  return { nic, tap, bridge, uplinks, filtered, docker, heard };
}
