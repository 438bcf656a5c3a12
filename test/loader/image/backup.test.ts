import { createHash, randomBytes } from 'node:crypto';
import { open, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backUp, spaceFor } from '../../../src/loader/image/backup.ts';
import { listBackups, recordOf } from '../../../src/loader/image/backups.ts';
import { openFile } from '../../../src/loader/image/file-image.ts';
import { different, ImageError, type LoaderImage } from '../../../src/loader/image/image.ts';
import { restore } from '../../../src/loader/image/restore.ts';
import { altered, code, megabyte, type Opened, soon, sparse, temporary, unwritten, ways } from './images.ts';

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const size = 4 * megabyte + 512;
const owner = { domain: 'DSM', uuid: '186682f9-0f0b-4a9e-867b-364706339405', source: '/images/loader.img' };

async function setUp(openImage: (path: string) => Promise<Opened> = ways.file) {
  const place = await temporary();
  const path = join(place.folder, 'loader.img');
  const content = await sparse(path, size, [
    [0, randomBytes(5_000)],
    [megabyte - 1_000, randomBytes(2_000)],
    [3 * megabyte, randomBytes(megabyte / 2)],
  ]);
  const opened = await openImage(path);
  const folder = join(place.folder, 'backups', 'DSM');
  let seconds = 0;
  const make = (image: LoaderImage = opened.image, more: object = {}, signal = soon(), progress = () => {}) => {
    seconds += 1;
    const now = () => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds));
    return backUp(image, { folder, name: 'DSM', ...owner, keep: 3, now, ...more }, signal, progress);
  };
  const dispose = async () => {
    await opened[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  };
  return { ...opened, path, folder, content, make, [Symbol.asyncDispose]: dispose };
}

describe.each(Object.entries(ways))('of a %s', (_, openImage) => {
  test('a backup is the image, sparse, with a record beside it', async () => {
    await using it = await setUp(openImage);
    const backup = await it.make();
    const file = join(it.folder, 'DSM-20260101T000001Z.img');
    expect(backup).toEqual({
      ...{ file, sha256: sha256(it.content), size, at: '2026-01-01T00:00:01.000Z', image: it.path, ...owner },
    });
    expect((await readFile(file)).equals(it.content)).toBe(true);
    const { blocks, mode } = await stat(file);
    expect(blocks * 512).toBeLessThan(megabyte);
    expect(mode & 0o077).toBe(0);
    expect(await listBackups(it.folder, 'DSM')).toEqual([backup]);
    expect((await readdir(it.folder)).sort()).toEqual(['DSM-20260101T000001Z.img', 'DSM-20260101T000001Z.img.json']);
  });

  test('restored, the image is what it was, and only what differs is written', async () => {
    await using it = await setUp(openImage);
    const { file } = await it.make();
    await it.image.write(3 * megabyte + 700, Buffer.alloc(10, 1), soon());
    await it.image.write(size - 1, Buffer.from('x'), soon());
    const writes: number[] = [];
    const watched = altered(it.image, {
      write: (offset, bytes, signal) => {
        writes.push(offset);
        return it.image.write(offset, bytes, signal);
      },
    });
    const { written } = await restore(watched, file, soon());
    expect((await readFile(it.path)).equals(it.content)).toBe(true);
    expect(writes).toEqual([3 * megabyte, 4 * megabyte]);
    expect(written).toBe(65_536 + 512);
    expect((await restore(watched, file, soon())).written).toBe(0);
    expect(writes.length).toBe(2);
  });
});

test('progress goes up, and to its end', async () => {
  await using it = await setUp();
  const seen: number[] = [];
  const progress = (share?: number) => void seen.push(share ?? -1);
  const isRising = () => seen.length > 2 && seen.every((share, nth) => share >= (seen[nth - 1] ?? 0));
  const { file } = await it.make(it.image, {}, soon(), progress);
  expect([isRising(), seen.at(-1)]).toEqual([true, 1]);
  seen.length = 0;
  await it.image.write(0, Buffer.alloc(1), soon());
  await restore(it.image, file, soon(), progress);
  expect([isRising(), seen.at(-1)]).toEqual([true, 1]);
});

test.each([
  ['', '', []],
  ['aaaabbbbcc', 'xaaaxbbbxc', [{ at: 0, length: 10 }]],
  ['aaaabbbbcc', 'xaaabbbbxc', [{ at: 0, length: 4 }, ...[{ at: 8, length: 2 }]]],
  ['aaaabbbb', 'aaaabxbb', [{ at: 4, length: 4 }]],
])('in blocks of 4, what differs in %j and %j', (a, b, runs) => {
  expect(different(Buffer.from(a), Buffer.from(b), 4)).toEqual(runs);
});

describe('rotation', () => {
  const names = async (folder: string) => (await listBackups(folder, 'DSM')).map(({ at }) => at.slice(17, 19));

  test('the newest stay, and those that are spared, which do not count', async () => {
    await using it = await setUp();
    const first = await it.make();
    for (let i = 0; i < 3; i++) await it.make();
    expect(await names(it.folder)).toEqual(['04', '03', '02']);
    const second = join(it.folder, 'DSM-20260101T000002Z.img');
    await it.make(it.image, { keep: 2, spare: [first.file, second] });
    expect(await names(it.folder)).toEqual(['05', '04', '02']);
    expect((await readdir(it.folder)).length).toBe(6);
  });

  test('the new one always, whatever is to be kept, and whatever the clock says', async () => {
    await using it = await setUp();
    await it.make();
    const past = () => new Date('2020-01-01T00:00:00Z');
    const { file } = await it.make(it.image, { keep: 0, now: past });
    expect((await listBackups(it.folder, 'DSM')).map(backup => backup.file)).toEqual([file]);
  });

  test('not what is somebody else’s; what an interrupted one left goes', async () => {
    await using it = await setUp();
    await it.make();
    const others = ['DSM-2-20260101T000001Z.img', 'DSM-20260101.img', 'notes.txt', 'DSM-20260101T000001Z.img.txt'];
    const rests = ['.img.partial', '.img.json', '.img.json.partial', '.img.json.4711.partial'];
    const left = rests.map(rest => `DSM-20250101T000000Z${rest}`);
    for (const file of [...others, ...left]) await writeFile(join(it.folder, file), '{}');
    await it.make(it.image, { keep: 1 });
    expect(await names(it.folder)).toEqual(['02']);
    const files = await readdir(it.folder);
    expect(files).toEqual(expect.arrayContaining(others));
    expect(files.filter(file => left.includes(file))).toEqual([]);
  });
});

describe('no backup', () => {
  test('without room: nothing is read', async () => {
    await using it = await setUp();
    const read = () => Promise.reject(new Error('read'));
    const full = altered(it.image, { allocated: async () => 2 ** 60, read });
    await expect(it.make(full)).rejects.toEqual(code('no_space', /MiB free/));
    expect(await readdir(it.folder)).toEqual([]);
  });

  test('what it takes is what of the image is there, and a little', async () => {
    await using it = await setUp();
    const { needed, free } = await spaceFor(it.image, tmpdir());
    expect(needed).toBeLessThan(size);
    expect(needed).toBeGreaterThan(await it.image.allocated());
    expect(free).toBeGreaterThan(needed);
  });

  test('where it cannot be written', async () => {
    await using it = await setUp();
    await expect(it.make(it.image, { folder: join(it.path, 'under') })).rejects.toEqual(code('unwritable'));
  });

  test.each<[string, string, (image: LoaderImage, folder: string) => Partial<LoaderImage>]>([
    ['of an image that cannot be read to its end', 'short_read', image => atSecondPiece(image, ends)],
    ['of one that grows meanwhile', 'mismatch', growing],
    ['when it is not read back as it was written', 'mismatch', damaging],
  ])('%s: %s, and older ones stay', async (_, expected, changes) => {
    await using it = await setUp();
    const first = await it.make();
    await expect(it.make(altered(it.image, changes(it.image, it.folder)), { keep: 1 })).rejects.toEqual(code(expected));
    expect(await listBackups(it.folder, 'DSM')).toEqual([first]);
    expect((await readdir(it.folder)).length).toBe(2);
    await it.make(it.image, { keep: 1 });
    expect((await listBackups(it.folder, 'DSM')).length).toBe(1);
  });

  test('when it is given up: nothing is left', async () => {
    await using it = await setUp();
    const controller = new AbortController();
    const stopping = atSecondPiece(it.image, () => controller.abort(new Error('enough')));
    await expect(it.make(altered(it.image, stopping), {}, controller.signal)).rejects.toThrow('enough');
    expect(await readdir(it.folder)).toEqual([]);
  });
});

describe('no restoring', () => {
  test.each<[string, (file: string) => Promise<void>]>([
    ['that was changed', async file => patch(file, 5, 'changed')],
    ['whose hole was filled', async file => patch(file, 2 * megabyte, 'x')],
    ['that was cut off', file => truncate(file, size - 1)],
    ['that has grown', file => truncate(file, size + 1)],
    ['without a record', async file => writeFile(recordOf(file), '')],
    ['with a record of nonsense', async file => writeFile(recordOf(file), '{"sha256": 5}')],
    [
      'with another checksum',
      async file => {
        const record = JSON.parse(await readFile(recordOf(file), 'utf8'));
        await writeFile(recordOf(file), JSON.stringify({ ...record, sha256: '0'.repeat(64) }));
      },
    ],
  ])('from one %s: not a byte is written', async (_, damage) => {
    await using it = await setUp();
    const { file } = await it.make();
    await patch(it.path, 0, 'changed');
    await damage(file);
    await expect(restore(unwritten(it.image), file, soon())).rejects.toEqual(code('bad_backup'));
  });

  test('from none', async () => {
    await using it = await setUp();
    await expect(restore(unwritten(it.image), join(it.folder, 'none.img'), soon())).rejects.toEqual(code('bad_backup'));
  });

  test('into an image of another size', async () => {
    await using it = await setUp();
    const { file } = await it.make();
    await truncate(it.path, size + 512);
    await using larger = await openFile(it.path);
    await expect(restore(unwritten(larger), file, soon())).rejects.toEqual(code('mismatch'));
  });
});

describe('restoring that goes wrong', () => {
  test('writes that come to nothing are noticed', async () => {
    await using it = await setUp();
    const { file } = await it.make();
    await patch(it.path, 0, 'changed');
    const lying = altered(it.image, { write: async () => {} });
    await expect(restore(lying, file, soon())).rejects.toEqual(code('mismatch'));
  });

  test('interrupted after any of its writes, it can be run again', async () => {
    const places = fc.uniqueArray(fc.nat(size - 1), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(places, fc.nat(4), async (changes, after) => {
        await using it = await setUp();
        const { file } = await it.make();
        for (const at of changes) await patch(it.path, at, String.fromCharCode((it.content[at] ?? 0) ^ 1));
        let left = after;
        const dying = altered(it.image, {
          write: async (offset, bytes, signal) => {
            if (left-- <= 0) throw new ImageError('outcome_unknown', 'the connection was lost');
            await it.image.write(offset, bytes, signal);
          },
        });
        const first = await restore(dying, file, soon()).catch(error => error);
        if (first instanceof Error) expect(first).toEqual(code('outcome_unknown'));
        await restore(it.image, file, soon());
        expect((await readFile(it.path)).equals(it.content)).toBe(true);
      }),
      { numRuns: 8 },
    );
  });

  test('a connection lost in the middle of an upload: unknown, and then again', async () => {
    await using it = await setUp(ways.volume);
    const { file } = await it.make();
    await patch(it.path, 3 * megabyte, Buffer.alloc(megabyte / 2, 1).toString('latin1'));
    it.daemon?.breakStream('storageVolUpload', 'hangs up', { times: 1 });
    await expect(restore(it.image, file, soon())).rejects.toEqual(code('outcome_unknown'));
    await using again = await ways.volume(it.path);
    expect((await restore(again.image, file, soon())).written).toBeGreaterThan(0);
    expect((await readFile(it.path)).equals(it.content)).toBe(true);
  });
});

function growing(): Partial<LoaderImage> {
  let asked = 0;
  return { size: async () => size + 512 * asked++ };
}

function ends(): never {
  throw new ImageError('short_read', 'it ends');
}

/** Something happens before the second piece is read. */
function atSecondPiece(image: LoaderImage, act: () => Promise<void> | void): Partial<LoaderImage> {
  return {
    read: async (offset, length, signal) => {
      if (offset === megabyte) await act();
      return image.read(offset, length, signal);
    },
  };
}

function damaging(image: LoaderImage, folder: string): Partial<LoaderImage> {
  return atSecondPiece(image, async () => {
    const [partial = ''] = (await readdir(folder)).filter(name => name.endsWith('.partial'));
    await patch(join(folder, partial), 100, 'damaged');
  });
}

async function patch(path: string, at: number, text: string): Promise<void> {
  await using file = await open(path, 'r+');
  await file.write(Buffer.from(text, 'latin1'), 0, text.length, at);
}
