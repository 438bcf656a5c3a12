import { isDeepStrictEqual } from 'node:util';
import { type Expectation, type GuestKind, type ProbeName, probeNames } from '../../model/check.ts';
import type { Hardware, Nic } from '../../model/domain.ts';
import type { VmSnapshot } from '../../model/snapshot.ts';
import type { Stats } from '../../model/stats.ts';
import { guests } from '../diagnosis/diagnose-other.ts';
import { type Cause, diagnoses } from '../diagnosis/diagnoses.ts';
import { type Age, ageOf, canAnswer, type Evidence, type Machine, type OtherEvidence } from '../diagnosis/evidence.ts';
import type { Findings } from '../finding.ts';
import { type Debounced, debounce, isSilence, saidByMachine } from './debounce.ts';
import { type DiskActivity, isStirred, noActivity, withSample } from './disk-idle.ts';
import type { Examination } from './examine.ts';
import type { Services } from './locate.ts';
import { afterChange, pauseAfter, retest } from './retry-times.ts';
import { type Host, type Known, type Moment, nothingKnown, type Run, resetAt, runOf, toKnown, upAt } from './run.ts';

/** What the checks of one VM know, and how each event changes it. Pure: it asks nothing, and starts no timer. */

/** What the configuration says of one VM's checks. Milliseconds. */
export interface CheckPolicy extends Services {
  guest: GuestKind;
  expected: Expectation;
  /** A name or an address; null: to be found. */
  address: string | null;
  failuresBeforeDown: number;
  bootGrace: number;
  probeTimeout: number;
}

export interface CheckState {
  /** What survives the bridge. */
  readonly known: Known;
  /** Null: the machine does not run. */
  readonly run: Run | null;
  /** Counts the runs: findings of an earlier run no longer count. */
  readonly runs: number;
  /** The latest finding of each probe in this run, because a cheap check runs only some. `at`: ISO 8601. */
  readonly findings: { readonly [P in ProbeName]?: Findings[P] & { at: string } };
  /** The lower layers when all probes last ran; null: they have not all run in this run of the machine. */
  readonly baseline: unknown;
  /** Of DSM's page. */
  readonly port: number;
  /** When DSM began to report an update, which may be long after power on. */
  readonly updatingSince: number | null;
  /** When the whole network was searched last. */
  readonly sweptAt: number;
  readonly disks: DiskActivity;
  /** As libvirt told them last. */
  readonly nics: readonly Nic[] | null;
  /** The result of the last check alone, and of all checks together. */
  readonly found: Cause;
  readonly debounced: Debounced;
  readonly checkedAt: number | null;
  /** When the next check besides the schedule is due; null: there is none. */
  readonly next: Moment | null;
}

export type CheckEvent =
  /** libvirt reported the machine's state, or went away, or came back. */
  | { type: 'machine'; machine: Machine; vm: VmSnapshot; runId: number | null }
  | { type: 'reset' }
  | { type: 'stats'; stats: Stats; hardware: Hardware }
  /** A check ended; `found` null: there was no guest to check. */
  | { type: 'checked'; machine: Machine; found: Examination | null }
  /** The time of `next` has come. */
  | { type: 'due' };

export interface CheckContext {
  at: Moment;
  host: Host;
  policy: CheckPolicy;
  /** Some schedule is set: checks do not run only on command. */
  automatic: boolean;
}

export function initialState(known: Known, date: number): CheckState {
  return {
    ...{ known, run: null, runs: 0, findings: {}, baseline: null, port: 5_000, updatingSince: null },
    ...{ sweptAt: Number.NEGATIVE_INFINITY, disks: noActivity, nics: null, checkedAt: null, next: null },
    ...{ found: 'not_checked', debounced: { cause: 'not_checked', since: date, failures: 0 } },
  };
}

export function reduce(state: CheckState, event: CheckEvent, context: CheckContext): CheckState {
  const { at } = context;
  switch (event.type) {
    case 'machine':
      return follow(ofRun(state, event, context), event, context);
    case 'reset':
      return state.run ? begin(state, resetAt(state.run, at.now), context) : state;
    case 'stats': {
      const disks = withSample(state.disks, event.stats, event.hardware, at.now);
      // DSM's report about its disks may be outdated.
      const stirred = state.debounced.cause === 'up_asleep' && isStirred(state.disks, disks);
      return { ...(stirred ? checkIn(retest, state, context) : state), disks };
    }
    case 'checked':
      return { ...(event.found ? take(state, event.found, event.machine, context) : state), checkedAt: at.date };
    case 'due':
      return { ...state, next: null };
  }
}

function causeOf(state: CheckState, machine: Machine, context: CheckContext): Cause {
  const age = ageIn(state, context);
  if (state.baseline === null && canAnswer(machine) && machine !== 'stopping') {
    // Until this bridge has asked, what an earlier one was told counts: nobody may reboot DSM meanwhile.
    if (state.run?.updating) return 'updating';
    return age === 'young' && !state.run?.wasUp ? 'booting' : 'not_checked';
  }
  const past = state.run?.wasUp ? 'was_up' : 'fresh';
  const { guest, ...policy } = context.policy;
  const { diagnose } = guests[guest];
  const evidence: AllEvidence = { machine, age, past, askable: askableOf(policy), ...kindsOf(state.findings) };
  const cause = diagnose(evidence);
  const worst = state.findings.bridge?.worst ?? null;
  // One of several NICs is well, but nothing answers: so the guest uses the other one.
  return worst !== null && unheard.has(cause) ? diagnose({ ...evidence, bridge: worst.kind }) : cause;
}

/** Causes that only mean that nothing answers. */
const unheard: ReadonlySet<Cause> = new Set(['silent', 'no_answer', 'filtered', 'services_silent', 'address_unknown']);

type AllEvidence = Evidence & OtherEvidence;

function askableOf({ ports, http, ssh, agent }: Services): OtherEvidence['askable'] {
  if (ports.length > 0 || http.length > 0 || ssh !== null) return 'network';
  return agent ? 'agent' : 'nothing';
}

export function ageIn(state: CheckState, { at, policy }: CheckContext): Age {
  return ageOf(sinceStart(state, at.now), policy.bootGrace);
}

/** Milliseconds since power on, or since its update began; null: unknown. */
export function sinceStart({ updatingSince, run }: CheckState, now: number): number | null {
  const since = updatingSince ?? run?.since ?? null;
  return since === null ? null : now - since;
}

/** Whether the lower layers are as when all probes last ran: then the upper layers' findings still count. */
export function isUnchanged({ baseline }: CheckState, lower: Seen, address: string | null): boolean {
  return isDeepStrictEqual(baseline, baselineOf(lower, address));
}

type Seen = Examination['findings'];

function baselineOf({ bridge, neighbour, tcp, http, ssh, agent }: Seen, address: string | null): unknown {
  return [bridge.kind, neighbour.kind, tcp.kind, tcp.open, http?.kind, ssh?.kind, agent?.kind, address];
}

/** The words that the verdict goes by. */
export function kindsOf(findings: Partial<Findings>): Pick<AllEvidence, ProbeName> {
  const kinds = probeNames.map(name => [name, findings[name]?.kind ?? 'not_applicable']);
  return Object.fromEntries(kinds) as Pick<AllEvidence, ProbeName>;
}

type MachineEvent = Extract<CheckEvent, { type: 'machine' }>;

/** Adds the machine's run, as libvirt now reports it. */
function ofRun(before: CheckState, { vm, runId }: MachineEvent, context: CheckContext): CheckState {
  const { domain, startedAt } = vm;
  const another = domain !== null && before.known.uuid !== null && before.known.uuid !== domain.uuid;
  const state = another ? { ...before, known: nothingKnown } : before;
  if (!domain?.active) return state.run ? begin(state, null, context) : state;
  const id = runId ?? state.run?.id ?? -1;
  const known = { ...state.known, uuid: domain.uuid };
  if (state.run?.id === id) return { ...state, known };
  return begin({ ...state, known }, runOf({ id, startedAt }, known.run, context.host, context.at), context);
}

/** What libvirt reports of the machine counts at once. */
function follow(before: CheckState, { vm, machine }: MachineEvent, context: CheckContext): CheckState {
  const nics = vm.domain?.hardware.nics ?? null;
  const rewired = before.run !== null && before.nics !== null && !isDeepStrictEqual(nics, before.nics);
  const state = { ...(rewired ? checkIn(afterChange, before, context) : before), nics };
  const cause = causeOf(state, machine, context);
  const halted = saidByMachine(state.debounced.cause);
  // While libvirt is away, its last report counts, until a check finds something else.
  if (machine === 'unseen' && halted) return state;
  if (!canAnswer(machine) || state.baseline === null) return stand(state, cause, context);
  if (!halted) return state;
  // It was resumed, so older findings may be wrong: only good ones count until the next check.
  return checkIn(afterChange, stand(state, isSilence(cause) ? 'not_checked' : cause, context), context);
}

function stand(state: CheckState, cause: Cause, { at }: CheckContext): CheckState {
  return { ...state, found: cause, debounced: debounce(state.debounced, cause, 1, at.date) };
}

/** With what a check found. */
function take(before: CheckState, found: Examination, machine: Machine, context: CheckContext): CheckState {
  const { at, policy } = context;
  const { findings, address, identity } = found;
  const when = new Date(at.date).toISOString();
  const asked = Object.entries(findings).map(([probe, finding]) => [probe, { ...finding, at: when }]);
  const all: CheckState['findings'] = { ...before.findings, ...Object.fromEntries(asked) };
  const updating = all.dsm?.kind === 'updating' || all.discovery?.kind === 'updating';
  const { neighbour, tcp, http, ssh, ping } = findings;
  const answers = [neighbour.kind, http?.kind, ssh?.kind].includes('ok') || tcp.open.length > 0;
  const { known } = before;
  const state: CheckState = {
    ...before,
    findings: all,
    baseline: ping ? baselineOf(findings, address) : before.baseline,
    port: found.port,
    updatingSince: updating ? (before.updatingSince ?? at.now) : null,
    sweptAt: found.swept ? at.now : before.sweptAt,
    known: {
      ...known,
      address: answers && address !== null ? address : known.address,
      discovered: known.discovered || (findings.discovery?.device ?? null) !== null,
      dsm: identity ? { ...identity, address: address ?? identity.address } : known.dsm,
    },
  };
  const cause = causeOf(state, machine, context);
  const debounced = debounce(before.debounced, cause, policy.failuresBeforeDown, at.date);
  const told = { ...state, found: cause, debounced };
  const isNews = state.run !== null && state.run.updating !== updating;
  const judged = isNews ? withRun(told, { ...state.run, updating }, context) : told;
  const { verdict } = diagnoses[debounced.cause];
  const after = verdict === 'up' || verdict === 'degraded' ? withUp(judged, context) : judged;
  const pause = pauseAfter(debounced, ageIn(after, context));
  return pause === null ? after : checkIn(pause, after, context);
}

/** DSM is usable, so in this run it is not booting any more. */
function withUp(state: CheckState, context: CheckContext): CheckState {
  return state.run && !state.run.wasUp ? withRun(state, upAt(state.run, context.at.now), context) : state;
}

/** Another run, or none. */
function begin(before: CheckState, run: Run | null, context: CheckContext): CheckState {
  const { findings, baseline, updatingSince, sweptAt, disks } = initialState(before.known, 0);
  const clean = { ...before, findings, baseline, updatingSince, sweptAt, disks, next: null, runs: before.runs + 1 };
  return withRun(run ? checkIn(afterChange, clean, context) : clean, run, context);
}

function withRun(state: CheckState, run: Run | null, { host, at }: CheckContext): CheckState {
  const known = run && host.boot !== null ? toKnown(run, host.boot, at) : null;
  return { ...state, run, known: { ...state.known, run: known } };
}

/** The sooner one of two wins. */
function checkIn(milliseconds: number, state: CheckState, { at, automatic }: CheckContext): CheckState {
  const next = { date: at.date + milliseconds, now: at.now + milliseconds };
  return !automatic || (state.next && state.next.now <= next.now) ? state : { ...state, next };
}
