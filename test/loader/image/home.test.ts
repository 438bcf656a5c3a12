/** The builder's home as TinyCore saves it, read out of the image. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { readHome as readSaved } from '../../../src/loader/image/home.ts';
import type { LoaderImage } from '../../../src/loader/image/image.ts';
import { Fat } from '../../fakes/box/fat.ts';
import { format } from '../../fakes/box/format.ts';
import { mbr } from './disk.ts';
import { altered, code, soon, sparse, temporary, ways } from './images.ts';

const start = 2_048;
const sectors = 20_000;
const readHome = (image: LoaderImage, files: readonly string[], signal: AbortSignal) =>
  readSaved(
    image,
    {
      ...{ partition: 3, archive: 'MYDATA.TGZ', folder: 'home/tc/', files },
      isEnough: found => files.every(name => found.has(name)),
    },
    signal,
  );

/** As `filetool.sh -b` packs it: opt and home, from the root. */
async function packed(folder: string, files: Readonly<Record<string, string | Buffer>>): Promise<Buffer> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  const names = Object.keys(files);
  const { stdout } = await promisify(execFile)('tar', ['-czf', '-', '-C', folder, ...names], {
    encoding: 'buffer',
    maxBuffer: 64 * 1024 ** 2,
  });
  return stdout;
}

async function withHome(
  archive: (folder: string) => Promise<Buffer | null>,
  use: (image: LoaderImage) => Promise<void>,
  way: keyof typeof ways = 'file',
): Promise<void> {
  await using place = await temporary();
  const content = await archive(join(place.folder, 'tree'));
  const third = format(sectors, start);
  if (content) new Fat(third).write('mydata.tgz', content);
  const path = join(place.folder, 'loader.img');
  await sparse(path, (start + sectors) * 512, [
    [
      0,
      mbr([
        [1, 1],
        [2, 1],
        [start, sectors],
      ]),
    ],
    [start * 512, third],
  ]);
  await using opened = await ways[way](path);
  await use(opened.image);
}

const long = `home/tc/redpill-load/${'a-long-name-'.repeat(12)}/rploader.sh`;
const tree = {
  'opt/.filetool.lst': 'home',
  [long]: 'not this one',
  'home/tc/old/rploader.sh': 'nor this',
  'home/tc/empty.json': '',
  'home/tc/rploader.sh': '#!/bin/bash\n',
  'home/tc/custom_config.json': '{}'.repeat(50_000),
};

test.each(['file', 'volume'] as const)('its files, by a %s', async way => {
  const use = async (image: LoaderImage) => {
    const home = await readHome(image, ['rploader.sh', 'custom_config.json', 'empty.json', 'none'], soon());
    expect([...home].map(([name, content]) => [name, content.toString()])).toEqual([
      ['empty.json', ''],
      ['rploader.sh', '#!/bin/bash\n'],
      ['custom_config.json', '{}'.repeat(50_000)],
    ]);
  };
  await withHome(folder => packed(folder, tree), use, way);
});

test('reading stops when there is enough', async () => {
  const big = { ...tree, 'home/tc/zz': randomBytes(6 * 1024 ** 2) };
  await withHome(
    folder => packed(folder, big),
    async image => {
      let fetched = 0;
      const counted = altered(image, {
        read: (offset, length, signal) => {
          fetched += length;
          return image.read(offset, length, signal);
        },
      });
      expect((await readHome(counted, ['rploader.sh'], soon())).size).toBe(1);
      expect(fetched).toBeLessThan(3 * 1024 ** 2);
      const all = await readHome(counted, ['rploader.sh', 'none'], soon());
      expect(all.size).toBe(1);
      expect(fetched).toBeGreaterThan(6 * 1024 ** 2);
    },
  );
});

test('where none is saved, that is said', async () => {
  await withHome(
    async () => null,
    async image => {
      await expect(readHome(image, ['rploader.sh'], soon())).rejects.toEqual(code('not_found'));
    },
  );
});

test.each<[string, (folder: string) => Promise<Buffer>]>([
  ['no gzip', async () => Buffer.from('<html>no such page</html>')],
  ['no tar', async () => gzipSync('x'.repeat(10_000))],
  ['cut off', async folder => (await packed(folder, tree)).subarray(0, 400)],
  ['a script of 5 MB', folder => packed(folder, { 'home/tc/rploader.sh': Buffer.alloc(5 * 1024 ** 2) })],
])('an archive that is %s is said to be unreadable', async (_, archive) => {
  await withHome(archive, async image => {
    const why = /MYDATA\.TGZ on partition 3 cannot be read/;
    await expect(readHome(image, ['rploader.sh', 'none'], soon())).rejects.toEqual(code('bad_home', why));
  });
});

test('given up: the signal’s reason', async () => {
  await withHome(
    folder => packed(folder, tree),
    async image => {
      const controller = new AbortController();
      const stopping = altered(image, {
        read: (offset, length, signal) => {
          if (offset > start * 512) controller.abort(new Error('enough'));
          signal.throwIfAborted();
          return image.read(offset, length, signal);
        },
      });
      await expect(readHome(stopping, ['rploader.sh'], controller.signal)).rejects.toThrow('enough');
    },
  );
});
