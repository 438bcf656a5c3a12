import type { Verdict } from '../check.ts';
import type { Code, Outcome } from '../codes.ts';
import type { Command, TimeoutPolicy } from '../command.ts';
import { type Call, type CommandWord, type Occupation, type PowerWord, rowOf } from '../commands.ts';
import type { Domain } from '../domain.ts';
import type { Phase, Work } from '../snapshot.ts';
import type { Guest } from './guest.ts';

/**
 * A command under way, as a pure machine. Inputs: libvirt's answers, the domain's state, the time. Effects, which the
 * caller carries out: calls, progress, the outcome. Times are monotonic milliseconds.
 */
export interface Job {
  readonly word: PowerWord;
  /** Identifies the domain; another one may get the same name. */
  readonly uuid: string;
  /** The senders, the first one first: all of them get the outcome. */
  readonly tickets: readonly Ticket[];
  readonly keptStart: Ticket | null;
  readonly plan: Plan;
  readonly stage: Stage;
  /** What the checks said last of DSM. */
  readonly guest: Guest;
  readonly begunAt: number;
  readonly deadline: number;
  /** libvirt is there. */
  readonly up: boolean;
  /** Number of the latest call, so that an earlier call's answer is ignored. */
  readonly serial: number;
}

/** A command that waits for its responses; after `ended` it gets no more. */
export interface Ticket {
  readonly command: Command;
  /** `remaining`: milliseconds until it gives up, here and below. */
  accepted(remaining: number): void;
  progress(code: Code<'progress'>, message: string, remaining: number): void;
  ended(outcome: Outcome): void;
}

/** Milliseconds throughout. */
export interface Plan {
  /** For the guest, to power off or restart itself. */
  timeout: number;
  /** For libvirt, to start it. */
  startTimeout: number;
  resendEvery: number;
  maxPresses: number;
  onTimeout: TimeoutPolicy;
  /** Between off and start. */
  pause: number;
}

type Stage =
  | { at: 'pausing'; until: number }
  /** Other VMs shut down first. The guest is asked when only `reserve` milliseconds of its time are left. */
  | { at: 'holding'; reserve: number }
  | { at: 'calling'; call: Exclude<Call, 'press'> }
  | {
      at: 'pressing';
      attempt: number;
      /** The presses that count: the guest could hear them, or it is unknown whether it could. */
      counted: number;
      /** The latest press; null: none yet. */
      pressedAt: number | null;
      /** Since power on, DSM has been up, or its ports have been open. */
      hears: boolean;
      /** Its ports have closed after that: it shuts down. */
      closing: boolean;
      /** `untold`: its address is not known. */
      ports: 'unknown' | 'open' | 'closed' | 'untold';
      probing: boolean;
      /** What was last said of its hearing. */
      said: string | null;
    };

export type JobInput =
  /** `failure` null: libvirt has done it, or has accepted it. */
  | { type: 'answered'; serial: number; failure: CallFailure | null }
  | { type: 'domain'; domain: Domain | null }
  | { type: 'rebooted' }
  /** Null: its address is not known. */
  | { type: 'ports'; open: boolean | null }
  | { type: 'guest'; guest: Guest }
  | { type: 'hypervisor'; up: boolean }
  /** No other VM is waited for any more. */
  | { type: 'released' }
  | { type: 'tick' };

/** `rejected`: the call was never sent. `unanswered`: libvirt has it, and does not answer. */
export type CallFailure =
  | { kind: 'rejected'; code: Code<'rejected'>; message: string }
  | { kind: 'failed'; code: Code<'failed'>; message: string }
  | { kind: 'unanswered'; message: string };

export type Effect =
  | { type: 'call'; call: Call; serial: number }
  | { type: 'probe' }
  | { type: 'progress'; code: Code<'progress'>; message: string }
  | { type: 'end'; tickets: readonly Ticket[]; outcome: Outcome };

/** `job` is null when all is over. */
export interface Step {
  job: Job | null;
  effects: readonly Effect[];
}

/** Power is never cut earlier than this after a shutdown began, whatever the command says. */
export const leastBeforeCut = 60_000;
/** For libvirt to start a domain. A start usually shows at once; this limit is for a daemon that hangs. */
export const startTimeout = 120_000;

/**
 * Milliseconds for libvirt to answer a call. Each is longer than any time limit of libvirt's own, so that libvirt's
 * answer is the one that counts: a call waits 30 s for a domain that another call keeps busy (qemu_domainjob.c).
 * To end a QEMU that does not obey, libvirt takes 15 s, then 10 s more, and each time 2 s more for each passed-through
 * device (qemu_process.c, virprocess.c). A daemon that hangs is noticed by its missing keepalive answers long before.
 */
export const callPatience = { start: startTimeout, change: 60_000, cut_power: 180_000 } as const;

/** A time-out never cuts the power of a DSM with this verdict: that could destroy the system. */
export const fragile: ReadonlySet<Verdict> = new Set(['updating', 'recoverable']);

/** The verdict on DSM; `unknown` when it was unknown, or is too old. */
export function verdictNow({ guest }: Job, now: number): Verdict {
  return now < guest.until ? guest.verdict : 'unknown';
}

/** When to ask the guest next; null: not again. Never while DSM is being updated. */
export function nextPress({ stage, plan, guest, begunAt }: Job): number | null {
  if (stage.at !== 'pressing' || stage.closing || stage.counted >= plan.maxPresses) return null;
  const due = stage.pressedAt === null ? begunAt : stage.pressedAt + plan.resendEvery;
  return guest.verdict === 'updating' ? Math.max(due, guest.until) : due;
}

/**
 * The invariant: power is cut only where the configuration lists `force_off`, and then because somebody gave that
 * command, or because a shutdown's time is up whose policy says so, which has lasted a minute, and whose DSM is not
 * known to update or to be damaged.
 */
export function mayCutPower(job: Job, permitted: readonly CommandWord[], now: number): boolean {
  if (!permitted.includes('force_off')) return false;
  if (job.word === 'force_off') return true;
  return (
    job.plan.onTimeout === 'force_off' && now - job.begunAt >= leastBeforeCut && !fragile.has(verdictNow(job, now))
  );
}

export function wakeAt(job: Job): number {
  const { stage, deadline, up } = job;
  if (stage.at === 'pausing' && up) return Math.min(deadline, stage.until);
  if (stage.at === 'holding' && up) return deadline - stage.reserve;
  if (stage.at === 'pressing' && up && !stage.probing) return Math.min(deadline, nextPress(job) ?? deadline);
  return deadline;
}

export function occupation({ word, stage }: Job): Occupation {
  if (stage.at === 'pausing') return 'waiting';
  if (stage.at === 'calling') return stage.call === 'guest_reboot' ? 'reboot' : 'call';
  return word === 'reboot' ? 'reboot' : 'shutdown';
}

/** What the snapshot says of it; times as the caller's clock has them. */
export function workOf(job: Job, time: (at: number) => string): Work {
  const { stage } = job;
  return {
    activity: rowOf(job.word).activity ?? 'none',
    phase: phaseOf(stage),
    since: time(job.begunAt),
    deadline: time(job.deadline),
    attempt: stage.at === 'pressing' ? stage.attempt : null,
    startAfterOff: job.keptStart !== null,
  };
}

function phaseOf(stage: Stage): Phase {
  if (stage.at === 'pausing') return 'pausing';
  if (stage.at === 'holding') return 'waiting_for_dependents';
  if (stage.at === 'pressing' || stage.call === 'guest_reboot') return 'waiting_for_guest';
  return stage.call === 'cut_power' ? 'cutting_power' : 'calling';
}
