/** What the image's own files say that its release can build. */
import { describe, expect, test } from 'vitest';
import { areEnough, newestRelease, readRelease } from '../../../../src/loader/kinds/tcrp/release.ts';
import { homeOf, recorded, releaseOf } from './releases.ts';

test.each(recorded)('$tag: its ids, extensions, models and serial numbers', ({ tag, version, ...said }) => {
  const release = releaseOf(tag);
  expect(release.version).toBe(version);
  const ids = Object.entries(said.ids).flatMap(([prefix, builds]) => builds.map(build => `${prefix}-${build}`));
  expect([...release.builds.keys()].sort()).toEqual(ids.sort());
  for (const [urls, each] of Object.entries(said.extensions)) {
    for (const id of each) expect(release.builds.get(id)).toEqual(urls.split(' '));
  }
  expect(release.models && [...release.models]).toEqual(said.models);
  expect(release.serials).toEqual(said.serials);
});

const ds918 = (tag: string) =>
  [...releaseOf(tag).builds.keys()].filter(id => id.startsWith('ds918p-')).map(id => id.slice('ds918p-'.length));

test('which DSM a release knows is not told by 0.9 or 0.10', () => {
  expect(ds918('0.9.4.4')).toContain('7.2.0-64551');
  expect(ds918('0.9.4.6')).toEqual(expect.arrayContaining(['7.1.1-42951', '7.2.0-64561']));
  expect(ds918('0.9.4.9')).toContain('7.2.0-64561');
  for (const tag of ['0.9.4.6', '0.9.4.9']) expect(ds918(tag)).not.toContain('7.2.0-64570');
  expect(ds918('0.9.4.9b')).toContain('7.2.0-64570');
});

test('the newest has an id for everything that it is said to build', () => {
  const { builds, models, serials } = releaseOf('0.10.0.0');
  // Recorded is what these have.
  const prefixes = ['ds918p', 'ds3622xsp', 'ds920p', 'ds1019p', 'ds923p', 'dva1622'];
  const ids = [...newestRelease.builds].filter(([id]) => prefixes.includes(id.split('-')[0] ?? ''));
  expect(ids).toHaveLength(4 + 4 + 4 + 4 + 2 + 3);
  for (const [id, urls] of ids) {
    expect(builds.has(id)).toBe(true);
    const prefix = id.split('-')[0] ?? '';
    expect(models?.get(prefix)).toBe(newestRelease.models?.get(prefix));
    if (prefix === 'ds918p') expect(urls).toEqual(builds.get(id));
  }
  const known = [...newestRelease.builds.keys()].map(id => newestRelease.models?.get(id.split('-')[0] ?? '') ?? '');
  for (const model of new Set(known))
    expect([model, serials?.includes(model)]).toEqual([model, newestRelease.serials?.includes(model)]);
});

describe('a home', () => {
  const home = (changes: Readonly<Record<string, string | null>>) => {
    const files = homeOf('0.9.4.6');
    for (const [name, text] of Object.entries(changes)) {
      if (text === null) files.delete(name);
      else files.set(name, Buffer.from(text));
    }
    return files;
  };

  test.each([
    ['without its script', { 'rploader.sh': null }],
    ['without the list that its script names', { 'custom_config2.json': null }],
    ['whose list is a page of errors', { 'custom_config2.json': '<html>404</html>' }],
    ['whose list is of another kind', { 'custom_config2.json': '{"build_configs":{"id":1}}' }],
  ])('%s: no release is guessed', (_, changes) => {
    expect(readRelease(home(changes))).toBeNull();
  });

  test('with a script of another make: what it does not say is not known', () => {
    expect(
      readRelease(home({ 'rploader.sh': '#!/bin/sh\n', 'custom_config.json': '{"build_configs":[{"id":"x"}]}' })),
    ).toMatchObject({
      ...{ version: null, models: null, serials: null },
      builds: expect.toSatisfy(builds => builds.has('x')),
    });
  });

  test('without JUN’s list, or with extensions of another kind', () => {
    const config = { build_configs: [{ id: 'ds918p-7.1.1-42962', add_extensions: 'none' }] };
    const release = readRelease(
      home({ 'custom_config_jun.json': null, 'custom_config2.json': JSON.stringify(config) }),
    );
    expect([...(release?.builds ?? [])]).toEqual([['ds918p-7.1.1-42962', []]]);
  });

  test('is read as far as is needed', () => {
    expect(areEnough(home({}))).toBe(true);
    for (const name of ['rploader.sh', 'custom_config2.json', 'custom_config_jun.json'])
      expect(areEnough(home({ [name]: null }))).toBe(false);
    expect(areEnough(homeOf('0.9.2.9'))).toBe(true);
  });
});
