/** The file that a build is made from: edited as a whole, or not at all. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { identityWords } from '../../../../src/loader/kinds/identity.ts';
import { editUserConfig, readIdentity } from '../../../../src/loader/kinds/tcrp/user-config.ts';

const cmdline = {
  pid: '0xa4a5',
  vid: '0x0525',
  sn: '1780PDN012345',
  mac1: '001132ABCDEF',
  netif_num: '1',
  SataPortMap: '58',
  DiskIdxMap: '0A00',
};
const file = (extra_cmdline: unknown = cmdline, more: object = {}) =>
  JSON.stringify({
    general: { model: 'DS3622xs+', version: '42962', redpillmake: 'prod' },
    ipsettings: { ipset: '' },
    extra_cmdline,
    synoinfo: { maxdisks: '16' },
    ramdisk_copy: {},
    ...more,
  });

const fixture = (name: string) =>
  readFileSync(new URL(`../../../fixtures/user-config/${name}`, import.meta.url), 'utf8');

function edited(text: string, edits: Record<string, string | number>) {
  const result = editUserConfig(text, edits);
  if ('problem' in result) throw new Error(result.problem.message);
  return JSON.parse(result.text);
}

function problem(text: string, edits: Record<string, string> = {}) {
  const result = editUserConfig(text, edits);
  return 'problem' in result ? result.problem : null;
}

test('the maps are set, and everything else is kept, in its order', () => {
  const result = edited(file(), { SataPortMap: '12', DiskIdxMap: '1000' });
  const expected = JSON.parse(file({ ...cmdline, SataPortMap: '12', DiskIdxMap: '1000' }));
  expect(result).toEqual(expected);
  expect(JSON.stringify(result)).toBe(JSON.stringify(expected));
});

test('it ends with a line feed and is indented, as jq writes it', () => {
  const result = editUserConfig(file(), {});
  expect(result).toEqual({ text: `${JSON.stringify(JSON.parse(file()), null, 2)}\n` });
});

describe('NICs are counted', () => {
  test.each([
    [{ mac1: 'a' }, '1'],
    [{ mac1: 'a', mac2: 'b', netif_num: '1' }, '2'],
    [{ mac1: 'a', mac2: '', netif_num: '2' }, '1'],
    [{ mac1: '', netif_num: '1' }, '1'],
    [{ netif_num: '7' }, '7'],
  ])('%j has %s', (given, expected) => {
    expect(edited(file(given), {}).extra_cmdline.netif_num).toBe(expected);
  });

  test.each([
    [{ mac1: 'a', netif_num: 1 }, 1],
    [{ mac1: 'a', mac2: 'b', netif_num: 1 }, '2'],
    [{ mac1: 'a', mac2: null, netif_num: null }, '1'],
  ])('a number that is right stays one: %j has %j', (given, expected) => {
    expect(edited(file(given), {}).extra_cmdline.netif_num).toBe(expected);
  });

  test.each([{ mac2: 'b' }, { mac1: 'a', mac3: 'c' }, { mac0: 'x' }])('%j has gaps', given => {
    expect(problem(file(given))).toMatchObject({ code: 'bad_macs' });
  });
});

describe('what is no configuration', () => {
  test.each([
    ['', 'empty'],
    [' \n', 'empty'],
    ['{', 'not_json'],
    ['<html>404</html>', 'not_json'],
    [`${file()}${file()}`, 'not_json'],
    ['null', 'not_a_config'],
    ['[]', 'not_a_config'],
    ['{}', 'not_a_config'],
    [file('x'), 'not_a_config'],
    [file([]), 'not_a_config'],
  ])('%j', (text, code) => {
    expect(problem(text)).toMatchObject({ code });
    expect(readIdentity(text)).toMatchObject({ problem: { code } });
  });
});

test('a file that is nested without measure is none either, before anything is changed', () => {
  const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
  const text = `{"extra_cmdline":{"sn":"1780PDN012345"},"more":${deep}}`;
  expect(problem(text)).toMatchObject({ code: 'not_json' });
  expect(readIdentity(text)).toMatchObject({ problem: { code: 'not_json' } });
});

test('a value of any type stays what it is', () => {
  const odd = { ...cmdline, netif_num: 1, flag: true, nothing: null, list: [1], deep: { a: 1.5 } };
  expect(edited(file(odd), { SataPortMap: '1' }).extra_cmdline).toEqual({ ...odd, SataPortMap: '1' });
});

test.each([
  ['SataPortMap', '1 2'],
  ['SataPortMap', '12"'],
  ['sn', '$(reboot)'],
  ['a b', '12'],
  ['', '12'],
  ['pid', 'x'.repeat(65)],
])('%j does not become %j', (key, value) => {
  const found = problem(file(), { [key]: value });
  expect(found).toMatchObject({ code: 'bad_value' });
  expect(found?.message).not.toContain(value);
});

describe('what a rebuild keeps', () => {
  test('serial number and every MAC', () => {
    expect(readIdentity(file({ ...cmdline, mac2: '001132ABCDF0', mac3: '' }))).toEqual({
      identity: { sn: '1780PDN012345', mac1: '001132ABCDEF', mac2: '001132ABCDF0' },
    });
  });

  test.each(['user_config.json', 'user_config-without-general.json'])('whatever stands beside it: %s', name => {
    const text = fixture(name);
    const identity = { sn: '1780PDNOLD001', mac1: '0011320A0B0C' };
    expect(readIdentity(text)).toEqual({ identity });
    expect(identityWords(text)).toEqual(Object.values(identity));
    expect(edited(text, {})).toEqual(JSON.parse(text));
  });

  test.each([
    ['a number beside it', { ...cmdline, netif_num: 2 }],
    ['true beside it', { ...cmdline, hidesensitive: true }],
    ['null beside it', { ...cmdline, mac2: null }],
    ['an object beside it', { ...cmdline, more: {} }],
  ])('%s', (_, given) => {
    expect(readIdentity(file(given))).toEqual({ identity: { sn: '1780PDN012345', mac1: '001132ABCDEF' } });
  });

  test('one that is written as a number, as a number', () => {
    const given = { ...cmdline, sn: 1_234_567_890_123, mac1: 525_400_123_456 };
    expect(readIdentity(file(given))).toEqual({ identity: { sn: 1_234_567_890_123, mac1: 525_400_123_456 } });
    expect(identityWords(file(given))).toEqual(['1234567890123', '525400123456']);
    expect(edited(file(), { sn: given.sn }).extra_cmdline.sn).toBe(given.sn);
  });

  test.each([
    [{ ...cmdline, sn: '' }, { mac1: '001132ABCDEF' }],
    [
      { ...cmdline, mac1: '', mac2: '001132ABCDF0' },
      { sn: '1780PDN012345', mac2: '001132ABCDF0' },
    ],
    [{ sn: 'x', mac1: null }, { sn: 'x' }],
    [{ sn: '', mac1: '' }, {}],
    [{}, {}],
  ])('the part that is there: %j', (given, identity) => {
    expect(readIdentity(file(given))).toEqual({ identity });
  });

  test.each([
    [{ ...cmdline, sn: true }, 'bad_identity'],
    [{ ...cmdline, sn: ['1780PDN012345'] }, 'bad_identity'],
    [{ ...cmdline, sn: '1780 PDN 012345' }, 'bad_identity'],
    [{ ...cmdline, sn: 2 ** 60 }, 'bad_identity'],
    [{ ...cmdline, mac2: 1.5 }, 'bad_identity'],
    [{ ...cmdline, mac3: '001132ABCDF0' }, 'bad_macs'],
    [{ ...cmdline, mac0: '001132ABCDF0' }, 'bad_macs'],
  ])('not understood, it is not taken for nothing: %j', (given, code) => {
    const read = readIdentity(file(given));
    expect(read).toMatchObject({ problem: { code } });
    for (const word of identityWords(file(given))) expect(JSON.stringify(read)).not.toContain(word);
  });

  test('of a file that is broken, the words are known all the same', () => {
    expect(identityWords(`${file()}}`)).toEqual(['1780PDN012345', '001132ABCDEF']);
    expect(identityWords('{"sn": null, "mac1": "", "mac2": true')).toEqual([]);
  });
});

test('any file: other sections are the same afterwards, and a second edit changes nothing', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.dictionary(fc.string(), fc.string()), (section, given) => {
      const text = file({ ...given, mac1: 'a' }, { mine: section });
      const once = editUserConfig(text, { SataPortMap: '1' });
      if ('problem' in once) return;
      expect(JSON.parse(once.text).mine).toEqual(JSON.parse(text).mine);
      expect(editUserConfig(once.text, { SataPortMap: '1' })).toEqual(once);
    }),
  );
});
