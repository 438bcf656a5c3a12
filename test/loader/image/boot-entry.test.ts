/** What needs no FAT tools; the rest is `boot-entry.lab.test.ts`. */
import { readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { readBoot, readBootPartition, setBootEntry } from '../../../src/loader/image/boot-entry.ts';
import { openFile } from '../../../src/loader/image/file-image.ts';
import { mbr } from './disk.ts';
import { code, megabyte, soon, sparse, temporary } from './images.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

/** An image of 4 MiB whose partition 1 is its second. */
async function setUp(parts: readonly (readonly [number, Buffer])[]) {
  const place = await temporary();
  const path = join(place.folder, 'loader.img');
  await sparse(path, 4 * megabyte, parts);
  const image = await openFile(path);
  const dispose = async () => {
    await image[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  };
  const options = { signal: soon(), scratch: place.folder };
  return { ...place, path, image, options, [Symbol.asyncDispose]: dispose };
}

const table = mbr([[2_048, 2_048]]);
const bootSector = () => {
  const sector = Buffer.alloc(512);
  sector.write('FAT16   ', 54, 'latin1');
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
};

describe('refused, and nothing is left behind', () => {
  test.each<[string, string, (readonly [number, Buffer])[]]>([
    ['an image of zeros', 'not_mbr', []],
    ['a file system without partitions', 'not_mbr', [[0, bootSector().fill(0x41, 446, 510)]]],
    ['no partition 1', 'not_mbr', [[0, mbr([])]]],
    ['a partition beyond its end', 'not_mbr', [[0, mbr([[2_048, 8_192]])]]],
    ['a partition of zeros', 'no_fat', [[0, table]]],
    [
      'another file system',
      'no_fat',
      [
        [0, table],
        [megabyte + 1_080, Buffer.from([0x53, 0xef])],
      ],
    ],
  ])('%s: %s', async (_, expected, parts) => {
    await using it = await setUp(parts);
    await expect(readBoot(it.image, it.options)).rejects.toEqual(code(expected));
    await expect(readBootPartition(it.image, ['x'], it.options)).rejects.toEqual(code(expected));
    await expect(setBootEntry(it.image, 'x', it.options)).rejects.toEqual(code(expected));
    expect(await readdir(it.folder)).toEqual(['loader.img']);
  });

  test('an image that is nearly nothing', async () => {
    await using it = await setUp([]);
    await writeFile(it.path, 'tiny');
    await using tiny = await openFile(it.path);
    await expect(readBoot(tiny, it.options)).rejects.toEqual(code('not_mbr'));
  });

  test('one that has become shorter', async () => {
    await using it = await setUp([
      [0, table],
      [megabyte, bootSector()],
    ]);
    await truncate(it.path, 2 * megabyte - 1);
    await expect(readBoot(it.image, it.options)).rejects.toEqual(code(['not_mbr', 'short_read']));
  });

  test('with no place for temporary files', async () => {
    await using it = await setUp([
      [0, table],
      [megabyte, bootSector()],
    ]);
    const options = { ...it.options, scratch: join(it.folder, 'none') };
    await expect(readBoot(it.image, options)).rejects.toEqual(code('unwritable'));
  });

  test('without mtools: what to install', async () => {
    await using it = await setUp([
      [0, table],
      [megabyte, bootSector()],
    ]);
    vi.stubEnv('PATH', it.folder);
    await expect(readBoot(it.image, it.options)).rejects.toEqual(code('no_mtools', /package mtools/));
    expect(await readdir(it.folder)).toEqual(['loader.img']);
  });
});
