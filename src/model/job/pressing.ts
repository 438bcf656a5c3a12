import type { Verdict } from '../check.ts';
import { type Effect, fragile, type Job, leastBeforeCut, nextPress, type Step, verdictNow } from './job.ts';
import { progress, seconds, stay } from './moves.ts';

/** Asking a guest to power off: which presses count, whether the guest hears them, and what progress reports of it. */

/** What the guest does while it ignores its power button. */
const instead: Readonly<Partial<Record<Verdict, string>>> = {
  updating: 'DSM is being installed or updated',
  recoverable: "DSM's system is damaged and waits to be recovered",
  installer: "DSM's installer runs",
  loader: 'the loader runs instead of DSM',
  booting: 'the guest still boots',
  starting: 'the guest still starts its services',
  unreachable: 'the guest has not answered since power on',
};

/** Open ports are then not DSM's own. */
const othersPorts: ReadonlySet<Verdict> = new Set(['updating', 'recoverable', 'installer', 'loader']);

/** Ports that are open tell that DSM is up. */
export function portsTell(job: Job, now: number): boolean {
  return !othersPorts.has(verdictNow(job, now));
}

/** Why a time-out may not cut the power; null: it may. */
export function fragility(job: Job, now: number): string | null {
  const verdict = verdictNow(job, now);
  return fragile.has(verdict) ? (instead[verdict] ?? null) : null;
}

/** Why the guest cannot hear its power button; null: it can, or this is unknown. */
export function deafness(job: Job, now: number): string | null {
  const { stage } = job;
  if (stage.at !== 'pressing') return null;
  if (stage.hears) return fragility(job, now);
  // Its ports are about to tell.
  if (stage.ports === 'unknown' && portsTell(job, now)) return null;
  return instead[verdictNow(job, now)] ?? (stage.ports === 'closed' ? "DSM's ports 5000 and 5001 are closed" : null);
}

/** It could not be seen whether DSM comes up: its address is unknown, and no check has found it. */
export function isUnwatched({ stage, guest }: Job): boolean {
  if (stage.at !== 'pressing' || stage.hears) return false;
  return stage.ports !== 'open' && stage.ports !== 'closed' && guest.verdict === 'unknown';
}

export const unwatched = 'nothing tells whether it hears the power button';

/** Of a guest that boots. */
export const unheard = { counted: 0, hears: false, closing: false, ports: 'unknown' } as const;

/** Asks the guest for the first time. Before a power cut it gets its time, however late that is. */
export function ask(job: Job, now: number): Step {
  const least = job.plan.onTimeout === 'force_off' ? now + leastBeforeCut : 0;
  const stage = { at: 'pressing', attempt: 0, pressedAt: null, probing: false, said: null, ...unheard } as const;
  const hears = job.guest.wasUp;
  const asking = { ...job, begunAt: now, deadline: Math.max(job.deadline, least), stage: { ...stage, hears } };
  if (nextPress(asking) !== now) return withDeafness(stay(asking), now);
  const { job: pressed, effects } = press(asking, now);
  return withDeafness({ job: pressed, effects: [...effects, { type: 'probe' }] }, now);
}

export function press(job: Job, now: number): Step {
  const { stage, plan } = job;
  if (stage.at !== 'pressing') return stay(job);
  const attempt = stage.attempt + 1;
  const counts = stage.hears || isUnwatched(job);
  const counted = stage.counted + (counts ? 1 : 0);
  const serial = job.serial + 1;
  const next: Job = { ...job, serial, stage: { ...stage, attempt, counted, pressedAt: now, probing: false } };
  const call: Effect = { type: 'call', call: 'press', serial };
  if (now === job.begunAt) return { job: next, effects: [call] };
  const doubt = isUnwatched(job) ? `; ${unwatched}` : '';
  const words = counts
    ? `${counted} of ${plan.maxPresses}${doubt}`
    : `${attempt} times so far; none counts before the guest is up`;
  return { job: next, effects: [call, progress('pressed', `asked to power off, ${words}`)] };
}

/** Adds why the guest cannot hear its power button, if that has changed. */
export function withDeafness({ job, effects }: Step, now: number): Step {
  if (job?.stage.at !== 'pressing') return { job, effects };
  const said = deafness(job, now);
  if (said === job.stage.said) return { job, effects };
  const next: Job = { ...job, stage: { ...job.stage, said } };
  if (said === null) return { job: next, effects };
  const every = `it is pressed every ${seconds(job.plan.resendEvery)} all the same, and that does not count`;
  const told =
    verdictNow(job, now) === 'updating'
      ? progress('updating', `${said}: its power button is not pressed before that is over`)
      : progress('not_heard', `${said}: nobody hears the power button; ${every}`);
  return { job: next, effects: [...effects, told] };
}
