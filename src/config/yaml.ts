import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from 'yaml';
import type { Fault, Issue, Path } from './problem.ts';

/**
 * One YAML file: its data, and the place of each path in it. The parser's own messages quote the file (and so an
 * unquoted password), so every error code has a message of ours.
 */
export type YamlFile = ReturnType<typeof parseYaml>;

export function parseYaml(text: string) {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true, stringKeys: true });
  const errors = [...document.errors, ...document.warnings].map(({ code, pos }) => faultAt(pos[0], code));
  if (errors.length === 0) errors.push(...looseReferences(document));
  let data: unknown = null;
  try {
    if (errors.length === 0) data = document.toJS({ maxAliasCount: 100 });
  } catch {
    errors.push(faultAt(0, 'RESOURCE_EXHAUSTION'));
  }
  return {
    /** Null if there are syntax errors. */
    data,
    errors: errors.toSorted((a, b) => a.offset - b.offset),
    /** Offset of the key or value at the path, else of the nearest section around it. */
    locate: (path: Path, at: Issue['at']) => locate(document, path, at),
    /** `3:14` */
    position: (offset: number) => {
      const { line, col } = lines.linePos(offset);
      return `${line}:${col}`;
    },
  };
}

function faultAt(offset: number, code: string): Fault & { offset: number } {
  const [message, hint = null] = sentences[code] ?? ['is not valid YAML here'];
  return { offset, message, hint };
}

/** Aliases of nothing, and merges of what has no keys. */
function looseReferences(document: Document) {
  const faults: ReturnType<typeof faultAt>[] = [];
  visit(document, {
    Alias: (_, alias) => {
      if (!alias.resolve(document)) faults.push(faultAt(start(alias), 'BAD_ALIAS'));
    },
    Pair: (_, pair) => {
      const wrong = mergedBy(pair).find(source => !isMap(isAlias(source) ? source.resolve(document) : source));
      if (wrong) faults.push(faultAt(start(wrong), 'BAD_MERGE'));
    },
  });
  return faults;
}

/** Of `<<: *a` or `<<: [*a, *b]`; none of any other pair. */
function mergedBy({ key, value }: { key: unknown; value: unknown }): unknown[] {
  if (keyText(key) !== '<<') return [];
  return isSeq(value) ? value.items : [value];
}

function locate(document: Document, path: Path, at: Issue['at']): number {
  let node: unknown = document.contents;
  let offset = start(node);
  for (const [index, step] of path.entries()) {
    const entry = findEntry(document, node, step);
    if (!entry) break;
    node = entry.value;
    const wanted = index === path.length - 1 && at === 'value' ? node : (entry.key ?? node);
    offset = start(wanted ?? entry.key);
  }
  return offset;
}

interface Entry {
  /** Undefined: of a list. */
  key?: unknown;
  value: unknown;
}

function findEntry(document: Document, node: unknown, step: string | number): Entry | undefined {
  const collection = isAlias(node) ? node.resolve(document) : node;
  if (isSeq(collection) && typeof step === 'number') {
    return step < collection.items.length ? { value: collection.items[step] } : undefined;
  }
  if (!isMap(collection)) return undefined;
  const named = collection.items.find(({ key }) => keyText(key) === step);
  if (named) return named;
  return collection.items
    .flatMap(mergedBy)
    .map(source => findEntry(document, source, step))
    .find(entry => entry !== undefined);
}

function keyText(key: unknown): string {
  const value = isScalar(key) ? key.value : '';
  // The parser keeps the merge key as a symbol.
  return typeof value === 'symbol' ? (value.description ?? '') : String(value);
}

function start(node: unknown): number {
  return (node as Node | null)?.range?.[0] ?? 0;
}

const quote = 'put the value in quotes';
const indent = 'indent with spaces, the same number for every key of a section';

/** By the parser's code: what is wrong, and what to do. */
const sentences: Readonly<Record<string, readonly [message: string, hint?: string]>> = {
  ALIAS_PROPS: ['an alias cannot have an anchor or a tag'],
  BAD_ALIAS: ['alias without an anchor above it', `if the value really starts with *, ${quote}`],
  BAD_COLLECTION_TYPE: ['the tag does not fit the value'],
  BAD_DIRECTIVE: ['a line that starts with % is a YAML directive'],
  BAD_DQ_ESCAPE: ['unknown escape in double quotes', "write \\\\ for a backslash, or use 'single quotes'"],
  BAD_INDENT: ['bad indentation', indent],
  BAD_MERGE: ['<< takes an alias of a mapping, or a list of such aliases'],
  BAD_SCALAR_START: ['a plain value cannot start with this character', quote],
  BLOCK_AS_IMPLICIT_KEY: ['a mapping cannot start here', `if the value contains ": ", ${quote}`],
  BLOCK_IN_FLOW: ['an indented block cannot stand between braces'],
  DUPLICATE_KEY: ['the key is given twice', 'keep one of the two'],
  KEY_OVER_1024_CHARS: ['the key is too long'],
  MISSING_CHAR: [
    'something is missing: a quote, a bracket, or the space after a colon',
    'is one opened above and never closed?',
  ],
  MULTILINE_IMPLICIT_KEY: ['expected `key: value` on one line', 'is the space after the colon missing?'],
  MULTIPLE_ANCHORS: ['two anchors on one value'],
  MULTIPLE_DOCS: ['a second document starts here', 'remove the line of dashes'],
  MULTIPLE_TAGS: ['two tags on one value'],
  NON_STRING_KEY: ['a key must be a word'],
  RESOURCE_EXHAUSTION: ['nested too deeply, or aliases that multiply'],
  TAB_AS_INDENT: ['a tab cannot indent', indent],
  TAG_RESOLVE_FAILED: [
    'unknown tag',
    `there is no !secret and no !env_var: use password_file or the environment. If the value starts with !, ${quote}`,
  ],
  UNEXPECTED_TOKEN: ['not expected here', 'a quote, a bracket or an indentation above may be wrong'],
};
