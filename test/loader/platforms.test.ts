/** From ids and models to the table, and from mistakes to what was meant. */
import { describe, expect, test } from 'vitest';
import { newestRelease } from '../../src/loader/kinds/tcrp/release.ts';
import { oldPrefixes, platforms } from '../../src/loader/platform-table.ts';
import {
  compareVersions,
  firstUnknownVersion,
  nearestIds,
  parsePlatformId,
  platformOf,
} from '../../src/loader/platforms.ts';
import { releaseOf } from './kinds/tcrp/releases.ts';

function parsed(id: string) {
  const result = parsePlatformId(id);
  if ('problem' in result) throw new Error(result.problem.message);
  return result.id;
}

function problem(id: string) {
  const result = parsePlatformId(id);
  return 'problem' in result ? result.problem : null;
}

test('every row can be found both ways, once', () => {
  for (const { model, prefix, builds } of platforms) {
    expect(platformOf(model)?.prefix).toBe(prefix);
    for (const build of ['7.1.1-42962', ...builds]) expect(parsed(`${prefix}-${build}`).platform.model).toBe(model);
  }
  expect(new Set(platforms.map(({ prefix }) => prefix)).size).toBe(platforms.length);
  expect(platformOf('DS1+')).toBeNull();
});

test('an id', () => {
  expect(parsed('ds918p-7.1.1-42962')).toMatchObject({
    version: '7.1.1',
    build: 42_962,
    platform: { model: 'DS918+' },
  });
  expect(parsed('ds918p-7.0-41890')).toMatchObject({ version: '7.0', build: 41_890 });
  expect(parsed('ds3622xsp-7.2.2-72806')).toMatchObject({ version: '7.2.2', build: 72_806 });
});

describe('what is no id', () => {
  test.each([
    ['', []],
    ['DS918+', []],
    ['ds918p', ['ds918p-7.0.1-42218']],
    ['ds918p-7.1.1', ['ds918p-7.1.1-42962']],
    ['DS918p-7.1.1-42962', ['ds918p-7.1.1-42962']],
    ['ds918p_7.1.1_42962', ['ds918p-7.1.1-42962']],
    ['ds918p-7.1.1-42962; reboot', ['ds918p-7.1.1-42962']],
  ])('%j', (id, meant) => {
    expect(problem(id)).toMatchObject({ code: 'malformed', nearest: meant });
  });

  test.each([...oldPrefixes])('%s is how %s was called', (old, today) => {
    const { code, message, nearest } = problem(`${old}-7.1.1-42962`) ?? {};
    expect({ code, nearest }).toEqual({ code: 'old_id', nearest: [`${today}-7.1.1-42962`] });
    expect(message).toContain(`it is "${today}-7.1.1-42962" now`);
  });

  test.each([
    ['ds981p-7.1.1-42962', 'ds918p-7.1.1-42962'],
    ['ds3622xs-7.1.1-42962', 'ds3622xsp-7.1.1-42962'],
  ])('%s is of no model, perhaps %s', (id, meant) => {
    expect(problem(id)).toMatchObject({ code: 'unknown_model', nearest: [meant] });
  });
});

describe('the nearest ids', () => {
  test.each([
    ['ds918p-7.1.1-42950', '0.9.2.9', 'ds918p-7.1.1-42951'],
    ['ds918p-7.2.1-69057', '0.10.0.0', 'ds918p-7.2.0-64570'],
    ['ds918p-7.2.1-69057', '0.9.4.6', 'ds918p-7.2.0-64561'],
    ['ds918p-7.1.1-42951', '0.10.0.0', 'ds918p-7.1.1-42962'],
  ])('to %s in %s is %s', (id, tag, expected) => {
    expect(nearestIds(parsed(id), releaseOf(tag).builds.keys())[0]).toBe(expected);
  });

  test('none of a model that no release builds', () => {
    expect(nearestIds(parsed('ds925p-7.2.2-72806'), newestRelease.builds.keys())).toEqual([]);
  });
});

test.each([
  ['7.1.1', '7.2.2', -1],
  ['7.2.10', '7.2.2', 1],
  ['7.2', '7.2.0', 0],
  ['8.0', firstUnknownVersion, 1],
])('%s beside %s', (a, b, sign) => {
  expect(Math.sign(compareVersions(a, b))).toBe(sign);
});
