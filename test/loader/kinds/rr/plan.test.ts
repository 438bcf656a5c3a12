/** The commands of a rebuild with RR, and how each is judged. */
import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import type { LoaderFacts, Outcome, Step } from '../../../../src/loader/kinds/adapter.ts';
import { OutcomeReader } from '../../../../src/loader/kinds/outcome.ts';
import { rr } from '../../../../src/loader/kinds/rr/index.ts';
import type { LoaderConfig } from '../../../../src/loader/plan/finding.ts';

const wanted: LoaderConfig = {
  ...{ model: 'DS918+', platform: 'ds918p-7.2.2-72806', upgrade: 'never', upgradeZip: null, extensions: [] },
  ...{ addons: [], keepIdentity: true },
};
const facts: LoaderFacts = {
  ...{ map: { SataPortMap: '12', DiskIdxMap: '1000' }, deviceTree: false, usbDisks: 1, usbIds: null },
};
const planned = (more: Partial<LoaderConfig> = {}) => rr.plan({ ...wanted, ...more }, facts);
const names = (more: Partial<LoaderConfig> = {}) => planned(more).map(({ name }) => name);
const one = (name: string, more: Partial<LoaderConfig> = {}): Step => {
  const found = planned(more).find(step => step.name === name);
  if (!found) throw new Error(`no step ${name}`);
  return found;
};
const config = (changes: Record<string, string> = {}) =>
  Object.entries({
    ...{ model: 'DS918+', productver: '7.2', buildnum: '72806', smallnum: '3', sn: '1780PDN000000', dt: 'false' },
    ...{ mac1: '001132123456', 'zimage-hash': 'a', 'ramdisk-hash': 'b' },
    ...changes,
  })
    .map(([key, value]) => `${key}: "${value}"\n`)
    .concat('cmdline:\n  SataPortMap: "12"\n  DiskIdxMap: "1000"\n')
    .join('');
const judged = (name: string, text: string): Outcome => {
  const judge = new OutcomeReader(one(name, { upgrade: 'full', upgradeZip: '/u.zip', addons: ['acpid'] }), rr.outputs);
  for (const character of text) judge.take(character);
  return judge.end(0);
};

test('the order: what resets the configuration comes before what is written into it', () => {
  const usual = ['version', 'save_config', 'model', 'model_config', 'dsm_version', 'version_config', 'edit_config'];
  expect(names()).toEqual([...usual, 'build', 'read_back', 'clean_cache']);
  const all = names({ upgrade: 'full', upgradeZip: '/u.zip', addons: ['acpid', 'x=1'], keepIdentity: false });
  expect(all.slice(2, 5)).toEqual(['send_update', 'upgrade', 'forget_identity']);
  expect(all.slice(-4)).toEqual(['check_addons', 'build', 'read_back', 'clean_cache']);
  expect(names({ upgrade: 'full' })).not.toContain('send_update');
  expect(names({ platform: 'nonsense' })).toEqual([]);
});

test('no command of the menu gets an open pipe, and none has a serial number', () => {
  const all = planned({ upgrade: 'full', addons: ['acpid'] });
  for (const { command } of all) if (command.includes('./menu.sh')) expect(command).toContain('</dev/null');
  expect(JSON.stringify(all)).not.toMatch(/1780PDN|001132/);
});

describe('left out', () => {
  const holds = (name: string, kept: Record<string, string>) => one(name).onlyIf?.holds(new Map(Object.entries(kept)));
  test.each([
    ['the same model, with an identity', config(), false],
    ['another model', config({ model: 'DS3622xs+' }), true],
    ['no serial number', config({ sn: '' }), true],
    ['nothing yet', '', true],
  ])('modelMenu: %s', (_, text, expected) => {
    expect(holds('model', { save_config: text })).toBe(expected);
  });
  test.each([
    ['the same build, whose files are there', config(), false],
    ['another build', config({ buildnum: '69057' }), true],
    ['a model that was just chosen', config({ productver: '', buildnum: '' }), true],
    ["DSM's files were never taken", config({ 'zimage-hash': '' }), true],
  ])('productversMenu: %s', (_, text, expected) => {
    expect(holds('dsm_version', { model_config: text })).toBe(expected);
  });
  test('a new identity always needs modelMenu', () => {
    expect(one('model', { keepIdentity: false }).onlyIf).toBeNull();
  });
});

describe('what is written by key', () => {
  const text = (name: string, outputs: Record<string, string>, more: Partial<LoaderConfig> = {}) =>
    one(name, more).input?.text(new Map(Object.entries(outputs)));
  test('the map, add-ons and the identity that was there', () => {
    const outputs = { save_config: config({ mac2: '0011321234ab' }), version_config: config() };
    const written = text('edit_config', outputs, { addons: ['acpid', 'hddsort=a=b'] });
    expect(written).toEqual({
      text: `cmdline.SataPortMap=12\ncmdline.DiskIdxMap=1000\naddons."acpid"=\naddons."hddsort"=a=b\nsn=1780PDN000000\nmac1=001132123456\nmac2=0011321234ab\n`,
      notes: [],
    });
  });
  test('no map for a model with a device tree, as RR knows it', () => {
    const outputs = { save_config: config(), version_config: config({ dt: 'true' }) };
    expect(text('edit_config', outputs)).toMatchObject({ notes: [expect.stringContaining('device tree')] });
    expect(text('edit_config', outputs)).toMatchObject({ text: expect.not.stringContaining('SataPortMap') });
  });
  test('a new identity stays new', () => {
    const outputs = { save_config: config(), version_config: config() };
    expect(text('edit_config', outputs, { keepIdentity: false })).toMatchObject({
      text: expect.not.stringContaining('sn='),
    });
  });
  test('a broken configuration is not overwritten', () => {
    expect(one('save_config').objection('a:\n\t- b', new Map())).toMatchObject({ code: 'bad_config' });
    expect(one('save_config', { keepIdentity: false }).objection('a:\n\t- b', new Map())).toBeNull();
  });
});

describe('read back', () => {
  const objection = (after: string, before = config(), more: Partial<LoaderConfig> = {}) =>
    one('read_back', more).objection(after, new Map([['save_config', before]]));
  test.each<[string, string, string | null]>([
    ['as it was wanted', config(), null],
    ['another build', config({ buildnum: '69057' }), 'other_build'],
    ['another model', config({ model: 'DS920+' }), 'other_build'],
    ['nothing built', config({ 'ramdisk-hash': '' }), 'other_build'],
    ['another serial number', config({ sn: '1780PDN000001' }), 'identity_lost'],
    ['no MAC', config({ mac1: '' }), 'identity_lost'],
    ['another map', config().replace('"12"', '"1"'), 'not_written'],
    ['no map', config().replace(/cmdline:.*/s, ''), 'not_written'],
    ['no map, and a device tree', config({ dt: 'true' }).replace(/cmdline:.*/s, ''), null],
  ])('%s', (_, after, expected) => {
    const found = objection(after);
    expect(found?.code ?? null).toBe(expected);
    expect(JSON.stringify(found)).not.toContain('1780PDN');
  });
  test('an update is looked at only where one is wanted', () => {
    expect(objection(config(), config(), { platform: 'ds918p-7.2.2-72806-3' })).toBeNull();
    expect(objection(config(), config(), { platform: 'ds918p-7.2.2-72806-4' })).toMatchObject({ code: 'other_build' });
  });
  test('an add-on that was to be there is, with its value', () => {
    const before = config();
    const after = `${before}addons:\n  acpid: ""\n  powersched: "x=1"\n`;
    expect(objection(after, before, { addons: ['acpid', 'powersched=x=1'] })).toBeNull();
    expect(objection(after, before, { addons: ['misc'] })).toMatchObject({ code: 'not_written' });
    expect(objection(after, before, { addons: ['acpid=1'] })).toMatchObject({ code: 'not_written' });
  });
  test('a new serial number is none that was lost', () => {
    expect(objection(config({ sn: '1780PDN000001' }), config(), { keepIdentity: false })).toBeNull();
  });
});

describe('judged by what the files show, never by the exit code', () => {
  const ready = 'Patching Ramdisk.....\nPatching zImage...\nCleaning ...\nReady!\n';
  test.each<[string, string, string | null]>([
    ['build', `${ready}The loader is built.\n`, null],
    ['build', `${ready}The loader is not built.\n`, 'not_built'],
    ['build', ready, 'not_proven'],
    [
      'build',
      '--title Error --msgbox DSM ramdisk not patched\nPlease upgrade 0 0\nThe loader is not built.\n',
      'ramdisk_not_patched',
    ],
    ['build', '--title Error --msgbox DSM zImage not patched\n 0 0\nThe loader is not built.\n', 'kernel_not_patched'],
    ['build', '--title Error --msgbox Check internet.\nError: 28:000\n(x) 0 0\nThe loader is not built.\n', 'no_pat'],
    ['build', '--title Error --msgbox md5 hash of pat not match, Please reget\nThe loader is not built.\n', 'bad_pat'],
    ['build', '--title Error --msgbox No disk space left, please clean the cache and try again! 0 0\n', 'no_space'],
    ['build', '--title Error --msgbox Something that is new 0 0\nThe loader is built.\n', 'rr_error'],
    ['build', '--title Fehler --msgbox DSM-Ramdisk nicht gepatcht 0 0\nThe loader is not built.\n', 'not_built'],
    [
      'model',
      '--msgbox Unable to connect to Synology website, Please 0 0\nThe model is not set.\n',
      'synology_unreachable',
    ],
    ['model', 'The model is not set.\n', 'model_not_offered'],
    ['model', 'The model is set.\n', null],
    ['dsm_version', 'Unable to connect to Synology website\nThe version is not set.\n', 'synology_unreachable'],
    ['dsm_version', 'The version is not set.\n', 'version_not_listed'],
    ['check_addons', 'There is no add-on acpid.\nlooked.\n', 'no_addon'],
    ['upgrade', '--msgbox Checksum do not match! 0 0\n', 'update_damaged'],
    ['upgrade', 'RR updated with success!\nReboot? 0 0\n', null],
    ['version', 'RR 26.7.4\n', null],
    ['version', 'Loader is not init!\n', 'not_initialised'],
  ])('%s: %#', (name, text, expected) => {
    const outcome = judged(name, text);
    expect(outcome.ok ? null : outcome.code).toBe(expected);
  });

  test('how far a build is, by what it has said', () => {
    const judge = new OutcomeReader(one('build'), rr.outputs);
    const shares = ['Downloading DS918+-7.2.pat ...\n', 'Checking hash of x:OK\n', 'Patching Ramdisk', 'Ready!'].map(
      text => {
        judge.take(`${text}${' '.repeat(600)}`);
        return judge.share;
      },
    );
    expect(shares).toEqual([0.05, 0.5, 0.7, 1]);
  });
});

test('every command is one that a shell understands', () => {
  for (const { command } of planned({
    upgrade: 'full',
    upgradeZip: '/u.zip',
    addons: ['a.b', 'c=1'],
    keepIdentity: false,
  })) {
    execFileSync('/bin/sh', ['-n', '-c', command]);
  }
});

test('whether the image starts the wanted DSM', () => {
  const built = (files: Record<string, string>) =>
    rr.builtFor(
      {
        boot: { entries: [], next: null },
        files: new Map(Object.entries(files).map(([name, text]) => [name, Buffer.from(text)])),
      },
      { model: 'DS918+', version: '7.2.2-72806' },
    );
  expect(built({ 'user-config.yml': config() })).toBe(true);
  expect(built({ 'user-config.yml': config(), '.build': '' })).toBe(false);
  expect(built({ 'user-config.yml': config({ buildnum: '69057' }) })).toBe(false);
  expect(built({})).toBe(false);
});

test('nobody logs in before an RR that boots DSM would be gone', () => {
  expect(rr.builder.settle(null)).toBe(40_000);
  expect(rr.builder.settle('bootwait: "2"\nbootipwait: "5"\n')).toBe(27_000);
  expect(rr.builder.settle('bootwait: "x"\nbootipwait: "99999"\n')).toBe(330_000);
});
