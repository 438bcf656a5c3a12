import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { glob, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

const sumsFile = 'SHA256SUMS';

/** Writes the digest of every file under a folder, sorted by path, as `sha256sum --check` reads them. */
export async function writeSums(folder: string): Promise<void> {
  const entries = await Array.fromAsync(glob('**/*', { cwd: folder, withFileTypes: true }));
  const files = entries
    .filter(entry => entry.isFile() && entry.name !== sumsFile)
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1))
    .sort();
  const lines = await Promise.all(files.map(async file => `${await digest(join(folder, file))}  ${file}\n`));
  await writeFile(join(folder, sumsFile), lines.join(''));
}

async function digest(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
