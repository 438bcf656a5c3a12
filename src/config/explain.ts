import type * as z from 'zod';
import { nearest } from '../util/did-you-mean.ts';
import type { Issue, Path } from './problem.ts';
import { isKeyLike, keysOf, leafPaths, pathText, type Shape, shapeAt, variableName } from './shape.ts';

/** A zod issue in words: expected, found, and what to write instead. Never shows a secret's value. */
export function explain(issue: z.core.$ZodIssue): Issue[] {
  const path = issue.path.map(step => (typeof step === 'symbol' ? String(step) : step));
  const shape = shapeAt(path);
  const wrong = (message: string, hint: string | null = null): Issue[] => [{ path, message, hint, at: 'value' }];
  const missing = () => wrong('is missing', howToSet(path, shape));
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map(key => unknownKey(path, key));
    case 'invalid_type':
      if (issue.input === undefined) return missing();
      return wrong(`expected ${expected(shape)}, found ${found(issue.input, shape)}`, typeHint(issue.input, shape));
    case 'invalid_value':
      return wrong(...wrongWord(issue.input, shape));
    case 'invalid_union': {
      if (issue.input === undefined) return missing();
      const within = meant(issue.errors);
      if (!within) return wrong(...wrongWord(issue.input, shape));
      return within.flatMap(inner => explain({ ...inner, path: [...path, ...inner.path] }));
    }
    case 'too_small':
    case 'too_big':
      // zod reports a number far out of bounds twice, the first time with a note.
      if ('note' in issue) return [];
      // Of a text that should be a list, its length means nothing; that it is no list is told.
      if (issue.origin === 'string' && shape?.type === 'array') return [];
      // For a text or a list, the schema has the words.
      return wrong(shape?.type === 'integer' ? `must be ${bounds(shape)}` : issue.message);
    case 'custom': {
      const { hint = null, at = 'value' } = (issue.params ?? {}) as Partial<Issue>;
      return [{ path, message: issue.message, hint, at }];
    }
    default:
      return wrong(issue.message);
  }
}

function unknownKey(path: Path, key: string): Issue {
  const issue = { path: [...path, key], at: 'key' as const };
  const known = keysOf(shapeAt(path));
  if (!isKeyLike(key)) {
    const hint = key.includes(':') ? 'is the space after the colon missing?' : `known: ${known.join(', ')}`;
    return { ...issue, message: 'unknown key', hint };
  }
  const near = nearest(key, known);
  const message = `unknown key \`${key}\``;
  if (near) return { ...issue, message: `${message}, did you mean \`${near}\`?`, hint: null };
  const elsewhere = leafPaths().filter(leaf => leaf.at(-1) === key);
  const few = elsewhere.length === 1 || elsewhere.length === 2;
  const hint = few
    ? `there is ${elsewhere.map(pathText).join(' and ')}`
    : `known ${path.length ? 'here' : 'keys'}: ${known.join(', ')}`;
  return { ...issue, message, hint };
}

/** Of a key that is missing. */
function howToSet(path: Path, shape: Shape | null): string | null {
  const key = path.at(-1);
  if (key === 'vms') return 'name a VM: `vms: [{ domain: DSM }]`, or take all: `vms: all`';
  if (shape?.type === 'object' || shape?.type === 'array') return null;
  const example = shape?.examples?.[0];
  return `set ${pathText(path)}${example ? ` (\`${key}: ${example}\`)` : ''} or ${variableName(path)}`;
}

function typeHint(value: unknown, shape: Shape | null): string | null {
  if (shape?.type === 'integer') return bounds(shape);
  if (shape?.examples) return `for example ${shape.examples[0]}`;
  const quotable = shape?.type === 'string' && (typeof value === 'number' || typeof value === 'boolean');
  return quotable ? 'put it in quotes' : null;
}

function bounds({ minimum = -Infinity, maximum = Infinity }: Shape): string {
  return `between ${minimum} and ${maximum}`;
}

/** For an unknown word: the message and the hint. */
function wrongWord(value: unknown, shape: Shape | null): [string, string | null] {
  const words = shape?.enum ?? shape?.anyOf?.flatMap(one => one.enum ?? []) ?? [];
  const word = typeof value === 'string' ? value : null;
  const near = word === null ? null : nearest(word, words);
  const quoted = word === null ? found(value, shape) : `\`${word.length > 40 ? `${word.slice(0, 39)}…` : word}\``;
  return [`expected ${expected(shape)}, found ${quoted}`, near && `did you mean \`${near}\`?`];
}

/** What is wrong within the intended alternative; undefined: it is none of them. */
function meant(alternatives: readonly z.core.$ZodIssue[][]): z.core.$ZodIssue[] | undefined {
  return alternatives.find(issues =>
    issues.every(issue => issue.path.length > 0 || issue.code === 'unrecognized_keys'),
  );
}

const shapes = {
  ...{ object: 'a mapping of keys', array: 'a list', boolean: 'true or false' },
  ...{ integer: 'a whole number', string: 'text' },
} as const;

function expected(shape: Shape | null): string {
  if (shape?.anyOf) return shape.anyOf.map(expected).join(' or ');
  if (shape?.enum) return `${shape.enum.length > 1 ? 'one of ' : ''}${shape.enum.join(', ')}`;
  return shapes[shape?.type ?? 'string'];
}

function found(value: unknown, shape: Shape | null): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value === 'boolean') return 'true or false';
  if (typeof value !== 'number' && typeof value !== 'bigint') return 'text';
  return shape?.type === 'integer' && Number.isFinite(value) ? String(value) : 'a number';
}
