/** A file of the image's third partition, read straight from the image, and without more than it takes. */

import { createHash } from 'node:crypto';
import { appendFile, open } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { openFile } from '../../../src/loader/image/file-image.ts';
import type { LoaderImage } from '../../../src/loader/image/image.ts';
import { rootFile } from '../../../src/loader/image/root-file.ts';
import { makeLoaderImage, withPartition } from '../../fakes/box/image.ts';
import { mbr } from './disk.ts';
import { altered, code, megabyte, soon, temporary, ways } from './images.ts';

const read = (image: LoaderImage) => buffer(rootFile(image, 3, 'MYDATA.TGZ', soon()));

test.each(['file', 'volume'] as const)('on FAT16, by a %s', async way => {
  await using place = await temporary();
  const path = join(place.folder, 'loader.img');
  await makeLoaderImage(path);
  withPartition(path, 3, fat => fat.write('mydata.tgz', Buffer.from('saved')));
  await using opened = await ways[way](path);
  expect((await read(opened.image)).toString()).toBe('saved');
});

test('on FAT32, in clusters that are scattered, of 900 MiB little is read', async () => {
  await using place = await temporary();
  const path = join(place.folder, 'loader.img');
  const lines = Array.from({ length: 1_000 }, (_, nth) => createHash('sha256').update(`${nth}`).digest('hex'));
  const content = Buffer.from(lines.join('\n'));
  await makeFat32(path, content);
  await using image = await openFile(path);
  let bytes = 0;
  const counted = altered(image, {
    read: (offset, length, signal) => {
      bytes += length;
      return image.read(offset, length, signal);
    },
  });
  expect(content.equals(await read(counted))).toBe(true);
  expect(bytes).toBeLessThan(megabyte);
});

test.each([
  ['two partitions', 2, 'not_mbr'],
  ['no FAT on the third', 3, 'no_fat'],
] as const)('%s', async (_, count, expected) => {
  await using place = await temporary();
  const path = join(place.folder, 'loader.img');
  await appendFile(path, mbr([2_048, 4_096, 6_144].slice(0, count).map(start => [start, 2_048] as const)));
  await using file = await open(path, 'r+');
  await file.truncate(4 * megabyte);
  await using opened = await ways.file(path);
  await expect(read(opened.image)).rejects.toEqual(code(expected));
});

test('no such file', async () => {
  await using place = await temporary();
  const path = join(place.folder, 'loader.img');
  await makeLoaderImage(path, { home: false });
  await using opened = await ways.file(path);
  await expect(read(opened.image)).rejects.toEqual(code('not_found'));
});

/** One partition of 900 MiB, the third, all holes but for a file whose clusters lie apart. */
async function makeFat32(path: string, content: Buffer): Promise<void> {
  const [start, sectors, reserved, perTable, perCluster] = [2_048, 1_843_200, 32, 1_800, 8];
  const at = (sector: number) => (start + sector) * 512;
  const cluster = (number: number) => at(reserved + 2 * perTable + (number - 2) * perCluster);
  await using file = await open(path, 'w');
  await file.truncate(at(sectors));
  // The first and the second are empty: their type is 0.
  await file.write(mbr([[0, 0], ...[[0, 0] as const], [start, sectors]]).fill(0, 446, 446 + 32), 0, 512, 0);
  const boot = Buffer.alloc(512);
  boot.writeUInt16LE(512, 11);
  boot.writeUInt8(perCluster, 13);
  boot.writeUInt16LE(reserved, 14);
  boot.writeUInt8(2, 16);
  boot.writeUInt32LE(perTable, 36);
  boot.writeUInt32LE(2, 44);
  boot.write('FAT32   ', 82, 'latin1');
  boot.writeUInt16LE(0xaa55, 510);
  await file.write(boot, 0, 512, at(0));
  const link = async (from: number, to: number) => {
    const entry = Buffer.alloc(4);
    entry.writeUInt32LE(to);
    await file.write(entry, 0, 4, at(reserved) + from * 4);
  };
  await link(2, 0x0fff_ffff);
  const size = perCluster * 512;
  const chain = Array.from({ length: Math.ceil(content.length / size) }, (_, nth) => 100_000 - nth * 3);
  for (const [nth, number] of chain.entries()) {
    await link(number, chain[nth + 1] ?? 0x0fff_fff8);
    const piece = content.subarray(nth * size, (nth + 1) * size);
    await file.write(piece, 0, piece.length, cluster(number));
  }
  const entry = Buffer.alloc(32);
  entry.write('MYDATA  TGZ', 'latin1');
  entry.writeUInt8(0x20, 11);
  entry.writeUInt16LE(Math.floor((chain[0] ?? 0) / 0x1_0000), 20);
  entry.writeUInt16LE((chain[0] ?? 0) % 0x1_0000, 26);
  entry.writeUInt32LE(content.length, 28);
  // A long name that belongs to another file stands before it.
  const long = Buffer.alloc(32, 0x41);
  long.writeUInt8(0x0f, 11);
  await file.write(Buffer.concat([long, entry]), 0, 64, cluster(2));
}
