/** What a rebuild is refused for, and what is said of one that may go on. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type TcrpFacts, tcrpFindings } from '../../../src/loader/kinds/tcrp/preflight.ts';
import { newestRelease } from '../../../src/loader/kinds/tcrp/release.ts';
import type { ImageFacts } from '../../../src/loader/plan/finding.ts';
import { preflight } from '../../../src/loader/plan/preflight.ts';
import { parseControllers } from '../../../src/vm/controllers.ts';
import { parseDomainXml } from '../../../src/vm/domain-xml.ts';
import { ahci, onUnits } from '../guest.ts';
import { releaseOf } from '../kinds/tcrp/releases.ts';

const seed = readFileSync(new URL('../../fixtures/seed.xml', import.meta.url), 'utf8');
const { memory, vcpus, disks, nics, loaderPassedThrough } = parseDomainXml(seed);
const repository = 'https://github.com/pocopico/redpill-load/raw/develop';
const virtio = { url: `${repository}/redpill-virtio/rpext-index.json`, recipe: 'yes' as const };
const acpid = { url: `${repository}/redpill-acpid/rpext-index.json`, recipe: 'yes' as const };
const unasked = { recipe: 'unknown' as const };
const known = (urls: readonly string[] = []) => urls.map(url => ({ url, recipe: 'yes' as const }));
const unread = { why: 'The image was not read within 30 s.' };
/** In an image with this release, which adds extensions of its own. */
const withRelease = (tag: string, platform = 'ds918p-7.1.1-42962') => {
  const release = releaseOf(tag);
  return { platform, release, fetched: known(release.builds.get(platform)) };
};
const upgraded = (platform: string) =>
  ({ platform, upgrade: 'full', release: newestRelease, fetched: known(newestRelease.builds.get(platform)) }) as const;

const image = (more: Partial<Extract<ImageFacts, { found: 'yes' }>> = {}): ImageFacts => {
  const entries = { builder: 'build', dsm: 'RedPill' };
  return { found: 'yes', size: 2 ** 30, diskSize: null, entries, refusal: null, ...more };
};
const noImage: ImageFacts = { found: 'no', why: 'There is no /x.img.', advice: 'Make a storage pool.' };
const space = (free: number | null, needed: number | null = 2 ** 30) => ({ needed, free, trouble: null });

const facts: TcrpFacts = {
  ...{ loader: 'TinyCore RedPill', servers: ['github.com'], extensions: [], addons: [], upgradeZip: null },
  ...{ model: 'DS918+', upgrade: 'never', found: [virtio, acpid], ...withRelease('0.9.2.9') },
  ...{ sataMap: 'auto', keepIdentity: true, memory, vcpus, cpuFlags: ['movbe', 'x2apic'], disks, nics },
  loaderPassedThrough,
  ...{ controllers: parseControllers(seed), usbIds: null, image: image(), backup: space(2 ** 31), persistent: true },
  ...{ config: { complete: true }, configText: null, home: { why: 'It was not read.' } },
  ...{ sources: 'yes', running: true, obeysAcpi: 'yes', onTimeout: 'report' },
  installed: { model: 'DS918+', build: 42_962 },
};
const judged = (more: Partial<TcrpFacts> = {}) => preflight({ ...facts, ...more }, tcrpFindings({ ...facts, ...more }));
const found = (more: Partial<TcrpFacts>) => judged(more).filter(({ code }) => code !== 'sata_map');
const data = (count: number, bus = 'scsi') =>
  Array.from({ length: count }, (_, nth) => ({ target: `s${nth}`, role: 'data' as const, bus }));
const stick = { target: 'hdz', role: 'loader' as const, bus: 'usb' };

test('nothing is in the way of the seed; its map is told', () => {
  expect(found({})).toEqual([]);
  expect(judged().map(({ level, code }) => [level, code])).toEqual([
    ['tell', 'sata_map'],
    ['tell', 'sata_map'],
  ]);
});

describe('refused', () => {
  test.each<[string, Partial<TcrpFacts>, string, string]>([
    ['no id', { platform: 'DS918+' }, 'malformed', 'Choose an id that the loader has.'],
    ['an old id', { platform: 'apollolake-7.1.1-42962' }, 'old_id', 'Perhaps ds918p-7.1.1-42962 is meant.'],
    [
      'no such model in the id',
      { platform: 'ds981p-7.1.1-42962' },
      'unknown_model',
      'Perhaps ds918p-7.1.1-42962 is meant.',
    ],
    ['no such model', { model: 'DS981+' }, 'unknown_model', 'Perhaps DS918+ is meant.'],
    ['nothing like a model', { model: '' }, 'unknown_model', 'Write it as Synology does: DS918+.'],
    ['two models', { model: 'DS3622xs+' }, 'model_differs', 'Correct `model` or `platform`.'],
    ['no such build', { platform: 'ds918p-7.1.1-42961' }, 'unknown_build', 'Perhaps ds918p-7.1.1-42962 or'],
    ['a build that the upgrade has', { platform: 'ds918p-7.2.0-64570' }, 'unknown_build', 'Set `upgrade: full`.'],
    [
      'a build that the upgrade takes away',
      upgraded('ds918p-7.1.1-42951'),
      ...(['unknown_build', 'Perhaps ds918p-7.1.1-42962 or'] as const),
    ],
    ['too new', { platform: 'ds918p-7.2.2-72806', release: unread }, 'dsm_too_new', 'Perhaps ds918p-7.2.0-64570 or'],
    [
      'a model whose ids begin otherwise',
      withRelease('0.9.2.8'),
      ...(['not_buildable', 'Set `upgrade: full`.'] as const),
    ],
    [
      'a model with ids that its script looks up nowhere',
      { model: 'DS1019+', ...withRelease('0.9.4.7', 'ds1019p-7.1.1-42962') },
      ...(['not_buildable', 'Set `upgrade: full`.'] as const),
    ],
    [
      'a model that its script misspells',
      { model: 'SA6400', ...withRelease('0.10.0.0', 'sa6400-7.1.1-42962'), disks: [...data(2, 'sata'), stick] },
      ...(['not_buildable', 'M-Shell and RR'] as const),
    ],
    [
      'no recipe for what the loader itself fetches',
      {
        ...withRelease('0.9.4.6', 'ds918p-7.1.1-42951'),
        fetched: [{ url: 'https://x.test/all-modules/rpext-index.json', recipe: 'no' }],
      },
      ...(['no_recipe', 'Perhaps ds918p-7.1.1-42962 or'] as const),
    ],
    [
      'nothing where the loader itself fetches',
      { fetched: [{ url: 'https://x.test/redpill/rpext-index.json', recipe: 'no_index' }] },
      ...(['no_recipe', 'Perhaps ds918p-7.1.1-42962 or'] as const),
    ],
    [
      'no serial numbers, and none to keep',
      {
        model: 'DS723+',
        ...upgraded('ds723p-7.1.1-42962'),
        config: { complete: false },
        disks: [...data(2, 'sata'), stick],
      },
      ...(['no_serial_numbers', '`sn` and `mac1`'] as const),
    ],
    [
      'no serial numbers, and a new one wanted',
      { model: 'DS1019+', ...withRelease('0.9.4.9', 'ds1019p-7.1.1-42962'), keepIdentity: false },
      ...(['no_serial_numbers', 'choose another model'] as const),
    ],
    ['another loader', { model: 'DS925+', platform: 'ds925p-7.2.2-72806' }, 'not_buildable', 'M-Shell and RR'],
    ['no recipe', { found: [{ ...virtio, recipe: 'no' }, acpid] }, 'no_recipe', 'Leave it out'],
    [
      'the loader on a stick of the host',
      { disks: data(1), loaderPassedThrough: true },
      'loader_on_stick',
      'Copy the stick to an image',
    ],
    ['little memory', { memory: 2 ** 31 - 1 }, 'too_little_memory', '2 GiB'],
    ['many vCPUs', { vcpus: 9 }, 'too_many_vcpus', '8 vCPUs or fewer'],
    ['many disks', { disks: [...data(17), stick] }, 'too_many_disks', 'a larger model'],
    ['a map without room', { controllers: [ahci('00:1f.2', onUnits(9))] }, 'too_many_ports', 'set `sata_map` yourself'],
    ['no loader', { disks: data(2) }, 'no_loader_disk', 'on USB'],
    ['the loader on virtio', { disks: [...data(2), { ...stick, bus: 'virtio' }] }, 'loader_bus', 'on USB'],
    ['the loader nobody knows where', { disks: [{ ...stick, bus: null }] }, 'loader_bus', 'on USB'],
    ['two sticks', { disks: [...data(1, 'usb'), stick] }, 'several_usb_disks', 'only the loader'],
    ['no image', { image: noImage, backup: space(null, null) }, 'no_image', 'storage pool'],
    ['another image', { image: image({ diskSize: 2 ** 31 }) }, 'image_differs', "VM's own image"],
    [
      'no image builder',
      { image: image({ entries: { builder: null, dsm: 'RedPill' } }) },
      ...(['no_builder_entry', 'a fresh image'] as const),
    ],
    ['no way home', { image: image({ entries: { builder: 'build', dsm: null } }) }, 'no_dsm_entry', 'once by hand'],
    ['no space', { backup: space(2 ** 20) }, 'backup_space', 'Make room'],
    ['no place for a copy', { backup: { ...space(null), trouble: 'It is full of ice.' } }, 'backup_unwritable', 'Let'],
    ['a domain that goes when it is off', { persistent: false }, 'transient', 'Define it'],
    ['no extension there', { found: [{ ...virtio, recipe: 'no_index' }, acpid] }, 'no_extension', 'rpext-index'],
  ])('%s', (_, more, code, advice) => {
    const findings = found({ installed: null, ...more }).filter(({ level }) => level === 'refuse');
    expect(findings).toMatchObject([{ code }]);
    expect(findings[0]?.advice).toContain(advice);
  });
});

describe('the configuration with serial number and MACs', () => {
  const broken = { problem: { code: 'bad_config', message: 'It is empty.', advice: 'Correct it.' } };
  const unread = { why: 'It was not read within 30 s.' };
  test.each<[string, Partial<TcrpFacts>, string | null]>([
    ['is broken', { config: broken }, 'refuse bad_config'],
    ['is broken, and replaced, but was to be kept from', { config: broken, upgrade: 'full' }, 'refuse bad_config'],
    ['is broken, and stays', { config: broken, keepIdentity: false }, 'refuse bad_config'],
    ['is broken, and replaced', { config: broken, upgrade: 'full', keepIdentity: false }, null],
    ['could not be looked at', { config: unread }, 'warn config_unknown'],
    ['could not be looked at, and is replaced', { config: unread, upgrade: 'full', keepIdentity: false }, null],
    ['has no image', { config: null }, null],
    ['has none, and DSM has', { config: { complete: false } }, 'warn identity_made'],
    ['has none, as a fresh image', { config: { complete: false }, installed: null }, 'tell identity_made'],
    ['has none, and none is to be kept', { config: { complete: false }, keepIdentity: false }, null],
  ])('%s', (_, more, expected) => {
    const findings = found(more).filter(({ code }) => !['config_replaced', 'new_identity'].includes(code));
    expect(findings.map(({ level, code }) => `${level} ${code}`)).toEqual(expected === null ? [] : [expected]);
  });
});

test('a backup disk on USB takes no place of DSM, and is none that it may not see', () => {
  const backup = { target: 'sdy', role: 'data' as const, bus: 'usb' };
  const usbIds = { vid: '0x46f4', pid: '0x0001' };
  expect(found({ disks: [...data(16), stick, backup], usbIds }).map(({ code }) => code)).toEqual(['several_usb_disks']);
});

describe('warned of, or told', () => {
  test.each<[string, Partial<TcrpFacts>, 'warn' | 'tell', string, string]>([
    [
      'a release that could not be read',
      { platform: 'ds918p-7.2.0-64570', release: unread, installed: null },
      ...(['warn', 'depends_on_release', 'was not read within 30 s.'] as const),
    ],
    [
      'no serial numbers, and perhaps one to keep',
      {
        ...{ model: 'DS1019+', ...withRelease('0.10.0.0', 'ds1019p-7.1.1-42962'), installed: null },
        config: null,
      },
      ...(['warn', 'no_serial_numbers', 'is not known'] as const),
    ],
    ['an unknown recipe', { found: [{ ...virtio, ...unasked }, acpid] }, 'tell', 'recipe_unknown', 'ds918p_42962'],
    ['an old CPU', { cpuFlags: ['sse2'] }, 'warn', 'cpu_lacks', 'movbe'],
    ['the loader on SATA', { disks: [...data(2), { ...stick, bus: 'sata' }] }, 'tell', 'loader_on_sata', 'on SATA'],
    [
      'two sticks that are known',
      { disks: [...data(1, 'usb'), stick], usbIds: { vid: '0x46f4', pid: '0x0001' } },
      ...(['tell', 'several_usb_disks', 'written instead'] as const),
    ],
    ['no power button', { found: [virtio] }, 'warn', 'no_acpid_extension', 'power button'],
    [
      'an image that could not be looked at',
      { image: { found: 'unknown', why: 'It was not read in time.', advice: null } },
      ...(['warn', 'image_unknown', 'not read in time'] as const),
    ],
    ['unknown space', { backup: space(1, null) }, 'warn', 'backup_space_unknown', 'not known'],
    ['no internet', { sources: 'no' }, 'warn', 'sources_unreachable', 'the build would fail'],
    ['perhaps no internet', { sources: 'unknown' }, 'tell', 'sources_unknown', 'not known'],
    ['an installer', { obeysAcpi: 'no' }, 'warn', 'no_acpi', 'will end there, with the VM running'],
    ['an installer, by force', { obeysAcpi: 'no', onTimeout: 'force_off' }, 'warn', 'no_acpi', 'its power is cut'],
    ['another build', { installed: { model: null, build: 42_661 } }, 'tell', 'other_dsm', "in DSM's installer"],
    ['a new identity', { keepIdentity: false }, 'tell', 'new_identity', 'new serial number'],
    ['an upgrade', upgraded('ds918p-7.1.1-42962'), 'tell', 'config_replaced', 'other changes in it are lost'],
  ])('%s', (_, more, level, code, words) => {
    const findings = found(more);
    expect(findings).toMatchObject([{ level, code }]);
    expect(findings[0]?.message).toContain(words);
  });

  test('another model, whose serial number is kept', () => {
    const installed = { model: 'DS920+', build: null };
    expect(found({ installed }).map(({ code }) => code)).toEqual(['other_dsm', 'foreign_identity']);
    expect(found({ installed, keepIdentity: false }).map(({ code }) => code)).toEqual(['other_dsm', 'new_identity']);
  });

  test('disks where a device tree does not look', () => {
    const ds920 = { model: 'DS920+', ...withRelease('0.9.2.9', 'ds920p-7.1.1-42962'), installed: null };
    expect(found(ds920)).toMatchObject([{ level: 'warn', code: 'disks_unseen' }]);
    expect(found({ ...ds920, disks: [...data(2, 'sata'), stick] })).toEqual([]);
  });
});

test('what nobody could say is no reason to refuse', () => {
  const unknown = { memory: null, vcpus: null, cpuFlags: null, installed: null, config: null } as const;
  expect(found(unknown)).toEqual([]);
  const levels = found({ ...unknown, release: unread, fetched: [{ url: 'https://x.test/', ...unasked }] }).map(
    ({ level }) => level,
  );
  expect(levels).toEqual(['warn']);
});

describe('which release the image has', () => {
  test.each([
    ['0.9.4.6', '7.2.0-64561', []],
    ['0.9.4.6', '7.2.0-64570', ['unknown_build', 'no_virtio_extension', 'no_virtio_extension']],
  ])('%s and %s: %j', (tag, build, expected) => {
    const findings = found({ ...withRelease(tag, `ds918p-${build}`), found: [acpid], installed: null });
    expect(findings.map(({ code }) => code)).toEqual(expected);
  });

  test('is not guessed: what could not be read is warned of, with what would make it sure', () => {
    expect(found({ release: unread })).toMatchObject([
      { code: 'depends_on_release', advice: 'Set `upgrade: full`: its release can.' },
    ]);
    expect(found({ release: unread, platform: 'ds918p-7.1.1-42951', installed: null })).toMatchObject([
      { code: 'depends_on_release', advice: expect.stringContaining('./rploader.sh help') },
    ]);
  });
});

test('a serial number that is kept need not be made', () => {
  const ds1019 = { model: 'DS1019+', ...withRelease('0.10.0.0', 'ds1019p-7.1.1-42962'), installed: null };
  expect(found(ds1019)).toEqual([]);
});

describe('drivers for virtio', () => {
  const nic = "driver of the VM's virtio NIC";
  const disk = "driver of the VM's virtio disks (sda, sdb)";
  const warned = (more: Partial<TcrpFacts>) =>
    found({ found: [acpid], ...more }).flatMap(({ code, message }) =>
      code === 'no_virtio_extension' ? [message] : [],
    );

  test.each([
    ['0.9.2.9', 'ds918p-7.1.1-42962', 2],
    ['0.9.4.4', 'ds918p-7.1.1-42962', 2],
    ['0.9.4.4', 'ds918p-7.2.0-64551', 0],
    ['0.9.4.6', 'ds918p-7.1.1-42962', 0],
    ['0.10.0.0', 'ds918p-7.1.1-42962', 0],
  ])('%s brings none for %s: %i warnings', (tag, platform, count) => {
    expect(warned({ ...withRelease(tag, platform), installed: null })).toHaveLength(count);
  });

  test('for NIC and disks each, and only for those that need one', () => {
    expect(warned({})).toEqual([expect.stringContaining(nic), expect.stringContaining(disk)]);
    expect(warned({ nics: [{ model: 'e1000e' }] })).toEqual([expect.stringContaining(disk)]);
    expect(warned({ nics: [{ model: 'e1000e' }], controllers: [], disks: [...data(1, 'virtio'), stick] })).toHaveLength(
      1,
    );
    expect(warned({ controllers: [] })).toEqual([expect.stringContaining(nic)]);
    expect(warned({ controllers: [], nics: [] })).toEqual([]);
  });

  test('an extension that is configured brings them; all-modules does with eudev', () => {
    const addons = known(['https://x.test/all-modules/rpext-index.json', 'https://x.test/eudev/rpext-index.json']);
    expect(warned({ found: [virtio] })).toEqual([]);
    expect(warned({ found: addons })).toEqual([]);
    expect(warned({ found: addons.slice(0, 1) })).toHaveLength(2);
  });

  test('of a release that is not known, no more is said than is known', () => {
    expect(warned({ release: unread })[0]).toMatch(/^As far as is known, no extension/);
  });

  test('what would mend it', () => {
    const advice = found({ found: [acpid] }).map(each => each.advice);
    expect(advice).toEqual([
      expect.stringMatching(/redpill-virtio\/rpext-index\.json.*`upgrade: full`.* model e1000e\.$/),
      expect.stringMatching(/redpill-virtio\/rpext-index\.json.*`upgrade: full`.* on SATA\.$/),
    ]);
  });
});

test('an image as large as the disk is taken for the disk', () => {
  expect(found({ image: image({ diskSize: 2 ** 30 }) })).toEqual([]);
});

test('why the image cannot be used is told', () => {
  expect(found({ image: noImage })).toMatchObject([{ message: expect.stringContaining('There is no /x.img.') }]);
});

test('a VM that is off need not heed its power button', () => {
  expect(found({ running: false, obeysAcpi: 'no' })).toEqual([]);
});

test('a map of one own is not looked into', () => {
  const sataMap = { SataPortMap: '1', DiskIdxMap: '00' };
  expect(judged({ sataMap, controllers: [ahci('00:1f.2', onUnits(9))] })).toEqual([]);
});

test('all at once, the gravest first, in whole sentences', () => {
  const findings = judged({
    ...{ model: 'DS3622xs+', memory: 2 ** 30, vcpus: 32, cpuFlags: [], sources: 'no', obeysAcpi: 'no' },
    ...{ image: noImage, keepIdentity: false, upgrade: 'full', found: [], backup: space(1, 2) },
  });
  expect(findings.map(({ level }) => level).join(' ')).toMatch(/^(refuse ?){5}(warn ?){5}(tell ?){3}$/);
  for (const { message, advice } of findings) {
    expect(message).toMatch(/^[A-Z].*\.$/s);
    if (advice !== null) expect(advice).toMatch(/^[A-Z].*\.$/s);
  }
});
