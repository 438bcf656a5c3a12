import type { Disk } from '../model/domain.ts';
import { role } from './domain-xml.ts';
import { anyNumber, child, children, type Node, parseDomain, text } from './xml.ts';

/**
 * What a guest's disks hang on, from its domain's XML: SATA and SCSI controllers with their places on the PCI bus, and
 * passed-through PCI devices, which may be such controllers too.
 */

/** `passthrough`: a PCI device of the host, of whatever kind. */
type ControllerKind = 'ahci' | 'virtio-scsi' | 'scsi' | 'passthrough';

export interface PciAddress {
  domain: number;
  /** The guest's own number of it too, also behind a pcie-root-port. */
  bus: number;
  slot: number;
  function: number;
}

export interface ControllerDisk {
  target: string;
  role: Disk['role'];
  /** Its port on an AHCI controller, its LUN on a SCSI one. */
  unit: number | null;
}

export interface StorageController {
  kind: ControllerKind;
  /** As libvirt calls it: `virtio-scsi`, `lsilogic`. */
  model: string | null;
  index: number;
  pci: PciAddress | null;
  disks: readonly ControllerDisk[];
}

/** In the order of the XML. Throws when it is no XML at all. */
export function parseControllers(xml: string): readonly StorageController[] {
  const devices = child(parseDomain(xml), 'devices');
  const disks = children(devices, 'disk');
  const controllers = children(devices, 'controller')
    .map(node => controller(node, disks))
    .filter(entry => entry !== null);
  return [...controllers, ...children(devices, 'hostdev').filter(isPci).map(passedThrough)];
}

/** `0000:00:1f.2`, as lspci -D writes it. */
export function formatPci({ domain, bus, slot, function: part }: PciAddress): string {
  return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(slot, 2)}.${part.toString(16)}`;
}

function controller(node: Node, disks: readonly Node[]): StorageController | null {
  const type = text(node, '@type');
  const index = anyNumber(text(node, '@index'));
  if ((type !== 'sata' && type !== 'scsi') || index === null) return null;
  const model = text(node, '@model');
  return { kind: kind(type, model), model, index, pci: pci(node), disks: disksOn(type, index, disks) };
}

/** libvirt's other words for virtio-scsi differ in PCI's older and newer way only (formatdomain, `controller`). */
function kind(type: 'sata' | 'scsi', model: string | null): ControllerKind {
  if (type === 'sata') return 'ahci';
  return model?.startsWith('virtio-') ? 'virtio-scsi' : 'scsi';
}

function disksOn(bus: string, index: number, disks: readonly Node[]): ControllerDisk[] {
  return disks.flatMap(node => {
    const target = child(node, 'target');
    const name = text(target, '@dev');
    if (name === null || text(target, '@bus') !== bus) return [];
    const place = child(node, 'address');
    // Without an address it is on the first one: libvirt fills that in when the domain is defined.
    if ((anyNumber(text(place, '@controller')) ?? 0) !== index) return [];
    return [{ target: name, role: role(node, bus), unit: anyNumber(text(place, '@unit')) }];
  });
}

function isPci(node: Node): boolean {
  return text(node, '@type') === 'pci';
}

function passedThrough(node: Node, index: number): StorageController {
  return { kind: 'passthrough', model: null, index, pci: pci(node), disks: [] };
}

function pci(node: Node): PciAddress | null {
  const address = child(node, 'address');
  const [bus, slot] = [anyNumber(text(address, '@bus')), anyNumber(text(address, '@slot'))];
  if (text(address, '@type') !== 'pci' || bus === null || slot === null) return null;
  const [domain, part] = [anyNumber(text(address, '@domain')), anyNumber(text(address, '@function'))];
  return { domain: domain ?? 0, bus, slot, function: part ?? 0 };
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
