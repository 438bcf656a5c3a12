import { type Code, cancelled, rejected } from '../codes.ts';
import type { TimeoutPolicy } from '../command.ts';
import { type Job, leastBeforeCut, type Step, type Ticket } from './job.ts';
import { over, progress, seconds, superseded } from './moves.ts';

/** What other commands do to a running one. */

/** `cancel`, or another command that takes its place. Makes no call: a guest's shutdown cannot be stopped. */
export function end(job: Job, code: Code<'cancelled'>): Step {
  const why = code === 'cancelled' ? 'cancelled' : 'another command took its place';
  return over(job, cancelled(code, `${why}: ${left(job)}`));
}

export function expire(job: Job): Step {
  return over(job, rejected({ code: 'expired', message: 'its time passed before it could be started' }));
}

export function left({ word, stage }: Job): string {
  if (stage.at === 'pausing') return 'it is off, and stays off';
  if (stage.at === 'holding' || (stage.at === 'pressing' && stage.attempt === 0))
    return 'the guest has not been asked, and runs on';
  const rest = word === 'reboot' ? 'be off and stay so' : 'power off';
  return `the guest is not asked again, but it has been asked and may still ${rest}`;
}

const mostTickets = 32;

/** A shutdown during a shutdown: both senders get the outcome. `timeout`: milliseconds from now. Null: too many ask. */
export function amend(
  job: Job,
  { ticket, timeout, onTimeout }: { ticket: Ticket; timeout: number; onTimeout: TimeoutPolicy | null },
  now: number,
): Step | null {
  const { plan, keptStart, tickets } = job;
  if (tickets.length >= mostTickets) return null;
  const policy = onTimeout ?? plan.onTimeout;
  const least = policy === 'force_off' ? job.begunAt + leastBeforeCut : 0;
  const deadline = Math.max(Math.min(job.deadline, now + timeout), least);
  const { stage } = job;
  const reserve = policy === 'force_off' ? leastBeforeCut : 0;
  const held = stage.at === 'holding' ? { ...stage, reserve: Math.max(stage.reserve, reserve) } : stage;
  const changed = deadline !== job.deadline || policy !== plan.onTimeout;
  return {
    job: {
      ...{ ...job, stage: held, deadline, plan: { ...plan, onTimeout: policy } },
      ...{ tickets: [...tickets, ticket], keptStart: null },
    },
    effects: [
      ...(keptStart === null ? [] : [superseded(keptStart, 'another shutdown came after it')]),
      ...(changed ? [progress('amended', `the guest has ${seconds(deadline - now)} from now`)] : []),
    ],
  };
}

/** A start during a shutdown. Null: another start waits already. */
export function keepStart(job: Job, ticket: Ticket): Step | null {
  if (job.keptStart !== null) return null;
  return {
    job: { ...job, keptStart: ticket },
    effects: [progress('start_after_off', 'it will be started when it is off')],
  };
}
