import { nearest } from '../util/did-you-mean.ts';
import type { Path, Problem } from './problem.ts';
import { childShape, jsonSchema, keysOf, leafPaths, pathText, type Shape, shapeAt, variableName } from './shape.ts';
import { isMapping, valueAt, withValueAt } from './value.ts';
import { parseYaml } from './yaml.ts';

/** Overrides from the environment: `DSM2MQTT_MQTT__URL` is `mqtt.url`, `DSM2MQTT_VMS__0__DOMAIN` is `vms[0].domain`. */

export interface Override {
  variable: string;
  path: Path;
  value: unknown;
}

export type Environment = Readonly<Record<string, string | undefined>>;

const prefix = 'DSM2MQTT_';

/** Variables with the prefix that set no key. Kubernetes makes `_SERVICE_` and `_PORT` for a service dsm2mqtt. */
const reserved = /^DSM2MQTT_(CONFIG|LAB|LAB_.*|SERVICE_(HOST|PORT.*)|PORT(_\d+_(TCP|UDP).*)?)$/i;

export function readEnvironment(environment: Environment): { overrides: Override[]; problems: Problem[] } {
  const overrides: Override[] = [];
  const problems: Problem[] = [];
  const ours = Object.keys(environment).filter(variable => variable.toUpperCase().startsWith(prefix));
  // Sorted, so that list entries come in order.
  for (const variable of ours.sort(inNumericOrder)) {
    const text = environment[variable];
    if (text === undefined) continue;
    const read = readVariable(variable, text, overrides);
    if (read && 'variable' in read) overrides.push(read);
    else if (read) problems.push(read);
  }
  return { overrides, problems };
}

/** Null: it is none of ours. */
function readVariable(variable: string, text: string, before: readonly Override[]): Override | Problem | null {
  const problem = (path: Path, message: string, hint: string | null) => problemOf({ variable, path }, message, hint);
  if (/^(["']).*\1$/s.test(text)) {
    const hint = 'an env file keeps them: leave them out. A value that truly has them goes into the configuration file';
    return problem([], 'the quotes around it are part of its value', hint);
  }
  if (reserved.test(variable)) return null;
  const path = pathOf(variable);
  const shape = path && shapeAt(path);
  if (!path || !shape || shape.type === 'object' || shape.items?.type === 'object') {
    return problem([], 'no such setting', suggestion(variable));
  }
  const same = before.find(other => variableName(other.path) === variableName(path));
  if (same) return problem(path, `is also set by ${same.variable}`, 'remove one of them');
  if (shape.type === 'string') return { variable, path, value: text };
  const { data, errors } = parseYaml(text);
  if (errors.length === 0) return { variable, path, value: data };
  return problem(path, 'is not valid YAML', shape.type === 'array' ? 'write [a, b]' : null);
}

function problemOf({ variable, path }: Omit<Override, 'value'>, message: string, hint: string | null): Problem {
  return { where: `environment ${variable}`, path: pathText(path), message, hint };
}

/** The data with all overrides, and the overrides that would leave a hole in a list. */
export function applyOverrides(data: unknown, overrides: readonly Override[]): { data: unknown; problems: Problem[] } {
  const problems: Problem[] = [];
  let merged = data;
  for (const override of overrides) {
    const { path, value } = override;
    const stranger = path.findIndex((step, at) => {
      const here = valueAt(merged, path.slice(0, at));
      return typeof step === 'number' ? isMapping(here) || typeof here === 'string' : Array.isArray(here);
    });
    if (stranger >= 0) {
      const there = valueAt(merged, path.slice(0, stranger));
      const [what, hint] = obstacle(there);
      problems.push(problemOf(override, `the file has ${what} there`, hint));
      continue;
    }
    const gap = path.findIndex((step, at) => typeof step === 'number' && step > lengthAt(merged, path.slice(0, at)));
    if (gap < 0) {
      merged = withValueAt(withSection(merged, path.slice(0, -1)), path, value);
      continue;
    }
    const list = path.slice(0, gap);
    const message = `there is no ${pathText([...list, lengthAt(merged, list)])} before it`;
    problems.push(problemOf(override, message, 'lists count from 0, without holes'));
  }
  return { data: merged, problems };
}

function obstacle(there: unknown): [what: string, hint: string] {
  if (Array.isArray(there)) return ['a list', 'a list has numbers: write one before the name'];
  return isMapping(there) ? ['a section', 'a section has names, and no numbers'] : ['a word', 'write a list there'];
}

function pathOf(variable: string): Path | null {
  const path: (string | number)[] = [];
  let shape: Shape | null = jsonSchema;
  for (const word of variable.slice(prefix.length).toLowerCase().split('__')) {
    // Not every key is in lower case.
    const key = keysOf(shape).find(known => known.toLowerCase() === word) ?? word;
    const step: string | number = /^(0|[1-9]\d{0,3})$/.test(word) ? Number(word) : key;
    shape = childShape(shape, step);
    if (!shape) return null;
    path.push(step);
  }
  return path;
}

function suggestion(variable: string): string {
  const index = /__(\d{1,4})(?=__|$)/.exec(variable)?.[1] ?? '0';
  const known = leafPaths().map(path => variableName(path.map(step => (step === 0 ? index : step))));
  const name = variable.toUpperCase();
  const section = name.slice(0, name.lastIndexOf('__') + 2);
  const beside = section.length > prefix.length ? known.filter(other => other.startsWith(section)) : [];
  const near = nearestAfter(prefix, name, known) ?? nearestAfter(section, name, beside);
  if (near) return `did you mean ${near}?`;
  return beside.length > 0
    ? `known here: ${beside.join(', ')}`
    : `for example ${prefix}MQTT__URL; two underscores a level: ${keysOf(jsonSchema).join(', ')}`;
}

/** For names that all begin with the stem, which does not count. */
function nearestAfter(stem: string, name: string, known: readonly string[]): string | null {
  const ends = known.map(other => other.slice(stem.length));
  return known[ends.indexOf(nearest(name.slice(stem.length), ends) ?? '')] ?? null;
}

/** If a section may also be a word, and is one, it becomes an empty section. */
function withSection(data: unknown, path: Path): unknown {
  return shapeAt(path)?.anyOf && !isMapping(valueAt(data, path)) ? withValueAt(data, path, {}) : data;
}

function lengthAt(data: unknown, path: Path): number {
  const list = valueAt(data, path);
  return Array.isArray(list) ? list.length : 0;
}

function inNumericOrder(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
