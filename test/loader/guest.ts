import type { ControllerDisk, StorageController } from '../../src/vm/controllers.ts';

/** Controllers as a domain's XML would give them. */

/** `00:1f.2` on PCI domain 0. */
export function at(place: string): StorageController['pci'] {
  const [bus = '', slot = '', part = ''] = place.split(/[:.]/);
  return { domain: 0, bus: Number.parseInt(bus, 16), slot: Number.parseInt(slot, 16), function: Number(part) };
}

/** Data disks on these units. */
export function onUnits(...units: (number | null)[]): ControllerDisk[] {
  return units.map((unit, nth) => ({ target: `sd${nth}`, role: 'data', unit }));
}

export function ahci(place: string | null, disks: readonly ControllerDisk[] = [], index = 0): StorageController {
  return { kind: 'ahci', model: null, index, pci: place === null ? null : at(place), disks };
}

export function virtio(disks: readonly ControllerDisk[], index = 0): StorageController {
  return { kind: 'virtio-scsi', model: 'virtio-scsi', index, pci: at('00:02.0'), disks };
}

export const loaderDisk: ControllerDisk = { target: 'sdz', role: 'loader', unit: 0 };
export const cdrom: ControllerDisk = { target: 'sdy', role: 'removable', unit: 0 };
