/** Milliseconds: a day, because a timer cannot wait for 25 of them. */
export const maxTimeout = 24 * 3_600_000;

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** Milliseconds of `240`, `"240"` (seconds), `"4m"`, `"90s"`, `"1h"`; null if it is none of these, 0 or over a day. */
export function parseTimeLimit(value: unknown): number | null {
  if (typeof value !== 'string' && typeof value !== 'number') return null;
  const [, digits, unit = 's'] = /^(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)?$/.exec(String(value)) ?? [];
  if (digits === undefined) return null;
  const milliseconds = Math.round(Number(digits) * units[unit as keyof typeof units]);
  return milliseconds > 0 && milliseconds <= maxTimeout ? milliseconds : null;
}
