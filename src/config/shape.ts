import { input } from './json-schema.ts';
import type { Path } from './problem.ts';

/** The schema as plain data: `dsm2mqtt schema` prints it, and every look-up of a key uses it. */

export interface Shape {
  readonly type?: 'object' | 'array' | 'string' | 'boolean' | 'integer';
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly items?: Shape;
  /** A word, or else a section; or a section, or else a list of sections. */
  readonly anyOf?: readonly Shape[];
}

/** JSON Schema (2020-12) of the file as people write it: defaults are optional, durations are text. */
export const jsonSchema: Shape = input;

/** Null where the schema knows nothing. */
export function shapeAt(path: Path): Shape | null {
  return path.reduce<Shape | null>(childShape, jsonSchema);
}

export function childShape(shape: Shape | null, step: string | number): Shape | null {
  if (typeof step === 'number') return shape?.items ?? shape?.anyOf?.find(one => one.items)?.items ?? null;
  const children = childrenOf(shape);
  return Object.hasOwn(children, step) ? (children[step] ?? null) : null;
}

export function keysOf(shape: Shape | null): string[] {
  return Object.keys(childrenOf(shape));
}

function childrenOf(shape: Shape | null): Readonly<Record<string, Shape>> {
  return shape?.properties ?? shape?.anyOf?.find(one => one.properties)?.properties ?? {};
}

/** Path of every key that holds, or may hold, a value rather than a section; 0 stands for any list index. */
export function leafPaths(shape: Shape = jsonSchema, path: Path = []): Path[] {
  const below = Object.entries(childrenOf(shape)).flatMap(([key, child]) => leafPaths(child, [...path, key]));
  const mayBeWord = shape.anyOf?.some(one => one.type === 'string') ?? false;
  if (below.length > 0) return mayBeWord ? [path, ...below] : below;
  const items = childShape(shape, 0);
  return items?.properties ? leafPaths(items, [...path, 0]) : [path];
}

/** `vms[0].domain` */
export function pathText(path: Path): string {
  const words = path.map(step => (typeof step === 'number' ? `[${step}]` : `.${isKeyLike(step) ? step : '?'}`));
  return words.join('').replace(/^\./, '');
}

/** Whether a key may be shown: `password:hunter2`, without the space, is also a key. */
export function isKeyLike(key: string): boolean {
  return /^\w[\w-]{0,39}$/.test(key);
}

/** `DSM2MQTT_VMS__0__DOMAIN` */
export function variableName(path: Path): string {
  return `DSM2MQTT_${path.join('__').toUpperCase()}`;
}
