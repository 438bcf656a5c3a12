import { formatPci, type PciAddress, type StorageController } from '../vm/controllers.ts';
import type { Platform } from './platform-table.ts';

/**
 * Where DSM is to look for its disks: SataPortMap, one digit a SATA controller (its ports), and DiskIdxMap, two hex
 * digits each (the first slot its disks take). Computed from the VM's own controllers. Pure.
 *
 * The kernel takes the digits in the order in which it finds its AHCI controllers, that is PCI's (Synology's ahci.c).
 * An unused controller is given one port behind the last slot, because a first digit of 0 makes the kernel panic.
 */

export interface MapPair {
  SataPortMap: string;
  DiskIdxMap: string;
}

export interface SataMap extends MapPair {
  kind: 'map';
  /** What a person should know of it, a sentence each. */
  notes: readonly string[];
}

export interface SataRefusal {
  kind: 'refused';
  code: 'too_many_controllers' | 'too_many_ports' | 'too_many_disks';
  message: string;
}

/** What user_config.json says unless somebody changed it, which counts for more than the model's own number. */
const defaultSlots = 16;
/** Synology's buffer holds 8 characters, the last one being the end. */
const mostControllers = 7;

export function sataMap(
  controllers: readonly StorageController[],
  { model, deviceTree, maxDisks }: Pick<Platform, 'model' | 'deviceTree' | 'maxDisks'>,
): SataMap | SataRefusal {
  if (deviceTree) {
    const note = `${model} finds its disks by a device tree: SataPortMap and DiskIdxMap mean nothing to it and stay empty.`;
    return { kind: 'map', SataPortMap: '', DiskIdxMap: '', notes: [note] };
  }
  const slots = maxDisks ?? defaultSlots;
  const ahci = controllers.filter(({ kind }) => kind === 'ahci').toSorted((a, b) => byPci(a.pci, b.pci));
  const virtio = controllers.filter(({ kind, disks }) => kind === 'virtio-scsi' && disksOf(disks).length > 0);
  const notes = warnings(controllers);
  if (ahci.length === 0) {
    const note = 'There is no SATA controller: 1 and 00 only keep the kernel from a first digit of 0.';
    return { kind: 'map', SataPortMap: '1', DiskIdxMap: '00', notes: [note, ...notes] };
  }
  const hosts = [...ahci.map(host => sataHost(host)), ...virtio.map(host => scsiHost(host))];
  const refusal = refuse(hosts, slots, model);
  if (refusal) return refusal;
  // Behind the model's last slot, and behind the last one that the loader's own configuration makes.
  const aside = Math.max(slots, defaultSlots);
  let next = 0;
  let [ports, indexes] = ['', ''];
  for (const host of hosts) {
    ports += host.ports ?? 1;
    indexes += pair(host.ports === null ? aside : next);
    next += host.ports ?? 0;
  }
  const told = [...hosts.flatMap(host => host.notes), ...notes, ...inert(virtio.length)];
  return { kind: 'map', SataPortMap: ports, DiskIdxMap: indexes, notes: told };
}

interface Host {
  name: string;
  /** Null: it has no data disk, and is put out of the way. */
  ports: number | null;
  notes: readonly string[];
}

function sataHost({ pci, index, disks }: StorageController): Host {
  const name = `The SATA controller ${index}${pci ? ` at ${formatPci(pci)}` : ''}`;
  const held = disks.filter(({ role }) => role !== 'removable');
  const data = disksOf(disks);
  const notes: string[] = [];
  if (!pci) notes.push(`${name} has no PCI address, so it is taken for the last one.`);
  if (data.length === 0) {
    const what = held.length > 0 ? 'carries the loader only' : 'is unused';
    return { name, ports: null, notes: [...notes, `${name} ${what}: it gets one port behind the last slot.`] };
  }
  if (held.length > data.length) notes.push(`${name} carries the loader beside data disks: the loader takes a slot.`);
  // Ports cannot be left out: the digit reaches up to the highest one in use.
  const ports = Math.max(held.length, ...held.map(({ unit }) => (unit ?? 0) + 1));
  const empty = ports - held.length;
  if (empty > 0)
    notes.push(`${name} has ${count(empty, 'empty port')} before its last disk: as many slots stay empty.`);
  return { name, ports, notes };
}

function scsiHost({ index, disks }: StorageController): Host {
  return { name: `The virtio-scsi controller ${index}`, ports: disksOf(disks).length, notes: [] };
}

function refuse(hosts: readonly Host[], slots: number, model: string): SataRefusal | null {
  if (hosts.length > mostControllers) {
    const message = `There are ${hosts.length} controllers, and SataPortMap has room for ${mostControllers}: put the disks on fewer.`;
    return { kind: 'refused', code: 'too_many_controllers', message };
  }
  const large = hosts.find(({ ports }) => ports !== null && ports > 9);
  if (large) {
    const message = `${large.name} needs ${large.ports} ports, and a digit of SataPortMap says 9 at most: spread its disks over more controllers.`;
    return { kind: 'refused', code: 'too_many_ports', message };
  }
  const sum = hosts.reduce((total, { ports }) => total + (ports ?? 0), 0);
  if (sum <= slots) return null;
  const message = `The controllers take ${sum} slots, and ${model} has ${slots}: take disks away, or close gaps between ports.`;
  return { kind: 'refused', code: 'too_many_disks', message };
}

/** What the map cannot tell. */
function warnings(controllers: readonly StorageController[]): string[] {
  const notes = [];
  if (controllers.some(({ kind, disks }) => kind === 'scsi' && disksOf(disks).length > 0))
    notes.push(
      'Disks on a SCSI controller other than virtio-scsi are not counted: DSM does not go by these maps there.',
    );
  for (const { pci } of controllers.filter(({ kind }) => kind === 'passthrough')) {
    const where = pci ? ` at ${formatPci(pci)}` : '';
    notes.push(
      `A PCI device of the host is passed through${where}: if it is a SATA controller, it needs a digit of its own, and \`sata_map\` must be written by hand.`,
    );
  }
  return notes;
}

function inert(digits: number): string[] {
  if (digits === 0) return [];
  const [which, mean] = digits === 1 ? ['The last digit', 'means'] : [`The last ${digits} digits`, 'mean'];
  return [`${which} of SataPortMap ${mean} virtio-scsi; only SATA controllers are known to heed it, so this is inert.`];
}

function disksOf(disks: StorageController['disks']): StorageController['disks'] {
  return disks.filter(({ role }) => role === 'data');
}

function byPci(a: PciAddress | null, b: PciAddress | null): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return a.domain - b.domain || a.bus - b.bus || a.slot - b.slot || a.function - b.function;
}

function pair(index: number): string {
  return index.toString(16).toUpperCase().padStart(2, '0');
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
