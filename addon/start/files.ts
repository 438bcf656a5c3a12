import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Replaces a file as a whole. Only its owner may read it, or a folder that is made for it. */
export async function writeOwn(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(`${file}.partial`, text, { mode: 0o600, flush: true });
  await rename(`${file}.partial`, file);
}
