import { createTask, type ScheduledTask } from 'node-cron';
import type { Clock } from '../../util/clock.ts';
import type { Due } from './next-check.ts';
import type { Depth } from './retry-times.ts';

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
  /** Milliseconds after each time, so that many VMs do not all begin in the same instant. */
  stagger: number;
}

/** Milliseconds: the clock may be set meanwhile, which no timer tells. */
const longestSleep = 20_000;

/**
 * The times of one VM's checks. What they are node-cron says, and nothing more: its own timers would wait for the old
 * time when the clock is set back, and go through every minute that is skipped when it is set forward.
 */
export class Schedule {
  readonly #options: ScheduleOptions;
  readonly #rows: readonly { task: ScheduledTask; depth: Depth }[];
  #next: { date: number; depth: Depth } | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor({ schedule, deepSchedule, timezone }: Timetable, options: ScheduleOptions) {
    const row = (expression: string | null, depth: Depth) =>
      expression === null
        ? []
        : [{ depth, task: createTask(expression, () => {}, timezone === null ? {} : { timezone }) }];
    this.#options = options;
    // At the same time the deep one goes first, and serves for both.
    this.#rows = [...row(deepSchedule, 'deep'), ...row(schedule, 'cheap')];
  }

  /** Null: never, or not yet. */
  get next(): Due | null {
    const { clock } = this.#options;
    if (!this.#next) return null;
    return { date: this.#next.date, now: clock.now() + this.#next.date - clock.date() };
  }

  start(): void {
    this.#plan();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#next = null;
    for (const { task } of this.#rows) void task.destroy();
  }

  #plan(): void {
    this.#next = this.#soonest();
    this.#sleep();
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
    if (clock.date() >= due.date) {
      this.#plan();
      check(due.depth);
      return;
    }
    // Set back, it comes round sooner than was planned.
    const soonest = this.#soonest();
    if (soonest && soonest.date < due.date) this.#next = soonest;
    this.#sleep();
  }

  #soonest(): { date: number; depth: Depth } | null {
    const { stagger } = this.#options;
    const times = this.#rows.flatMap(({ task, depth }) => {
      const [next] = task.getNextRuns(1);
      return next ? [{ date: next.getTime() + stagger, depth }] : [];
    });
    return times.reduce<(typeof times)[number] | null>(
      (one, other) => (one && one.date <= other.date ? one : other),
      null,
    );
  }
}
