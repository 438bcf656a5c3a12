import type { DsmIdentity, ProbeName, ProbeOutcome } from '../model/check.ts';

/** Everything that each probe can find, and what it counts as: the verdict goes by these words alone. */
export const kinds = {
  bridge: {
    ok: 'ok',
    /** libvirt has set the NIC's link down. */
    link_down: 'failed',
    /** libvirt names a tap that the host does not have, or none. */
    no_tap: 'failed',
    tap_down: 'failed',
    /** The tap is a port of another bridge than the definition names, or of none. */
    misplugged: 'failed',
    /** The bridge itself is down. */
    bridge_down: 'failed',
    /** The bridge has physical ports, and none of them has a carrier. */
    no_uplink: 'failed',
    /** Macvtap: a guest on it and its host cannot talk to each other. */
    macvtap: 'not_applicable',
    /** Another host, a container without the host's network, a kind of NIC without a tap. */
    not_applicable: 'not_applicable',
  },
  neighbour: {
    ok: 'ok',
    /** Nothing answers for any address that is known of it. */
    silent: 'failed',
    /** Another machine has its address. */
    taken: 'failed',
    /** No address is known, or it is not in a network of this machine. */
    not_applicable: 'not_applicable',
  },
  ping: { ok: 'ok', silent: 'failed', not_applicable: 'not_applicable' },
  tcp: {
    /** Every configured port accepts. */
    all: 'ok',
    some: 'failed',
    /** No port accepts, and at least one refuses: a machine is there. */
    refused: 'failed',
    /** No port says anything. */
    silent: 'failed',
    not_applicable: 'not_applicable',
  },
  web: {
    dsm: 'ok',
    /** Synology's Web Assistant. */
    installer: 'failed',
    /** A loader's own page or shell. */
    loader: 'failed',
    /** Something stands before the page: it wants a login, or sends its guests to where nobody answers from here. */
    behind: 'not_applicable',
    /** A page of something else. */
    other: 'failed',
    /** A port accepts, but no page comes. */
    silent: 'failed',
    /** No web port accepts. */
    closed: 'failed',
    not_applicable: 'not_applicable',
  },
  dsm: {
    /** The API answers and the boot is done. */
    ready: 'ok',
    /** The API answers, and the disks are asleep; it was asked nothing more. */
    asleep: 'ok',
    /** The API answers; the boot is not done. */
    starting: 'failed',
    /** No DSM is installed. */
    installer: 'failed',
    /** The installer has no disk to install DSM on, or none that is large enough. */
    no_disk: 'failed',
    small_disk: 'failed',
    /** The disks come from another machine. */
    migratable: 'failed',
    /** DSM's system is broken and can be repaired. */
    recoverable: 'failed',
    /** It is being installed or updated at this moment. */
    updating: 'failed',
    /** DSM's web server answers, and its API does not: it boots, is busy, or hangs. */
    mute: 'failed',
    /** Something answers, but not in DSM's words. */
    other: 'failed',
    silent: 'failed',
    not_applicable: 'not_applicable',
  },
  discovery: {
    ready: 'ok',
    booting: 'failed',
    /** DSM starts its services. */
    starting: 'failed',
    updating: 'failed',
    installer: 'failed',
    migratable: 'failed',
    recoverable: 'failed',
    /** It answered before, and does not now. */
    silent: 'failed',
    /** It never answered (a firewall, a container without the host's network), or the port is taken. */
    not_applicable: 'not_applicable',
  },
} as const satisfies Record<ProbeName, Record<string, ProbeOutcome>>;

export type Kind<P extends ProbeName> = Extract<keyof (typeof kinds)[P], string>;

/** What one probe found. */
interface Finding<P extends ProbeName> {
  kind: Kind<P>;
  /** Milliseconds until it answered; null: it did not. */
  ms: number | null;
  /** For people: one plain sentence, with its full stop. */
  explanation: string;
}

/** And what else is learnt on the way. */
export interface Findings {
  bridge: Finding<'bridge'> & {
    /** Of the NIC that it speaks of. */
    mac: string | null;
    /** Of several NICs one that is not well, though another is. */
    worst: { kind: Kind<'bridge'>; mac: string; explanation: string } | null;
  };
  neighbour: Finding<'neighbour'> & {
    /** IPv4 at which the guest's own MAC answers; null: nowhere. */
    address: string | null;
  };
  ping: Finding<'ping'>;
  tcp: Finding<'tcp'> & { open: readonly number[]; closed: readonly number[] };
  /** And where DSM is to be asked; port null: nowhere. */
  web: Finding<'web'> & Omit<DsmPlace, 'port'> & { port: number | null };
  dsm: Finding<'dsm'> & {
    /** As the installer tells it. */
    identity: DsmIdentity | null;
  };
  discovery: Finding<'discovery'> & { device: DsmIdentity | null };
}

/** Where DSM is asked, at its address. */
export interface DsmPlace {
  port: number;
  secure: boolean;
  /** The host that is asked for; null: the address. */
  name: string | null;
  /** What its paths begin with, behind a proxy that gives it one: `/dsm`; else empty. */
  base: string;
}

/** How long a probe may take. */
export interface Limits {
  /** Milliseconds; a probe that is through earlier does not wait for them. */
  timeout: number;
  /** Ends it at once; what it then finds is of no interest, and it may reject. */
  signal: AbortSignal;
}

export function outcomeOf<P extends ProbeName>(probe: P, kind: Kind<P>): ProbeOutcome {
  return (kinds[probe] as Record<string, ProbeOutcome>)[kind] ?? 'failed';
}
