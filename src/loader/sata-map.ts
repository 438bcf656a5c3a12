import type { LoaderSettings } from '../model/loader-settings.ts';
import { formatPci, type StorageController } from '../vm/controllers.ts';
import type { Problem } from './plan/finding.ts';
import type { Platform } from './platform-table.ts';

/**
 * Where DSM looks for its disks: SataPortMap, one digit for each SATA controller (its ports), and DiskIdxMap, two hex
 * digits each (the first slot of its disks). Computed from the VM's own controllers. Pure.
 *
 * The kernel takes the digits in the order in which it finds its AHCI controllers (Synology's ahci.c): bus by bus, as
 * `busOrder` says. An unused controller gets one port behind the last slot, because a first digit of 0 makes the kernel
 * panic.
 */

export interface MapPair {
  SataPortMap: string;
  DiskIdxMap: string;
}

export interface MapChoice {
  map: MapPair;
  notes: readonly string[];
}

/** The default in user_config.json, unless edited; it counts more than the model's own number. */
const defaultSlots = 16;
/** Synology's buffer holds 8 characters, the last one being the end. */
const mostControllers = 7;

/** As configured, or computed; null: it cannot be computed. */
export function mapOf(
  configured: LoaderSettings['sataMap'],
  platform: Pick<Platform, 'model' | 'deviceTree' | 'maxDisks'>,
  controllers: readonly StorageController[],
): MapChoice | null {
  const computed = sataMap(controllers, platform);
  if (configured === 'auto' || platform.deviceTree) return 'map' in computed ? computed : null;
  const notes = ['It is the configured map, not one that was computed from the VM.'];
  if ('refusal' in computed) notes.push(computed.refusal.message);
  else if (!sameMap(computed.map, configured)) {
    const { SataPortMap, DiskIdxMap } = computed.map;
    notes.push(`Computed, SataPortMap would be ${SataPortMap}, and DiskIdxMap ${DiskIdxMap}.`);
  }
  return { map: configured, notes };
}

export function sameMap(a: MapPair, b: MapPair): boolean {
  return a.SataPortMap === b.SataPortMap && a.DiskIdxMap.toUpperCase() === b.DiskIdxMap.toUpperCase();
}

export function sataMap(
  controllers: readonly StorageController[],
  { model, deviceTree, maxDisks }: Pick<Platform, 'model' | 'deviceTree' | 'maxDisks'>,
): MapChoice | { refusal: Problem } {
  if (deviceTree) {
    const note = `${model} finds its disks by a device tree: SataPortMap and DiskIdxMap mean nothing to it and stay empty.`;
    return { map: { SataPortMap: '', DiskIdxMap: '' }, notes: [note] };
  }
  const slots = maxDisks ?? defaultSlots;
  const found = controllers.filter(({ kind }) => kind === 'ahci' || kind === 'passthrough').toSorted(asFound);
  const sata = found.map(controller => sataHost(controller, found.length > 1));
  const virtio = controllers
    .filter(({ kind, disks }) => kind === 'virtio-scsi' && count(disks) > 0)
    .map(({ index, disks }): Host => {
      return { name: `The virtio-scsi controller ${index}`, ports: count(disks), notes: [], doubts: [] };
    });
  const notes = controllers.some(({ kind, disks }) => kind === 'scsi' && count(disks) > 0) ? [otherScsi] : [];
  if (sata.length === 0) {
    const note = 'There is no SATA controller: 1 and 00 only keep the kernel from a first digit of 0.';
    return { map: { SataPortMap: '1', DiskIdxMap: '00' }, notes: [note, ...notes] };
  }
  const hosts = [...sata, ...virtio];
  const refusal = tooMany(hosts, slots, model) ?? unsure(sata, slots);
  if (refusal) return { refusal };
  const told = [...hosts.flatMap(host => host.notes), ...notes, ...inert(virtio.length)];
  return { map: write(hosts, slots), notes: told };
}

interface Host {
  name: string;
  /** Null: it has no data disk, and its port is put behind the last slot. */
  ports: number | 'unknown' | null;
  notes: readonly string[];
  /** Why the map cannot be known, a sentence each. */
  doubts: readonly string[];
}

/** N: unknown number of ports; ??: depends on such a number. */
function write(hosts: readonly Host[], slots: number): MapPair {
  // Behind the model's last slot, and behind the last slot in the loader's own configuration.
  const aside = pair(Math.max(slots, defaultSlots));
  let next = 0;
  // The disks of these controllers come last, so that no other slot depends on their number.
  let unknown = pair(slotsOf(hosts));
  const map = { SataPortMap: '', DiskIdxMap: '' };
  for (const { ports } of hosts) {
    map.SataPortMap += ports === 'unknown' ? 'N' : (ports ?? 1);
    if (ports === 'unknown') [map.DiskIdxMap, unknown] = [map.DiskIdxMap + unknown, '??'];
    else map.DiskIdxMap += ports === null ? aside : pair(next);
    if (typeof ports === 'number') next += ports;
  }
  return map;
}

function sataHost(controller: StorageController, several: boolean): Host {
  const { kind, host, busOrder, disks } = controller;
  const name = nameOf(controller);
  const lost = `${name} has an unknown place in the guest's order of controllers; \`dmesg\` of DSM shows it.`;
  const doubts = several && busOrder === null ? [lost] : [];
  if (kind === 'passthrough' || host) {
    const what = kind === 'ahci' ? 'is' : 'may be';
    const unknown = `${name} ${what} a SATA controller, and how many ports it has is not known.`;
    return { name, ports: 'unknown', notes: [], doubts: [unknown, ...doubts] };
  }
  const held = disks.filter(({ role }) => role !== 'removable');
  const data = count(disks);
  if (data === 0) {
    const what = held.length > 0 ? 'carries the loader only' : 'is unused';
    return { name, ports: null, notes: [`${name} ${what}: it gets one port behind the last slot.`], doubts };
  }
  const notes: string[] = [];
  if (held.length > data) notes.push(`${name} carries the loader beside data disks: the loader takes a slot.`);
  // No port can be left out: the digit must include the highest one in use.
  const ports = Math.max(held.length, ...held.map(({ unit }) => (unit ?? 0) + 1));
  const empty = ports - held.length;
  const plural = empty === 1 ? '' : 's';
  if (empty > 0) notes.push(`${name} has ${empty} empty port${plural} before its last disk: as many slots stay empty.`);
  return { name, ports, notes, doubts };
}

/** Addresses of the guest are those of the VM's XML. */
function nameOf({ kind, host, pci, model, index }: StorageController): string {
  const place = pci ? ` at ${formatPci(pci)}` : '';
  if (host)
    return `The passed-through device ${formatPci(host)} of the host, in the VM${place || ' at an unknown address'},`;
  if (kind === 'ahci') return `The SATA controller ${index}${place}`;
  return model ? `The device "${model}" of qemu:commandline` : `The passed-through device${place}`;
}

function tooMany(hosts: readonly Host[], slots: number, model: string): Problem | null {
  const advice = 'Or set `sata_map` yourself.';
  if (hosts.length > mostControllers) {
    const message = `There are ${hosts.length} controllers, and SataPortMap has room for ${mostControllers}: put the disks on fewer.`;
    return { code: 'too_many_controllers', message, advice };
  }
  const large = hosts.find(({ ports }) => typeof ports === 'number' && ports > 9);
  if (large) {
    const message = `${large.name} needs ${large.ports} ports, and a digit of SataPortMap says 9 at most: spread its disks over more controllers.`;
    return { code: 'too_many_ports', message, advice };
  }
  const sum = slotsOf(hosts);
  const message = `The controllers take ${sum} slots, and ${model} has ${slots}: take disks away, or close gaps between ports.`;
  return sum > slots ? { code: 'too_many_disks', message, advice } : null;
}

/** The digits of virtio-scsi are left out of the proposal: they are inert. */
function unsure(sata: readonly Host[], slots: number): Problem | null {
  const doubts = sata.flatMap(host => host.doubts);
  if (doubts.length === 0) return null;
  const { SataPortMap, DiskIdxMap } = write(sata, slots);
  const advice = [`Set \`sata_map: { SataPortMap: "${SataPortMap}", DiskIdxMap: "${DiskIdxMap}" }\` yourself.`];
  if (SataPortMap.includes('N')) advice.push(unknownPorts);
  if (DiskIdxMap.includes('?')) advice.push('?? is the first slot behind the device before.');
  const message = `${doubts.join(' ')} \`sata_map: auto\` cannot be sure of the map.`;
  return { code: 'sata_map_unknown', message, advice: advice.join(' ') };
}

const unknownPorts =
  'N is the number of ports of the device. A device that is no SATA controller has no digit and no pair.';

const otherScsi =
  'Disks on a SCSI controller other than virtio-scsi are not counted: DSM does not go by these maps there.';

function inert(digits: number): string[] {
  if (digits === 0) return [];
  const [which, mean] = digits === 1 ? ['The last digit', 'means'] : [`The last ${digits} digits`, 'mean'];
  return [`${which} of SataPortMap ${mean} virtio-scsi; only SATA controllers are known to heed it, so this is inert.`];
}

function count(disks: StorageController['disks']): number {
  return disks.filter(({ role }) => role === 'data').length;
}

function slotsOf(hosts: readonly Host[]): number {
  return hosts.reduce((total, { ports }) => total + (typeof ports === 'number' ? ports : 0), 0);
}

/** What has an unknown place is last. */
function asFound(a: StorageController, b: StorageController): number {
  const last = Number.MAX_SAFE_INTEGER;
  const [here, there] = [a.pci ?? { slot: 0, function: 0 }, b.pci ?? { slot: 0, function: 0 }];
  return (a.busOrder ?? last) - (b.busOrder ?? last) || here.slot - there.slot || here.function - there.function;
}

function pair(index: number): string {
  return index.toString(16).toUpperCase().padStart(2, '0');
}
