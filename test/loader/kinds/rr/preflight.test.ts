/** What only RR requires, before anything is changed. */
import { expect, test } from 'vitest';
import { rr } from '../../../../src/loader/kinds/rr/index.ts';
import type { PreflightFacts } from '../../../../src/loader/plan/finding.ts';
import { soon } from '../../image/images.ts';

const facts: PreflightFacts = {
  ...{ loader: 'RR', servers: rr.servers, model: 'DS918+', platform: 'ds918p-7.2.2-72806', upgrade: 'never' },
  ...{ upgradeZip: null, extensions: [], addons: [], sataMap: 'auto', keepIdentity: true, persistent: true },
  ...{ memory: 4 * 2 ** 30, vcpus: 2, cpuFlags: ['movbe'], disks: [], nics: [], loaderPassedThrough: false },
  ...{ controllers: [], usbIds: null, image: { found: 'no', why: '', advice: null }, config: { complete: true } },
  ...{ configText: 'model: "DS918+"\naddons:\n  acpid: ""\n', home: { why: '' }, sources: 'yes', running: true },
  ...{ backup: { needed: 1, free: 2, trouble: null }, obeysAcpi: 'yes', onTimeout: 'report', installed: null },
};
const codes = async (more: Partial<PreflightFacts>) => {
  const found = await rr.examine({ ...facts, ...more }, { fetch: () => Promise.reject(new Error()) }, soon());
  for (const { message, advice } of found)
    expect([message, advice ?? 'A.']).toEqual([
      expect.stringMatching(/^["A-Z].*\.$/),
      expect.stringMatching(/^[A-Z].*\.$/),
    ]);
  return found.map(({ level, code }) => `${level} ${code}`).filter(code => code !== 'tell version_unknown');
};

test.each<[string, Partial<PreflightFacts>, string[]]>([
  ['all is well', {}, []],
  ['an id of another form', { platform: 'DS918+' }, ['refuse malformed']],
  ['an update', { platform: 'ds918p-7.2.2-72806-3' }, []],
  [
    "TinyCore RedPill's extensions",
    { extensions: ['https://x.test/rpext-index.json'] },
    ['refuse not_for_this_loader'],
  ],
  ['too little memory', { memory: 2 ** 31 - 1 }, ['refuse too_little_memory']],
  ['little memory', { memory: 2 ** 31 }, ['warn little_memory']],
  ['memory that nobody knows', { memory: null }, []],
  ['no movbe, and DSM 7.2', { cpuFlags: ['sse2'] }, []],
  ['no movbe, and DSM 7.3', { cpuFlags: ['sse2'], platform: 'ds918p-7.3.2-86009' }, ['warn cpu_lacks']],
  ['flags that nobody knows', { cpuFlags: null, platform: 'ds918p-7.3.2-86009' }, []],
  ['no acpid', { configText: 'model: "DS918+"\n' }, ['warn no_acpid_addon']],
  ['acpid, by the configuration', { configText: 'model: "DS918+"\n', addons: ['acpid'] }, []],
  ['a configuration that was not read', { configText: null }, []],
  ['an image of another model', { model: 'DS3622xs+' }, ['tell other_model']],
  ['an upgrade', { upgrade: 'full' }, ['tell upgrade_online']],
  ['an upgrade from a file', { upgrade: 'full', upgradeZip: '/u.zip' }, []],
])('%s', async (_, more, expected) => {
  expect(await codes(more)).toEqual(expected);
});
