/** What both ways to an image promise, and what is peculiar to each. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Libvirt } from '../../../src/libvirt/client.ts';
import { parseUri } from '../../../src/libvirt/uri.ts';
import { endOf, openFile } from '../../../src/loader/image/file-image.ts';
import { digest, pieceBytes } from '../../../src/loader/image/image.ts';
import { openVolume } from '../../../src/loader/image/volume-image.ts';
import { FakeLibvirtd } from '../../fakes/libvirtd/daemon.ts';
import { code, megabyte, soon, sparse, temporary, ways } from './images.ts';

describe.each(Object.entries(ways))('as a %s', (_, openImage) => {
  async function setUp(size = 3 * megabyte + 512) {
    const place = await temporary();
    const path = join(place.folder, 'loader.img');
    const content = randomBytes(size);
    await writeFile(path, content);
    const opened = await openImage(path);
    const dispose = async () => {
      await opened[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    };
    return { ...opened, ...place, path, content, [Symbol.asyncDispose]: dispose };
  }

  test('its path, its size, what of it is there', async () => {
    await using it = await setUp();
    expect(it.image.path).toBe(it.path);
    expect(await it.image.size()).toBe(it.content.length);
    const holey = join(it.folder, 'holey.img');
    await sparse(holey, 8 * megabyte, [[megabyte, randomBytes(4_096)]]);
    await using other = await openImage(holey);
    expect(await other.image.size()).toBe(8 * megabyte);
    expect(await other.image.allocated()).toBeLessThan(megabyte);
    expect(await other.image.allocated()).toBeGreaterThanOrEqual(4_096);
  });

  test('read at any place', async () => {
    await using it = await setUp();
    for (const [offset, length] of [
      [0, 1],
      [511, 1_025],
      [it.content.length - 1, 1],
      [77, pieceBytes],
      [5, 0],
    ] as const) {
      const bytes = await it.image.read(offset, length, soon());
      expect(bytes.equals(it.content.subarray(offset, offset + length))).toBe(true);
    }
  });

  test('all of it in pieces, in order', async () => {
    await using it = await setUp();
    const parts: Buffer[] = [];
    const { size } = await digest(it.image, soon(), undefined, async bytes => void parts.push(bytes));
    expect(Buffer.concat(parts).equals(it.content)).toBe(true);
    expect([size, Math.max(...parts.map(({ length }) => length))]).toEqual([it.content.length, pieceBytes]);
  });

  test('written in its place; nothing else changes, nor its length', async () => {
    await using it = await setUp();
    const bytes = randomBytes(1_500);
    await it.image.write(1_000_001, bytes, soon());
    const expected = Buffer.from(it.content);
    bytes.copy(expected, 1_000_001);
    expect((await readFile(it.path)).equals(expected)).toBe(true);
    expect((await it.image.read(1_000_001, 1_500, soon())).equals(bytes)).toBe(true);
    await it.image.write(it.content.length, Buffer.alloc(0), soon());
  });

  test('nothing beyond its end is read or written, and it never grows', async () => {
    await using it = await setUp();
    const { length } = it.content;
    for (const [offset, count] of [
      [length, 1],
      [length - 1, 2],
      [-1, 1],
      [0.5, 1],
      [0, pieceBytes + 1],
    ] as const) {
      await expect(it.image.read(offset, count, soon())).rejects.toEqual(code('out_of_range'));
      await expect(it.image.write(offset, Buffer.alloc(count), soon())).rejects.toEqual(code('out_of_range'));
    }
    expect((await readFile(it.path)).equals(it.content)).toBe(true);
  });

  test('shorter than it was: what is missing is an error, not zeros', async () => {
    await using it = await setUp();
    await truncate(it.path, megabyte);
    await expect(it.image.read(megabyte - 5, 10, soon())).rejects.toEqual(code('short_read'));
    await expect(it.image.read(2 * megabyte, 10, soon())).rejects.toEqual(code('short_read'));
    expect((await digest(it.image, soon())).size).toBe(megabyte);
  });

  test('gone meanwhile, it is not made anew', async () => {
    await using it = await setUp();
    await rm(it.path);
    await expect(it.image.write(0, Buffer.from('x'), soon())).rejects.toEqual(code(['not_found', 'unwritable']));
    await expect(stat(it.path)).rejects.toThrow('ENOENT');
  });

  test('given up beforehand: the signal’s reason', async () => {
    await using it = await setUp();
    const gone = AbortSignal.abort(new Error('enough'));
    await expect(it.image.read(0, 1, gone)).rejects.toThrow('enough');
    await expect(it.image.write(0, Buffer.from('x'), gone)).rejects.toThrow('enough');
    expect((await readFile(it.path)).equals(it.content)).toBe(true);
  });

  test('what is not there', async () => {
    await using place = await temporary();
    await expect(openImage(join(place.folder, 'none.img'))).rejects.toEqual(code('not_found'));
  });
});

describe('a file', () => {
  test('by a link, as one may be mounted', async () => {
    await using place = await temporary();
    await writeFile(join(place.folder, 'real'), 'x');
    await symlink('real', join(place.folder, 'link'));
    await using image = await openFile(join(place.folder, 'link'));
    expect(await image.size()).toBe(1);
  });

  test('neither folder nor pipe nor terminal', async () => {
    await using place = await temporary();
    await mkdir(join(place.folder, 'folder'));
    await promisify(execFile)('mkfifo', [join(place.folder, 'pipe')]);
    for (const path of [join(place.folder, 'folder'), join(place.folder, 'pipe'), '/dev/null']) {
      await expect(openFile(path)).rejects.toEqual(code('not_an_image'));
    }
  });

  test('replaced meanwhile, it is not written: that is another one', async () => {
    await using place = await temporary();
    const path = join(place.folder, 'loader.img');
    await writeFile(path, 'first');
    await using image = await openFile(path);
    await rm(path);
    await writeFile(path, 'other');
    await expect(image.write(0, Buffer.from('x'), soon())).rejects.toEqual(code('mismatch'));
    expect(await readFile(path, 'utf8')).toBe('other');
  });

  test('its end is found where none is told, as of a device', async () => {
    const size = fc.oneof(fc.nat(40), fc.nat(10_000_000), fc.constantFrom(512, 1_023, 1_024, 1_073_741_824));
    await using place = await temporary();
    const path = join(place.folder, 'file');
    await fc.assert(
      fc.asyncProperty(size, async bytes => {
        await using file = await open(path, 'w+');
        await file.truncate(bytes);
        expect(await endOf(file)).toBe(bytes);
      }),
      { numRuns: 30 },
    );
  });
});

describe('a volume', () => {
  async function setUp(options: Parameters<typeof FakeLibvirtd.listen>[0] = {}) {
    const place = await temporary();
    const path = join(place.folder, 'loader.img');
    const content = randomBytes(megabyte);
    await writeFile(path, content);
    const daemon = await FakeLibvirtd.listen(options);
    const client = await Libvirt.open({ uri: parseUri(daemon.uri), dial: daemon.dial });
    const opened = (transientPool: boolean, timeout = 5_000) =>
      openVolume(client, { path, transientPool, signal: soon(), timeout });
    const dispose = async () => {
      await client.close();
      await daemon.close();
      await place[Symbol.asyncDispose]();
    };
    return { ...place, path, content, daemon, client, opened, [Symbol.asyncDispose]: dispose };
  }
  const pool = (target: string) => `<pool type='dir'><name>images</name><target><path>${target}</path></target></pool>`;

  test('of a pool that is there: it stays', async () => {
    await using it = await setUp();
    it.daemon.storage.create(pool(it.folder));
    const image = await it.opened(false);
    await image[Symbol.asyncDispose]();
    expect(it.daemon.storage.pools.map(({ name }) => name)).toEqual(['images']);
    expect(it.daemon.callsOf('storagePoolRefresh')).toEqual([]);
  });

  test('of a pool that has not seen it yet', async () => {
    await using it = await setUp();
    await rm(it.path);
    it.daemon.storage.create(pool(it.folder));
    await writeFile(it.path, it.content);
    await using image = await it.opened(false);
    expect(await image.size()).toBe(megabyte);
  });

  test('without a pool, and none allowed: what to do', async () => {
    await using it = await setUp();
    await expect(it.opened(false)).rejects.toEqual(code('no_pool', /transient_pool/));
    expect(it.daemon.callsOf('storagePoolCreateXml')).toEqual([]);
  });

  test('one of its own, gone with it; the file is as it was', async () => {
    await using it = await setUp();
    const image = await it.opened(true);
    expect(it.daemon.storage.pools.map(({ target }) => target)).toEqual([it.folder]);
    for (let times = 0; times < 2; times++) await image[Symbol.asyncDispose]();
    expect(it.daemon.callsOf('storagePoolDestroy')).toHaveLength(1);
    expect(it.daemon.storage.pools).toEqual([]);
    expect((await readFile(it.path)).equals(it.content)).toBe(true);
  });

  test('nor does it stay when the file is not in it, or cannot be asked about', async () => {
    await using it = await setUp();
    it.daemon.refuse('storageVolGetInfoFlags', 38, 'no', { times: 1 });
    await expect(it.opened(true)).rejects.toEqual(code('unreadable'));
    await rm(it.path);
    await expect(it.opened(true)).rejects.toEqual(code('not_found'));
    expect(it.daemon.storage.pools).toEqual([]);
  });

  test('one left behind by a process that was killed goes with the next image, though none were allowed', async () => {
    await using it = await setUp();
    const leave = async () => {
      await using killed = await Libvirt.open({ uri: parseUri(it.daemon.uri), dial: it.daemon.dial });
      await openVolume(killed, { path: it.path, transientPool: true, signal: soon() });
    };
    await leave();
    const image = await it.opened(false);
    expect(it.daemon.storage.pools).toHaveLength(1);
    await image[Symbol.asyncDispose]();
    expect(it.daemon.storage.pools).toEqual([]);
    await leave();
    await rm(it.path);
    it.daemon.storage.refresh(await it.client.storage.poolByTarget(it.folder));
    await expect(it.opened(false)).rejects.toEqual(code('not_found'));
    expect(it.daemon.storage.pools).toEqual([]);
  });

  test('somebody’s pool with a name like ours stays', async () => {
    await using it = await setUp();
    it.daemon.storage.create(pool(it.folder).replace('images', 'dsm2mqtt-images'));
    const image = await it.opened(true);
    await image[Symbol.asyncDispose]();
    expect(it.daemon.storage.pools).toHaveLength(1);
  });

  test('a pool that is defined and not active has its place', async () => {
    await using it = await setUp();
    it.daemon.refuse('storagePoolCreateXml', 9, 'Storage source conflict with pool: images');
    await expect(it.opened(true)).rejects.toEqual(code('no_pool'));
  });

  test('without the storage driver: what to install', async () => {
    await using it = await setUp({ storageDriver: false });
    await expect(it.opened(true)).rejects.toEqual(code('no_storage_driver', /libvirt-daemon-driver-storage/));
  });

  test.each([
    ['fails', 'unwritable'],
    ['hangs up', 'outcome_unknown'],
    ['stalls', 'outcome_unknown'],
  ] as const)('written to a daemon that %s in the middle: %s, and reading tells', async (trouble, expected) => {
    await using it = await setUp();
    const image = await it.opened(true, 300);
    it.daemon.breakStream('storageVolUpload', trouble, { times: 1 });
    const bytes = Buffer.alloc(4 * 65_536, 7);
    await expect(image.write(512, bytes, soon())).rejects.toEqual(code(expected));
    await using again = await Libvirt.open({ uri: parseUri(it.daemon.uri), dial: it.daemon.dial });
    await using image2 = await openVolume(again, { path: it.path, transientPool: true, signal: soon() });
    const there = await image2.read(0, megabyte, soon());
    // The first packet was taken, nothing behind it.
    expect(there.subarray(512, 512 + 65_536).equals(bytes.subarray(0, 65_536))).toBe(true);
    expect(there.subarray(512 + 65_536).equals(it.content.subarray(512 + 65_536))).toBe(true);
    await image2.write(512, bytes, soon());
    expect((await image2.read(512, bytes.length, soon())).equals(bytes)).toBe(true);
  });

  test.each(['fails', 'hangs up', 'stalls'] as const)('read from a daemon that %s: unreadable', async trouble => {
    await using it = await setUp();
    const image = await it.opened(true, 300);
    it.daemon.breakStream('storageVolDownload', trouble, { times: 1 });
    await expect(image.read(0, megabyte, soon())).rejects.toEqual(code('unreadable'));
  });

  test('without its connection', async () => {
    await using it = await setUp();
    const image = await it.opened(true);
    await it.daemon.kill();
    await expect(image.read(0, 1, soon())).rejects.toEqual(code('unreadable'));
    // Nothing was sent, so that nothing is unknown.
    await expect(image.write(0, Buffer.from('x'), soon())).rejects.toEqual(code(['unwritable', 'outcome_unknown']));
    await image[Symbol.asyncDispose]();
  });
});
