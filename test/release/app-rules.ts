/**
 * What Home Assistant asks of an app's manifest, as facts of its public source: the Supervisor's schema
 * (supervisor/apps/validate.py and options.py, 2026.08) and the linter's rules (frenck/action-addon-linter, 2026-04).
 */
import { z } from 'zod';

/** The types that an option may have. */
const optionType =
  /^(?:bool|email|url|port|device(?:\(subsystem=[a-z]+\))?|(?:str|password)(?:\(\d*,\d*\))?|int(?:\(-?\d*,-?\d*\))?|float(?:\([^)]*\))?|match\(.*\)|list\(.+\))\??$/;
const type = z.string().regex(optionType);
type Options = string | { [key: string]: Options } | (string | { [key: string]: Options })[];
const options: z.ZodType<Options> = z.lazy(() =>
  z.union([type, z.array(z.union([type, z.record(z.string(), options)])).length(1), z.record(z.string(), options)]),
);

/** The linter refuses a key that has its default. */
const switchedOn = z.literal(true).optional();

/**
 * Keys that both know and that are not deprecated. Not here, so refused: `advanced`, `auto_uart`, `codenotary`, `legacy`,
 * and `watchdog`, which the linter calls obsolete. Deprecated processors, folders and forms are not here either.
 */
export const manifestSchema = z.strictObject({
  name: z.string(),
  version: z.string().regex(/^\d+\.\d+\.\d+(?:-[\w.]+)?$/),
  slug: z.string().regex(/^[-_.A-Za-z0-9]+$/),
  description: z.string(),
  url: z.url(),
  // For several processors under one name: without `{arch}`.
  image: z.string().regex(/^ghcr\.io\/[a-z0-9][-.\w]*\/[a-z0-9][-.\w]*$/),
  arch: z.array(z.enum(['aarch64', 'amd64'])).min(1),
  homeassistant: z.string().regex(/^\d{4}\.\d{1,2}\.\d+$/),
  startup: z.enum(['initialize', 'system', 'services', 'once']).optional(),
  boot: z.enum(['manual', 'manual_only']).optional(),
  init: z.literal(false).optional(),
  host_network: switchedOn,
  tmpfs: switchedOn,
  ingress: switchedOn,
  ingress_port: z
    .int()
    .min(0)
    .max(65_535)
    .refine(port => port !== 8_099)
    .optional(),
  panel_icon: z.string().startsWith('mdi:').optional(),
  stage: z.enum(['experimental', 'deprecated']).optional(),
  services: z.array(z.string().regex(/^(mqtt|mysql):(provide|want|need)$/)).optional(),
  map: z
    .array(
      z.strictObject({
        type: z.enum(['addon_config', 'homeassistant_config', 'ssl', 'share', 'media', 'backup', 'data']),
        read_only: z.boolean(),
        path: z.string().startsWith('/').optional(),
      }),
    )
    .optional(),
  backup: z.literal('cold').optional(),
  backup_exclude: z.array(z.string()).optional(),
  timeout: z.int().min(10).max(300).optional(),
  options: z.record(z.string(), z.unknown()),
  schema: z.record(z.string(), options),
});

/** `supervisor/store/validate.py` */
export const repositorySchema = z.strictObject({
  name: z.string(),
  url: z.url(),
  maintainer: z.string().optional(),
});

interface Translation {
  name: string;
  description: string;
  fields?: Record<string, Translation> | undefined;
}

const translation: z.ZodType<Translation> = z.lazy(() =>
  z.strictObject({
    name: z.string().min(1),
    description: z.string().min(1),
    fields: z.record(z.string(), translation).optional(),
  }),
);
export const translationSchema = z.strictObject({ configuration: z.record(z.string(), translation) });

/** What is wrong with a value for these options, as the Supervisor would refuse it. */
export function optionFaults(schema: Options, value: unknown, at = 'options'): string[] {
  if (Array.isArray(schema)) {
    if (!Array.isArray(value)) return [`${at} is no list`];
    return value.flatMap((item, index) => optionFaults(schema[0] ?? '', item, `${at}[${index}]`));
  }
  if (typeof schema === 'string') return fits(schema, value) ? [] : [`${at} is no ${schema}`];
  if (typeof value !== 'object' || value === null) return [`${at} is no mapping`];
  const unknown = Object.keys(value).filter(key => !Object.hasOwn(schema, key));
  const members = Object.entries(schema).flatMap(([key, of]) => {
    const member = (value as Record<string, unknown>)[key];
    if (member !== undefined) return optionFaults(of, member, `${at}.${key}`);
    const one = Array.isArray(of) ? of[0] : of;
    return typeof one === 'string' && one.endsWith('?') ? [] : [`${at}.${key} is missing`];
  });
  return [...unknown.map(key => `${at}.${key} is not in the schema`), ...members];
}

function fits(type: string, value: unknown): boolean {
  const [, kind = '', within = ''] = /^(\w+)(?:\((.*)\))?\??$/.exec(type) ?? [];
  if (kind === 'list') return within.split('|').includes(String(value));
  // `match` of Python's re begins at the begin.
  if (kind === 'match') return new RegExp(`^(?:${within})`).test(String(value));
  if (kind === 'bool') return typeof value === 'boolean';
  return kind === 'int' || kind === 'port' ? Number.isInteger(value) : typeof value === 'string';
}

/** The paths of all options, with dots. */
export function optionPaths(schema: Options, at = ''): string[] {
  const one = Array.isArray(schema) ? (schema[0] ?? '') : schema;
  if (typeof one === 'string') return [];
  return Object.entries(one).flatMap(([key, of]) => [`${at}${key}`, ...optionPaths(of, `${at}${key}.`)]);
}

/** The paths of all options that have words. */
export function wordedPaths(words: Record<string, Translation>, at = ''): string[] {
  return Object.entries(words).flatMap(([key, { fields = {} }]) => [
    `${at}${key}`,
    ...wordedPaths(fields, `${at}${key}.`),
  ]);
}
