import { z } from 'zod';
import { durationPattern, formatDuration, parseDuration } from '../util/duration.ts';
import type { Fault } from './fault.ts';

/** Kinds of values that the schema is made of. */

export const text = z.string().min(1, 'must not be empty');

export const port = z.int().min(1).max(65_535);

/** One line, as MQTT and people can take it. */
export function line(most: number) {
  return checked(value => {
    if (value === '') return { message: 'must not be empty', hint: null };
    if (value.length > most)
      return { message: `must have at most ${most} characters, not ${value.length}`, hint: null };
    const odd = /\p{Cc}/u.test(value) || !value.isWellFormed();
    return odd ? { message: 'contains a line break, or another character that MQTT does not allow', hint: null } : null;
  });
}

/** Text that `fault` finds nothing wrong with. */
export function checked(fault: (text: string) => Fault | null) {
  return z.string().superRefine((value, context) => {
    const found = fault(value);
    if (found) context.addIssue({ code: 'custom', message: found.message, params: { hint: found.hint } });
  });
}

/** Milliseconds, from the least given up to a day (a timer cannot wait for 25 of them). */
export function duration(least: string, most = '24h') {
  const minimum = parseDuration(least) ?? 0;
  const maximum = parseDuration(most) ?? 0;
  return z
    .string()
    .meta({ pattern: durationPattern, examples: ['30s', '5m'] })
    .transform((value, context) => {
      const milliseconds = parseDuration(value);
      if (milliseconds !== null && milliseconds >= minimum && milliseconds <= maximum) return milliseconds;
      const message =
        milliseconds === null
          ? 'expected a duration'
          : `must be between ${formatDuration(minimum)} and ${formatDuration(maximum)}`;
      context.addIssue({ code: 'custom', message, params: { hint: 'write a number and ms, s, m or h: 30s, 5m' } });
      return z.NEVER;
    });
}
