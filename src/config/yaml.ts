import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
} from 'yaml';
import { maskLine, type Span } from './mask.ts';
import type { Issue, SourceLine } from './problem.ts';
import { childShape, isKeyLike, jsonSchema, keysOf, type Path, type Shape } from './shape.ts';
import { sentenceFor } from './yaml-errors.ts';

/**
 * One YAML file: its data, and where in it a path stands. The parser's own sentences quote the file (and with it a
 * password that lacks its quotes), so every code has a sentence of ours.
 */
export interface YamlFile {
  /** Plain data; null if there are syntax errors. */
  data: unknown;
  errors: readonly { offset: number; issue: Omit<Issue, 'path' | 'at'> }[];
  /** Offset of the key or value at the path, else of the nearest section around it; null if nothing of it is here. */
  locate(path: Path, at: Issue['at']): number | null;
  /** `3:14` */
  position(offset: number): string;
  sourceLine(offset: number): SourceLine;
}

export function parseYaml(text: string): YamlFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true, stringKeys: true });
  const errors = [...document.errors, ...document.warnings].map(error => ({
    offset: error.pos[0],
    issue: sentenceFor(error.code),
  }));
  if (errors.length === 0) {
    for (const offset of looseAliases(document)) errors.push({ offset, issue: sentenceFor('BAD_ALIAS') });
  }
  let data: unknown = null;
  try {
    if (errors.length === 0) data = document.toJS({ maxAliasCount: 100 });
  } catch {
    errors.push({ offset: 0, issue: sentenceFor('RESOURCE_EXHAUSTION') });
  }
  const spans = (errors.length === 0 ? harmless : knownKeys)(document.contents, jsonSchema);
  return {
    data,
    errors,
    locate: (path, at) => locate(document, path, at),
    position: offset => {
      const { line, col } = lines.linePos(offset);
      return `${line}:${col}`;
    },
    sourceLine: offset => {
      const { line } = lines.linePos(offset);
      const start = lines.lineStarts[line - 1] ?? 0;
      const end = text.indexOf('\n', start);
      return { line, ...maskLine(text, { start, end: end < 0 ? text.length : end }, spans, offset) };
    },
  };
}

function looseAliases(document: Document): number[] {
  const offsets: number[] = [];
  visit(document, {
    Alias: (_, alias) => {
      if (!alias.resolve(document)) offsets.push(start(alias) ?? 0);
    },
  });
  return offsets;
}

function locate(document: Document, path: Path, at: Issue['at']): number | null {
  let node: unknown = document.contents;
  let offset: number | null = null;
  for (const [index, step] of path.entries()) {
    const pair: Pair | null = typeof step === 'string' ? findPair(document, node, step) : null;
    const value = pair ? pair.value : typeof step === 'number' ? findItem(document, node, step) : undefined;
    if (value === undefined) return offset;
    const last = index === path.length - 1;
    const keyOffset = pair ? start(pair.key) : null;
    offset = (last && at === 'value' ? start(value) : (keyOffset ?? start(value))) ?? keyOffset ?? offset;
    node = value;
  }
  return offset ?? start(node);
}

function findPair(document: Document, node: unknown, key: string): Pair | null {
  const map = resolve(document, node);
  if (!isMap(map)) return null;
  const named = map.items.find(pair => keyText(pair) === key);
  if (named) return named;
  for (const pair of map.items) {
    if (keyText(pair) !== '<<') continue;
    const merged = resolve(document, pair.value);
    const found = isSeq(merged)
      ? merged.items.map(item => findPair(document, item, key)).find(inner => inner !== null)
      : findPair(document, merged, key);
    if (found) return found;
  }
  return null;
}

function findItem(document: Document, node: unknown, index: number): unknown {
  const list = resolve(document, node);
  return isSeq(list) ? list.items[index] : undefined;
}

function resolve(document: Document, node: unknown): unknown {
  return isAlias(node) ? (node as Alias).resolve(document) : node;
}

function keyText(pair: Pair): string {
  const key = isScalar(pair.key) ? pair.key.value : '';
  // The parser keeps the merge key as a symbol.
  return typeof key === 'symbol' ? (key.description ?? '') : String(key);
}

function start(node: unknown): number | null {
  return (node as Node | null | undefined)?.range?.[0] ?? null;
}

/** Spans that may be shown: keys, and values that the schema knows and does not call a secret. */
function harmless(node: unknown, shape: Shape | null): Span[] {
  if (isSeq(node)) return node.items.flatMap(item => harmless(item, shape?.items ?? null));
  if (isMap(node) && keysOf(shape).length > 0) {
    return node.items.flatMap(pair => {
      const key = keyText(pair);
      const legible = isKeyLike(key) && pair.value !== null;
      return [...(legible ? span(pair.key) : []), ...harmless(pair.value, childShape(shape, key))];
    });
  }
  const known = isScalar(node) && shape && !shape.properties && !shape.items && !shape.writeOnly;
  return known && isPlain(String(node.value)) ? span(node) : [];
}

/** In a file with syntax errors only known keys: what seems to be a key or a value may be half of a password. */
function knownKeys(node: unknown, shape: Shape | null): Span[] {
  if (isSeq(node)) return node.items.flatMap(item => knownKeys(item, shape?.items ?? null));
  if (!isMap(node)) return [];
  return node.items.flatMap(pair => {
    const child = childShape(shape, keyText(pair));
    return child ? [...span(pair.key), ...knownKeys(pair.value, child)] : [];
  });
}

/**
 * A URL may hold a password, and a broken one in any place (`mqtt://user:pass`, its end taken for a comment). In its
 * query a token is usual; libvirt's has none.
 */
function isPlain(value: string): boolean {
  return !/[:@]/.test(value) || /^[a-z+]+:\/\/[\w.-]*(:\d{1,5})?[\w./-]*((?<=^qemu.*)\?[\w./=&-]*)?$/i.test(value);
}

function span(node: unknown): Span[] {
  const range = (node as Node | null)?.range;
  return range ? [{ start: range[0], end: range[1] }] : [];
}
