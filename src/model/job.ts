import type { Command, FailureCode, RejectionCode } from './command.ts';
import type { Domain } from './domain.ts';
import type { Activity } from './snapshot.ts';

/**
 * A start or a shutdown under way, as a pure machine: it is told what libvirt answered, what the domain became and
 * that its time is up; it says how the command ended. Effects are the caller's.
 */
export interface Job {
  command: Command;
  /** The domain it was asked of; another one under the same name is not its business. */
  uuid: string;
  /** Milliseconds granted. */
  timeout: number;
}

export type JobInput =
  | { type: 'call_failed'; status: 'rejected' | 'failed'; code: RejectionCode | FailureCode; message: string }
  | { type: 'domain'; domain: Domain | null }
  /** `blind`: libvirt is away, so nobody knows what became of the domain. */
  | { type: 'time_up'; blind: boolean };

export interface Outcome {
  status: 'succeeded' | 'failed' | 'rejected';
  code: 'done' | 'already' | RejectionCode | FailureCode;
  message: string;
}

/** The job as it goes on, or how it ended. */
export type Step = { job: Job } | { outcome: Outcome };

export const jobActivity: Record<Command['word'], Activity> = { start: 'starting', shutdown: 'shutting_down' };

/** A start that libvirt has accepted shows at once; this is for a daemon that hangs in between. */
export const startTimeout = 120_000;

export function step(job: Job, input: JobInput): Step {
  switch (input.type) {
    case 'call_failed':
      return { outcome: { status: input.status, code: input.code, message: input.message } };
    case 'domain':
      return seen(job, input.domain);
    case 'time_up':
      return input.blind
        ? { outcome: { status: 'failed', code: 'outcome_unknown', message: 'libvirt is away, and its time is up' } }
        : { outcome: { status: 'failed', code: 'timed_out', message: late(job) } };
  }
}

function late({ command, timeout }: Job): string {
  const time = `within ${timeout / 1_000} s`;
  return command.word === 'start'
    ? `it was not seen to run ${time}`
    : `the guest did not power off ${time}; it is left running`;
}

function seen(job: Job, domain: Domain | null): Step {
  if (domain && domain.uuid !== job.uuid) return gone('the domain was replaced by another');
  const active = domain?.active ?? false;
  if (job.command.word === 'shutdown') {
    if (active) return { job };
    const why = domain && domain.reason !== 'shutdown' ? ` (${domain.reason})` : '';
    return { outcome: { status: 'succeeded', code: 'done', message: `it is off${why}` } };
  }
  if (!domain) return gone('the domain was undefined');
  return active ? { outcome: { status: 'succeeded', code: 'done', message: 'it runs' } } : { job };
}

function gone(message: string): Step {
  return { outcome: { status: 'failed', code: 'domain_gone', message } };
}
