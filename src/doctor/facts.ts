import { type Definition, readDefinition } from '../loader/plan/definition.ts';
import { platformOf } from '../loader/platforms.ts';
import type { MapPair } from '../loader/sata-map.ts';
import type { Finding } from '../model/doctor.ts';
import type { Disk } from '../model/domain.ts';
import { orNull } from '../util/or-null.ts';
import { child, children, type Node, parseDomain, text } from '../vm/xml.ts';
import type { Host } from './host.ts';

/** What the rules are, and what they judge. Null is always: not known. */

/** What is known of the loader, from wherever it is known. */
export interface LoaderFacts {
  /** `tcrp`, `rr`, `arc`, … */
  kind: string | null;
  model: string | null;
  /** `7.1.1` */
  dsm: string | null;
  /** Whether it builds in acpid, and drivers for virtio. */
  acpid: boolean | null;
  virtio: boolean | null;
  map: MapPair | 'unset' | null;
}

export const unknownLoader: LoaderFacts = {
  ...{ kind: null, model: null, dsm: null, acpid: null, virtio: null, map: null },
};

export interface DiskFacts extends Disk {
  /** The `type` of its element. */
  type: string | null;
  cache: string | null;
  /** Index of its USB controller, if its address says one. */
  usbBus: string;
  /** Several domains may have it at once. */
  shareable: boolean;
}

/** Another domain of the same libvirt. */
export interface OtherDomain {
  name: string;
  active: boolean;
  disks: readonly DiskFacts[];
  macs: readonly string[];
}

/** What the image of a disk may still need of its pool; bytes. */
export interface Room {
  target: string;
  pool: string;
  free: number;
  size: number;
  growth: number;
}

export interface Facts extends Definition {
  domain: Node;
  devices: Node | undefined;
  disks: readonly DiskFacts[];
  loader: LoaderFacts;
  /** Passwords are in the definition too. */
  secure: boolean;
  active: boolean;
  autostart: boolean | null;
  /** Bytes that a running guest has now. */
  memoryNow: number | null;
  /** What the NICs are plugged into now. */
  bridges: readonly string[];
  /** The longest that a shutdown is known to have taken. */
  shutdownSeconds: number | null;
  /** Identities of the disks when DSM was last up, by source. */
  lastDisks: Readonly<Record<string, string>> | null;
  others: readonly OtherDomain[] | null;
  /** Of each image; null: not known of one. */
  rooms: readonly (Room | null)[];
  /** Null: libvirt runs on another machine. */
  host: Host | null;
}

/** Where facts come from. Those of the definition and of libvirt can be seen from another machine too. */
export type Source = 'definition' | 'libvirt' | 'loader' | 'host';

/** One row of THE table: why something matters to DSM, how to mend it, and how to see it. The page is made of these. */
export interface Rule extends Pick<Finding, 'level' | 'code' | 'message' | 'advice'> {
  /** What it needs most, and what is missing when it cannot tell. */
  source: Source;
  /** It holds for every guest, not only for DSM. */
  everyGuest?: true;
  /** What was seen, one for each finding; null: these facts do not tell. */
  find: (facts: Facts) => readonly Seen[] | null;
}

/** With a level or an advice that fits better than the rule's own. */
export type Seen = string | (Pick<Finding, 'seen'> & Partial<Pick<Finding, 'level' | 'advice'>>);

type Read = Pick<Facts, 'domain' | 'devices' | 'disks' | keyof Definition>;

/** Null: it is no definition of a domain. */
export function readFacts(xml: string): Read | null {
  const domain = orNull(() => parseDomain(xml));
  if (!domain) return null;
  const devices = child(domain, 'devices');
  const definition = readDefinition(xml);
  const nodes = new Map(children(devices, 'disk').map(node => [text(child(node, 'target'), '@dev'), node]));
  const disks = definition.hardware.disks.map((disk): DiskFacts => {
    const node = nodes.get(disk.target);
    const shareable = ['shareable', 'readonly'].some(name => node?.[name] !== undefined);
    const usbBus = text(child(node, 'address'), '@bus') ?? '0';
    return { ...disk, type: text(node, '@type'), cache: text(child(node, 'driver'), '@cache'), usbBus, shareable };
  });
  return { ...definition, domain, devices, disks };
}

export function unknownFacts(read: Read): Facts {
  return {
    ...{ ...read, loader: unknownLoader, secure: false, active: false, autostart: null, memoryNow: null },
    bridges: read.hardware.nics.flatMap(({ source }) => source ?? []),
    ...{ shutdownSeconds: null, lastDisks: null, others: null, rooms: [null], host: null },
  };
}

export function usesDeviceTree({ loader: { model } }: Facts): boolean | null {
  return platformOf(model)?.deviceTree ?? null;
}

export function dataDisks({ disks }: Pick<Facts, 'disks'>): readonly DiskFacts[] {
  return disks.filter(({ role }) => role === 'data');
}

/** The disk's source as its element has it. */
export function sourceOf({ target, type, source }: DiskFacts): string {
  const attribute = { block: 'dev', file: 'file' }[type ?? ''];
  return `${attribute ? `\`<source ${attribute}='${source}'/>\`` : source} of the disk ${target}`;
}

export function mib(bytes: number | null): string {
  return `${Math.floor((bytes ?? 0) / 2 ** 20)} MiB`;
}
