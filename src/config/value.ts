import { childShape, type Path, type Shape } from './shape.ts';

/** Reading and changing untyped data by path; nothing is changed in place (a YAML alias shares its object). */

export function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Undefined where there is nothing. */
export function valueAt(value: unknown, path: Path): unknown {
  let here = value;
  for (const step of path) {
    if (Array.isArray(here) && typeof step === 'number') here = here[step];
    else if (isMapping(here) && Object.hasOwn(here, step)) here = here[step];
    else return undefined;
  }
  return here;
}

/** Sections on the way are made; where something else stands in the way, `value` comes back as it was. */
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

/** A section whose every key is commented out reads as nothing: an empty section. */
export function withEmptySections(value: unknown, shape: Shape | null): unknown {
  if (shape?.type === 'object') {
    if (value === null) return {};
    if (!isMapping(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, child]) => [key, withEmptySections(child, childShape(shape, key))]),
    );
  }
  // Only as deep as the schema goes: YAML can hold a list that contains itself.
  const items = shape?.items;
  return items && Array.isArray(value) ? value.map(item => withEmptySections(item, items)) : value;
}
