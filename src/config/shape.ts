import { z } from 'zod';
import { configSchema } from './schema.ts';

/** The schema as plain data: what `dsm2mqtt schema` prints and what every look-up of a key goes by. */

export interface Shape {
  readonly type?: 'object' | 'array' | 'string' | 'boolean' | 'integer';
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  /** A secret. */
  readonly writeOnly?: boolean;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly items?: Shape;
}

export type Path = readonly (string | number)[];

/** JSON Schema (2020-12) of the file as people write it: defaults are optional, durations are text. */
export const jsonSchema = z.toJSONSchema(configSchema, { io: 'input' }) as Shape;

/** Null where the schema knows nothing. */
export function shapeAt(path: Path): Shape | null {
  let shape: Shape | undefined = jsonSchema;
  for (const step of path) shape = childShape(shape, step) ?? undefined;
  return shape ?? null;
}

export function childShape(shape: Shape | null | undefined, step: string | number): Shape | null {
  if (typeof step === 'number') return shape?.items ?? null;
  return shape?.properties && Object.hasOwn(shape.properties, step) ? (shape.properties[step] ?? null) : null;
}

export function keysOf(shape: Shape | null): string[] {
  return Object.keys(shape?.properties ?? {});
}

/** Path of every key that holds a value rather than a section; 0 stands for any list index. */
export function leafPaths(shape: Shape = jsonSchema, path: Path = []): Path[] {
  if (shape.properties) {
    return Object.entries(shape.properties).flatMap(([key, child]) => leafPaths(child, [...path, key]));
  }
  return shape.items?.properties ? leafPaths(shape.items, [...path, 0]) : [path];
}

/** `vms[0].domain` */
export function pathText(path: Path): string {
  return path
    .map((step, index) =>
      typeof step === 'number' ? `[${step}]` : `${index ? '.' : ''}${isKeyLike(step) ? step : '?'}`,
    )
    .join('');
}

/** Whether a key may be shown: `password:hunter2`, the space forgotten, is a key as well. */
export function isKeyLike(key: string): boolean {
  return /^\w[\w-]{0,39}$/.test(key);
}

/** `DSM2MQTT_VMS__0__DOMAIN` */
export function variableName(path: Path): string {
  return `DSM2MQTT_${path.join('__').toUpperCase()}`;
}
