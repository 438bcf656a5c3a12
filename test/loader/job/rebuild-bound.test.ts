/** A rebuild and its way back are bound to one domain and one image, and to a VM that is known to be off. */
import { randomBytes, randomUUID } from 'node:crypto';
import { constants, open, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { LoaderDocument } from '../../../src/model/documents.ts';
import type { LoaderSettings } from '../../../src/model/loader-settings.ts';
import { makeLoaderImage } from '../../fakes/box/image.ts';
import { LoaderWorld, type LoaderWorldOptions, replaceFs, sumOf } from './loader-world.ts';

/** A rebuild that was cancelled when the image builder had been started; the VM is off. */
async function cancelled(options: LoaderWorldOptions = {}): Promise<{ world: LoaderWorld; loader: LoaderDocument }> {
  const world = await LoaderWorld.start({ ssh: { port: 1 }, ...options });
  const loader = await cancelledRebuild(world);
  world.machine.domain.destroy();
  await world.ask('refresh');
  return { world, loader };
}

/** Ended when the image builder has been started. */
async function cancelledRebuild(world: LoaderWorld): Promise<LoaderDocument> {
  const before = world.documents.at(-1)?.started_at;
  const asked = world.ask('rebuild');
  await world.loader(({ phase, started_at }) => phase === 'connecting' && started_at !== before);
  await world.ask('cancel');
  const { loader } = await asked;
  expect(loader).toMatchObject({ phase: 'cancelled', rollback: true });
  return loader;
}

/** The domain's definition with another image, and another UUID if so. */
function otherXml({ machine }: LoaderWorld, image: string, uuid: string = machine.domain.uuid): string {
  return machine.domain.xml().replaceAll(machine.image, image).replaceAll(machine.domain.uuid, uuid);
}

/** Another loader's image beside that of the machine. */
async function otherImage({ machine }: LoaderWorld): Promise<string> {
  const path = `${machine.image}.other.img`;
  await makeLoaderImage(path, { saved: null });
  return path;
}

/** Another domain with an image of its own has the name. */
async function replaced(world: LoaderWorld): Promise<{ uuid: string; image: string; sum: string }> {
  const uuid = randomUUID();
  const image = await otherImage(world);
  const xml = otherXml(world, image, uuid);
  world.machine.domain.undefine();
  world.running.daemon.define(xml);
  await world.ask('refresh');
  return { uuid, image, sum: await sumOf(image) };
}

/** Another bridge on the same folder, with another configuration of the loader. */
async function restarted(world: LoaderWorld, change: (settings: LoaderSettings) => Partial<LoaderSettings>) {
  await world.running.stop();
  const vms = world.changes.vms?.map(vm => ({ ...vm, loader: vm.loader && { ...vm.loader, ...change(vm.loader) } }));
  Object.assign(world.changes, { vms });
  await online(world, () => world.begin());
}

/** Resolves when the VM has become available by this, and not before. */
async function online({ seen }: LoaderWorld, by: () => Promise<void>): Promise<void> {
  const from = seen.seen.all.length;
  await by();
  const isOnline = ({ topic, payload }: { topic: string; payload: string }) =>
    topic === 'b/DSM/availability' && payload === 'online';
  await expect.poll(() => seen.seen.all.slice(from).some(isOnline)).toBe(true);
}

async function refused(world: LoaderWorld, code: string): Promise<LoaderDocument> {
  const { answer, loader } = await world.ask('rollback');
  expect(answer).toMatchObject({ status: 'rejected', code: 'preflight' });
  expect(loader).toMatchObject({ phase: 'failed', result: 'failed', code });
  expect(loader.error).toContain('Nothing was written.');
  expect(loader.error).not.toContain('[mac]');
  expect(loader.next_step).toContain('cp --sparse=always');
  return loader;
}

describe('after a cancelled rebuild, another domain has the name', () => {
  test('a rollback does not overwrite its loader with the old one', async () => {
    await using world = (await cancelled()).world;
    const before = await world.sum();
    const { uuid, image, sum } = await replaced(world);
    const loader = await refused(world, 'other_domain');
    expect(loader.error).toContain(uuid);
    expect(loader.error).toContain(world.machine.domain.uuid);
    expect(await sumOf(image)).toBe(sum);
    expect(await world.sum()).toBe(before);

    // The old one is back: its way back is, too.
    const old = otherXml(world, world.machine.image);
    world.running.daemon.domain('DSM').undefine();
    world.running.daemon.define(old);
    await world.ask('refresh');
    await world.rollsBack();
  });

  test('a rebuild of it makes a copy of its own first, and keeps the other one', async () => {
    const { world: made, loader: old } = await cancelled({ loader: { keepBackups: 1 } });
    await using world = made;
    const { sum } = await replaced(world);
    const loader = await cancelledRebuild(world);
    expect(loader.backup.file).not.toBe(old.backup.file);
    expect(await sumOf(loader.backup.file ?? '')).toBe(sum);
    expect(await sumOf(old.backup.file ?? '')).toBe(world.before);
  });

  test('while the bridge was away: it is not told to be that one', async () => {
    await using world = await LoaderWorld.start({ ssh: { port: 1 } });
    await world.abandoned();
    world.machine.domain.destroy();
    const uuid = randomUUID();
    const xml = otherXml(world, await otherImage(world), uuid);
    world.machine.domain.undefine();
    world.running.daemon.define(xml);
    await world.begin();
    const told = await world.loader(({ result, error }) => result === 'interrupted' && !!error?.includes(uuid));
    expect(told.error).not.toContain('The VM');
    expect(told.next_step).not.toContain('`rollback`');
  });
});

test('another domain takes the name while the image is copied: it is neither written nor started', async () => {
  await using world = await LoaderWorld.start({ powerButton: 1_000 });
  const { daemon } = world.running;
  const { asked, stuck } = await world.copying();
  using _held = stuck;
  const image = await otherImage(world);
  const [xml, sum] = [otherXml(world, image, randomUUID()), await sumOf(image)];
  world.machine.domain.undefine();
  const other = daemon.define(xml);
  stuck.release();
  const { answer, loader } = await asked;
  expect(answer).toMatchObject({ status: 'failed', code: 'rebuild_failed' });
  expect(loader.code).toMatch(/^(interfered|other_domain)$/);
  expect(other.active).toBe(false);
  expect(await sumOf(image)).toBe(sum);
});

test('another domain has the name when libvirt comes back: it is not started in the place of DSM', async () => {
  await using world = await LoaderWorld.start({ powerButton: 1_000 });
  const { daemon } = world.running;
  const { asked, stuck } = await world.copying();
  using _held = stuck;
  await daemon.kill();
  stuck.release();
  await world.loader(({ step }) => step === 'Starting DSM again');
  const xml = otherXml(world, world.machine.image, randomUUID());
  world.machine.domain.undefine();
  const other = daemon.define(xml);
  await daemon.listen();
  const { loader } = await asked;
  expect(loader.error).toContain('DSM could not be started again: another domain has its name now.');
  expect(other.active).toBe(false);
});

test('what was found interrupted is still being written down when the rollback begins', async () => {
  await using world = await LoaderWorld.start({ ssh: { port: 1 } });
  await world.abandoned();
  let slow = 1;
  using _ = replaceFs('writeFile', write => async (...all) => {
    await write(...all);
    if (`${all[0]}`.includes('DSM.json') && slow-- > 0) await delay(300);
  });
  await world.begin();
  world.machine.domain.destroy();
  await world.rollsBack();
});

describe('after a cancelled rebuild, a rollback is refused, and writes nothing', () => {
  /** Another disk signature (at 440), or another serial number of a FAT file system. */
  const scratch = async ({ machine }: LoaderWorld, at: number) => {
    await using file = await open(machine.image, 'r+');
    await file.write(randomBytes(4), 0, 4, at);
  };
  const otherPath = async (world: LoaderWorld) => {
    const path = await otherImage(world);
    await restarted(world, () => ({ image: { way: 'path', path } }));
  };
  const ofOlderVersion = async (_: LoaderWorld, { backup }: LoaderDocument) => {
    const record = `${backup.file}.json`;
    const { uuid: _uuid, source: _source, ...rest } = JSON.parse(await readFile(record, 'utf8'));
    await writeFile(record, JSON.stringify(rest));
  };
  const otherDisk = async (world: LoaderWorld) => world.running.daemon.define(otherXml(world, await otherImage(world)));
  type Row = [
    string,
    (world: LoaderWorld, loader: LoaderDocument) => Promise<unknown>,
    byPath?: boolean,
    code?: string,
  ];
  const rows: Row[] = [
    ['the domain has another loader disk', otherDisk],
    ['the domain has another loader disk, and the path is configured', otherDisk, true],
    ['another path is configured', otherPath, true],
    ['the image is another disk, at the same path', world => scratch(world, 440)],
    ['a file system of the image was made anew', world => scratch(world, 2_048 * 512 + 39)],
    ['the copy does not say whose it is, as of an older version', ofOlderVersion, false, 'unknown_copy'],
  ];
  test.each(rows)('%s', async (_, change, byPath = false, code = 'other_image') => {
    const { world: made, loader } = await cancelled({ byPath });
    await using world = made;
    await change(world, loader);
    await world.ask('refresh');
    const sum = await world.sum();
    await refused(world, code);
    expect(await world.sum()).toBe(sum);
  });
});

test('the copies were moved, and the configuration with them: the way back is found there', async () => {
  await using world = (await cancelled()).world;
  const moved = join(world.running.folder, 'moved');
  await restarted(world, () => ({ backupDir: moved }));
  await rename(join(world.running.folder, 'loader-backups'), moved);
  await world.rollsBack();
});

test('a rebuild does not rely on an earlier copy that is gone or damaged', async () => {
  const { world: made, loader: old } = await cancelled();
  await using world = made;
  await writeFile(old.backup.file ?? '', 'damaged');
  const sum = await world.sum();
  const loader = await cancelledRebuild(world);
  expect(await sumOf(loader.backup.file ?? '')).toBe(sum);
});

describe('libvirt goes away while the image is at a path of this machine', () => {
  test('a rollback writes not one byte more; told, and done again it is whole', async () => {
    const { world: made } = await cancelled({ byPath: true });
    await using world = made;
    await scribble(world.machine.image);
    const sums = { written: '' };
    const third = hook(world.machine.image, 3, async () => {
      await gone(world);
      sums.written = await world.sum();
    });
    {
      using _ = third;
      const { answer, loader } = await world.ask('rollback');
      expect(answer).toMatchObject({ status: 'failed', code: 'rollback_failed' });
      expect(loader).toMatchObject({ code: 'libvirt_unavailable', rollback: true });
      expect(loader.error).toContain('nobody knows');
      expect(loader.error).toContain('What the VM does is not known; its loader may be half built');
    }
    expect(third.opened).toBe(3);
    expect(await world.sum()).toBe(sums.written);
    expect(sums.written).not.toBe(world.before);
    await online(world, () => world.running.daemon.listen());
    await world.rollsBack();
  });

  test('the menu is not written on, and is put back when libvirt is there again', async () => {
    await using world = await LoaderWorld.start({ byPath: true, on: false });
    let written = '';
    const first = hook(world.machine.image, 1, async () => {
      await gone(world);
      written = await world.sum();
    });
    using _ = first;
    const asked = world.ask('rebuild');
    await world.loader(({ log }) => log.some(line => line.includes('nobody knows')));
    expect(first.opened).toBe(1);
    expect(await world.sum()).toBe(written);
    await world.running.daemon.listen();
    const { loader } = await asked;
    expect(loader).toMatchObject({ code: 'libvirt_unavailable', rollback: false });
    expect(await world.sum()).toBe(world.before);
  });

  test('a copy that is being made is none: the VM may have been started', async () => {
    await using world = await LoaderWorld.start({ byPath: true, on: false });
    using _ = hook('.partial', 1, () => gone(world));
    const { loader } = await world.ask('rebuild');
    expect(loader).toMatchObject({ code: 'libvirt_unavailable', rollback: false });
    expect(await readdir(join(world.running.folder, 'loader-backups'))).toEqual([]);
  });
  test.each(['cancelled', 'stopped'])(
    'DSM waits for it to be started again: a run that is %s meanwhile has not failed',
    async how => {
      await using world = await LoaderWorld.start({ byPath: true });
      using _ = hook('.partial', 1, () => gone(world));
      const asked = world.ask('rebuild');
      await world.loader(({ step }) => step === 'Starting DSM again');
      if (how === 'stopped') {
        await world.running.stop();
        const record = await readFile(join(world.running.folder, 'loader', 'DSM.json'), 'utf8');
        expect(JSON.parse(record)).toMatchObject({ phase: 'backing_up', result: null });
        return;
      }
      await world.command({ command: 'cancel' });
      expect((await asked).loader).toMatchObject({ phase: 'cancelled', result: 'cancelled', code: 'cancelled' });
    },
  );
});

async function gone({ running, seen }: LoaderWorld): Promise<void> {
  await running.daemon.kill();
  await seen.take('b/DSM/availability', 'offline');
}

/** Each megabyte of the image differs from the copy, and it is still the same disk. */
async function scribble(image: string): Promise<void> {
  await using file = await open(image, 'r+');
  const { size } = await file.stat();
  for (let at = 4_096; at < size; at += 1024 ** 2) await file.write(randomBytes(512), 0, 512, at);
}

/** Something happens when a file whose path ends so is opened to be written for the nth time. */
function hook(path: string, nth: number, act: () => Promise<void>): Disposable & { opened: number } {
  const hooked = { opened: 0 };
  const replaced = replaceFs('open', original => async (file, flags, mode) => {
    const writes = flags === 'w' || (typeof flags === 'number' && (flags & constants.O_WRONLY) !== 0);
    if (writes && `${file}`.endsWith(path)) {
      hooked.opened += 1;
      if (hooked.opened === nth) await act();
    }
    return original(file, flags, mode);
  });
  return Object.assign(hooked, { [Symbol.dispose]: () => replaced[Symbol.dispose]() });
}
