/** The file that a build is made from: edited as a whole, or not at all. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { editUserConfig, savedIdentity } from '../../../src/loader/tcrp/user-config.ts';

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

function edited(text: string, edits: Record<string, string>) {
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
    [file(cmdline, { general: null }), 'not_a_config'],
    [file({ netif_num: 1 }), 'not_text'],
    [file({ sn: null }), 'not_text'],
  ])('%j', (text, code) => {
    expect(problem(text)).toMatchObject({ code });
    expect(savedIdentity(text)).toBeNull();
  });
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
    expect(savedIdentity(file({ ...cmdline, mac2: '001132ABCDF0', mac3: '' }))).toEqual({
      sn: '1780PDN012345',
      mac1: '001132ABCDEF',
      mac2: '001132ABCDF0',
    });
  });

  test.each([{ ...cmdline, sn: '' }, { ...cmdline, mac1: '' }, { sn: 'x' }, {}])('nothing of %j', given => {
    expect(savedIdentity(file(given))).toBeNull();
  });

  test('it goes into the file of a new release', () => {
    const fresh = file({ ...cmdline, sn: '', mac1: '' });
    const kept = savedIdentity(file({ ...cmdline, mac2: '001132ABCDF0' })) ?? {};
    expect(edited(fresh, kept).extra_cmdline).toMatchObject({
      sn: '1780PDN012345',
      mac2: '001132ABCDF0',
      netif_num: '2',
    });
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
