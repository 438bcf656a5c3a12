import { cpuMetrics, diskMetrics, type Metric, memoryMetrics, nicMetrics } from './metrics.ts';

/** One statistics sample, as the table of metrics has it. */

type Table = Readonly<Record<string, Metric>>;

/** A sample's numbers; null: unknown, never zero. */
export type Numbers<T extends Table> = Record<keyof T & string, number | null>;
/**
 * The counters for a table's numbers, each at its place; NaN: libvirt has not told it. Of a thousand domains, an object
 * for each number would be most of the work of a poll.
 */
export type Counters = number[];
/** By the counter's name. */
export type Places<T extends Table> = Readonly<Record<T[keyof T]['from'][number], number>>;

export function placesOf<T extends Table>(table: T): Places<T> {
  const names = new Set(Object.values(table).flatMap(({ from }) => from));
  return Object.fromEntries(Array.from(names, (name, place) => [name, place])) as Places<T>;
}

/** Before libvirt has told anything. */
export function unknownCounters(places: Readonly<Record<string, number>>): Counters {
  return Object.values(places).map(() => Number.NaN);
}

function unknownNumbers<T extends Table>(table: T): Numbers<T> {
  return Object.fromEntries(Object.keys(table).map(key => [key, null])) as Numbers<T>;
}

/** Makes the table's numbers of one sample. `before`: the sample before it, so many seconds ago. */
export function numbersBy<T extends Table>(table: T) {
  const rows = Object.entries(table);
  const unknown = unknownNumbers(table);
  const places: Readonly<Record<string, number>> = placesOf(table);
  let latest: Counters = [];
  let earlier: Counters = [];
  const of = (counters: Counters, name: string) => counters[places[name] ?? -1] ?? Number.NaN;
  const reading = {
    seconds: Number.NaN,
    now: (name: string) => of(latest, name),
    grown: (name: string) => {
      const growth = of(latest, name) - of(earlier, name);
      return growth < 0 ? Number.NaN : growth;
    },
  };
  return (now: Counters, before: Counters = [], seconds = 0): Numbers<T> => {
    [latest, earlier, reading.seconds] = [now, before, seconds > 0 ? seconds : Number.NaN];
    const numbers: Record<string, number | null> = { ...unknown };
    for (const [key, row] of rows) {
      const number = row.number(reading);
      if (Number.isFinite(number)) numbers[key] = number;
    }
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
