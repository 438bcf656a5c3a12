/** What libvirt knows of one domain, in the words people and Home Assistant read. */

export const domainStates = [
  'running',
  'idle',
  'paused',
  'shutting_down',
  'shut_off',
  'crashed',
  'pmsuspended',
  'unknown',
] as const;
export type DomainState = (typeof domainStates)[number];

type DiskRole = 'data' | 'loader' | 'removable';

/** One disk of the live (else the inactive) XML; identified by its target, which survives restarts. */
export interface Disk {
  /** `sda`; libvirt's name for the slot, not the guest's. */
  target: string;
  role: DiskRole;
  bus: string | null;
  /** Host path, volume or URL; null for an empty drive. */
  source: string | null;
}

/** One network interface; identified by its MAC, because the tap's name changes at every start. */
export interface Nic {
  /** Lower case with colons, as libvirt writes it. */
  mac: string;
  model: string | null;
  /** Bridge, network or device that it is plugged into. */
  source: string | null;
  /** Tap of the running domain (`vnet3`); null while it is off. */
  tap: string | null;
  /** How it is plugged in, in libvirt's word: `bridge`, `network`, `direct` (macvtap), `user`, … */
  type: string | null;
  /** Its link as set in libvirt; null: not set, which means up. */
  link: 'up' | 'down' | null;
}

export interface Hardware {
  machine: string | null;
  /** The online ones; more may be plugged in. */
  vcpus: number | null;
  /** Bytes that the guest has now (libvirt's `<currentMemory>`); the balloon may give it more. */
  memory: number | null;
  disks: Disk[];
  nics: Nic[];
  /** A PCI or SCSI device of the host is passed through. It may have disks, whose requests libvirt does not count. */
  hiddenDisks: boolean;
  /** The firmware starts from a USB device of the host, so none of `disks` is the loader. */
  loaderPassedThrough: boolean;
}

/** For a domain whose definition could not be read: only its identity is known. */
export const unknownHardware: Hardware = {
  machine: null,
  vcpus: null,
  memory: null,
  disks: [],
  nics: [],
  hiddenDisks: false,
  loaderPassedThrough: false,
};

export interface Domain {
  uuid: string;
  name: string;
  /** libvirt calls it active: it has a process, whatever its state. */
  active: boolean;
  state: DomainState;
  /** libvirt's word for why it is in this state, snake case (`booted`, `io_error`, `destroyed`). */
  reason: string;
  persistent: boolean;
  autostart: boolean | null;
  hardware: Hardware;
}

/** The identity part of a domain: enough to announce its entities while libvirt is away. */
export interface DomainDescription {
  uuid: string;
  name: string;
  hardware: Hardware;
  /** The name of its host; null: it is the only one. */
  on: string | null;
  /** What its device page says of DSM. */
  dsm: DsmDescription;
}

export interface DsmDescription {
  /** `DS918+` */
  model: string | null;
  /** `7.1.1-42962 Update 6` */
  version: string | null;
  /** Of its page. */
  url: string | null;
}

export const unknownDescription: DsmDescription = { model: null, version: null, url: null };

/**
 * NICs by a topic-, JSON- and entity-safe key: the MAC in hex, `525400d53001`. Several may have one MAC: the second in
 * the definition's order is `525400d53001_2`.
 */
export function byKey<N extends Pick<Nic, 'mac'>>(nics: readonly N[]): readonly Keyed<N>[] {
  const known = (keyed.get(nics) as readonly Keyed<N>[] | undefined) ?? withKeys(nics);
  keyed.set(nics, known);
  return known;
}

type Keyed<N> = readonly [key: string, nic: N];

/** Each sample asks for them. */
const keyed = new WeakMap<object, readonly Keyed<unknown>[]>();

function withKeys<N extends Pick<Nic, 'mac'>>(nics: readonly N[]): Keyed<N>[] {
  const seen = new Map<string, number>();
  return nics.map(nic => {
    const hex = nic.mac.toLowerCase().replaceAll(/[^0-9a-f]/g, '');
    const nth = (seen.get(hex) ?? 0) + 1;
    seen.set(hex, nth);
    return [nth === 1 ? hex : `${hex}_${nth}`, nic];
  });
}

/** How a domain may be called in the configuration; else it is a name. */
export function isUuid(domain: string): boolean {
  return /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(domain);
}
