import type { Verdict } from './check.ts';
import type { CommandWord } from './command.ts';
import type { Domain, DomainState } from './domain.ts';

/** What a command means for a domain as it is now. Pure, one answer a cell; docs/commands.md prints both tables. */

export type Action = CommandWord | 'wake_up';

export type Decision =
  | { do: Action }
  /** It is as it should be. */
  | { do: 'nothing'; message: string }
  | { do: 'reject'; message: string };

/** A domain's state, or that libvirt has no such domain. */
export type Situation = DomainState | 'absent';

const noDomain = refuse('libvirt has no such domain');
const isOff = refuse('it is off');
const runsAlready = nothing('it runs already');
const closing = refuse('it is shutting down at this moment');
const deaf = {
  paused: refuse('it is paused and cannot hear the power button; resume it first'),
  crashed: refuse('it has crashed and cannot hear the power button'),
  pmsuspended: refuse('it is suspended and cannot hear the power button; resume it first'),
};
const kept = refuse('it has crashed and is kept for inspection; cut its power first');

/** `idle` is libvirt's "blocked": running for all that matters here. `unknown`: libvirt itself decides. */
export const decisions: Record<CommandWord, Record<Situation, Decision>> = {
  start: {
    running: runsAlready,
    idle: runsAlready,
    paused: { do: 'resume' },
    shutting_down: closing,
    shut_off: { do: 'start' },
    crashed: kept,
    pmsuspended: { do: 'wake_up' },
    unknown: { do: 'start' },
    absent: noDomain,
  },
  shutdown: {
    running: { do: 'shutdown' },
    idle: { do: 'shutdown' },
    ...deaf,
    shutting_down: { do: 'shutdown' },
    shut_off: nothing('it is off already'),
    unknown: { do: 'shutdown' },
    absent: noDomain,
  },
  reboot: {
    running: { do: 'reboot' },
    idle: { do: 'reboot' },
    ...deaf,
    shutting_down: closing,
    shut_off: refuse('it is off; start it'),
    unknown: { do: 'reboot' },
    absent: noDomain,
  },
  suspend: {
    running: { do: 'suspend' },
    idle: { do: 'suspend' },
    paused: nothing('it is paused already'),
    shutting_down: closing,
    shut_off: isOff,
    crashed: refuse('it has crashed'),
    pmsuspended: refuse('it has suspended itself already'),
    unknown: { do: 'suspend' },
    absent: noDomain,
  },
  resume: {
    running: runsAlready,
    idle: runsAlready,
    paused: { do: 'resume' },
    shutting_down: closing,
    shut_off: refuse('it is off; start it'),
    crashed: kept,
    pmsuspended: { do: 'wake_up' },
    unknown: { do: 'resume' },
    absent: noDomain,
  },
  reset: {
    running: { do: 'reset' },
    idle: { do: 'reset' },
    paused: refuse('it is paused; resume it first'),
    shutting_down: closing,
    shut_off: isOff,
    crashed: kept,
    pmsuspended: refuse('it is suspended; resume it first'),
    unknown: { do: 'reset' },
    absent: noDomain,
  },
  force_off: {
    running: { do: 'force_off' },
    idle: { do: 'force_off' },
    paused: { do: 'force_off' },
    shutting_down: { do: 'force_off' },
    shut_off: nothing('it is off already'),
    crashed: { do: 'force_off' },
    pmsuspended: { do: 'force_off' },
    unknown: { do: 'force_off' },
    absent: noDomain,
  },
  screenshot: {
    running: { do: 'screenshot' },
    idle: { do: 'screenshot' },
    paused: { do: 'screenshot' },
    shutting_down: { do: 'screenshot' },
    shut_off: refuse('it is off and has no screen'),
    crashed: { do: 'screenshot' },
    pmsuspended: { do: 'screenshot' },
    unknown: { do: 'screenshot' },
    absent: noDomain,
  },
  autostart: { ...always('autostart'), absent: noDomain },
  rebuild: {
    running: { do: 'rebuild' },
    idle: { do: 'rebuild' },
    ...deaf,
    shutting_down: closing,
    shut_off: { do: 'rebuild' },
    unknown: { do: 'rebuild' },
    absent: noDomain,
  },
  rollback: {
    running: { do: 'rollback' },
    idle: { do: 'rollback' },
    ...deaf,
    shutting_down: closing,
    shut_off: { do: 'rollback' },
    unknown: { do: 'rollback' },
    absent: noDomain,
  },
  arm: { ...always('arm'), absent: { do: 'arm' } },
  check: { ...always('check'), absent: { do: 'check' } },
  refresh: { ...always('refresh'), absent: { do: 'refresh' } },
  cancel: { ...always('cancel'), absent: { do: 'cancel' } },
};

/** What would harm an installation or update of DSM, and can wait. A shutdown waits by itself; `force_off` does not. */
const whileUpdating: Readonly<Partial<Record<CommandWord, Decision>>> = {
  reboot: updating('it restarts by itself when that is over'),
  reset: updating('a reset would break it off; if it hangs, `force_off` cuts the power all the same'),
  rebuild: updating('rebuild the loader when that is over'),
  rollback: updating('roll back when that is over'),
};

/** `verdict`: of the checks on DSM, as far as it is still believed. */
export function decide(word: CommandWord, domain: Domain | null, verdict: Verdict = 'unknown'): Decision {
  if (word === 'autostart' && domain?.persistent === false) return refuse('a transient domain cannot start by itself');
  const decision = decisions[word][situation(domain)];
  const waits = verdict === 'updating' && domain?.active && decision.do === word;
  return (waits && whileUpdating[word]) || decision;
}

function situation(domain: Domain | null): Situation {
  if (!domain) return 'absent';
  // A crashed domain that is no longer active is simply off.
  return domain.state === 'crashed' && !domain.active ? 'shut_off' : domain.state;
}

/**
 * What holds the VM's one slot. `waiting`: for the pause between off and start, nothing has been asked yet; `rebuild`:
 * of its loader, or the way back.
 */
export type Occupation = 'waiting' | 'shutdown' | 'reboot' | 'call' | 'rebuild';

/**
 * - `busy`: it is refused
 * - `end`: the running one ends as cancelled
 * - `replace`: likewise, and the new one takes its place
 * - `amend`: it joins the running one; a shorter deadline is taken over, a kept start given up
 * - `keep`: carried out after the running one
 * - `beside`: it needs no slot
 */
export type Interruption = 'busy' | 'end' | 'replace' | 'amend' | 'keep' | 'beside';

const anyTime = {
  screenshot: 'beside',
  autostart: 'beside',
  arm: 'beside',
  check: 'beside',
  refresh: 'beside',
} as const;
const long = { rebuild: 'busy', rollback: 'busy' } as const;
const others = { reboot: 'busy', suspend: 'busy', resume: 'busy', reset: 'busy', ...long, ...anyTime } as const;

/** Who may interrupt whom: the rows are under way, the columns come in. */
export const interruptions: Record<Occupation, Record<CommandWord, Interruption>> = {
  waiting: { ...others, start: 'busy', shutdown: 'replace', force_off: 'replace', cancel: 'end' },
  shutdown: { ...others, start: 'keep', shutdown: 'amend', force_off: 'replace', cancel: 'end' },
  // A UPS does not wait until the guest is up again.
  reboot: { ...others, start: 'busy', shutdown: 'replace', force_off: 'replace', cancel: 'end' },
  call: { ...others, start: 'busy', shutdown: 'busy', force_off: 'busy', cancel: 'busy' },
  // A UPS does not wait here either; for anything else, whoever ends it must know in what state.
  rebuild: { ...others, start: 'busy', shutdown: 'replace', force_off: 'busy', cancel: 'end' },
};

function always(action: Action): Record<DomainState, Decision> {
  const decision: Decision = { do: action };
  return {
    running: decision,
    idle: decision,
    paused: decision,
    shutting_down: decision,
    shut_off: decision,
    crashed: decision,
    pmsuspended: decision,
    unknown: decision,
  };
}

function nothing(message: string): Decision {
  return { do: 'nothing', message };
}

function updating(message: string): Decision {
  return refuse(`DSM is being installed or updated: ${message}`);
}

function refuse(message: string): Decision {
  return { do: 'reject', message };
}
