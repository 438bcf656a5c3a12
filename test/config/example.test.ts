import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { leafPaths, pathText, shapeAt } from '../../src/config/shape.ts';
import { valueAt } from '../../src/config/value.ts';
import { load, minimal } from './harness.ts';

const example = readFileSync(new URL('../../config.example.yaml', import.meta.url), 'utf8');
/** A key that is not set is `#key:`, without a space. */
const everything: unknown = parse(example.replaceAll(/^( *)#(?=\w)/gm, '$1'));

test('it is valid as it stands, and sets nothing but what is required', async () => {
  expect(await load(example)).toEqual({
    ...(await load(minimal)),
    mqtt: { ...(await load(minimal)).mqtt, url: 'mqtt://broker.lan:1883' },
  });
});

test('it shows every key and no other', () => {
  expect(leaves(everything).toSorted()).toEqual(leafPaths().map(pathText).toSorted());
});

test.each(leafPaths().map(path => [pathText(path), path] as const))('%s has its default and a comment', (_, path) => {
  const shape = shapeAt(path);
  if (shape?.default !== undefined) expect(valueAt(everything, path)).toEqual(shape.default);
  expect(shape?.description).toBeTruthy();
});

function leaves(value: unknown, path: readonly (string | number)[] = []): string[] {
  if (typeof value !== 'object' || value === null) return [pathText(path)];
  if (Array.isArray(value) && typeof value[0] !== 'object') return [pathText(path)];
  const entries = Array.isArray(value) ? value.map((item, index) => [index, item] as const) : Object.entries(value);
  return entries.flatMap(([key, child]) => leaves(child, [...path, key]));
}
