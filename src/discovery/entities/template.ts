import type { Reading } from './entity.ts';

/**
 * Jinja as Home Assistant renders it: null and a missing key both come out as `None`, which it shows as unknown, and
 * neither puts a warning in its log. An undefined value is therefore only ever given to `default` or to a test.
 */
export function valueTemplate(path: readonly string[], reading: Reading = 'text'): string {
  if (reading === 'text') return `{{ ${lookUp(path)} | default(none) }}`;
  return `{% set v = ${lookUp(path)} %}{{ ${read(reading)} else none }}`;
}

/** The object at `path`, or only these of its members, with fixed ones beside its own. */
export function attributesTemplate(
  path: readonly string[],
  and: Readonly<Record<string, string>> = {},
  only: readonly string[] = [],
): string {
  const picked = only.map(name => `${name}=${lookUp([...path, name])} | default(none)`);
  const all = only.length === 0 ? [`${lookUp(path)} | default({}, true)`] : picked;
  const members = Object.entries(and).map(([name, value]) => `${name}=${quote(value)}`);
  return `{{ dict(${[...all, ...members].join(', ')}) | tojson }}`;
}

/** For an availability topic: `online` while the value at `path` is true. */
export function availabilityTemplate(path: readonly string[]): string {
  return `{{ 'online' if ${lookUp(path)} is true else 'offline' }}`;
}

/** Home Assistant refuses longer states. */
const longestState = 255;

function read(reading: Exclude<Reading, 'text'>): string {
  if (reading === 'flag') return "('ON' if v else 'OFF') if v is boolean";
  if (reading === 'sentence') return `v[:${longestState}] if v is string`;
  const { per, digits } = reading;
  return `${per === 1 ? 'v' : `(v / ${per})`} | round(${digits}) if v is number`;
}

/** The value, or undefined. */
export function lookUp(path: readonly string[]): string {
  return path.reduce((outer, key, depth) => (depth ? `(${outer} | default({}))` : outer) + member(key), 'value_json');
}

function member(key: string): string {
  return /^[a-z_]+$/.test(key) ? `.${key}` : `[${quote(key)}]`;
}

function quote(text: string): string {
  return `'${text.replaceAll(/['\\]/g, '\\$&')}'`;
}
