import { mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Replaces a small file as a whole; it is on the disk when this resolves. A crash leaves the old file or the new one.
 * Only the owner may read the file, or a folder that is made for it.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const partial = `${path}.${process.pid}.partial`;
  const folder = dirname(path);
  await makeFolder(folder);
  try {
    await writeFile(partial, text, { mode: 0o600, flush: true });
    await rename(partial, path);
  } catch (error) {
    // What a full disk has taken of it would stay.
    await rm(partial, { force: true }).catch(() => {});
    throw error;
  }
  await syncFolder(folder);
}

/**
 * For its owner alone, with those above. Node's own `recursive` tries for ever in a folder that was deleted, and in
 * /proc.
 */
export async function makeFolder(path: string): Promise<void> {
  const unless = (code: string) => (error: NodeJS.ErrnoException) => {
    if (error.code !== code) throw error;
  };
  // `/.`: a file with this name is no folder, ENOTDIR.
  if (await stat(`${path}/.`).catch(unless('ENOENT'))) return;
  if (dirname(path) !== path) await makeFolder(dirname(path));
  // Another process may have made it meanwhile.
  await mkdir(path, { mode: 0o700 }).catch(unless('EEXIST'));
}

/** The folder's file names are on the disk when this resolves, if its file system supports that. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } catch (error) {
    if (!cannotSync.has((error as NodeJS.ErrnoException).code)) throw error;
  } finally {
    await folder.close();
  }
}

/** Errors of file systems that cannot sync folders (fsync(2)). */
const cannotSync: ReadonlySet<string | undefined> = new Set(['EINVAL', 'ENOTSUP', 'ENOSYS']);
