import { type Code, type Outcome, type Rejection, succeeded } from '../model/codes.ts';
import type { Command } from '../model/command.ts';
import type { LoaderWord } from '../model/commands.ts';
import type { Ticket } from '../model/job/job.ts';
import type { VmKey } from '../model/snapshot.ts';
import type { PendingReplies } from './pending-replies.ts';

export type LoaderCommand = Omit<Command, 'word'> & { word: LoaderWord };

/** A long operation, of which is known here that it is under way, for how long still, and how it is ended. */
export interface LoaderJob {
  readonly word: LoaderWord;
  /** Milliseconds, at most. */
  readonly remaining: number;
  /** It takes a moment until it has ended. */
  cancel(): void;
}

/** Who is to be told of it. `ended` is called once, and never before it has begun. */
export interface LoaderReplies {
  progress(code: Code<'progress'>, message: string, remaining: number): void;
  ended(outcome: Outcome): void;
}

export type BeginLoaderJob = (key: VmKey, command: LoaderCommand, teller: LoaderReplies) => LoaderJob | Rejection;

/** More at once would be a flood. */
const mostWaiting = 8;

/** Somebody who has asked for its end, and what he wants then; null: nothing more. */
interface Waiting {
  ticket: Ticket;
  then: (() => void) | null;
}

/** Where a VM's one long operation is, and those who wait for its end. */
export class LoaderJobs {
  readonly #key: VmKey;
  readonly #begin: BeginLoaderJob | undefined;
  readonly #pending: PendingReplies;
  #job: LoaderJob | null = null;
  #waiting: Waiting[] = [];

  constructor(key: VmKey, begin: BeginLoaderJob | undefined, pending: PendingReplies) {
    this.#key = key;
    this.#begin = begin;
    this.#pending = pending;
  }

  get job(): LoaderJob | null {
    return this.#job;
  }

  /** `stays`: called when it has ended without having brought the VM where it was to be. */
  begin(ticket: Ticket, command: LoaderCommand, stays: () => void): LoaderJob | Rejection {
    if (!this.#begin) return { code: 'not_allowed', message: 'no loader is configured' };
    const begun = this.#begin(this.#key, command, {
      progress: (code, message, remaining) => this.#pending.progress([ticket], code, message, remaining),
      ended: outcome => {
        this.#job = null;
        if (outcome.status === 'cancelled' || outcome.status === 'failed') stays();
        this.#pending.end([ticket], outcome);
        const code = outcome.status === 'cancelled' ? 'done' : 'already';
        for (const { ticket: other, then } of this.#waiting.splice(0)) {
          if (then) then();
          else this.#pending.end([other], succeeded(code, `'${command.word}': ${outcome.message}`));
        }
      },
    });
    if (!('code' in begun)) this.#job = begun;
    return begun;
  }

  /** Who asks learns how it has ended, or has his `then` called. False: too many have asked already. */
  end(ticket: Ticket, then: (() => void) | null = null): boolean {
    const job = this.#job;
    if (!job || this.#waiting.length >= mostWaiting) return false;
    this.#waiting.push({ ticket, then });
    this.#pending.progress([ticket], 'phase', `'${job.word}' is being brought to its end`, job.remaining);
    job.cancel();
    return true;
  }
}
