import { resolve } from 'node:path';
import * as z from 'zod';
import { durationPattern, formatDuration, parseDuration } from '../util/duration.ts';
import { type Content, readText } from './files.ts';
import type { Fault, Path } from './problem.ts';
import type { Format } from './rules/formats.ts';

/** Kinds of values that the schema is made of. */

export const text = z.string().min(1, 'must not be empty');

export const port = z.int().min(1).max(65_535);

/** Text of a format. */
export function checked(format: Format) {
  return z.string().superRefine((value, context) => {
    const fault = format(value);
    if (fault) context.addIssue(asIssue(fault));
  });
}

/** Text of a format, or a list of such texts. */
export function oneOrMore(format: Format) {
  // Checked here: of a union, only a wrong type can be told.
  return z.union([z.string(), z.array(z.string()).min(1, 'must not be empty')]).superRefine((value, context) => {
    for (const [index, each] of [value].flat().entries()) {
      const fault = format(each);
      if (fault) context.addIssue({ ...asIssue(fault), path: Array.isArray(value) ? [index] : [] });
    }
  });
}

/** What may be left out is null then. */
export function maybe<T extends z.ZodType>(schema: T) {
  return schema.optional().transform(value => value ?? null);
}

/** A list in which nothing is twice. */
export function list<T extends z.ZodType>(item: T) {
  return z.array(item).transform(items => [...new Set(items)]);
}

/** A path in the file, the content in the result. Read at once, so that a wrong path is reported at the start. */
export function file(content: Content) {
  return text.transform(async (path, context) => {
    const read = await readText(resolve(path));
    const accepted = typeof read === 'string' ? content(read) : read;
    if (typeof accepted === 'string') return accepted;
    context.addIssue(asIssue(accepted));
    return z.NEVER;
  });
}

/** Milliseconds, from the least given up to a day (a timer cannot wait for 25 of them). */
export function duration(least: string, most = '24h') {
  const minimum = parseDuration(least) ?? 0;
  const maximum = parseDuration(most) ?? 0;
  const bounds = `must be between ${formatDuration(minimum)} and ${formatDuration(maximum)}`;
  return z
    .string()
    .meta({ pattern: durationPattern, examples: ['30s', '5m'] })
    .transform((value, context) => {
      const milliseconds = parseDuration(value);
      if (milliseconds !== null && milliseconds >= minimum && milliseconds <= maximum) return milliseconds;
      const message = milliseconds === null ? 'expected a duration' : bounds;
      context.addIssue(asIssue({ message, hint: 'write a number and ms, s, m or h: 30s, 5m' }));
      return z.NEVER;
    });
}

/** Reports what does not fit; `at`: whether the key itself is wrong, or its value. */
export type Complain = (path: Path, message: string, hint: string | null, at?: 'key' | 'value') => void;

/** A rule across several keys. It also runs on a section with other faults: its members may be anything. */
export function together(rule: (section: unknown, complain: Complain) => void) {
  return z.superRefine<unknown>(
    (section, context) => {
      rule(section, (path, message, hint, at = 'value') => {
        context.addIssue({ ...asIssue({ message, hint }), path: [...path], params: { hint, at } });
      });
    },
    { when: () => true },
  );
}

function asIssue({ message, hint }: Fault) {
  return { code: 'custom' as const, message, params: { hint } };
}

type CamelKey<K> = K extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<CamelKey<Tail>>}` : K;

/** The same with keys as the code has them: `statsInterval`. */
export type Camel<T> = T extends readonly (infer Item)[]
  ? readonly Camel<Item>[]
  : T extends object
    ? { readonly [K in keyof T as CamelKey<K>]: Camel<T[K]> }
    : T;

export function camel<T>(value: T): Camel<T>;
export function camel(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(item => camel(item));
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([key, member]) => [
    key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    camel(member),
  ]);
  return Object.fromEntries(members);
}
