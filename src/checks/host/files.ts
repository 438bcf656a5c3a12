import { createReadStream } from 'node:fs';
import { access, readdir, readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';
import { buffer } from 'node:stream/consumers';

/**
 * Reads sysfs and proc. A missing or unreadable file gives null or empty: a kernel, a container or another system may
 * lack it.
 */

/** Bytes, a multiple of 16: the kernel returns only whole entries of a bridge's forwarding table. */
const pieceBytes = 16_384;

/** Reads at most so many bytes from the beginning of the file. */
export async function readBytes(path: string, limit: number): Promise<Buffer | null> {
  return await buffer(createReadStream(path, { end: limit - 1, highWaterMark: pieceBytes })).catch(() => null);
}

export async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** An attribute's number, decimal, or hexadecimal with `0x`. */
export async function readNumber(path: string): Promise<number | null> {
  const text = await readFile(path, 'latin1').catch(() => '');
  return /^(0x[0-9a-f]{1,8}|\d{1,9})\s*$/i.test(text) ? Number(text) : null;
}

/** The last part of what a symbolic link points to. */
export async function readLink(path: string): Promise<string | null> {
  return await readlink(path).then(basename, () => null);
}

export async function readNames(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => []);
}
