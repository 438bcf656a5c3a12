import { parseDocument } from 'yaml';
import { nearest } from '../util/did-you-mean.ts';
import type { Problem } from './problem.ts';
import {
  childShape,
  jsonSchema,
  keysOf,
  leafPaths,
  type Path,
  pathText,
  type Shape,
  shapeAt,
  variableName,
} from './shape.ts';
import { isMapping, valueAt, withValueAt } from './value.ts';

/** Overrides from the environment: `DSM2MQTT_MQTT__URL` is `mqtt.url`, `DSM2MQTT_VMS__0__DOMAIN` is `vms[0].domain`. */

export interface Override {
  variable: string;
  path: Path;
  value: unknown;
}

export type Environment = Readonly<Record<string, string | undefined>>;

const prefix = 'DSM2MQTT_';

/** Variables with the prefix that set no key. Kubernetes makes `_SERVICE_` and `_PORT` for a service called dsm2mqtt. */
const reserved = /^DSM2MQTT_(CONFIG|LAB|LAB_.*|SERVICE_(HOST|PORT.*)|PORT(_\d+_(TCP|UDP).*)?)$/i;

export function readEnvironment(environment: Environment): { overrides: Override[]; problems: Problem[] } {
  const overrides: Override[] = [];
  const problems: Problem[] = [];
  const complain = (variable: string, path: string, message: string, hint: string | null) =>
    problems.push({ where: `environment ${variable}`, path, message, hint, source: null });

  // In order, so that list entries come one after the other.
  for (const variable of Object.keys(environment).toSorted(inNumericOrder)) {
    const text = environment[variable];
    if (text === undefined || !variable.toUpperCase().startsWith(prefix)) continue;
    if (/^(["']).*\1$/s.test(text)) {
      const hint =
        'an env file keeps them: leave them out. A value that truly has them goes into the configuration file';
      complain(variable, '', 'the quotes around it are part of its value', hint);
      continue;
    }
    if (reserved.test(variable)) continue;
    const path = pathOf(variable);
    const shape = path && shapeAt(path);
    if (!path || !shape || shape.type === 'object' || shape.items?.type === 'object') {
      complain(variable, '', 'no such setting', suggestion(variable));
      continue;
    }
    const same = overrides.find(other => variableName(other.path) === variableName(path));
    const value = shape.type === 'string' ? { data: text } : parseValue(text);
    if (same) complain(variable, pathText(path), `is also set by ${same.variable}`, 'remove one of them');
    else if (value) overrides.push({ variable, path, value: value.data });
    else complain(variable, pathText(path), 'is not valid YAML', shape.type === 'array' ? 'write [a, b]' : null);
  }
  return { overrides, problems };
}

/** The data with every override in it, and the overrides that would leave a hole in a list. */
export function applyOverrides(data: unknown, overrides: readonly Override[]): { data: unknown; problems: Problem[] } {
  const problems: Problem[] = [];
  let merged = data;
  for (const { variable, path, value } of overrides) {
    const gap = path.findIndex(
      (step, index) => typeof step === 'number' && step > lengthAt(merged, path.slice(0, index)),
    );
    if (gap < 0) {
      merged = withValueAt(withSection(merged, path.slice(0, -1)), path, value);
      continue;
    }
    const list = path.slice(0, gap);
    const message = `there is no ${pathText([...list, lengthAt(merged, list)])} before it`;
    const hint = 'lists count from 0, without holes';
    problems.push({ where: `environment ${variable}`, path: pathText(path), message, hint, source: null });
  }
  return { data: merged, problems };
}

function pathOf(variable: string): Path | null {
  const path: (string | number)[] = [];
  let shape: Shape | null = jsonSchema;
  for (const word of variable.slice(prefix.length).toLowerCase().split('__')) {
    const step: string | number = /^(0|[1-9]\d{0,3})$/.test(word) ? Number(word) : keyOf(shape, word);
    shape = childShape(shape, step);
    if (!shape) return null;
    path.push(step);
  }
  return path;
}

/** Not every key is in lower case. */
function keyOf(shape: Shape, word: string): string {
  return keysOf(shape).find(key => key.toLowerCase() === word) ?? word;
}

function parseValue(text: string): { data: unknown } | null {
  try {
    const document = parseDocument(text, { prettyErrors: false, stringKeys: true });
    const faulty = document.errors.length > 0 || document.warnings.length > 0;
    return faulty ? null : { data: document.toJS({ maxAliasCount: 100 }) };
  } catch {
    return null;
  }
}

function suggestion(variable: string): string {
  const index = /__(\d{1,4})(?=__|$)/.exec(variable)?.[1] ?? '0';
  const known = leafPaths().map(path =>
    variableName(path.map(step => (step === 0 ? index : step))).slice(prefix.length),
  );
  const name = variable.slice(prefix.length).toUpperCase();
  const section = name.slice(0, name.lastIndexOf('__') + 1);
  const beside = section ? known.filter(other => other.startsWith(section)) : [];
  const ends = beside.map(other => other.slice(section.length + 1));
  const end = nearest(name.slice(section.length + 1), ends);
  const near = nearest(name, known) ?? beside[ends.indexOf(end ?? '')];
  if (near) return `did you mean ${prefix}${near}?`;
  return beside.length > 0
    ? `known here: ${beside.map(other => prefix + other).join(', ')}`
    : `for example ${prefix}MQTT__URL; two underscores a level: ${keysOf(jsonSchema).join(', ')}`;
}

/** Where a word may stand instead of a section, and does, there is an empty section. */
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
