import { createTask, type ScheduledTask } from 'node-cron';
import type { Logger } from '../util/logger.ts';
import type { Depth } from './pace.ts';

/** When a VM is checked: cron expressions, null for never. */
export interface Timetable {
  /** The cheap probes. */
  schedule: string | null;
  /** All of them. */
  deepSchedule: string | null;
  /** IANA name; null: the system's. */
  timezone: string | null;
}

/** Runs the checks of one VM by the clock. One that is still under way is not begun again. */
export class Schedule {
  readonly #tasks: readonly ScheduledTask[];
  #started = false;

  constructor({ schedule, deepSchedule, timezone }: Timetable, check: (depth: Depth) => Promise<void>, logger: Logger) {
    const task = (expression: string | null, depth: Depth) =>
      expression === null
        ? []
        : [
            createTask(expression, () => check(depth), {
              ...(timezone !== null && { timezone }),
              noOverlap: true,
              unref: true,
              logger: cronLogger(logger),
            }),
          ];
    this.#tasks = [...task(schedule, 'cheap'), ...task(deepSchedule, 'deep')];
  }

  /** Milliseconds since 1970; null: never. */
  get next(): number | null {
    if (!this.#started) return null;
    const times = this.#tasks.map(task => task.getNextRun()?.getTime() ?? Number.POSITIVE_INFINITY);
    const soonest = Math.min(...times);
    return Number.isFinite(soonest) ? soonest : null;
  }

  start(): void {
    this.#started = true;
    for (const task of this.#tasks) void task.start();
  }

  close(): void {
    this.#started = false;
    for (const task of this.#tasks) void task.destroy();
  }
}

function cronLogger(logger: Logger) {
  const at = (level: 'debug' | 'info' | 'warn' | 'error') => (message: string | Error, error?: Error) =>
    logger[level]({ event: 'check.schedule', reason: String(error ?? message) }, 'schedule');
  return { debug: at('debug'), info: at('debug'), warn: at('warn'), error: at('error') };
}
