import { type FileHandle, mkdtemp, open, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { makeFolder, replaceFile } from '../../src/util/replace-file.ts';

let folder: string;
/** What was synced, and then what its file system says. */
const synced: string[] = [];
let failure: string | null = null;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'replace-'));
  const handle = await open(folder);
  vi.spyOn(Object.getPrototypeOf(handle) as FileHandle, 'sync').mockImplementation(async function (this: FileHandle) {
    const isFolder = (await this.stat()).isDirectory();
    synced.push(isFolder ? 'folder' : 'file');
    if (failure !== null && isFolder) throw Object.assign(new Error('no'), { code: failure });
  });
  await handle.close();
  synced.length = 0;
  failure = null;
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

const replace = () => replaceFile(join(folder, 'file'), 'text');

test('the new name is on the disk too', async () => {
  await replace();
  expect(synced.at(-1)).toBe('folder');
});

test('a file system that syncs no folders is none of our faults, another failure is', async () => {
  failure = 'EINVAL';
  await replace();
  failure = 'EIO';
  await expect(replace()).rejects.toMatchObject({ code: 'EIO' });
});

test('a folder, with those above it', async () => {
  const path = join(folder, 'a', 'b');
  await makeFolder(path);
  await makeFolder(path);
  expect((await stat(path)).mode & 0o777).toBe(0o700);
});

test.each([
  ['file', 'ENOTDIR'],
  ['link', 'ENOENT'],
])('no folder below a %s', async (name, code) => {
  await writeFile(join(folder, 'file'), '');
  await symlink(join(folder, 'gone', 'far'), join(folder, 'link'));
  await expect(makeFolder(join(folder, name, 'deep'))).rejects.toMatchObject({ code });
});

/** So does a folder that was deleted while it was mounted. */
test('a folder that is there and takes nothing is tried once', async () => {
  await expect(makeFolder('/proc/dsm2mqtt/deep')).rejects.toMatchObject({ code: 'ENOENT', path: '/proc/dsm2mqtt' });
});
