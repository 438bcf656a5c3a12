import { type Code, cancelled, type Outcome, type Rejection } from '../model/codes.ts';
import type { Command } from '../model/command.ts';
import { type LoaderWord, type Occupation, type PowerWord, rowOf } from '../model/commands.ts';
import { occupation, type Ticket } from '../model/job/job.ts';
import type { VmKey } from '../model/snapshot.ts';
import { systemClock } from '../util/clock.ts';
import type { PowerJob } from './power-job.ts';
import { VmPower, type VmPowerOptions } from './vm-power.ts';

export type LoaderCommand = Omit<Command, 'word'> & { word: LoaderWord };

/** A rebuild or rollback, as other commands see it. */
export interface LoaderJob {
  /** At most so many milliseconds until it gives up. */
  readonly remaining: number;
  /** Asks it to end, which takes a moment. */
  cancel(): void;
}

/** What a loader's job gets. It calls `ended` once, and never before `begin` has returned. */
export interface LoaderJobPlace extends Pick<Ticket, 'progress' | 'ended'> {
  /** The VM's power, for the job's steps. */
  power(options: Omit<VmPowerOptions, 'job' | 'command'>): VmPower;
}

export type BeginLoaderJob = (key: VmKey, command: LoaderCommand, place: LoaderJobPlace) => LoaderJob | Rejection;

/** What is under way. */
export interface Occupant {
  word: PowerWord | LoaderWord;
  occupation: Occupation;
  /** At most so many milliseconds until it gives up. */
  remaining: number;
}

/** More would be a flood. */
const mostWaiting = 8;

/** A VM's one job place: for a job of libvirt calls, or for a loader's, whose steps are such jobs. */
export class JobPlace {
  readonly power: PowerJob;
  #loader: { word: LoaderWord; job: LoaderJob } | null = null;
  /** Called when the loader's job has ended. */
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

  /** Ends the running job; calls `then` with its outcome, a loader's later. False: too many wait for that already. */
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

  /** Calls `stays` when the job did not bring the VM where it should be. */
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
