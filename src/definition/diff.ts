import { orNull } from '../util/or-null.ts';
import { child, type Node, parseDomain, text } from '../vm/xml.ts';

/** Definitions of domains compared by the paths of their elements. Pure. */

/** By path, such as `devices/disk[sda]/source@file`. Two that mean the same are equal, however they are written. */
export type Values = ReadonlyMap<string, string>;

export interface Change {
  path: string;
  /** Null: there is no such element or attribute. */
  was: string | null;
  is: string | null;
}

/** What an element is known by among its like; others by their place. */
const names: Readonly<Record<string, (node: Node) => string | null>> = {
  disk: node => text(child(node, 'target'), '@dev'),
  interface: node => text(child(node, 'mac'), '@address'),
  controller: node => `${text(node, '@type')}${text(node, '@index') ?? ''}`,
  graphics: node => text(node, '@type'),
  feature: node => text(node, '@name'),
};

/** Null: it is no definition of a domain. */
export function valuesOf(xml: string): Values | null {
  const domain = orNull(() => parseDomain(xml));
  return domain ? new Map(entries(domain, '')) : null;
}

/** In the order of `is`; what it lacks comes last. */
export function changesOf(was: Values, is: Values): Change[] {
  const paths = [...new Set([...is.keys(), ...was.keys()])];
  const changes = paths.map(path => ({ path, was: was.get(path) ?? null, is: is.get(path) ?? null }));
  return changes.filter(each => each.was !== each.is);
}

/** Paths of the elements that differ, without their values; one that was added or removed stands for all that is in it. */
export function changedElements(was: Values, is: Values): string[] {
  const [before, after] = [elementsOf(was), elementsOf(is)];
  const changed = changesOf(was, is).map(({ path }) => {
    const elements = upTo(path);
    return elements.find(each => before.has(each) !== after.has(each)) ?? (elements.at(-1) || path);
  });
  return [...new Set(changed)];
}

function entries(node: Node, path: string): [string, string][] {
  const seen = new Map<string, number>();
  return Object.entries(node).flatMap(([tag, value]) =>
    [value].flat().flatMap((each): [string, string][] => {
      if (each === undefined) return [];
      if (tag.startsWith('@') && typeof each === 'string') return [[`${path}${tag}`, each]];
      if (tag === '#text' && typeof each === 'string') return [[path, each]];
      const name = typeof each === 'string' ? null : names[tag]?.(each);
      const like = name ? `${tag}[${name}]` : tag;
      const place = (seen.get(like) ?? 0) + 1;
      seen.set(like, place);
      const own = `${path === '' ? '' : `${path}/`}${like}${place > 1 ? `[${place}]` : ''}`;
      return typeof each === 'string' ? [[own, each.replaceAll(/\s+/g, ' ').trim()]] : entries(each, own);
    }),
  );
}

function elementsOf(values: Values): ReadonlySet<string> {
  return new Set([...values.keys()].flatMap(upTo));
}

/** The elements on the way to a value, the outermost first. A name may have a slash, too. */
function upTo(path: string): string[] {
  const element = path.replace(/@[^\]/]+$/, '');
  const ends = [...element.matchAll(/\[[^\]]*\]|\/|$/g)].filter(([end]) => !end.startsWith('['));
  return ends.map(({ index }) => element.slice(0, index));
}
