import type { Path } from './problem.ts';

/** Reading and changing untyped data by path; nothing is changed in place (a YAML alias shares its object). */

export function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Empty if it is no text. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Undefined where there is nothing. */
export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce((here, step) => {
    if (typeof step === 'number') return Array.isArray(here) ? here[step] : undefined;
    return isMapping(here) && Object.hasOwn(here, step) ? here[step] : undefined;
  }, value);
}

/** Makes missing sections on the way; if something else is in the way, returns `value` unchanged. */
export function withValueAt(value: unknown, path: Path, leaf: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return leaf;
  if (typeof step === 'number') {
    const list = value ?? [];
    return Array.isArray(list) ? list.toSpliced(step, 1, withValueAt(list[step], rest, leaf)) : value;
  }
  const mapping = value ?? {};
  return isMapping(mapping) ? { ...mapping, [step]: withValueAt(mapping[step], rest, leaf) } : value;
}
