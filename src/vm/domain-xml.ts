import type { Disk, Hardware, Nic } from '../model/domain.ts';
import { isDisk, isPassedUsb, loaderDevice } from './loader-disk.ts';
import { child, children, content, type Node, number, parseDomain, safe, text } from './xml.ts';

/**
 * The few fields of a domain's XML that matter here. Read-only and tolerant: what is missing is null, what is unknown
 * is passed over, because libvirt's schema only grows.
 */

/** KiB unless the element says otherwise (libvirt's formatdomain, `memory`). */
const units = new Map(
  Object.entries({
    b: 1,
    bytes: 1,
    KB: 1e3,
    k: 1024,
    KiB: 1024,
    MB: 1e6,
    M: 1024 ** 2,
    MiB: 1024 ** 2,
    GB: 1e9,
    G: 1024 ** 3,
    GiB: 1024 ** 3,
    TB: 1e12,
    T: 1024 ** 4,
    TiB: 1024 ** 4,
  }),
);

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

/** `loader`: as `loaderDevice` tells. */
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
