import { type Code, cancelled, type Outcome, type Rejection } from '../model/codes.ts';
import type { Command } from '../model/command.ts';
import { type LoaderWord, type Occupation, type PowerWord, rowOf } from '../model/commands.ts';
import { occupation, type Ticket } from '../model/job/job.ts';
import type { VmKey } from '../model/snapshot.ts';
import { systemClock } from '../util/clock.ts';
import type { PowerJob } from './power-job.ts';
import { VmPower, type VmPowerOptions } from './vm-power.ts';

export type LoaderCommand = Omit<Command, 'word'> & { word: LoaderWord };

/** A rebuild or rollback, as far as other commands go by it. */
export interface LoaderJob {
  /** Milliseconds until it gives up, at most. */
  readonly remaining: number;
  /** It takes a moment until it has ended. */
  cancel(): void;
}

/** What the place lends a loader's job. `ended` is called once, and never before it has begun. */
export interface LoaderJobPlace extends Pick<Ticket, 'progress' | 'ended'> {
  /** The VM's power, for the job's steps. */
  power(options: Omit<VmPowerOptions, 'job' | 'command'>): VmPower;
}

export type BeginLoaderJob = (key: VmKey, command: LoaderCommand, place: LoaderJobPlace) => LoaderJob | Rejection;

/** What is under way. */
export interface Occupant {
  word: PowerWord | LoaderWord;
  occupation: Occupation;
  /** Milliseconds until it gives up, at most. */
  remaining: number;
}

/** More would be a flood. */
const mostWaiting = 8;

/** A VM's one job place: for a job of libvirt calls, or for a loader's, whose steps are such jobs. */
export class JobPlace {
  readonly power: PowerJob;
  #loader: { word: LoaderWord; job: LoaderJob } | null = null;
  /** Those who wait for the end of the loader's job. */
  #waiting: ((outcome: Outcome) => void)[] = [];

  constructor(power: PowerJob) {
    this.power = power;
  }

  get occupant(): Occupant | null {
    if (this.#loader) {
      const { word, job } = this.#loader;
      return { word, occupation: 'rebuild', remaining: job.remaining };
    }
    const { job, remaining } = this.power;
    return job && { word: job.word, occupation: occupation(job), remaining };
  }

  /** Ends what is under way; `then` learns how, at once or when the loader's job has ended. False: too many wait. */
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
    ticket.progress('phase', `'${loader.word}' is being brought to its end`, loader.job.remaining);
    loader.job.cancel();
    return true;
  }

  /** `stays`: called when it has ended without having brought the VM where it was to be. */
  beginLoader(
    { command, ticket, begin }: { command: LoaderCommand; ticket: Ticket; begin: BeginLoaderJob },
    stays: () => void,
  ): Rejection | null {
    const { power } = this;
    const { word } = command;
    const begun = begin(power.key, command, {
      progress: ticket.progress,
      power: options => new VmPower({ ...options, job: power, command }),
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
    this.#loader = { word, job: begun };
    const since = (power.parts.clock ?? systemClock).date();
    power.around = {
      ...{ activity: rowOf(word).activity ?? 'none', phase: null, attempt: null, startAfterOff: false },
      since: new Date(since).toISOString(),
      deadline: new Date(since + begun.remaining).toISOString(),
    };
    ticket.accepted(begun.remaining);
    return null;
  }
}
