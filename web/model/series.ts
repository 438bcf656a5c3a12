import type { Stats } from '../../src/model/stats.ts';

/** The samples of the graphs. Pure. */

const columns = ['cpu', 'memory', 'read', 'write', 'received', 'sent'] as const;
export type Column = (typeof columns)[number];

/** `at`: seconds since 1970. The others are of the same length; null: a gap. */
export type Samples = { at: readonly number[] } & Readonly<Record<Column, readonly (number | null)[]>>;

export const noSamples: Samples = { at: [], cpu: [], memory: [], read: [], write: [], received: [], sent: [] };

/** What `api/samples` tells; what does not fit together is no sample. */
export function samplesOf(value: unknown): Samples {
  const { at, ...rest } = (value ?? {}) as Partial<Record<string, unknown>>;
  if (!Array.isArray(at)) return noSamples;
  const rows = columns.map(name => [name, rest[name]] as const);
  const fit = rows.every(([, row]) => Array.isArray(row) && row.length === at.length);
  return fit ? ({ at, ...Object.fromEntries(rows) } as unknown as Samples) : noSamples;
}

/** The latest sample in the graphs' units; null: it has no time. */
function pointOf({ sampled_at, cpu, memory, disks, nics }: Stats): ({ at: number } & Point) | null {
  const at = Date.parse(sampled_at ?? '') / 1_000;
  if (Number.isNaN(at)) return null;
  const all = { disks: Object.values(disks), nics: Object.values(nics) };
  return {
    ...{ at, cpu: cpu.percent, memory: memory.used_percent },
    read: sum(all.disks.map(disk => disk.read_bytes_per_second)),
    write: sum(all.disks.map(disk => disk.write_bytes_per_second)),
    received: sum(all.nics.map(nic => nic.rx_bytes_per_second)),
    sent: sum(all.nics.map(nic => nic.tx_bytes_per_second)),
  };
}

type Point = Record<Column, number | null>;

/** Unknown ones are left out; null: all are. */
function sum(numbers: readonly (number | null)[]): number | null {
  const known = numbers.filter(number => number !== null);
  return known.length === 0 ? null : known.reduce((total, number) => total + number, 0);
}

/**
 * With the latest sample, unless it is not newer or too near for `seconds` of graph, and without what has become older
 * than that. `most`: the server's number of points.
 */
export function appended(samples: Samples, stats: Stats, seconds: number, most = 360): Samples {
  const point = pointOf(stats);
  const last = samples.at.at(-1) ?? Number.NEGATIVE_INFINITY;
  if (!point || stats.stale || point.at - last < Math.max(1, (seconds / most) * 0.9)) return samples;
  const first = samples.at.findIndex(at => at > point.at - seconds);
  const from = first < 0 ? samples.at.length : first;
  // A line over a pause would invent what was in it.
  const gap = samples.at.length > 0 && point.at - last > Math.max(90, (seconds / most) * 3);
  const grown = <T>(row: readonly T[], value: T, between: T) => [
    ...row.slice(from),
    ...(gap ? [between, value] : [value]),
  ];
  const rows = columns.map(name => [name, grown(samples[name], point[name], null)]);
  return { at: grown(samples.at, point.at, last + 1), ...Object.fromEntries(rows) } as Samples;
}

/** Least, mean and most of what is known; null: nothing is. */
export function summary(row: readonly (number | null)[]): { least: number; mean: number; most: number } | null {
  const known = row.filter(value => value !== null);
  if (known.length === 0) return null;
  const mean = known.reduce((total, value) => total + value, 0) / known.length;
  return { least: Math.min(...known), mean, most: Math.max(...known) };
}
