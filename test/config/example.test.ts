import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import type { Path } from '../../src/config/problem.ts';
import { leafPaths, pathText, shapeAt } from '../../src/config/shape.ts';
import { valueAt } from '../../src/config/value.ts';
import { load, minimal } from './harness.ts';

const example = readFileSync(new URL('../../config.example.yaml', import.meta.url), 'utf8');
/** A key that is not set is `#key:`, without a space; an item of a list `#- key:`. */
const everything: unknown = parse(example.replaceAll(/^( *)#(?=\w|- )/gm, '$1'));

/** Of a section that a word may stand for: its comment has them. */
const isAlternative = (path: Path) => shapeAt(path.slice(0, -1))?.anyOf?.some(one => one.type === 'string') === true;

test('it is valid as it stands, and sets nothing but what is required', async () => {
  expect(await load(example)).toEqual({
    ...(await load(minimal)),
    mqtt: { ...(await load(minimal)).mqtt, url: 'mqtt://broker.lan:1883' },
  });
});

test('it shows every key and no other', () => {
  const paths = leafPaths();
  const shown = paths.filter(path => !isAlternative(path));
  const given = new Set(leaves(everything).map(path => path.replace(/disks\[\d\]/, 'disks[0]')));
  expect([...given].toSorted()).toEqual(shown.map(pathText).toSorted());
  for (const path of paths.filter(isAlternative))
    expect(example).toMatch(new RegExp(`^ *# .*\\b${path.at(-1)}: "`, 'm'));
});

test('its loader is valid, in either way', async () => {
  const { ssh, ...loader } = valueAt(everything, ['vms', 0, 'loader']) as Record<string, unknown>;
  const read = async (changes: object) => {
    const vms = [{ domain: 'DSM', loader: { ...loader, ...changes } }];
    return (await load(stringify({ mqtt: { url: 'mqtt://broker' }, vms }))).vms[0]?.loader;
  };
  expect(await read({})).toEqual(await read({ ssh: { host_key: valueAt(ssh, ['host_key']) }, backup_dir: undefined }));
  const [, map] = /(\{ SataPortMap: .* \}),/.exec(example) ?? [];
  const byHand: unknown = parse(map ?? '');
  expect((await read({ sata_map: byHand }))?.sataMap).toEqual(byHand);
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
