/** The image builder's configuration, read out of the image: with the VM running, and without more than it takes. */

import { createHash } from 'node:crypto';
import { appendFile, open } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { FileImage } from '../../../src/loader/image/file-image.ts';
import type { LoaderImage } from '../../../src/loader/image/image.ts';
import { readSavedConfig } from '../../../src/loader/survey/saved-config.ts';
import { tcrp } from '../../../src/loader/tcrp/index.ts';
import { makeLoaderImage, savedHome, withPartition } from '../../fakes/box/image.ts';
import { mbr } from '../image/disk.ts';
import { altered, megabyte, soon, temporary, ways } from '../image/images.ts';

const config = JSON.stringify({ extra_cmdline: { sn: '1780PDNOLD001', mac1: '0011320A0B0C' } });
const read = (image: LoaderImage) => readSavedConfig(image, tcrp.savedConfig, soon());

/** A loader's image, with this archive in place of its own. */
async function imageWith(archive: Buffer | null) {
  const { folder, ...place } = await temporary();
  const path = join(folder, 'loader.img');
  await makeLoaderImage(path, { config, home: archive === null });
  if (archive) withPartition(path, 3, fat => fat.write('mydata.tgz', archive));
  return { path, ...place };
}

test.each(['file', 'volume'] as const)('it is found in the saved home: by a %s', async way => {
  await using it = await imageWith(null);
  await using opened = await ways[way](it.path);
  expect(await read(opened.image)).toEqual({ text: config });
});

test('on FAT32, in clusters that are scattered, of 900 MiB little is read', async () => {
  await using place = await temporary();
  const path = join(place.folder, 'loader.img');
  // What does not shrink takes many clusters.
  const filler = Array.from({ length: 1_000 }, (_, nth) => createHash('sha256').update(`${nth}`).digest('hex'));
  const long = JSON.stringify({ extra_cmdline: {}, filler });
  await makeFat32(path, await savedHome(long));
  await using image = await FileImage.open(path);
  let bytes = 0;
  const counted = altered(image, {
    read: (offset, length, signal) => {
      bytes += length;
      return image.read(offset, length, signal);
    },
  });
  expect(await read(counted)).toEqual({ text: long });
  expect(bytes).toBeLessThan(megabyte);
});

describe('where it cannot be looked at, the reason is told', () => {
  const tar = (text: string) => gzipSync(Buffer.from(text));
  test.each<[string, () => Promise<Buffer>, string]>([
    ['another file', async () => Buffer.from('<html>'), 'incorrect header check'],
    ['an archive that is cut off', async () => (await savedHome(config)).subarray(0, 60), 'unexpected end of file'],
    ['something else, packed', async () => tar('x'.repeat(2_000)), 'no tar archive'],
    ['an archive of nothing', async () => tar('\0'.repeat(1_024)), 'has no home/tc/user_config.json'],
    ['a file that is too large', async () => savedHome(' '.repeat(2 ** 18 + 1)), 'has 262145 bytes'],
  ])('%s', async (_, archive, why) => {
    await using it = await imageWith(await archive());
    await using opened = await ways.file(it.path);
    expect(await read(opened.image)).toEqual({ why: expect.stringContaining(why) });
  });

  test('no home', async () => {
    await using place = await temporary();
    const path = join(place.folder, 'loader.img');
    await makeLoaderImage(path, { home: false });
    await using opened = await ways.file(path);
    expect(await read(opened.image)).toEqual({ why: expect.stringContaining('has no file MYDATA.TGZ') });
  });

  test('no third partition, or no FAT on it', async () => {
    await using place = await temporary();
    for (const [name, count, why] of [
      ['two.img', 2, 'has no partition 3'],
      ['zeros.img', 3, 'no FAT file system'],
    ] as const) {
      const path = join(place.folder, name);
      const parts = [2_048, 4_096, 6_144].slice(0, count).map(start => [start, 2_048] as const);
      await appendFile(path, mbr(parts));
      await using file = await open(path, 'r+');
      await file.truncate(4 * megabyte);
      await using opened = await ways.file(path);
      expect(await read(opened.image)).toEqual({ why: expect.stringContaining(why) });
    }
  });
});

/** One partition of 900 MiB, the third, all holes but for a file whose clusters lie apart. */
async function makeFat32(path: string, content: Buffer): Promise<void> {
  const [start, sectors, reserved, perTable, perCluster] = [2_048, 1_843_200, 32, 1_800, 8];
  const at = (sector: number) => (start + sector) * 512;
  const cluster = (number: number) => at(reserved + 2 * perTable + (number - 2) * perCluster);
  await using file = await open(path, 'w');
  await file.truncate(at(sectors));
  await file.write(
    mbr(
      [
        [0, 0],
        [0, 0],
        [start, sectors],
      ].map(([from = 0, count = 0]) => [from, count]),
    ),
    0,
    512,
    0,
  );
  // Places one and two are empty: their type is 0.
  for (const nth of [0, 1]) await file.write(Buffer.alloc(16), 0, 16, 446 + 16 * nth);
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
