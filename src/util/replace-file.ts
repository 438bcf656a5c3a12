import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Replaces a small file as a whole, on the disk when it resolves: a crash leaves the old one or the new one. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const partial = `${path}.${process.pid}.partial`;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(partial, text, { mode: 0o600, flush: true });
  await rename(partial, path);
}
