import type { Job, Step } from './job.ts';
import { progress, seconds } from './moves.ts';
import { ask } from './pressing.ts';

/** A shutdown for which other VMs, which need this one, shut down first. */

export interface Hold {
  /** Milliseconds that the guest needs to power off; null: not known. */
  reserve: number | null;
  /** The other VMs, for people. */
  first: string;
}

/** Waits for the others as long as the guest's own time allows. Without such a time, all are asked at once. */
export function hold(job: Job, { reserve, first }: Hold, now: number): Step {
  const patience = job.deadline - now - (reserve ?? Number.POSITIVE_INFINITY);
  if (reserve !== null && patience > 0) {
    const words = `before it, ${first} must shut down, within ${seconds(patience)}; then the guest is asked`;
    return { job: { ...job, stage: { at: 'holding', reserve } }, effects: [progress('dependents', words)] };
  }
  const why = reserve === null ? 'it is not known how long it takes itself' : 'the time is only enough for itself';
  const { job: asked, effects } = ask(job, now);
  return { job: asked, effects: [...effects, progress('dependents', `asked together with ${first}: ${why}`)] };
}

export function goOn(job: Job, now: number): Step {
  const { job: asked, effects } = ask(job, now);
  return {
    job: asked,
    effects: [...effects, progress('dependents', 'no other VM is waited for any more: the guest is asked now')],
  };
}
