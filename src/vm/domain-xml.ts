import type { Disk, Hardware, Nic } from '../model/domain.ts';
import { child, children, content, type Node, number, parseDomain, safe, text } from './xml.ts';

/**
 * The few fields of a domain's XML that matter here. Read-only and tolerant: a missing field is null, and an unknown
 * one is ignored, because libvirt's schema only grows.
 */

/** KiB unless the element says otherwise (libvirt's formatdomain, `memory`). */
const units = new Map([
  ...[['b', 1] as const, ['bytes', 1] as const, ['k', 1024] as const],
  ...['K', 'M', 'G', 'T'].flatMap((letter, i) => {
    const [decimal, binary] = [1000 ** (i + 1), 1024 ** (i + 1)];
    return [[`${letter}B`, decimal] as const, [letter, binary] as const, [`${letter}iB`, binary] as const];
  }),
]);

/** Throws when it is no XML at all. */
export function parseDomainXml(xml: string): Hardware {
  const domain = parseDomain(xml);
  const devices = child(domain, 'devices');
  const loader = loaderDevice(domain);
  const hostdevs = children(devices, 'hostdev');
  return {
    machine: text(child(child(domain, 'os'), 'type'), '@machine'),
    vcpus: number(text(child(domain, 'vcpu'), '@current')) ?? number(content(domain, 'vcpu')),
    memory: bytes(domain, 'currentMemory') ?? bytes(domain, 'memory'),
    disks: children(devices, 'disk')
      .map(node => disk(node, loader))
      .filter(entry => entry !== null),
    nics: children(devices, 'interface')
      .map(nic)
      .filter(entry => entry !== null),
    hiddenDisks: !hostdevs.every(isPassedUsb),
    loaderPassedThrough: loader !== null && hostdevs.includes(loader),
  };
}

function disk(node: Node, loader: Node | null): Disk | null {
  const target = text(child(node, 'target'), '@dev');
  if (target === null) return null;
  const bus = text(child(node, 'target'), '@bus');
  return { target, role: role(node, loader), bus, source: source(child(node, 'source')) };
}

function isDisk(node: Node): boolean {
  const device = text(node, '@device') ?? 'disk';
  return device === 'disk' || device === 'lun';
}

/** A USB device of the host that the guest has for itself: a stick, or anything else. */
function isPassedUsb(node: Node): boolean {
  return text(node, '@type') === 'usb';
}

/**
 * The disk, or the passed-through USB device (`hostdev`), or null. `<boot order>` of the devices decides; CD drives and
 * NICs in it are passed over, as the firmware does when it finds nothing there. With `<boot dev='hd'/>` QEMU gets the
 * first disk alone, in the order in which libvirt writes the XML (qemuBuildDisksCommandLine). libvirt writes one or the
 * other; without both the firmware finds a loader on USB.
 */
export function loaderDevice(domain: Node | undefined): Node | null {
  const devices = child(domain, 'devices');
  const disks = children(devices, 'disk').filter(isDisk);
  const passed = children(devices, 'hostdev').filter(isPassedUsb);
  const [first] = [...disks, ...passed]
    .flatMap(node => {
      const order = number(text(children(node, 'boot')[0], '@order'));
      return order === null ? [] : [{ node, order }];
    })
    .sort((one, other) => one.order - other.order);
  if (first) return first.node;
  const byKind = children(child(domain, 'os'), 'boot').some(boot => text(boot, '@dev') === 'hd');
  const disk = byKind ? disks[0] : disks.find(node => text(child(node, 'target'), '@bus') === 'usb');
  return disk ?? passed[0] ?? null;
}

export function role(node: Node, loader: Node | null): Disk['role'] {
  if (!isDisk(node)) return 'removable';
  return node === loader ? 'loader' : 'data';
}

/** A file, a block device, a pool's volume, or a network disk's protocol and name. */
function source(node: Node | undefined): string | null {
  const path = text(node, '@file') ?? text(node, '@dev') ?? text(node, '@dir');
  if (path !== null) return path;
  const pool = text(node, '@pool');
  if (pool !== null) return `${pool}/${text(node, '@volume') ?? ''}`;
  const protocol = text(node, '@protocol');
  return protocol === null ? null : `${protocol}:${text(node, '@name') ?? ''}`;
}

function nic(node: Node): Nic | null {
  const mac = text(child(node, 'mac'), '@address');
  if (mac === null) return null;
  const plugged = child(node, 'source');
  const link = text(child(node, 'link'), '@state');
  return {
    mac: mac.toLowerCase(),
    model: text(child(node, 'model'), '@type'),
    source: text(plugged, '@bridge') ?? text(plugged, '@network') ?? text(plugged, '@dev'),
    tap: text(child(node, 'target'), '@dev'),
    type: text(node, '@type'),
    link: link === 'up' || link === 'down' ? link : null,
  };
}

function bytes(parent: Node | undefined, name: string): number | null {
  const amount = number(content(parent, name));
  const factor = units.get(text(child(parent, name), '@unit') ?? 'KiB');
  return amount === null || factor === undefined ? null : safe(amount * factor);
}
