import { type Code, cancelled, rejected } from '../codes.ts';
import type { TimeoutPolicy } from '../command.ts';
import { type Effect, type Job, leastBeforeCut, type Step, type Ticket } from './job.ts';
import { over, progress, seconds } from './moves.ts';

/** What other commands do to one that is under way. */

/** `cancel`, or another command that takes its place. Nothing is called: what was asked cannot be taken back. */
export function end(job: Job, code: Code<'cancelled'>): Step {
  return over(
    job,
    cancelled(code, `${code === 'cancelled' ? 'cancelled' : 'another command took its place'}: ${left(job)}`),
  );
}

/** A start whose command had to be carried out earlier. */
export function expire(job: Job): Step {
  return over(job, rejected({ code: 'expired', message: 'its time passed before it could be started' }));
}

/** What an ended job leaves behind, for people. */
export function left({ word, stage }: Job): string {
  if (stage.at === 'pausing') return 'it is off, and stays off';
  if (stage.at === 'pressing' && stage.attempt === 0) return 'the guest has not been asked, and runs on';
  const rest = word === 'reboot' ? 'be off and stay so' : 'power off';
  return `the guest is not asked again, but it has been asked and may still ${rest}`;
}

export interface Amendment {
  ticket: Ticket;
  /** Milliseconds from now. */
  timeout: number;
  onTimeout: TimeoutPolicy | null;
}

/** More would be a flood. */
const mostTickets = 32;

/** A shutdown that comes during a shutdown: all get the outcome, whatever it changes. Null: too many ask. */
export function amend(job: Job, { ticket, timeout, onTimeout }: Amendment, now: number): Step | null {
  if (job.tickets.length >= mostTickets) return null;
  const policy = onTimeout ?? job.plan.onTimeout;
  const least = policy === 'force_off' ? job.begunAt + leastBeforeCut : 0;
  const deadline = Math.max(Math.min(job.deadline, now + timeout), least);
  const next = {
    ...job,
    tickets: [...job.tickets, ticket],
    keptStart: null,
    deadline,
    plan: { ...job.plan, onTimeout: policy },
  };
  const given: Effect[] =
    job.keptStart === null
      ? []
      : [{ type: 'end', tickets: [job.keptStart], outcome: cancelled('superseded', 'another shutdown came after it') }];
  const changed = deadline !== job.deadline || policy !== job.plan.onTimeout;
  const told = changed ? [progress('amended', `the guest has ${seconds(deadline - now)} from now`)] : [];
  return { job: next, effects: [...given, ...told] };
}

/** A start that comes during a shutdown. Null: there is one already. */
export function keepStart(job: Job, ticket: Ticket): Step | null {
  if (job.keptStart !== null) return null;
  return {
    job: { ...job, keptStart: ticket },
    effects: [progress('start_after_off', 'it will be started when it is off')],
  };
}
