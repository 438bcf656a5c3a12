/** What a daemon promises of its storage: pools that are folders, and their files in ranges. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readFile, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Libvirt } from '../../src/libvirt/client.ts';
import type { PoolRef, VolumeRef } from '../../src/libvirt/structs.ts';
import { openVolume } from '../../src/loader/image/volume-image.ts';

export interface StorageContract {
  name: string;
  /** Of a daemon on this machine. */
  open(options?: { readOnly: boolean }): Promise<Libvirt>;
  /** The pools that are active, by somebody else’s account. */
  names(): Promise<string[]>;
}

const megabyte = 1024 ** 2;
const content = randomBytes(3 * megabyte + 700);

export function storageContract(contract: StorageContract): void {
  describe(contract.name, () => {
    let folder: string;
    let path: string;
    let client: Libvirt;
    let pool: PoolRef;
    let volume: VolumeRef;

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'storage-'));
      path = join(folder, 'loader.img');
      await writeFile(path, content);
      client = await contract.open();
      pool = await client.storage.createPool(poolXml('contract', folder));
      volume = await client.storage.volumeByPath(path);
    });

    afterEach(async () => {
      await client.storage.destroyPool(pool).catch(() => {});
      await client.close();
      await rm(folder, { recursive: true, force: true });
    });

    describe('pools and volumes', () => {
      test('a pool is found by its folder or name, a volume by its path', async () => {
        expect(await client.storage.poolByTarget(folder)).toEqual(pool);
        expect(await client.storage.poolByName('contract')).toEqual(pool);
        expect(volume).toEqual({ pool: 'contract', name: 'loader.img', key: path });
        expect(await contract.names()).toContain('contract');
        expect(await client.storage.poolXml(pool)).toMatch(/^<pool type='dir'>/);
        expect(await client.storage.poolXml(pool)).toContain(`<path>${folder}</path>`);
      });

      test('its room is that of its file system', async () => {
        const { state, capacity, allocation, available } = await client.storage.poolInfo(pool);
        const { blocks, bsize } = await statfs(folder);
        expect({ state, capacity }).toEqual({ state: 2, capacity: blocks * bsize });
        expect(allocation + available).toBe(capacity);
        expect(available).toBeGreaterThan(0);
      });

      test('what is not there: 49 and 50', async () => {
        await expect(client.storage.poolByTarget(`${folder}/none`)).rejects.toMatchObject({ code: 49 });
        await expect(client.storage.poolByName('none')).rejects.toMatchObject({ code: 49 });
        await expect(client.storage.volumeByPath(`${folder}/none`)).rejects.toMatchObject({ code: 50 });
      });

      test('a file that came later is there after a refresh', async () => {
        const later = join(folder, 'later.img');
        await writeFile(later, 'x');
        await expect(client.storage.volumeByPath(later)).rejects.toMatchObject({ code: 50 });
        await client.storage.refreshPool(pool);
        expect(await client.storage.volumeByPath(later)).toMatchObject({ name: 'later.img' });
      });

      test('two pools of one folder are refused: 9', async () => {
        const second = client.storage.createPool(poolXml('second', folder));
        await expect(second).rejects.toMatchObject({ code: 9 });
      });

      test('destroyed, a transient pool is forgotten and its file is as it was', async () => {
        await client.storage.destroyPool(pool);
        expect(await contract.names()).not.toContain('contract');
        await expect(client.storage.volumeByPath(path)).rejects.toMatchObject({ code: 50 });
        await expect(client.storage.download(volume, { offset: 0, length: 1 })).rejects.toMatchObject({ code: 49 });
        expect((await readFile(path)).equals(content)).toBe(true);
      });

      test('a volume is made once, of the size that was asked for, and removed', async () => {
        const disk =
          "<volume><name>disk.img</name><capacity unit='bytes'>8388608</capacity><allocation>0</allocation></volume>";
        const made = await client.storage.createVolume(pool, disk);
        expect(made).toEqual({ pool: 'contract', name: 'disk.img', key: join(folder, 'disk.img') });
        expect(await stat(join(folder, 'disk.img'))).toMatchObject({ size: 8_388_608 });
        await expect(client.storage.createVolume(pool, disk)).rejects.toMatchObject({ code: 90 });
        await client.storage.deleteVolume(made);
        await expect(stat(join(folder, 'disk.img'))).rejects.toThrow();
        await expect(client.storage.deleteVolume(made)).rejects.toMatchObject({ code: 50 });
        expect((await readFile(path)).equals(content)).toBe(true);
      });

      test('a file that stands there already is not replaced, known to the pool or not: 90', async () => {
        const xml = '<volume><name>later.img</name><capacity>512</capacity></volume>';
        await writeFile(join(folder, 'later.img'), 'mine');
        await expect(client.storage.createVolume(pool, xml)).rejects.toMatchObject({ name: 'LibvirtError' });
        expect(await readFile(join(folder, 'later.img'), 'utf8')).toBe('mine');
      });

      test('sizes: all of it, and what is really there', async () => {
        const sparse = join(folder, 'sparse.img');
        const file = await open(sparse, 'w');
        await file.truncate(64 * megabyte + 512);
        await file.write(content, 0, megabyte, 0);
        await file.sync();
        await file.close();
        await client.storage.refreshPool(pool);
        const holey = await client.storage.volumeByPath(sparse);
        const allocation = await client.storage.volumeAllocation(holey);
        expect(await client.storage.volumeSize(holey)).toBe(64 * megabyte + 512);
        expect(allocation).toBe((await stat(sparse)).blocks * 512);
        expect(allocation).toBeLessThan(2 * megabyte);
      });
    });

    describe('download', () => {
      test.each([
        [0, content.length],
        [0, 1],
        [512, 512],
        [1_000_001, 1_500_003],
        [content.length - 1, 1],
      ])('from %i on, %i bytes', async (offset, length) => {
        const bytes = await client.storage.download(volume, { offset, length });
        expect(bytes.equals(content.subarray(offset, offset + length))).toBe(true);
      });

      test('holes are zeros, wherever a range begins and ends', async () => {
        const holes = join(folder, 'holes.img');
        const file = await open(holes, 'w');
        await file.truncate(8 * megabyte);
        for (const at of [megabyte, 3 * megabyte, 7 * megabyte]) await file.write(content, 0, 100_000, at);
        await file.close();
        const expected = await readFile(holes);
        await client.storage.refreshPool(pool);
        const sparse = await client.storage.volumeByPath(holes);
        for (const [offset, end] of [
          [0, 8],
          [0, 1],
          [0.25, 0.5],
          [0.5, 1.05],
          [1.02, 3.01],
          [2.5, 2.75],
          [6.9, 8],
          [7.05, 7.5],
        ] as const) {
          const range = { offset: Math.floor(offset * megabyte), length: Math.floor((end - offset) * megabyte) };
          const bytes = await client.storage.download(sparse, range);
          expect(bytes.equals(expected.subarray(range.offset, range.offset + range.length)), `${offset}`).toBe(true);
        }
      });

      test('no bytes are no call', async () => {
        expect(await client.storage.download(volume, { offset: 5, length: 0 })).toEqual(Buffer.alloc(0));
      });

      test('across its end: as many as there are', async () => {
        const bytes = await client.storage.download(volume, { offset: content.length - 10, length: 100 });
        expect(bytes.equals(content.subarray(-10))).toBe(true);
      });

      test('behind its end there are zeros: nobody tells that it has ended', async () => {
        const bytes = await client.storage.download(volume, { offset: content.length + 5, length: 100 });
        expect(bytes).toEqual(Buffer.alloc(100));
      });
    });

    describe('upload', () => {
      test.each([
        [0, 1],
        [512, 1_024],
        [65_537, 1_234_567],
        [0, content.length],
      ])('from %i on, %i bytes; the rest and the length stay', async (offset, length) => {
        const bytes = randomBytes(length);
        await client.storage.upload(volume, { offset, length }, [bytes.subarray(0, 3), bytes.subarray(3)]);
        const expected = Buffer.from(content);
        bytes.copy(expected, offset);
        expect((await readFile(path)).equals(expected)).toBe(true);
        expect((await client.storage.download(volume, { offset, length })).equals(bytes)).toBe(true);
      });

      test('twenty, one behind the other', async () => {
        for (let i = 0; i < 20; i++) {
          await client.storage.upload(volume, { offset: i * 512, length: 512 }, [Buffer.alloc(512, i + 1)]);
          expect(await client.storage.download(volume, { offset: i * 512, length: 1 })).toEqual(Buffer.of(i + 1));
        }
      });

      test('beyond the end the file grows: nobody refuses it', async () => {
        await client.storage.upload(volume, { offset: content.length + 512, length: 4 }, [Buffer.from('tail')]);
        expect((await stat(path)).size).toBe(content.length + 516);
      });

      test('fewer bytes than announced, or more, and the caller’s error: given up, and the connection lives', async () => {
        const range = { offset: 0, length: 4 };
        await expect(client.storage.upload(volume, range, [Buffer.from('ab')])).rejects.toThrow('2 of 4 bytes');
        await expect(client.storage.upload(volume, range, [Buffer.from('abcde')])).rejects.toThrow(RangeError);
        await client.storage.upload(volume, range, [Buffer.from('abcd')]);
        expect((await readFile(path)).subarray(0, 5)).toEqual(
          Buffer.concat([Buffer.from('abcd'), content.subarray(4, 5)]),
        );
      });

      test('given up in the middle: what came until then may be written, nothing else is, nothing is cut off', async () => {
        const controller = new AbortController();
        const bytes = randomBytes(megabyte);
        const source = async function* () {
          yield bytes;
          controller.abort(new Error('enough'));
          yield bytes;
        };
        const range = { offset: 4_096, length: 2 * megabyte };
        const { signal } = controller;
        await expect(client.storage.upload(volume, range, source(), { signal })).rejects.toThrow('enough');
        expect(await client.hostname()).not.toBe('');
        const now = await client.storage.download(volume, { offset: 0, length: content.length });
        expect(now.length).toBe(content.length);
        expect(now.subarray(0, 4_096).equals(content.subarray(0, 4_096))).toBe(true);
        const after = 4_096 + megabyte;
        expect(now.subarray(after).equals(content.subarray(after))).toBe(true);
        // Semaphore are free again, and a new one goes through.
        await client.storage.upload(volume, range, [bytes, bytes]);
        expect((await readFile(path)).subarray(4_096, after).equals(bytes)).toBe(true);
      });

      test('other calls are answered meanwhile', async () => {
        const { promise, resolve } = Promise.withResolvers<void>();
        const source = async function* () {
          yield Buffer.alloc(megabyte, 1);
          await promise;
          yield Buffer.alloc(megabyte, 1);
        };
        const upload = client.storage.upload(volume, { offset: 0, length: 2 * megabyte }, source());
        for (let i = 0; i < 10; i++) expect(await client.hostname()).not.toBe('');
        resolve();
        await upload;
      });

      test('of what is gone: an error', async () => {
        await rm(path);
        const upload = client.storage.upload(volume, { offset: 0, length: 1 }, [Buffer.from('x')]);
        await expect(upload).rejects.toMatchObject({ name: 'LibvirtError' });
        await expect(stat(path)).rejects.toThrow();
      });
    });

    test('a loader image: its own pool, left behind, goes with the next that is opened', async () => {
      await client.storage.destroyPool(pool);
      const openImage = (by: Libvirt) =>
        openVolume(by, { path, transientPool: true, signal: AbortSignal.timeout(20_000) });
      const own = async () => (await contract.names()).filter(name => name.startsWith('dsm2mqtt-'));
      const killed = await contract.open();
      await openImage(killed);
      await killed.close();
      expect(await own()).toHaveLength(1);
      const image = await openImage(client);
      expect(await own()).toHaveLength(1);
      await image[Symbol.asyncDispose]();
      expect(await own()).toEqual([]);
    });

    test('read-only: volumes are found, and neither read nor written', async () => {
      await using reader = await contract.open({ readOnly: true });
      expect(await reader.storage.volumeByPath(path)).toEqual(volume);
      const range = { offset: 0, length: 1 };
      await expect(reader.storage.download(volume, range)).rejects.toMatchObject({ code: 29 });
      await expect(reader.storage.upload(volume, range, [Buffer.from('x')])).rejects.toMatchObject({ code: 29 });
      await expect(reader.storage.deleteVolume(volume)).rejects.toMatchObject({ code: 29 });
      await expect(reader.storage.createVolume(pool, '<volume/>')).rejects.toMatchObject({ code: 29 });
      await expect(reader.storage.createPool(poolXml('x', folder))).rejects.toMatchObject({ code: 29 });
    });
  });
}

function poolXml(name: string, target: string): string {
  return `<pool type='dir'><name>${name}</name><target><path>${target}</path></target></pool>`;
}
