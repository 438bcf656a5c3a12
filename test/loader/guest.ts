import type { ControllerDisk, StorageController } from '../../src/vm/controllers.ts';

/** Controllers as a domain's XML would give them. */

/** `00:1f.2` on PCI domain 0. */
function at(place: string): StorageController['pci'] {
  const [bus = '', slot = '', part = ''] = place.split(/[:.]/);
  return { domain: 0, bus: Number.parseInt(bus, 16), slot: Number.parseInt(slot, 16), function: Number(part) };
}

/** Data disks on these units. */
export function onUnits(...units: (number | null)[]): ControllerDisk[] {
  return units.map((unit, nth) => ({ target: `sd${nth}`, role: 'data', unit }));
}

export function ahci(place: string | null, disks: readonly ControllerDisk[] = [], index = 0): StorageController {
  return { kind: 'ahci', model: null, index, ...placed(place), host: null, disks };
}

export function virtio(disks: readonly ControllerDisk[], index = 0): StorageController {
  return { kind: 'virtio-scsi', model: 'virtio-scsi', index, ...placed('00:02.0'), host: null, disks };
}

/** A device of the host that is passed through. */
export function card(kind: 'ahci' | 'passthrough', place: string | null, host: string | null): StorageController {
  return { kind, model: null, index: 0, ...placed(place), host: host === null ? null : at(host), disks: [] };
}

/** The guest finds the buses in the order of their numbers. */
function placed(place: string | null): Pick<StorageController, 'pci' | 'busOrder'> {
  const pci = place === null ? null : at(place);
  return { pci, busOrder: pci?.bus ?? null };
}

export const loaderDisk: ControllerDisk = { target: 'sdz', role: 'loader', unit: 0 };
export const cdrom: ControllerDisk = { target: 'sdy', role: 'removable', unit: 0 };
