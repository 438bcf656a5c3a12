/** Which commands, in which order, with which answers; and what of it depends on what the guest says. */
import { describe, expect, test } from 'vitest';
import type { LoaderFacts, Step } from '../../../../src/loader/kinds/adapter.ts';
import { tcrp } from '../../../../src/loader/kinds/tcrp/index.ts';
import type { LoaderConfig } from '../../../../src/loader/plan/finding.ts';

const repository = 'https://github.com/pocopico/redpill-load/raw/develop';
const config: LoaderConfig = {
  model: 'DS918+',
  platform: 'ds918p-7.1.1-42962',
  upgrade: 'full',
  extensions: [`${repository}/redpill-virtio/rpext-index.json`, `${repository}/redpill-acpid/rpext-index.json`],
  upgradeZip: null,
  addons: [],
  keepIdentity: true,
};
const facts: LoaderFacts = {
  map: { SataPortMap: '12', DiskIdxMap: '1000' },
  deviceTree: false,
  usbDisks: 1,
  usbIds: null,
};
const planned = (more: Partial<LoaderConfig> = {}, other: Partial<LoaderFacts> = {}) =>
  tcrp.plan({ ...config, ...more }, { ...facts, ...other });
const names = (steps: readonly Step[]) => steps.map(({ name }) => name).join(' ');
const one = (name: string, steps = planned()) => {
  const step = steps.find(each => each.name === name);
  if (!step) throw new Error(`no step ${name}`);
  return step;
};

describe('what is left out', () => {
  const all =
    'version save_config keep_old_files upgrade check_upgrade upgrade_again check_upgrade_again serialgen identifyusb satamap read_config edit_config extension_1 extension_2 check_extractor build backup';
  test.each<[string, Partial<LoaderConfig>, Partial<LoaderFacts>, RegExp | null]>([
    ['nothing', {}, {}, null],
    ['the upgrade', { upgrade: 'never' }, {}, /keep_old.* check_upgrade_again /],
    ['extensions', { extensions: [] }, {}, /extension_1 extension_2 /],
    ['a search among several sticks', {}, { usbDisks: 2 }, /identifyusb /],
    ['a search for no stick', {}, { usbDisks: 0 }, /identifyusb /],
    ['a map that a device tree makes needless', {}, { deviceTree: true }, /satamap /],
    ['a file that nothing is kept of', { keepIdentity: false }, {}, /save_config /],
  ])('%s', (_, more, other, without) => {
    expect(names(planned(more, other))).toBe(without === null ? all : all.replace(without, ''));
  });
});

test('every step can be told, watched and found', () => {
  const steps = planned();
  expect(new Set(steps.map(({ name }) => name)).size).toBe(steps.length);
  for (const { title, silence, timeout, weight, proofs, kept, command } of steps) {
    expect(title).toMatch(/^[A-Z]/);
    expect(silence).toBeGreaterThan(0);
    expect(timeout).toBeGreaterThanOrEqual(silence);
    expect(weight).toBeGreaterThanOrEqual(0);
    expect(proofs.length).toBeGreaterThan(0);
    // The file holds serial number and MAC.
    if (command.startsWith('cat user_config')) expect(kept).toBe(true);
    expect(command).not.toContain('\n');
  }
  expect(one('build').timeout).toBeGreaterThanOrEqual(30 * 60_000);
  expect(one('build').silence).toBeGreaterThanOrEqual(10 * 60_000);
});

test('nothing that an upgrade brings is saved in the image before it is proven', () => {
  const upgrades = planned().filter(({ command }) => command.includes('fullupgrade'));
  expect(upgrades).toHaveLength(2);
  for (const { prompts } of upgrades) expect(prompts.map(({ answer }) => answer)).toEqual(['n']);
});

describe('prompts', () => {
  const update = 'Should i update the user_config.json with these values ? [Yy/Nn]';
  const home = 'Should i update the sda with your current files [Yy/Nn]';
  test.each([
    ['upgrade', home, 'keep_last_status', 'n'],
    ['upgrade_again', home, 'keep_last_status', 'n'],
    ['serialgen', update, 'update_config', 'y'],
    ['identifyusb', update, 'update_config', 'y'],
    ['satamap', `${update} `, 'update_config', 'y'],
    ['satamap', 'Override # of ports or ENTER to accept 6 ', 'override_ports', ''],
    ['satamap', 'Override # of ports or ENTER to accept <12> ', 'override_ports', ''],
    ['build', 'There is a newer version of the script on the repo should we use that ? [yY/nN]', 'self_update', 'n'],
    ['build', 'Found custom redpill module, do you want to use this instead ? [yY/nN] : ', 'custom_module', 'n'],
    ['backup', home, 'back_up_home', 'y'],
  ])('%s: %s', (step, text, name, answer) => {
    const fitting = one(step).prompts.filter(({ pattern }) => pattern.test(`something before${text}`));
    expect(fitting.map(prompt => [prompt.name, prompt.answer])).toEqual([[name, answer]]);
  });

  test.each([
    'Found last user session :  , restore session ? [yY/nN] : ',
    'please select which one is your loader on\n1) sda\n2) sdb\n#? ',
    'Overwrite? [y/N] ',
    'Go on (Y/n)',
    '[sudo] password for tc: ',
    'Password:',
  ])('none of ours: %j', text => {
    for (const { prompts } of planned()) for (const { pattern } of prompts) expect(pattern.test(text)).toBe(false);
  });
});

describe('on a condition', () => {
  const cmdline = { sn: '1780PDN012345', mac1: '001132ABCDEF' };
  const file = (extra_cmdline: object) => JSON.stringify({ general: {}, extra_cmdline });
  const applies = (name: string, version: string, saved: object, more: Partial<LoaderConfig> = {}) =>
    one(name, planned(more)).onlyIf?.holds(
      new Map([
        ['version', version],
        ['save_config', file(saved)],
      ]),
    ) ?? true;

  test.each([
    ['upgrade_again', '0.9.2.9\n', cmdline, {}, true],
    ['upgrade_again', '0.10.0.0\n', cmdline, {}, false],
    ['upgrade', '0.10.0.0\n', cmdline, {}, true],
    ['serialgen', '0.9.2.9', cmdline, {}, false],
    ['serialgen', '0.9.2.9', { ...cmdline, sn: '' }, {}, true],
    ['serialgen', '0.9.2.9', { ...cmdline, netif_num: 1 }, {}, false],
    ['serialgen', '0.9.2.9', { ...cmdline, sn: true }, {}, false],
    ['serialgen', '0.9.2.9', cmdline, { keepIdentity: false }, true],
    ['build', '', {}, {}, true],
  ])('%s, with %j and %j and %j: %j', (name, version, saved, more, expected) => {
    expect(applies(name, version, saved, more)).toBe(expected);
  });

  test('where nothing could be read, no new serial number is made', () => {
    for (const outputs of [[], [['save_config', '{']]] as [string, string][][])
      expect(one('serialgen').onlyIf?.holds(new Map(outputs))).toBe(false);
  });
});

describe('the file that is written', () => {
  const fresh = { pid: '0xa4a5', vid: '0x0525', sn: '', mac1: '', netif_num: '1', SataPortMap: '1', DiskIdxMap: '10' };
  const mine = { ...fresh, sn: '1780PDN012345', mac1: '001132ABCDEF', mac2: '001132ABCDF0' };
  const made = { ...fresh, sn: '1780PDN999999', mac1: '525400d53001' };
  const file = (extra_cmdline: object) => JSON.stringify({ general: {}, extra_cmdline });
  const written = (saved: string, now: string, steps = planned()) => {
    const outputs = new Map([
      ['save_config', saved],
      ['read_config', now],
    ]);
    const input = one('edit_config', steps).input?.text(outputs);
    if (!input) throw new Error('it takes no input');
    return 'text' in input ? { cmdline: JSON.parse(input.text).extra_cmdline, notes: input.notes } : input.problem.code;
  };

  test('has the maps, and what was before the upgrade', () => {
    expect(written(file(mine), file(fresh))).toEqual({
      cmdline: { ...mine, netif_num: '2', SataPortMap: '12', DiskIdxMap: '1000' },
      notes: [expect.stringContaining('satamap proposes'), expect.stringContaining('counts SATA controllers only')],
    });
  });

  test('has what serialgen made where nothing is to be kept', () => {
    expect(written(file(fresh), file(made))).toMatchObject({ cmdline: { sn: '1780PDN999999', netif_num: '1' } });
    expect(written(file(mine), file(made), planned({ keepIdentity: false }))).toMatchObject({
      cmdline: { sn: '1780PDN999999', mac1: '525400d53001' },
    });
  });

  test("has the stick's numbers where they are known", () => {
    const usbIds = { vid: '0x46f4', pid: '0x0001' };
    const steps = planned({}, { usbDisks: 2, usbIds });
    expect(written(file(mine), file(fresh), steps)).toMatchObject({ cmdline: usbIds });
    expect(one('edit_config', steps).command).toContain('.extra_cmdline.pid == "0x0001"');
  });

  test('has no maps for a device tree, and then nothing is to be explained', () => {
    const steps = planned({}, { deviceTree: true, map: { SataPortMap: '', DiskIdxMap: '' } });
    expect(written(file(mine), file(fresh), steps)).toMatchObject({
      ...{ cmdline: { SataPortMap: '', DiskIdxMap: '' }, notes: [] },
    });
    expect(one('edit_config', steps).command).toContain('.extra_cmdline.SataPortMap == ""');
  });

  test.each([
    ['', file(made), 'empty'],
    ['{', file(made), 'not_json'],
    [file({ ...mine, sn: true }), file(made), 'bad_identity'],
    [file({ ...mine, mac1: '' }), file(made), 'ok'],
    [file(mine), '', 'empty'],
    [file(mine), '{', 'not_json'],
    [file(fresh), file(fresh), 'no_identity'],
  ])('from %j and %j: %s', (saved, now, expected) => {
    const result = written(saved, now);
    expect(typeof result === 'string' ? result : 'ok').toBe(expected);
  });

  test('has the serial number from before where only the MAC was missing', () => {
    const saved = { ...fresh, sn: '1780PDN012345', mac2: '001132ABCDF0' };
    expect(written(file(saved), file(made))).toMatchObject({
      cmdline: { sn: '1780PDN012345', mac1: '525400d53001', mac2: '001132ABCDF0', netif_num: '2' },
    });
  });
});

test('what a configuration says never becomes shell', () => {
  const steps = planned(
    { extensions: ["https://x/a'b;$(reboot)/c?d=e&f"] },
    { map: { SataPortMap: "1'2", DiskIdxMap: '' } },
  );
  expect(one('extension_1', steps).command).toBe(
    String.raw`./rploader.sh ext ds918p-7.1.1-42962 add 'https://x/a'\''b;$(reboot)/c?d=e&f'`,
  );
  expect(one('edit_config', steps).command).toContain(String.raw`SataPortMap == "1'\''2"`);
});

/** With only this menu. */
const partitionOf = (entries: readonly string[]) => ({ boot: { entries, next: null }, files: new Map() });

describe('the boot menu', () => {
  const dsm = ['RedPill DS918+ v7.1.1-42962 (USB, Verbose)', 'RedPill DS918+ v7.1.1-42962 (SATA, Verbose)'];
  const later = ['RedPill DS918+ 7.1.1-42962 (USB, Verbose)', 'RedPill DS918+ 7.1.1-42962 (SATA, Verbose)'];
  const [builder, friend] = ['Tiny Core Image Build', 'Tiny Core Friend'];
  test.each([
    ['0.9', [...dsm, builder], 'usb', dsm[0]],
    ['0.9, the loader on SATA', [...dsm, builder], 'sata', dsm[1]],
    ['0.9 with friend', [...dsm, builder, friend], 'usb', friend],
    ['0.10', [...later, builder, friend], 'usb', friend],
    ['0.10 without friend', [...later, builder], null, later[0]],
    ['before the first build', [builder], 'usb', null],
  ])('of %s', (_, menu, bus, expected) => {
    expect(tcrp.bootEntry(menu, 'builder', bus)).toBe(builder);
    expect(tcrp.bootEntry(menu, 'dsm', bus)).toBe(expected);
    expect(tcrp.builtFor(partitionOf(menu), { model: 'DS918+', version: '7.1.1' })).toBe(expected !== null);
    expect(tcrp.builtFor(partitionOf(menu), { model: 'DS918+', version: '7.1.0' })).toBe(false);
    expect(tcrp.builtFor(partitionOf(menu), { model: 'DS920+', version: '7.1.1' })).toBe(false);
  });

  test('of something else', () => {
    expect(tcrp.bootEntry(['DSM'], 'builder', 'usb')).toBeNull();
    expect(tcrp.builtFor(partitionOf(['RedPill DS918+']), { model: 'DS918+', version: '7.1.1' })).toBe(false);
  });
});

describe('a file that cannot be kept from', () => {
  test.each(['', '{', '{}', '{"extra_cmdline":{"sn":true}}'])(
    '%j ends the rebuild when it is read, not later',
    text => {
      expect(one('save_config').objection(text, new Map())).toMatchObject({ code: 'bad_config' });
      expect(tcrp.judgeConfig(text)).toMatchObject({ problem: { code: 'bad_config' } });
      for (const step of planned().filter(({ name }) => name !== 'save_config'))
        expect(step.objection(text, new Map())).toBeNull();
    },
  );

  test('is not the fresh one of a new image', () => {
    const fresh = JSON.stringify({ extra_cmdline: { sn: '', mac1: '', netif_num: '1' } });
    expect(one('save_config').objection(fresh, new Map())).toBeNull();
    expect(tcrp.judgeConfig(fresh)).toEqual({ complete: false });
  });
});
