/** The few statistics that the benchmark tells. */

export interface Spread {
  median: number;
  p99: number;
  count: number;
}

/** @throws {RangeError} of nothing at all. */
export function spread(samples: readonly number[]): Spread {
  const sorted = samples.toSorted((a, b) => a - b);
  return { median: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), count: sorted.length };
}

/** The smallest sample that at least this share of all do not exceed. */
function quantile(sorted: readonly number[], share: number): number {
  const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
  if (value === undefined) throw new RangeError('no samples');
  return value;
}
