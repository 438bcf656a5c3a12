import { cpuMetrics, diskMetrics, type Metric, memoryMetrics, nicMetrics, type Reading } from './metrics.ts';

/** One statistics sample, as the table of metrics has it. */

type Table = Readonly<Record<string, Metric>>;

/** A sample's numbers; null: unknown, never zero. */
export type Numbers<T extends Table> = Record<keyof T & string, number | null>;
/** The counters for a table's numbers; null: libvirt has not told them. */
export type Counters<T extends Table> = Record<T[keyof T]['from'][number], number | null>;

/** The names of the counters, each once. */
export function countersOf<T extends Table>(table: T): readonly (keyof Counters<T>)[] {
  return [...new Set(Object.values(table).flatMap(({ from }) => from))] as (keyof Counters<T>)[];
}

/** The numbers of one sample. `before`: the sample before it, so many seconds ago. */
export function numbersOf<T extends Table>(
  table: T,
  now: Counters<T>,
  before: Counters<T> | undefined,
  seconds: number,
): Numbers<T> {
  const latest: Partial<Record<string, number | null>> = now;
  const earlier: typeof latest = before ?? {};
  const reading: Reading<string> = {
    seconds,
    now: name => latest[name] ?? null,
    grown: name => {
      const [is, was] = [latest[name] ?? null, earlier[name] ?? null];
      return is === null || was === null || is < was ? null : is - was;
    },
  };
  return Object.fromEntries(Object.entries(table).map(([key, { number }]) => [key, number(reading)])) as Numbers<T>;
}

function unknownNumbers<T extends Table>(table: T): Numbers<T> {
  return Object.fromEntries(Object.keys(table).map(key => [key, null])) as Numbers<T>;
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
