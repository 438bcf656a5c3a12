import { command } from '../../../src/model/command.ts';
import type { Call, PowerWord } from '../../../src/model/commands.ts';
import type { Domain } from '../../../src/model/domain.ts';
import { type Guest, unknownGuest } from '../../../src/model/job/guest.ts';
import {
  type CallFailure,
  type Job,
  type JobInput,
  type Plan,
  type Step,
  type Ticket,
  wakeAt,
} from '../../../src/model/job/job.ts';
import { type Beginning, begin, step } from '../../../src/model/job/step.ts';
import { uuid } from '../samples.ts';

/** A job under test: its clock, and what it asks for in words. */

const plan: Plan = {
  timeout: 300_000,
  startTimeout: 30_000,
  resendEvery: 60_000,
  maxPresses: 3,
  onTimeout: 'report',
  pause: 10_000,
};

/** How each command begins when nothing is odd. */
const usual: Record<PowerWord, Call> = {
  ...{ start: 'start', shutdown: 'press', reboot: 'press', suspend: 'suspend', resume: 'resume' },
  ...{ reset: 'reset', force_off: 'cut_power' },
} as const;

export const saw = (domain: Domain | null): JobInput => ({ type: 'domain', domain });
export const away: JobInput = { type: 'hypervisor', up: false };
export const back: JobInput = { type: 'hypervisor', up: true };
export const rebooted: JobInput = { type: 'rebooted' };
export const ports = (open: boolean | null): JobInput => ({ type: 'ports', open });

/** What the checks say, and believed for as long as the tests last. */
export const guest = (verdict: Guest['verdict'], wasUp = verdict === 'up', until = 1e9): Guest => ({
  verdict,
  wasUp,
  until,
});
export const checked = (...how: Parameters<typeof guest>): JobInput => ({ type: 'guest', guest: guest(...how) });

export const failures = {
  refused: { kind: 'failed', code: 'libvirt_error', message: 'no' },
  lost: { kind: 'failed', code: 'outcome_unknown', message: 'lost' },
  unsent: { kind: 'rejected', code: 'libvirt_unavailable', message: 'away' },
  denied: { kind: 'rejected', code: 'read_only', message: 'denied' },
  silent: { kind: 'unanswered', message: 'hangs' },
} as const satisfies Record<string, CallFailure>;

const ticket = (id: string): Ticket => ({
  command: command('shutdown', { id }),
  accepted: () => {},
  progress: () => {},
  ended: () => {},
});

/** Who asks first, and those who come later. */
export const first = ticket('first');
export const second = ticket('second');
export const third = ticket('third');

interface Changes extends Partial<Plan & Omit<Beginning, 'word' | 'plan'>> {
  /** The test says what DSM's ports do; otherwise its address is not known. */
  watched?: boolean;
}

export class Rig {
  job: Job | null = null;
  now: number;
  /** How it ended, for each ticket: `succeeded/done: it is off`. */
  readonly outcomes = new Map<Ticket, string>();
  /** What was said on the way, the last words of each code. */
  readonly said = new Map<string, string>();
  /** What it asked for last. */
  asks: string[] = [];
  readonly #watched: boolean;

  constructor(word: PowerWord, changes: Changes = {}, now = 1_000_000) {
    const { watched = false, ...beginning } = changes;
    const { uuid: id = uuid, ticket = first, call = usual[word], offFor = null, ...others } = beginning;
    const { guest = unknownGuest, hold, ...planned } = others;
    this.now = now;
    this.#watched = watched;
    this.apply(begin({ word, uuid: id, ticket, call, offFor, guest, hold, plan: { ...plan, ...planned } }, now));
  }

  /** What it wants when this happens, at once. */
  hears(input: JobInput): string[] {
    if (!this.job) throw new Error('it is over');
    return this.apply(step(this.job, input, this.now));
  }

  sees(domain: Domain | null): string[] {
    return this.hears(saw(domain));
  }

  /** The answer to its latest call, or to one before. */
  answers(failure: CallFailure | null, earlier = 0): string[] {
    return this.hears({ type: 'answered', serial: (this.job?.serial ?? 0) - earlier, failure });
  }

  /** Time passes; it is woken whenever it wants to be. */
  waits(milliseconds: number): string[] {
    const end = this.now + milliseconds;
    const asks: string[] = [];
    for (let ticks = 0; this.job && wakeAt(this.job) <= end; ticks += 1) {
      if (ticks > 20) throw new Error('it wants to be woken for ever');
      this.now = Math.max(this.now, wakeAt(this.job));
      asks.push(...this.hears({ type: 'tick' }));
    }
    this.now = end;
    this.asks = asks;
    return asks;
  }

  apply({ job, effects }: Step): string[] {
    this.job = job;
    this.asks = effects.map(effect => {
      if (effect.type === 'call') return `call ${effect.call}`;
      if (effect.type === 'end') {
        const { status, code, message } = effect.outcome;
        for (const ticket of effect.tickets) this.outcomes.set(ticket, `${status}/${code}: ${message}`);
        return `end ${status}/${code}`;
      }
      if (effect.type === 'progress') this.said.set(effect.code, effect.message);
      return effect.type === 'progress' ? effect.code : effect.type;
    });
    if (this.#watched || !this.asks.includes('probe')) return this.asks;
    const asks = this.asks.filter(what => what !== 'probe');
    this.asks = [...asks, ...this.hears(ports(null))];
    return this.asks;
  }

  get deadline(): number {
    return (this.job?.deadline ?? Number.NaN) - this.now;
  }
}
