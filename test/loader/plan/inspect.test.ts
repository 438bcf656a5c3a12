/** What a rebuild finds out beforehand: of libvirt, the image, the servers; and that nothing of it is changed. */
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { readBootPartition } from '../../../src/loader/image/boot-entry.ts';
import { readHome } from '../../../src/loader/image/home.ts';
import { ImageError } from '../../../src/loader/image/image.ts';
import { openImage } from '../../../src/loader/image/open.ts';
import type { Inspection } from '../../../src/loader/plan/inspect.ts';
import { makeLoaderImage } from '../../fakes/box/image.ts';
import { mbr } from '../image/disk.ts';
import { builder, sata, usb } from '../image/grub-files.ts';
import { code, megabyte, soon, sparse } from '../image/images.ts';
import { boot, home, type InspectChanges, index, type RebuildWorld, rebuildWorld, world } from '../rebuild-world.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

const codes = ({ findings }: Pick<Inspection, 'findings'>) =>
  findings.filter(({ code }) => code !== 'sata_map').map(({ level, code }) => `${level} ${code}`);
const finding = ({ findings }: Inspection, code: string) => findings.find(each => each.code === code);
const never = () => new Promise<never>(() => {});

test('the seed: nothing is in its way, its map is 12 / 1000, and its commands are planned', async () => {
  await using it = await rebuildWorld();
  it.domain.start();
  const found = await it.inspect({ verdict: 'up', dsm: { model: 'DS918+', version: '7.1.1-42962' } });
  expect(codes(found)).toEqual(['tell config_replaced']);
  expect(found).toMatchObject({
    ...{ refused: false, image: { path: it.image, size: 4 * megabyte }, boot, builderEntry: builder, dsmEntry: usb },
    ...{ loaderBus: 'usb', sameDsm: true, backup: { folder: it.backups } },
    facts: { map: { SataPortMap: '12', DiskIdxMap: '1000' }, deviceTree: false, usbDisks: 1, usbIds: null },
  });
  expect(found.backup.needed).toBeGreaterThanOrEqual(megabyte);
  expect(found.backup.free).toBeGreaterThan(0);
  expect(found.mapNotes.join(' ')).toContain('is unused');
  expect(found.steps.map(({ name }) => name)).toEqual(expect.arrayContaining(['upgrade', 'extension_2', 'backup']));
});

test('nothing is changed by looking', async () => {
  await using it = await rebuildWorld();
  const before = await readFile(it.image);
  await it.inspect();
  expect((await readFile(it.image)).equals(before)).toBe(true);
  expect(await readdir(join(it.folder, 'data'))).toEqual(['scratch']);
  expect(await readdir(join(it.folder, 'data', 'scratch'))).toEqual([]);
  expect(it.daemon.storage.pools).toEqual([]);
  expect(it.daemon.callsOf('storageVolUpload')).toEqual([]);
  expect(it.domain.active).toBe(false);
});

describe('the image', () => {
  const path = (name: string) => ({ image: { way: 'path' as const, path: name } });

  test('without mtools, its size and what a copy takes are known all the same', async () => {
    await using it = await rebuildWorld();
    const sector = Buffer.alloc(512);
    sector.write('FAT16   ', 54, 'latin1');
    sector.writeUInt16LE(0xaa55, 510);
    await sparse(it.image, 4 * megabyte, [
      [0, mbr([[2_048, 2_048]])],
      [megabyte, sector],
    ]);
    vi.stubEnv('PATH', it.folder);
    const found = await it.inspect({ menu: readBootPartition });
    expect(finding(found, 'no_image')?.message).toContain('package mtools');
    expect(found).toMatchObject({ image: { size: 4 * megabyte }, boot: null });
  });

  test.each<[string, (it: RebuildWorld) => InspectChanges, { message?: string; advice?: string }]>([
    [
      'without a pool, and none allowed',
      () => ({ settings: { image: { way: 'volume', transientPool: false } } }),
      { message: 'No active libvirt storage pool', advice: 'transient_pool' },
    ],
    [
      'without the storage driver',
      it => {
        it.daemon.options.storageDriver = false;
        return {};
      },
      { message: 'libvirt-daemon-driver-storage' },
    ],
    ['of another kind', () => ({ menu: readBootPartition }), { advice: 'a raw image' }],
    ['at a path where nothing is', () => ({ settings: path('/nowhere/loader.img') }), { message: '/nowhere/loader' }],
    ['whose menu is damaged', () => ({ menu: damagedMenu }), { message: 'The environment block is damaged.' }],
  ])('%s: refused, with what to do', async (_, changes, { message = '', advice = '' }) => {
    await using it = await rebuildWorld();
    const found = await it.inspect(changes(it));
    expect(found).toMatchObject({ refused: true, boot: null });
    expect(codes(found)).toEqual(['refuse no_image', 'tell config_replaced']);
    expect(finding(found, 'no_image')?.message).toContain(message);
    expect(finding(found, 'no_image')?.advice ?? '').toContain(advice);
  });

  test.each<[string, (it: RebuildWorld) => void, string[]]>([
    ['as large as the disk', () => {}, []],
    ['other than the disk', it => it.domain.stats.set({ 'block.2.capacity': 8 * megabyte }), ['refuse image_differs']],
    ['while libvirt does not tell its size', it => it.daemon.refuse('domainGetBlockInfo', 38, 'no'), []],
  ])('at a configured path, %s', async (_, prepare, expected) => {
    await using it = await rebuildWorld();
    prepare(it);
    expect(codes(await it.inspect({ settings: path(it.image) }))).toEqual([...expected, 'tell config_replaced']);
    expect(it.daemon.callsOf('domainGetBlockInfo')).toMatchObject([{ args: { path: 'hdz' } }]);
    expect(it.daemon.callsOf('storageVolDownload')).toEqual([]);
  });

  test('not to be read in time: unknown, and no reason to refuse', async () => {
    await using it = await rebuildWorld();
    it.daemon.drop('storageVolLookupByPath');
    const found = await it.inspect();
    expect(codes(found)).toContain('warn image_unknown');
    expect(found.refused).toBe(false);
  });

  test.each([
    ['no image builder', [usb, sata], 'refuse no_builder_entry'],
    ['no DSM from this disk', [sata, builder], 'refuse no_dsm_entry'],
    ['the entries of Arc', ['Arc Config Mode', 'Arc DSM Mode'], 'refuse other_loader'],
  ])('a menu with %s', async (_, entries, expected) => {
    await using it = await rebuildWorld();
    expect(codes(await it.inspect({ menu: async () => ({ boot: { ...boot, entries }, files: new Map() }) }))).toContain(
      expected,
    );
  });

  test.each([
    ['none', null],
    ['a network disk', 'rbd:pool/image'],
    ["a pool's volume", 'images/loader.img'],
  ])('opened by a source that is no path: %s', async (_, source) => {
    await using it = await rebuildWorld();
    const opening = openImage(it.settings.image, source, it.client, soon());
    await expect(opening).rejects.toEqual(code('not_found', /mount the image and set `image`/));
  });

  test('opened either way', async () => {
    await using it = await rebuildWorld();
    for (const way of [it.settings.image, path(it.image).image]) {
      await using image = await openImage(way, it.image, it.client, soon());
      expect(await image.size()).toBe(4 * megabyte);
    }
  });
});

describe('the home of the builder in the image', () => {
  const never = { platform: 'ds918p-7.2.0-64570', upgrade: 'never' } as const;
  const all = async () => new Response(index('ds918p_64570', 'ds918p_42962', 'ds918p_42951'));
  const asked = { settings: never, fetch: all };

  test.each([
    ['0.9.2.9', 'refuse unknown_build'],
    ['0.9.4.9', 'refuse unknown_build'],
    ['0.9.4.9b', null],
  ])('of %s: its list decides, whatever the menu looks like', async (tag, expected) => {
    await using it = await rebuildWorld();
    const entries = ['RedPill DS918+ 7.1.1-42962 (USB, Verbose)', builder];
    const menu = async () => ({ boot: { ...boot, entries }, files: new Map() });
    expect(codes(await it.inspect({ ...asked, menu, home: async () => home(tag) }))).toEqual(
      expected === null ? [] : [expected],
    );
  });

  test.each([
    [
      'that is not saved',
      () => Promise.reject(new ImageError('not_found', 'partition 3 of the loader image has no file MYDATA.TGZ')),
      'has no file MYDATA.TGZ',
    ],
    ['without a list', async () => new Map(), 'has no rploader.sh with its list of ids'],
    [
      'that is damaged',
      () => Promise.reject(new ImageError('bad_home', 'mydata.tgz cannot be read')),
      'Mydata.tgz cannot be read.',
    ],
  ])('%s: warned of, not guessed', async (_, home, words) => {
    await using it = await rebuildWorld();
    const found = await it.inspect({ ...asked, home });
    expect(codes(found)).toContain('warn depends_on_release');
    expect(found.refused).toBe(false);
    expect(finding(found, 'depends_on_release')?.message).toContain(words);
  });

  test('as it lies in the image, with the VM running', async () => {
    await using it = await rebuildWorld();
    await makeLoaderImage(it.image);
    it.domain.start();
    const found = await it.inspect({
      settings: { upgrade: 'never', platform: 'ds918p-7.1.1-42951' },
      fetch: all,
      home: readHome,
    });
    expect(codes(found)).toEqual(['refuse unknown_build']);
    expect(finding(found, 'unknown_build')?.advice).toContain('ds918p-7.1.1-42962');
  });

  test.each([
    ['ds918p-7.2.0-64570', 'tell config_replaced'],
    ['ds918p-7.1.1-42951', 'refuse unknown_build'],
  ])('the upgrade replaces it: what that leads to decides of %s', async (platform, expected) => {
    await using it = await rebuildWorld();
    expect(codes(await it.inspect({ settings: { platform, upgrade: 'full' }, fetch: all }))).toEqual([expected]);
  });

  test('what it adds by itself is looked up, and what every build fetches', async () => {
    await using it = await rebuildWorld();
    const fetch = vi.fn(
      async (url: string) => new Response(index(url.includes('eudev') ? 'ds918p_64570' : 'ds918p_42951')),
    );
    const settings = { platform: 'ds918p-7.1.1-42951', upgrade: 'never', extensions: [] } as const;
    const found = await it.inspect({ settings, fetch, home: async () => home('0.9.4.6') });
    const names = fetch.mock.calls.map(([url]) => url.split('/').at(-2));
    expect(names.sort()).toEqual(['all-modules', 'boot-wait', 'disks', 'eudev', 'misc', 'redpillprod']);
    expect(codes(found)).toEqual(['refuse no_recipe', 'warn no_acpid_extension']);
    expect(finding(found, 'no_recipe')?.message).toContain('/eudev/');
  });

  test.each([
    ['{"general":{},"extra_cmdline":{"sn":"","mac1":""}}', true, 'refuse no_serial_numbers'],
    ['{"general":{},"extra_cmdline":{"sn":"S","mac1":"M"}}', true, null],
    ['{"general":{},"extra_cmdline":{"sn":"S","mac1":"M"}}', false, 'refuse no_serial_numbers'],
  ])('a model without serial numbers, with %s, kept: %s', async (config, keepIdentity, expected) => {
    await using it = await rebuildWorld();
    const settings = { model: 'DS1019+', platform: 'ds1019p-7.1.1-42962', upgrade: 'never', keepIdentity } as const;
    const fetch = async () => new Response(index('ds1019p_42962'));
    const found = codes(await it.inspect({ settings, fetch, home: async () => home('0.10.0.0', config) }));
    expect(found.filter(code => code.includes('serial'))).toEqual(expected === null ? [] : [expected]);
  });
});

describe('the VM', () => {
  test('counts as it is defined, whatever runs now; one that goes when it is off is refused', async () => {
    await using it = await rebuildWorld();
    it.domain.start();
    it.daemon.define(it.domain.xml({ inactive: true }).replaceAll('4194304', '1048576'));
    it.domain.persistent = false;
    expect(codes(await it.inspect())).toEqual(expect.arrayContaining(['refuse too_little_memory', 'refuse transient']));
  });

  test.each([
    ['the host’s', (xml: string) => xml, 'flags : sse2', true, true],
    ['the host’s, one feature taken out', withFeature, undefined, true, true],
    ['the host’s', (xml: string) => xml, undefined, true, false],
    ['the host’s, unreadable', (xml: string) => xml, '', true, false],
    ['another host’s', (xml: string) => xml, 'flags : sse2', false, false],
    ['a model', (xml: string) => xml.replace('host-passthrough', 'custom'), 'flags : sse2', true, false],
    ['emulated', (xml: string) => xml.replace("type='kvm'", "type='qemu'"), 'flags : sse2', true, false],
  ])('a CPU: %s', async (_, change, cpuinfo, local, lacks) => {
    await using it = await rebuildWorld(change);
    const reader = cpuinfo === undefined ? world.cpuinfo : async () => cpuinfo;
    expect(codes(await it.inspect({ local, cpuinfo: reader })).includes('warn cpu_lacks')).toBe(lacks);
  });

  test('two disks on USB: the IDs of QEMU’s stick are written, and nothing is asked', async () => {
    await using it = await rebuildWorld(xml =>
      xml.replace(
        '<controller type=',
        "<disk type='file' device='disk'><source file='/x'/><target dev='sdx' bus='usb'/></disk><controller type=",
      ),
    );
    const found = await it.inspect();
    expect(codes(found)).toContain('tell several_usb_disks');
    expect(found.facts).toMatchObject({ usbDisks: 2, usbIds: { vid: '0x46f4', pid: '0x0001' } });
    expect(found.steps.map(({ name }) => name)).not.toContain('identifyusb');
  });

  test('a USB device of the host may be a disk too', async () => {
    const device = "<hostdev mode='subsystem' type='usb'><source><vendor id='0x1'/></source></hostdev>";
    await using it = await rebuildWorld(xml => xml.replace('</devices>', `${device}</devices>`));
    expect((await it.inspect()).facts).toMatchObject({ usbDisks: 2, usbIds: { vid: '0x46f4' } });
  });

  test('without a loader', async () => {
    await using it = await rebuildWorld(xml => xml.replace(/<disk type='file'.*?<\/disk>/s, ''));
    const found = await it.inspect();
    expect(codes(found).filter(code => code.startsWith('refuse'))).toEqual(['refuse no_loader_disk']);
    expect(found).toMatchObject({ image: null, loaderBus: null });
  });

  test('with a map of one own', async () => {
    await using it = await rebuildWorld();
    const sataMap = { SataPortMap: '1', DiskIdxMap: '10' };
    const found = await it.inspect({ settings: { sataMap } });
    expect(found.facts?.map).toEqual(sataMap);
    expect(found.mapNotes).toEqual([
      'It is the configured map, not one that was computed from the VM.',
      'Computed, SataPortMap would be 12, and DiskIdxMap 1000.',
    ]);
  });

  test('whose map cannot be computed: no plan', async () => {
    const disks = Array.from(
      { length: 17 },
      (_, unit) =>
        `<disk type='block' device='disk'><target dev='sd${unit}x' bus='sata'/><address type='drive' controller='0' unit='${unit}'/></disk>`,
    );
    await using it = await rebuildWorld(xml => xml.replace('<devices>', `<devices>${disks.join('')}`));
    expect(await it.inspect()).toMatchObject({ refused: true, facts: null, steps: [], mapNotes: [] });
  });

  test('of no platform: no plan, and no server is asked for a recipe', async () => {
    await using it = await rebuildWorld();
    const fetch = vi.fn(world.fetch);
    const found = await it.inspect({ settings: { platform: 'DS918+' }, fetch });
    expect(found).toMatchObject({ refused: true, facts: null, steps: [], sameDsm: false });
    expect(fetch).not.toHaveBeenCalled();
  });

  test.each([
    ['installer', 'no'],
    ['recoverable', 'no'],
    ['loader', 'no'],
    ['up', 'yes'],
    ['degraded', 'yes'],
    ['booting', 'unknown'],
  ] as const)('%s: obeys the button: %s', async (verdict, obeys) => {
    await using it = await rebuildWorld();
    it.domain.start();
    expect(codes(await it.inspect({ verdict })).includes('warn no_acpi')).toBe(obeys === 'no');
  });

  test.each([
    ['the same', { model: 'DS918+', version: '7.1.1-42962' }, true, []],
    ['another build', { model: 'DS918+', version: '7.1.1-42951' }, false, ['tell other_dsm']],
    ['another model', { model: 'DS920+', version: '7.1.1-42962' }, false, ['tell other_dsm', 'tell foreign_identity']],
    ['of unknown build', { model: 'DS918+', version: '?' }, false, []],
  ])('a DSM is installed: %s', async (_, dsm, sameDsm, expected) => {
    await using it = await rebuildWorld();
    const found = await it.inspect({ dsm });
    expect(found.sameDsm).toBe(sameDsm);
    expect(codes(found)).toEqual([...expected, 'tell config_replaced']);
  });

  test('its definition is kept back: it rejects', async () => {
    await using it = await rebuildWorld();
    it.daemon.refuse('domainGetXmlDesc', 38, 'not now');
    await expect(it.inspect()).rejects.toThrow('not now');
  });
});

describe('a place for the copy', () => {
  test.each<[string, (folder: string) => Promise<unknown>, string[]]>([
    ['where a file is', folder => writeFile(folder, ''), ['refuse backup_unwritable']],
    ['that is there', folder => mkdir(folder), []],
  ])('%s', async (_, make, expected) => {
    await using it = await rebuildWorld();
    await make(it.backups);
    expect(codes(await it.inspect())).toEqual([...expected, 'tell config_replaced']);
  });

  test.skipIf(process.getuid?.() === 0)('that may not be written', async () => {
    await using it = await rebuildWorld();
    await mkdir(it.backups);
    await chmod(it.backups, 0o500);
    expect(codes(await it.inspect())).toContain('refuse backup_unwritable');
    expect((await stat(it.backups)).isDirectory()).toBe(true);
  });
});

test.each(['reach', 'fetch', 'menu'] as const)('given up while it waits for %s: the signal’s reason', async what => {
  await using it = await rebuildWorld();
  const controller = new AbortController();
  const asked = Promise.withResolvers<void>();
  const hang = () => {
    asked.resolve();
    return never();
  };
  const found = it.inspect({ signal: controller.signal, [what]: hang });
  await asked.promise;
  controller.abort(new Error('enough'));
  await expect(found).rejects.toThrow('enough');
});

test.each<[string, NonNullable<InspectChanges['fetch']>, string[]]>([
  ['is not for the DSM', async () => new Response(index('ds918p_42661')), ['refuse no_recipe', 'refuse no_recipe']],
  ['is none', async () => new Response('', { status: 404 }), ['refuse no_extension', 'refuse no_extension']],
  ['is not to be had', () => Promise.reject(new Error('no route')), ['tell recipe_unknown', 'tell recipe_unknown']],
])('an index that %s', async (_, fetch, expected) => {
  await using it = await rebuildWorld();
  expect(codes(await it.inspect({ fetch }))).toEqual(expect.arrayContaining(expected));
});

function damagedMenu(): Promise<never> {
  return Promise.reject(new ImageError('bad_grubenv', 'the environment block is damaged'));
}

function withFeature(xml: string): string {
  return xml.replace(
    "<cpu mode='host-passthrough' check='none'/>",
    "<cpu mode='host-passthrough'><feature policy='require' name='vmx'/><feature policy='disable' name='movbe'/></cpu>",
  );
}
