import type { DsmIdentity, ProbeName, ProbeOutcome } from '../model/check.ts';

/** The findings of each probe. The verdict depends on these words alone. */
export const kinds = {
  bridge: {
    ok: ['ok'],
    /**
     * `link_down`: libvirt has set the NIC's link down. `no_tap`: libvirt names a tap that the host does not have, or
     * none. `misplugged`: the tap is a port of another bridge than the definition names, or of none. `no_uplink`: the
     * bridge has physical ports, and none of them has a carrier.
     */
    failed: ['link_down', 'no_tap', 'tap_down', 'misplugged', 'bridge_down', 'no_uplink'],
    /** Another host, a container without the host's network, a kind of NIC without a tap. */
    not_applicable: ['macvtap', 'not_applicable'],
  },
  neighbour: {
    ok: ['ok'],
    /** `taken`: another machine uses its address. */
    failed: ['silent', 'taken'],
    /** No address is known, or it is not in a network of this machine. */
    not_applicable: ['not_applicable'],
  },
  ping: { ok: ['ok'], failed: ['silent'], not_applicable: ['not_applicable'] },
  tcp: {
    ok: ['all'],
    /** `refused`: no port accepts, but at least one refuses, so there is a machine. */
    failed: ['some', 'refused', 'silent'],
    not_applicable: ['not_applicable'],
  },
  web: {
    ok: ['dsm'],
    /** `silent`: a port accepts, but no page comes. `closed`: no web port accepts. */
    failed: ['installer', 'loader', 'other', 'silent', 'closed'],
    /** `behind`: a proxy before the page wants a login, or redirects to a host that does not answer here. */
    not_applicable: ['behind', 'not_applicable'],
  },
  dsm: {
    /** `asleep`: its disks are asleep, and it was asked nothing more. */
    ok: ['ready', 'asleep'],
    /**
     * The installer waits. `no_disk`, `small_disk`: no disk, or none that is large enough; `migratable`: the disks come
     * from another machine; `recoverable`: DSM's system is broken and can be repaired. `mute`: DSM's web server
     * answers, but its API does not. `other`: something else than DSM answers.
     */
    failed: [
      ...['starting', 'installer', 'no_disk', 'small_disk', 'migratable', 'recoverable', 'updating'],
      ...['mute', 'other', 'silent'],
    ],
    not_applicable: ['not_applicable'],
  },
  http: {
    ok: ['ok'],
    /**
     * `expired`: as expected, but for a certificate that is not valid now. `wrong`: another status than expected.
     * `some`: some pages answer, others do not. `mute`: a port accepts, but no page comes. `refused`: a port refuses, so
     * there is a machine.
     */
    failed: ['expired', 'wrong', 'some', 'mute', 'refused', 'silent'],
    not_applicable: ['not_applicable'],
  },
  /** `other`: something else answers. `mute`: it accepts, and says nothing. */
  ssh: { ok: ['ok'], failed: ['other', 'mute', 'refused', 'silent'], not_applicable: ['not_applicable'] },
  /** `missing`: the definition has no channel for it. */
  agent: { ok: ['ok'], failed: ['silent', 'missing'], not_applicable: ['not_applicable'] },
  discovery: {
    ok: ['ready'],
    /** `silent`: it answered before. */
    failed: ['booting', 'starting', 'updating', 'installer', 'migratable', 'recoverable', 'silent'],
    /** It has never answered (a firewall, a container without the host's network), or the port is in use. */
    not_applicable: ['not_applicable'],
  },
} as const satisfies Record<ProbeName, Record<ProbeOutcome, readonly string[]>>;

export type Kind<P extends ProbeName> = (typeof kinds)[P][ProbeOutcome][number];

export function outcomeOf<P extends ProbeName>(probe: P, kind: Kind<P>): ProbeOutcome {
  const { ok, failed }: Record<ProbeOutcome, readonly string[]> = kinds[probe];
  if (ok.includes(kind)) return 'ok';
  return failed.includes(kind) ? 'failed' : 'not_applicable';
}

/** What one probe found. */
interface Finding<P extends ProbeName> {
  kind: Kind<P>;
  /** Milliseconds until it answered; null: it did not. */
  ms: number | null;
  /** For people: one plain sentence, with its full stop. */
  explanation: string;
}

/** And what else it learns. */
export interface Findings {
  bridge: Finding<'bridge'> & {
    /** Of the NIC that the sentence is about. */
    mac: string | null;
    /** One of several NICs that has a fault, while another is well. */
    worst: { kind: Kind<'bridge'>; mac: string; explanation: string } | null;
  };
  /** `address`: the IPv4 address at which the guest's own MAC answers; null: none. */
  neighbour: Finding<'neighbour'> & { address: string | null };
  ping: Finding<'ping'>;
  tcp: Finding<'tcp'> & { open: readonly number[]; closed: readonly number[] };
  /** And where to ask DSM; port null: nowhere. */
  web: Finding<'web'> & Omit<DsmPlace, 'port'> & { port: number | null };
  /** `identity`: as the installer tells it. */
  dsm: Finding<'dsm'> & { identity: DsmIdentity | null };
  discovery: Finding<'discovery'> & { device: DsmIdentity | null };
  /** `certificateDays`: until the first certificate expires, rounded down; null: none was seen. */
  http: Finding<'http'> & { certificateDays: number | null };
  ssh: Finding<'ssh'>;
  agent: Finding<'agent'>;
}

/** Where DSM is asked, at its address. */
export interface DsmPlace {
  port: number;
  secure: boolean;
  /** The host name in the request; null: the address. */
  name: string | null;
  /** The prefix of its paths behind a proxy that adds one: `/dsm`; else empty. */
  base: string;
}

/** A finding with only its word and its reason. */
export function bare<P extends ProbeName>(probe: P, kind: Kind<P>, explanation: string): Findings[P] {
  return { kind, ms: null, explanation, ...nothing[probe] } as unknown as Findings[P];
}

const nothing: { [P in ProbeName]: Omit<Findings[P], keyof Finding<P>> } = {
  bridge: { mac: null, worst: null },
  neighbour: { address: null },
  ping: {},
  tcp: { open: [], closed: [] },
  web: { port: null, secure: false, name: null, base: '' },
  dsm: { identity: null },
  discovery: { device: null },
  http: { certificateDays: null },
  ssh: {},
  agent: {},
};

/** How long a probe may take. */
export interface Limits {
  /** Milliseconds at most. */
  timeout: number;
  /** Ends it at once; it may then reject. */
  signal: AbortSignal;
}
