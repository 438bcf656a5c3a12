import { type Code, cancelled, type Outcome, type Rejection } from '../model/codes.ts';
import type { Command } from '../model/command.ts';
import { type LoaderWord, type Occupation, type PowerWord, rowOf } from '../model/commands.ts';
import { occupation, type Ticket } from '../model/job/job.ts';
import type { VmKey } from '../model/snapshot.ts';
import { type Clock, systemClock } from '../util/clock.ts';
import type { PowerJob } from './power-job.ts';
import { VmPower } from './vm-power.ts';

export type LoaderCommand = Omit<Command, 'word'> & { word: LoaderWord };

/** A rebuild or rollback, as other commands see it. */
export interface LoaderJob {
  /** Milliseconds at most. */
  readonly within: number;
  /** Asks it to end, which takes a moment. */
  cancel(): void;
}

/** What a loader's job gets. It must call `ended` once, and nothing before `begin` has returned. */
export interface LoaderJobPlace {
  progress(message: string): void;
  ended(outcome: Outcome): void;
  /** The VM's power, for the job's steps. `uuid`: identifies the domain. */
  power(uuid: string): VmPower;
}

export type BeginLoaderJob = (key: VmKey, command: LoaderCommand, place: LoaderJobPlace) => LoaderJob | Rejection;

export interface Occupant {
  word: PowerWord | LoaderWord;
  occupation: Occupation;
  /** Milliseconds, at most, until it gives up. */
  remaining: number;
}

/** More would be a flood. */
const mostWaiting = 8;

/** A VM's one job place. It holds a job of libvirt calls, or a loader's job, whose steps are such jobs. */
export class JobPlace {
  readonly power: PowerJob;
  readonly #clock: Clock;
  /** `deadline`: monotonic milliseconds. */
  #loader: { word: LoaderWord; deadline: number; cancel: () => void } | null = null;
  #waiting: ((outcome: Outcome) => void)[] = [];

  constructor(power: PowerJob) {
    this.power = power;
    this.#clock = power.parts.clock ?? systemClock;
  }

  get occupant(): Occupant | null {
    if (this.#loader) return { word: this.#loader.word, occupation: 'rebuild', remaining: this.#remaining };
    const { job, remaining } = this.power;
    return job && { word: job.word, occupation: occupation(job), remaining };
  }

  /** Ends the running job; calls `then` with its outcome, a loader's later. False: too many commands wait already. */
  end(code: Code<'cancelled'>, ticket: Ticket, then: (outcome: Outcome) => void): boolean {
    const loader = this.#loader;
    if (!loader) {
      const { word } = this.power.job ?? {};
      this.power.end(code);
      then(cancelled(code, `'${word}' was cancelled`));
      return true;
    }
    if (this.#waiting.length >= mostWaiting) return false;
    this.#waiting.push(then);
    ticket.progress('phase', `'${loader.word}' is being brought to its end`, this.#remaining);
    loader.cancel();
    return true;
  }

  /** Calls `stays` when the job did not bring the VM to the intended state. */
  beginLoader(
    { command, ticket, begin }: { command: LoaderCommand; ticket: Ticket; begin: BeginLoaderJob },
    stays: () => void,
  ): Rejection | null {
    const { power } = this;
    const { word } = command;
    const progress = (message: string) => ticket.progress('phase', message, this.#remaining);
    const begun = begin(power.key, command, {
      progress,
      power: uuid => new VmPower({ uuid, progress, job: power, command }),
      ended: outcome => {
        this.#loader = null;
        power.around = null;
        if (outcome.status === 'cancelled' || outcome.status === 'failed') stays();
        ticket.ended(outcome);
        const told = { ...outcome, message: `'${word}': ${outcome.message}` };
        for (const then of this.#waiting.splice(0)) then(told);
      },
    });
    if ('code' in begun) return begun;
    const { within } = begun;
    this.#loader = { word, deadline: this.#clock.now() + within, cancel: begun.cancel };
    const since = this.#clock.date();
    power.around = {
      ...{ activity: rowOf(word).activity ?? 'none', phase: null, attempt: null, startAfterOff: false },
      since: new Date(since).toISOString(),
      deadline: new Date(since + within).toISOString(),
    };
    ticket.accepted(within);
    return null;
  }

  get #remaining(): number {
    return this.#loader ? Math.max(0, this.#loader.deadline - this.#clock.now()) : 0;
  }
}

export function busy({ word, remaining }: Occupant): Rejection {
  return { code: 'busy', message: `'${word}' is under way, for ${Math.ceil(remaining / 1_000)} s at most` };
}
