import { cpuMetrics, diskMetrics, type Metric, memoryMetrics, nicMetrics, type Reading } from './metrics.ts';

/** One statistics sample, as the table of metrics has it. */

type Table = Readonly<Record<string, Metric>>;

/** A sample's numbers; null: unknown, never zero. */
export type Numbers<T extends Table> = Record<keyof T & string, number | null>;
/** The counters for a table's numbers; null: libvirt has not told them. */
export type Counters<T extends Table> = Record<T[keyof T]['from'][number], number | null>;

/** Before libvirt has told anything. */
export function unknownCounters<T extends Table>(table: T): Counters<T> {
  const names = Object.values(table).flatMap(({ from }) => from);
  return Object.fromEntries(names.map(name => [name, null])) as Counters<T>;
}

function unknownNumbers<T extends Table>(table: T): Numbers<T> {
  return Object.fromEntries(Object.keys(table).map(key => [key, null])) as Numbers<T>;
}

type Values = Readonly<Record<string, number | null>>;

function readingOf(latest: Values, before: Values | undefined, seconds: number): Reading<string> {
  return {
    seconds,
    now: counter => latest[counter] ?? null,
    grown: counter => {
      const [is, was] = [latest[counter] ?? null, before?.[counter] ?? null];
      return is === null || was === null || is < was ? null : is - was;
    },
  };
}

/** Makes the table's numbers of one sample. `before`: the sample before it, so many seconds ago. */
export function numbersBy<T extends Table>(table: T) {
  const rows = Object.entries(table);
  const unknown = unknownNumbers(table);
  return (now: Counters<T>, before: Counters<T> | undefined, seconds: number): Numbers<T> => {
    const reading = readingOf(now, before, seconds);
    const numbers: Record<string, number | null> = { ...unknown };
    for (const [key, { number }] of rows) numbers[key] = number(reading);
    return numbers as Numbers<T>;
  };
}

/** One sample on `B/V/stats`. Every key is always there. */
export interface Stats {
  /** ISO 8601, UTC; null before the first sample. */
  sampled_at: string | null;
  /** The numbers are too old: libvirt or QEMU did not answer. */
  stale: boolean;
  cpu: Numbers<typeof cpuMetrics>;
  memory: Numbers<typeof memoryMetrics>;
  /** By target (`sda`). */
  disks: Record<string, Numbers<typeof diskMetrics>>;
  /** By MAC in hex without colons (`525400d53001`). */
  nics: Record<string, Numbers<typeof nicMetrics>>;
}

export const unknownDisk = unknownNumbers(diskMetrics);
export const unknownNic = unknownNumbers(nicMetrics);

/** The sample of a VM that is off, or not yet asked. */
export function unknownStats(sampledAt: string | null): Stats {
  const [cpu, memory] = [unknownNumbers(cpuMetrics), unknownNumbers(memoryMetrics)];
  return { sampled_at: sampledAt, stale: false, cpu, memory, disks: {}, nics: {} };
}
