/** The samples of the graphs. Pure. */

export type Column = 'cpu' | 'memory' | 'read' | 'write' | 'received' | 'sent';

/** `at`: seconds since 1970. The others are of the same length; null: a gap. */
export type Samples = { at: number[] } & Record<Column, (number | null)[]>;

export const noSamples: Samples = { at: [], cpu: [], memory: [], read: [], write: [], received: [], sent: [] };

/** Which half minute a sample is of: the graphs have a point for each. Null: there is none. */
export const slotOf = (sampledAt: string | null) => Math.floor(Date.parse(sampledAt ?? '1970') / 30_000);

/** Least, mean and most of what is known; null: nothing is. */
export function summary(row: readonly (number | null)[]): { least: number; mean: number; most: number } | null {
  const known = row.filter(value => value !== null);
  if (known.length === 0) return null;
  const mean = known.reduce((total, value) => total + value, 0) / known.length;
  return { least: Math.min(...known), mean, most: Math.max(...known) };
}
