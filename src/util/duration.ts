/** Durations as people write them (`30s`, `5m`, `250ms`, `1h`), in and out of milliseconds. */

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;
type Unit = keyof typeof units;

/** For the JSON schema and for messages. */
export const durationPattern = '^\\d{1,9}(ms|s|m|h)$';

/** Milliseconds; null if the text is no duration. */
export function parseDuration(text: string): number | null {
  const [, count, unit] = /^(\d{1,9})(ms|s|m|h)$/.exec(text) ?? [];
  return count && unit ? Number(count) * units[unit as Unit] : null;
}

/** For people, in whole seconds: `90 seconds`, `5 minutes`. */
export function spell(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1_000);
  const [count, unit] = seconds % 60 === 0 ? [seconds / 60, 'minute'] : [seconds, 'second'];
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

/** The shortest exact spelling: `90000` is `90s`, `300000` is `5m`. */
export function formatDuration(milliseconds: number): string {
  const unit = (['h', 'm', 's'] as const).find(name => milliseconds > 0 && milliseconds % units[name] === 0) ?? 'ms';
  return `${milliseconds / units[unit]}${unit}`;
}
