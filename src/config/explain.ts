import type { z } from 'zod';
import { nearest } from '../util/did-you-mean.ts';
import type { Issue } from './problem.ts';
import { isKeyLike, keysOf, leafPaths, type Path, pathText, type Shape, shapeAt, variableName } from './shape.ts';
import { valueAt } from './value.ts';

/** A zod issue in words: what was expected, what was found, what to write instead. Never the value of a secret. */
export function explain(issue: z.core.$ZodIssue, raw: unknown): Issue[] {
  const path = issue.path.map(step => (typeof step === 'symbol' ? String(step) : step));
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map(key => unknownKey(path, key));
    case 'invalid_type':
      return [wrongType(path, valueAt(raw, path))];
    case 'invalid_value':
      return [wrongWord(path, valueAt(raw, path))];
    case 'invalid_union':
      return wrongAlternative(path, issue.errors, raw);
    case 'too_small':
    case 'too_big':
      return [outOfBounds(path, issue)];
    case 'custom':
      return [{ path, message: issue.message, hint: textOrNull(issue.params?.['hint']), at: 'value' }];
    default:
      return [{ path, message: issue.message, hint: null, at: 'value' }];
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
  const hint =
    elsewhere.length === 1 || elsewhere.length === 2
      ? `there is ${elsewhere.map(pathText).join(' and ')}`
      : `known ${path.length ? 'here' : 'keys'}: ${known.join(', ')}`;
  return { ...issue, message, hint };
}

function wrongType(path: Path, found: unknown): Issue {
  const shape = shapeAt(path);
  const example = shape?.examples?.[0];
  if (found === undefined) {
    const leaf = shape?.type !== 'object' && shape?.type !== 'array';
    const key = path.at(-1);
    const hint = leaf
      ? `set ${pathText(path)}${example ? ` (\`${key}: ${example}\`)` : ''} or ${variableName(path)}`
      : null;
    return {
      path,
      message: 'is missing',
      hint: key === 'vms' ? 'name a VM: `vms: [{ domain: DSM }]`' : hint,
      at: 'value',
    };
  }
  const quotable = shape?.type === 'string' && (typeof found === 'number' || typeof found === 'boolean');
  const fraction = shape?.type === 'integer' && Number.isFinite(found);
  const hint = shape?.type === 'integer' ? bounds(shape) : example ? `for example ${example}` : null;
  return {
    path,
    message: `expected ${expected(shape)}, found ${fraction ? found : kind(found)}`,
    hint: quotable && !shape.examples ? 'put it in quotes' : hint,
    at: 'value',
  };
}

/** Of a text or a list the schema has the words. */
function outOfBounds(path: Path, { origin, message }: { origin: string; message: string }): Issue {
  const shape = shapeAt(path);
  const number = origin === 'number' || origin === 'int';
  return { path, message: shape && number ? `must be ${bounds(shape)}` : message, hint: null, at: 'value' };
}

function bounds({ minimum = -Infinity, maximum = Infinity }: Shape): string {
  return `between ${minimum} and ${maximum}`;
}

function wrongWord(path: Path, found: unknown): Issue {
  const shape = shapeAt(path);
  const words = shape?.enum ?? shape?.anyOf?.flatMap(one => one.enum ?? []) ?? [];
  const near = typeof found === 'string' ? nearest(found, words) : null;
  return {
    path,
    message: `expected ${expected(shape)}, found ${typeof found === 'string' ? `\`${shorten(found)}\`` : kind(found)}`,
    hint: near && `did you mean \`${near}\`?`,
    at: 'value',
  };
}

/** What is wrong within the alternative that is meant; if none is, that it is neither. */
function wrongAlternative(path: Path, alternatives: readonly z.core.$ZodIssue[][], raw: unknown): Issue[] {
  const meant = alternatives.find(issues =>
    issues.every(issue => issue.path.length > 0 || issue.code === 'unrecognized_keys'),
  );
  return meant
    ? meant.flatMap(issue => explain({ ...issue, path: [...path, ...issue.path] }, raw))
    : [wrongWord(path, valueAt(raw, path))];
}

function expected(shape: Shape | null): string {
  if (shape?.anyOf) return shape.anyOf.map(expected).join(' or ');
  if (shape?.enum) return `${shape.enum.length > 1 ? 'one of ' : ''}${shape.enum.join(', ')}`;
  switch (shape?.type) {
    case 'object':
      return 'a mapping of keys';
    case 'array':
      return 'a list';
    case 'boolean':
      return 'true or false';
    case 'integer':
      return 'a whole number';
    default:
      return 'text';
  }
}

function kind(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value === 'boolean') return 'true or false';
  return typeof value === 'number' || typeof value === 'bigint' ? 'a number' : 'text';
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
