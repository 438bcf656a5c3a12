import { mkdir, open, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Replaces a small file as a whole, on the disk when it resolves: a crash leaves the old one or the new one. The file,
 * and a folder that is made for it, are for their owner alone.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const partial = `${path}.${process.pid}.partial`;
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(partial, text, { mode: 0o600, flush: true });
  await rename(partial, path);
  await syncFolder(folder);
}

/** The names of its files are on the disk when it resolves, if its file system can promise that. */
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

/** What file systems say that sync no folders (fsync(2)). */
const cannotSync: ReadonlySet<string | undefined> = new Set(['EINVAL', 'ENOTSUP', 'ENOSYS']);
