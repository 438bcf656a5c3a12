import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { Store } from '../../src/util/store.ts';
import { recorder } from '../mqtt/inbox.ts';

let folder: string;
let path: string;
let log: ReturnType<typeof recorder>;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'store-'));
  path = join(folder, 'data', 'thing.json');
  log = recorder();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const store = () => new Store({ path, empty: [], schema: z.array(z.number()), logger: log });

test('keeps what it is given, in a folder that it makes, and for its owner alone', async () => {
  const one = store();
  expect(await one.load()).toEqual([]);
  one.save([1]);
  await one.settled();
  expect(await store().load()).toEqual([1]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await stat(join(folder, 'data'))).mode & 0o777).toBe(0o700);
  expect(log.entries).toEqual([]);
});

test('of many values the last one counts, and nothing is left beside the file', async () => {
  const one = store();
  for (let i = 0; i < 100; i++) one.save([i]);
  await one.settled();
  expect(await store().load()).toEqual([99]);
  expect(await readdir(join(folder, 'data'))).toEqual(['thing.json']);
});

test('values that are overtaken while another is written are not written at all', async () => {
  const written: unknown[] = [];
  const one = store();
  const value = (number: number) => Object.assign([number], { toJSON: () => written.push(number) });
  for (const number of [1, 2, 3, 4]) one.save(value(number));
  await one.settled();
  one.save(value(5));
  await one.settled();
  expect(written).toEqual([4, 5]);
});

describe('starts afresh, and says so, with', () => {
  test.each([
    ['another version', '{"version":2,"value":[1]}'],
    ['another value', '{"version":1,"value":"1"}'],
    ['no value', '{"version":1}'],
    ['nothing', 'null'],
    ['a list', '[]'],
  ])('%s', async (_, content) => {
    await mkdir(join(folder, 'data'));
    await writeFile(path, content);
    expect(await store().load()).toEqual([]);
    expect(log.entries).toMatchObject([{ level: 'warn', event: 'store.ignored', path, expected: 1 }]);
  });

  test.each([
    ['no JSON', '{"version":1,"val'],
    ['an empty file', ''],
    ['bytes', '\0\u00ff'],
  ])('%s', async (_, content) => {
    await mkdir(join(folder, 'data'));
    await writeFile(path, content);
    expect(await store().load()).toEqual([]);
    expect(log.entries).toMatchObject([{ level: 'warn', event: 'store.unreadable', path }]);
  });

  test('a folder in its place', async () => {
    await mkdir(path, { recursive: true });
    expect(await store().load()).toEqual([]);
    expect(log.of('store.unreadable')).toHaveLength(1);
  });
});

test('a file that cannot be written is told once, until it could be again', async () => {
  await writeFile(join(folder, 'data'), 'in the way');
  const one = store();
  one.save([1]);
  one.save([2]);
  await one.settled();
  expect(log.entries).toMatchObject([{ level: 'warn', event: 'store.unwritable', path }]);
  await rm(join(folder, 'data'));
  one.save([3]);
  await one.settled();
  expect(await store().load()).toEqual([3]);
  await rm(join(folder, 'data'), { recursive: true });
  await writeFile(join(folder, 'data'), 'in the way again');
  one.save([4]);
  await one.settled();
  expect(log.of('store.unwritable')).toHaveLength(2);
});

test('what was written before survives a write that fails', async () => {
  const one = store();
  one.save([1]);
  await one.settled();
  // Root writes where nobody may, so a folder stands where the new file would.
  await mkdir(`${path}.${process.pid}.partial`);
  one.save([2]);
  await one.settled();
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ version: 1, value: [1] });
  expect(log.of('store.unwritable')).toHaveLength(1);
});
