/** What is known of the guest itself, not only of its machine: the words of the checks, and their result. */

/** `degraded`: DSM works, but not fully. `unknown`: the bridge cannot tell. */
export const verdicts = [
  'off',
  'paused',
  'crashed',
  'booting',
  'loader',
  'installer',
  'recoverable',
  'starting',
  'updating',
  'up',
  'degraded',
  'unreachable',
  'unknown',
] as const;
export type Verdict = (typeof verdicts)[number];

/** `other`: any guest that is not DSM. */
export const guestKinds = ['dsm', 'other'] as const;
export type GuestKind = (typeof guestKinds)[number];

const ofEveryGuest = ['bridge', 'neighbour', 'ping', 'tcp'] as const;
/** From the host's wire up to the guest's own words. */
export const probesOf = {
  dsm: [...ofEveryGuest, 'web', 'dsm', 'discovery'],
  other: [...ofEveryGuest, 'http', 'ssh', 'agent'],
} as const satisfies Record<GuestKind, readonly string[]>;
export type ProbeName = (typeof probesOf)[GuestKind][number];
export const probeNames: readonly ProbeName[] = [...new Set([...probesOf.dsm, ...probesOf.other])];

/** `ok`: as it is when the guest is up. */
export const probeOutcomes = ['ok', 'failed', 'not_applicable'] as const;
export type ProbeOutcome = (typeof probeOutcomes)[number];

export interface ProbeRow {
  outcome: ProbeOutcome;
  /** Milliseconds until it answered; null: it did not, or was not asked. */
  ms: number | null;
  explanation: string;
  /** When it was last asked, ISO 8601. */
  at: string;
}

/** What a running DSM reports about itself. Its serial number is never stored. */
export interface DsmIdentity {
  /** As in its control panel: `diskstation`. */
  name: string | null;
  /** `DS918+` */
  model: string | null;
  /** `7.1.1-42962` */
  version: string | null;
  /** The small update after the version: 6 of `7.1.1-42962 Update 6`. */
  update: number | null;
  /** IPv4. */
  address: string | null;
  httpPort: number | null;
  httpsPort: number | null;
}

/**
 * What a VM is meant to be; any other state is a problem. `last_commanded`: what a command, or whoever started it, last
 * told it to be; `last_intended`: the same, but off if its guest powered itself off and stayed off.
 */
export const expectations = ['running', 'off', 'last_commanded', 'last_intended'] as const;
export type Expectation = (typeof expectations)[number];

/** What a command, or whoever started the VM, last told it to be. */
export const wishes = ['running', 'paused', 'off'] as const;
export type Wish = (typeof wishes)[number];

/** The result of one VM's checks. Times are ISO 8601. */
export interface Check {
  verdict: Verdict;
  /** A finer word than the verdict; docs/checks.md lists them. */
  cause: string;
  reachable: boolean | null;
  /** It differs from what it is meant to be; null: the bridge cannot tell. */
  problem: boolean | null;
  /** One plain sentence each. */
  reason: string;
  nextStep: string | null;
  since: string;
  /** Checks in a row that found less than the verdict says. */
  failures: number;
  /** What it is meant to be; null: not known yet. */
  expected: Wish | null;
  /** As last asked since the machine was powered on. */
  probes: Readonly<Partial<Record<ProbeName, ProbeRow>>>;
  /** Milliseconds until the fastest port accepted. */
  latency: number | null;
  checkedAt: string | null;
  nextAt: string | null;
  /** DSM has been up since the machine was powered on or reset. */
  wasUp: boolean;
  /** From power on to `up`; null: not seen. */
  bootSeconds: number | null;
  /** As it last told itself; of another guest only the address. */
  dsm: DsmIdentity;
  /** Until the first certificate of `checks.http` expires; null: none was seen. */
  certificateDays: number | null;
}

export const unknownDsm: DsmIdentity = {
  name: null,
  model: null,
  version: null,
  update: null,
  address: null,
  httpPort: null,
  httpsPort: null,
};

export function isReachable(verdict: Verdict): boolean | null {
  return verdict === 'unknown' ? null : verdict === 'up' || verdict === 'degraded';
}

/** `7.1.1-42962 Update 6` */
export function fullVersion({ version, update }: Pick<DsmIdentity, 'version' | 'update'>): string | null {
  return version !== null && update ? `${version} Update ${update}` : version;
}
