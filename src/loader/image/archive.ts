import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';

/** Bytes: a header, and what contents are padded to (POSIX.1-2024, pax, "ustar Interchange Format"). */
const block = 512;

/**
 * One small file of a `.tar.gz` that comes in pieces; null: it has none at this path. No more is read than it takes.
 * Rejects as zlib does, or with `Error` when it is no such archive.
 */
export async function fileInArchive(
  archive: AsyncIterable<Buffer>,
  path: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Buffer | null> {
  const tar = createGunzip();
  // What it fails of, the reader fails of.
  const fed = pipeline(archive, tar, { signal }).catch(() => {});
  try {
    return await find(tar, path, maxBytes);
  } finally {
    tar.destroy();
    await fed;
  }
}

async function find(tar: AsyncIterable<Buffer>, path: string, maxBytes: number): Promise<Buffer | null> {
  let held = Buffer.alloc(0);
  let skip = 0;
  for await (const piece of tar) {
    held = Buffer.concat([held, piece]);
    for (;;) {
      const skipped = Math.min(skip, held.length);
      held = held.subarray(skipped);
      skip -= skipped;
      if (skip > 0 || held.length < block) break;
      const { name, size, isFile } = header(held);
      if (name === path && isFile) {
        if (size > maxBytes) throw new Error(`${path} has ${size} bytes`);
        if (held.length < block + size) break;
        return held.subarray(block, block + size);
      }
      skip = block + Math.ceil(size / block) * block;
    }
  }
  return null;
}

/** Two blocks of zeros are the end: a file of no bytes and no name. */
function header(bytes: Buffer): { name: string; size: number; isFile: boolean } {
  const [name = ''] = bytes.toString('utf8', 0, 100).split('\0');
  const size = Number.parseInt(bytes.toString('latin1', 124, 136), 8);
  if (name === '') return { name, size: 0, isFile: false };
  if (bytes.toString('latin1', 257, 262) !== 'ustar' || Number.isNaN(size)) throw new Error('it is no tar archive');
  return { name: name.replace(/^\.\//, ''), size, isFile: ['0', '\0'].includes(bytes.toString('latin1', 156, 157)) };
}
