/** The copies of a VM's definitions in `data_dir`: which are kept, and what a bad disk does to them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Kept, keepCopy, nvramOf, readCopies } from '../../src/definition/copies.ts';
import { dsmXml } from '../fakes/libvirtd/xml.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'copies-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const own = () => join(folder, 'definitions', 'DSM');
const withVcpus = (count: number) => dsmXml().replace(/(<vcpu[^>]*>)\d+/, `$1${count}`);
const nvram = (text: string): Kept['nvram'] => ({ path: '/n', bytes: gzipSync(text).toString('base64'), why: null });
const unread: Kept['nvram'] = { path: '/n', bytes: null, why: 'EACCES: permission denied' };

function seen(changes: Partial<Kept> = {}): Kept {
  const nothing = { changed: [], nvram: null, loader: null, disks: {} };
  return { at: '2026-11-29T12:00:00.000Z', uuid: 'u', xml: dsmXml(), ...nothing, ...changes };
}
const keep = (changes: Partial<Kept> = {}, options = {}) => keepCopy(folder, 'DSM', seen(changes), options);
const numbers = async () => (await readCopies(folder, 'DSM')).copies.map(({ number }) => number);

test('each definition that differs, with the elements that do; one that means the same is kept once', async () => {
  expect(await keep()).toMatchObject({ number: 1, changed: [] });
  expect(await keep({ xml: dsmXml().replaceAll('\n', '\n ') })).toBeNull();
  expect(await keep({ xml: withVcpus(3) })).toMatchObject({ number: 2, changed: ['vcpu'] });
  expect(await keep()).toMatchObject({ number: 3, changed: ['vcpu'] });
  expect((await readCopies(folder, 'DSM')).copies.map(({ xml }) => xml)).toEqual([dsmXml(), withVcpus(3), dsmXml()]);
});

test('only its owner can read them', async () => {
  await keep();
  expect((await stat(own())).mode & 0o777).toBe(0o700);
  expect((await stat(join(own(), '1.json'))).mode & 0o777).toBe(0o600);
});

test('the last twenty, under numbers that are never used again', async () => {
  for (let count = 1; count <= 23; count += 1) await keep({ xml: withVcpus(count) });
  expect(await numbers()).toEqual(Array.from({ length: 20 }, (_, i) => i + 4));
});

test('what libvirt returned is no definition: nothing is kept', async () => {
  await expect(keep({ xml: 'no XML' })).rejects.toThrow('no definition');
  expect(await numbers()).toEqual([]);
});

describe('NVRAM', () => {
  test('comes back as it was', async () => {
    const copy = await keep({ nvram: nvram('boot order') });
    expect(copy && `${nvramOf(copy)}`).toBe('boot order');
    expect(`${nvramOf((await readCopies(folder, 'DSM')).copies[0] ?? { nvram: null })}`).toBe('boot order');
  });

  test('that could not be read before is added to the last copy', async () => {
    await keep({ nvram: unread });
    expect(await keep({ nvram: unread })).toBeNull();
    expect(await keep({ nvram: nvram('x'), at: '2026-11-30T12:00:00.000Z' })).toMatchObject({ number: 1 });
    expect((await readCopies(folder, 'DSM')).copies).toMatchObject([
      { at: '2026-11-29T12:00:00.000Z', nvram: nvram('x') },
    ]);
  });

  test('alone is no other definition, except before it is written', async () => {
    await keep({ nvram: nvram('x') });
    expect(await keep({ nvram: nvram('y') })).toBeNull();
    expect(await keep({ nvram: nvram('x') }, { nvram: true })).toBeNull();
    expect(await keep({ nvram: nvram('y') }, { nvram: true })).toMatchObject({ number: 2 });
  });
});

describe('damage', () => {
  test.each<[what: string, damage: (path: string) => Promise<void>]>([
    ['truncated', path => truncate(path, 900)],
    ['empty', path => truncate(path, 0)],
    ['of another version', path => writeFile(path, '{"version":2,"value":{}}')],
    ['no JSON', path => writeFile(path, '\0\0\0')],
    [
      'a folder',
      async path => {
        await rm(path);
        await mkdir(path);
      },
    ],
    [
      'with an NVRAM that is no gzip',
      async path => {
        await writeFile(path, (await readFile(path, 'utf8')).replace(/"bytes":"[^"]*"/, '"bytes":"AAAA"'));
      },
    ],
  ])('a copy that is %s is named, and the others stay', async (_, damage) => {
    await keep({ nvram: nvram('x') });
    await keep({ nvram: nvram('x'), xml: withVcpus(3) });
    await damage(join(own(), '2.json'));
    expect(await readCopies(folder, 'DSM')).toMatchObject({ copies: [{ number: 1 }], damaged: [2] });
    expect(await keep({ nvram: nvram('x'), xml: withVcpus(3) })).toMatchObject({ number: 3, changed: ['vcpu'] });
    expect(await readCopies(folder, 'DSM')).toMatchObject({ copies: [{ number: 1 }, { number: 3 }], damaged: [2] });
  });

  test('other files are none of its own', async () => {
    await keep();
    for (const name of ['x.json', '1.json.7.partial', '2.txt']) await writeFile(join(own(), name), '');
    expect(await readCopies(folder, 'DSM')).toMatchObject({ copies: [{ number: 1 }], damaged: [] });
  });

  test('a file in the way of the folder: it says so', async () => {
    await writeFile(join(folder, 'definitions'), '');
    await expect(keep()).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(readCopies(folder, 'DSM')).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  test.skipIf(process.getuid?.() === 0)('a folder that cannot be written: nothing is lost', async () => {
    await keep();
    await chmod(own(), 0o500);
    await expect(keep({ xml: withVcpus(3) })).rejects.toMatchObject({ code: 'EACCES' });
    expect(await numbers()).toEqual([1]);
    await chmod(own(), 0o700);
    expect(await keep({ xml: withVcpus(3) })).toMatchObject({ number: 2 });
  });

  test('a full disk leaves nothing half, and what was there stays', async () => {
    await keep();
    // A file may have one KiB there.
    const source = new URL('../../src/definition/copies.ts', import.meta.url).href;
    const script = `
      const { keepCopy } = await import(${JSON.stringify(source)});
      const seen = ${JSON.stringify(seen({ xml: withVcpus(3) }))};
      await keepCopy(${JSON.stringify(folder)}, 'DSM', seen).then(() => process.exit(3), error => process.exit(error.code === 'EFBIG' ? 0 : 4));`;
    const shell = `trap '' XFSZ; ulimit -f 1; exec "$0" --input-type=module -e "$1"`;
    const child = spawn('bash', ['-c', shell, process.execPath, script], { stdio: 'inherit' });
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(await readdir(own())).toEqual(['1.json']);
    expect(await keep({ xml: withVcpus(3) })).toMatchObject({ number: 2 });
  });
});
