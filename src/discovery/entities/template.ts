import type { Reading } from './entity.ts';

/**
 * Jinja as Home Assistant renders it: null and a missing key both come out as `None`, which it shows as unknown, and
 * neither puts a warning in its log. An undefined value is therefore only ever given to `d`, short for `default`, or to a
 * test. A bare `d` makes an empty text of it: that has no members either, and is no number.
 */
export function valueTemplate(path: readonly string[], reading: Reading = 'text'): string {
  return `{{${read(lookUp(path), reading)}}}`;
}

/** The object at `path`, or only these of its members, with fixed ones beside its own. */
export function attributesTemplate(
  path: readonly string[],
  and: Readonly<Record<string, string>> = {},
  only: readonly string[] = [],
): string {
  const picked = only.map(name => `${name}=${lookUp([...path, name])}|d(none)`);
  const all = only.length === 0 ? [`${lookUp(path)}|d({},true)`] : picked;
  const members = Object.entries(and).map(([name, value]) => `${name}=${quote(value)}`);
  return `{{dict(${[...all, ...members].join(',')})|tojson}}`;
}

/** For an availability topic: `online` while the value at `path` is true. */
export function availabilityTemplate(path: readonly string[]): string {
  return `{{'online' if ${lookUp(path)} is true else 'offline'}}`;
}

/** Home Assistant refuses longer states. */
const longestState = 255;

function read(value: string, reading: Reading): string {
  if (reading === 'text') return `${value}|d(none)`;
  // Without the space, Jinja would read `{{{` as something else.
  if (reading === 'flag') return ` {true:'ON',false:'OFF'}.get(${value}|d)`;
  if (reading === 'sentence') return `(${value}|d('',true))[:${longestState}] or none`;
  if ('on' in reading) {
    return ` {${reading.on.map(word => `'${word}':'ON',`).join('')}'unknown':none}.get(${value}|d('unknown'),'OFF')`;
  }
  const { per, digits } = reading;
  const scaled = per === 1 ? '' : `|multiply(${(1 / per).toExponential()},none)`;
  return `${value}|d${scaled}|round(${digits},default=none)`;
}

export function lookUp(path: readonly string[]): string {
  return path.reduce((outer, key, depth) => (depth ? `(${outer}|d)` : outer) + member(key), 'value_json');
}

function member(key: string): string {
  return /^[a-z_]+$/.test(key) ? `.${key}` : `[${quote(key)}]`;
}

function quote(text: string): string {
  return `'${text.replaceAll(/['\\]/g, '\\$&')}'`;
}
