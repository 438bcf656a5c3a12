import { type Code, cancelled, type Outcome } from '../codes.ts';
import type { Call } from '../commands.ts';
import { callPatience, type Effect, type Job, type Plan, type Step, startTimeout, type Ticket } from './job.ts';

/** How one stage of a job follows the other. */

export function stay(job: Job): Step {
  return { job, effects: [] };
}

export function startAfter(job: Job, pause: number, now: number): Step {
  const wait = Math.max(0, pause);
  if (wait === 0 && job.up) return calling(job, 'start', now);
  const stage = { at: 'pausing', until: now + wait } as const;
  return { job: { ...job, stage, deadline: now + wait + job.plan.startTimeout }, effects: [] };
}

export function calling(job: Job, call: Exclude<Call, 'press'>, now: number): Step {
  const serial = job.serial + 1;
  const next: Job = { ...job, stage: { at: 'calling', call }, serial, deadline: now + patience(call, job.plan) };
  return { job: next, effects: [{ type: 'call', call, serial }] };
}

/** Longer than the call's own time-out: so the call's answer comes first, and the state is read again. */
function patience(call: Exclude<Call, 'press'>, { timeout, startTimeout: start }: Plan): number {
  if (call === 'guest_reboot') return timeout;
  if (call === 'start') return start;
  return (call === 'cut_power' ? callPatience.cut_power : callPatience.change) + lastLook;
}

/** Milliseconds. */
const lastLook = 10_000;

export function startAgain(job: Job, words: string, now: number): Step {
  const next = startAfter(job, job.plan.pause, now);
  return { ...next, effects: [progress('off', `${words}; it will be started`), ...next.effects] };
}

/** Ends the job. A kept start begins if the VM was powered off (`offAt`: when). */
export function over(job: Job, outcome: Outcome, offAt: number | null = null): Step {
  const { keptStart } = job;
  const ended: Effect = { type: 'end', tickets: job.tickets, outcome };
  if (keptStart === null) return { job: null, effects: [ended] };
  if (offAt === null)
    return { job: null, effects: [ended, superseded(keptStart, 'the shutdown before it did not succeed')] };
  const plan = { ...job.plan, startTimeout };
  const start: Job = { ...job, word: 'start', tickets: [keptStart], keptStart: null, plan, begunAt: offAt };
  const next = startAfter(start, plan.pause, offAt);
  return { ...next, effects: [ended, ...next.effects] };
}

export function superseded(keptStart: Ticket, message: string): Effect {
  return { type: 'end', tickets: [keptStart], outcome: cancelled('superseded', message) };
}

export function progress(code: Code<'progress'>, message: string): Effect {
  return { type: 'progress', code, message };
}

export function seconds(milliseconds: number): string {
  return `${Math.round(milliseconds / 100) / 10} s`;
}
