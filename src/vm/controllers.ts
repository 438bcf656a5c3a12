import type { Disk } from '../model/domain.ts';
import { loaderDevice, role } from './domain-xml.ts';
import { anyNumber, child, children, type Node, parseDomain, text } from './xml.ts';

/**
 * What a guest's disks are connected to, from its domain's XML: SATA and SCSI controllers with their places on the PCI
 * bus, and devices that may be such controllers: passed-through ones, and those of `qemu:commandline`.
 */

/** `passthrough`: a device of whatever kind, which may be a SATA controller. */
type ControllerKind = 'ahci' | 'virtio-scsi' | 'scsi' | 'passthrough';

export interface PciAddress {
  domain: number;
  /** In a domain's XML: the index of the bridge that leads to it. The guest may give it another number. */
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
  /** As libvirt calls it: `virtio-scsi`, `lsilogic`; of `qemu:commandline`: the value of `-device`. */
  model: string | null;
  index: number;
  pci: PciAddress | null;
  /** Place of its PCI bus in the order in which a Linux guest finds the buses; null: not known. */
  busOrder: number | null;
  /** Of a passed-through device: its address on the host. */
  host: PciAddress | null;
  disks: readonly ControllerDisk[];
}

/** In the order of the XML. Throws when the text is no XML. */
export function parseControllers(xml: string): readonly StorageController[] {
  const domain = parseDomain(xml);
  const devices = child(domain, 'devices');
  const loader = loaderDevice(domain);
  const disks = children(devices, 'disk');
  const nodes = children(devices, 'controller');
  const buses = busesInOrder(nodes);
  const controllers = nodes.map(node => controller(node, { disks, loader }, buses)).filter(entry => entry !== null);
  const passed = children(devices, 'hostdev').filter(node => text(node, '@type') === 'pci');
  return [...controllers, ...passed.map((node, nth) => passedThrough(node, nth, buses)), ...byHand(domain)];
}

/** `0000:00:1f.2`, as lspci -D writes it. */
export function formatPci({ domain, bus, slot, function: part }: PciAddress): string {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(slot, 2)}.${hex(part, 1)}`;
}

/**
 * Indexes of the PCI buses, in the order in which Linux finds them: it looks at all devices of a bus first, and then
 * goes into its bridges by slot and function (pci_scan_child_bus in drivers/pci/probe.c). Drivers get the devices in
 * that order. Buses of a `pci(e)-expander-bus` are left out: QEMU decides where they are.
 */
function busesInOrder(nodes: readonly Node[]): readonly number[] {
  const bridges = nodes
    .filter(node => text(node, '@type') === 'pci' && !text(node, '@model')?.includes('expander'))
    .flatMap(node => {
      const [index, at] = [anyNumber(text(node, '@index')), pci(node)];
      return at && index !== null ? [{ ...at, index }] : [];
    })
    .toSorted((a, b) => a.slot - b.slot || a.function - b.function);
  const found = new Set<number>();
  const enter = (bus: number) => {
    if (found.has(bus)) return;
    found.add(bus);
    for (const bridge of bridges) if (bridge.bus === bus) enter(bridge.index);
  };
  enter(0);
  return [...found];
}

function placeOf(node: Node, buses: readonly number[]): Pick<StorageController, 'pci' | 'busOrder'> {
  const at = pci(node);
  return { pci: at, busOrder: at && buses.includes(at.bus) ? buses.indexOf(at.bus) : null };
}

interface Disks {
  disks: readonly Node[];
  loader: Node | null;
}

function controller(node: Node, { disks, loader }: Disks, buses: readonly number[]): StorageController | null {
  const type = text(node, '@type');
  const index = anyNumber(text(node, '@index'));
  if ((type !== 'sata' && type !== 'scsi') || index === null) return null;
  const model = text(node, '@model');
  const held = disksOn(type, index, disks, loader);
  return { kind: kind(type, model), model, index, ...placeOf(node, buses), host: null, disks: held };
}

/** libvirt's other words for virtio-scsi differ in PCI's older and newer way only (formatdomain, `controller`). */
function kind(type: 'sata' | 'scsi', model: string | null): ControllerKind {
  if (type === 'sata') return 'ahci';
  return model?.startsWith('virtio-') ? 'virtio-scsi' : 'scsi';
}

function disksOn(bus: string, index: number, disks: readonly Node[], loader: Node | null): ControllerDisk[] {
  return disks.flatMap(node => {
    const target = child(node, 'target');
    const name = text(target, '@dev');
    if (name === null || text(target, '@bus') !== bus) return [];
    const place = child(node, 'address');
    // Without an address it is on the first one: libvirt fills that in when the domain is defined.
    if ((anyNumber(text(place, '@controller')) ?? 0) !== index) return [];
    return [{ target: name, role: role(node, loader), unit: anyNumber(text(place, '@unit')) }];
  });
}

function passedThrough(node: Node, index: number, buses: readonly number[]): StorageController {
  const host = address(child(child(node, 'source'), 'address'));
  return { kind: 'passthrough', model: null, index, ...placeOf(node, buses), host, disks: [] };
}

/** SATA controllers and devices of the host that QEMU gets without libvirt. */
function byHand(domain: Node | undefined): StorageController[] {
  const values = [child(domain, 'qemu:commandline')?.['qemu:arg']]
    .flat()
    .flatMap(node => (typeof node === 'object' ? (text(node, '@value') ?? []) : []));
  return values
    .filter(value => /\b(ahci|vfio-pci)\b/.test(value))
    .map((model, index) => {
      return { kind: 'passthrough', model, index, pci: null, busOrder: null, host: null, disks: [] };
    });
}

function pci(node: Node): PciAddress | null {
  const place = child(node, 'address');
  return text(place, '@type') === 'pci' ? address(place) : null;
}

function address(node: Node | undefined): PciAddress | null {
  const [bus, slot] = [anyNumber(text(node, '@bus')), anyNumber(text(node, '@slot'))];
  if (bus === null || slot === null) return null;
  const [domain, part] = [anyNumber(text(node, '@domain')), anyNumber(text(node, '@function'))];
  return { domain: domain ?? 0, bus, slot, function: part ?? 0 };
}
