import { createTask, type ScheduledTask } from 'node-cron';
import type { Clock } from '../../util/clock.ts';
import type { Depth } from './retry-times.ts';
import type { Moment } from './run.ts';

/** When a VM is checked: cron expressions, null for never. */
export interface Timetable {
  /** The cheap probes. */
  schedule: string | null;
  /** All of them. */
  deepSchedule: string | null;
  /** IANA name; null: the system's. */
  timezone: string | null;
}

export interface ScheduleOptions {
  check: (depth: Depth) => void;
  clock: Clock;
  /** Milliseconds after each scheduled time, so that not all VMs are checked at the same instant. */
  stagger: number;
}

/** Milliseconds: no timer notices when the clock is set. */
const longestSleep = 20_000;

/**
 * The times of one VM's checks. node-cron only computes them: when the clock is set back, its own timers would wait for
 * the old time; when it is set forward, they would run every skipped minute.
 */
export class Schedule {
  readonly #options: ScheduleOptions;
  readonly #rows: readonly { task: ScheduledTask; depth: Depth }[];
  #next: { date: number; depth: Depth } | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor({ schedule, deepSchedule, timezone }: Timetable, options: ScheduleOptions) {
    const row = (expression: string | null, depth: Depth) => {
      if (expression === null) return [];
      return [{ depth, task: createTask(expression, () => {}, timezone === null ? {} : { timezone }) }];
    };
    this.#options = options;
    // If both are due, the deep one runs first, and counts for both.
    this.#rows = [...row(deepSchedule, 'deep'), ...row(schedule, 'cheap')];
  }

  /** Some schedule is set: checks do not run only on command. */
  get automatic(): boolean {
    return this.#rows.length > 0;
  }

  /** Null: never, or not yet. */
  get next(): Moment | null {
    const { clock } = this.#options;
    return this.#next && { date: this.#next.date, now: clock.now() + this.#next.date - clock.date() };
  }

  start(): void {
    this.#next = this.#soonest();
    this.#sleep();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#next = null;
    for (const { task } of this.#rows) void task.destroy();
  }

  #sleep(): void {
    if (!this.#next) return;
    const left = Math.max(1, this.#next.date - this.#options.clock.date());
    this.#timer = setTimeout(() => this.#wake(), Math.min(left, longestSleep)).unref();
  }

  #wake(): void {
    const { check, clock } = this.#options;
    const due = this.#next;
    if (!due) return;
    const isDue = clock.date() >= due.date;
    const soonest = this.#soonest();
    // When the clock was set back, the time comes earlier than planned.
    if (isDue || (soonest && soonest.date < due.date)) this.#next = soonest;
    this.#sleep();
    if (isDue) check(due.depth);
  }

  #soonest(): { date: number; depth: Depth } | null {
    const times = this.#rows.flatMap(({ task, depth }) => {
      const [next] = task.getNextRuns(1);
      return next ? [{ date: next.getTime() + this.#options.stagger, depth }] : [];
    });
    return times.toSorted((one, other) => one.date - other.date)[0] ?? null;
  }
}
