/** Milliseconds: a day, because a timer cannot wait for 25 of them. */
export const maxTimeout = 24 * 3_600_000;

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds of `240`, `"240"` (seconds), `"4m"`, `"90s"`, `"1h"`, `"1d"`; null if it is none of these, 0 or over `most`. */
export function parseTimeLimit(value: unknown, most = maxTimeout): number | null {
  if (typeof value !== 'string' && typeof value !== 'number') return null;
  const [, digits, unit = 's'] = /^(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)?$/.exec(String(value)) ?? [];
  if (digits === undefined) return null;
  const milliseconds = Math.round(Number(digits) * units[unit as keyof typeof units]);
  return milliseconds > 0 && milliseconds <= most ? milliseconds : null;
}
