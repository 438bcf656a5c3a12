import { XMLParser } from 'fast-xml-parser';

/** A domain's XML as a tree, and the few ways to look into it: what is missing is undefined or null, never an error. */

/** Attributes begin with `@`. */
export type Node = { [key: string]: Node | Node[] | string | undefined };

const repeated = new Set(['disk', 'interface', 'boot', 'controller', 'hostdev']);
const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  parseTagValue: false,
  // For numeric character references.
  htmlEntities: true,
  // Anybody's own elements, and chains of backing files: of any depth, at which the parser balks.
  stopNodes: ['domain.metadata', 'domain.devices.disk.backingStore', 'domain.devices.disk.mirror'],
  isArray: name => repeated.has(name),
});

/** `root`: the element that it must be. Throws when it is no XML at all. */
export function parseXml(xml: string, root: string): Node | undefined {
  return child(parser.parse(xml) as Node, root);
}

/** As `parseXml` does. */
export function parseDomain(xml: string): Node | undefined {
  return parseXml(xml, 'domain');
}

export function child(parent: Node | undefined, name: string): Node | undefined {
  const value = parent?.[name];
  if (typeof value === 'string' || value === undefined) return undefined;
  return Array.isArray(value) ? value[0] : value;
}

/** Those with an attribute or a child of their own. */
export function children(parent: Node | undefined, name: string): Node[] {
  return [parent?.[name]].flat().filter(entry => typeof entry === 'object');
}

export function text(node: Node | undefined, attribute: string): string | null {
  const value = node?.[attribute];
  return typeof value === 'string' ? value : null;
}

/** Text of an element with or without attributes. */
export function content(parent: Node | undefined, name: string): string | null {
  const value = parent?.[name];
  return typeof value === 'string' ? value : text(child(parent, name), '#text');
}

/** Decimal. */
export function number(value: string | null): number | null {
  return value !== null && /^\d+$/.test(value) ? safe(Number(value)) : null;
}

/** As libvirt writes the parts of an address: `0x1f`, or decimal. */
export function anyNumber(value: string | null): number | null {
  return value !== null && /^0x[0-9a-f]{1,8}$/i.test(value) ? Number(value) : number(value);
}

export function safe(value: number): number | null {
  return Number.isSafeInteger(value) ? value : null;
}

/** As text, or as the value of an attribute in `'`. */
export function escaped(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll("'", '&apos;');
}
