import { access, open, readdir, readlink } from 'node:fs/promises';
import { basename } from 'node:path';

/**
 * The few ways in which sysfs and proc are read. What is not there, or may not be read, is null or empty: a kernel, a
 * container or another system that does not have it is nothing to fail of.
 */

/** Bytes of one sysfs attribute. */
const page = 4_096;
/** A multiple of 16: a bridge's forwarding table is only read in whole entries. */
const pieceBytes = 16_384;

/** At most so many bytes from the file's beginning. */
export async function readBytes(path: string, limit: number): Promise<Buffer | null> {
  try {
    await using file = await open(path);
    const pieces: Buffer[] = [];
    // The kernel gives a page or so at a time.
    for (let left = limit; left > 0; ) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(Math.min(left, pieceBytes)), 0, null, null);
      if (bytesRead === 0) break;
      pieces.push(buffer.subarray(0, bytesRead));
      left -= bytesRead;
    }
    return Buffer.concat(pieces);
  } catch {
    return null;
  }
}

/** An attribute's text without the white space around it. It comes whole in one read, or not at all. */
async function readText(path: string): Promise<string | null> {
  try {
    await using file = await open(path);
    const { bytesRead, buffer } = await file.read(Buffer.alloc(page), 0, page, null);
    return buffer.toString('latin1', 0, bytesRead).trim();
  } catch {
    return null;
  }
}

export function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Decimal, or hexadecimal with `0x`. */
export async function readNumber(path: string): Promise<number | null> {
  const text = await readText(path);
  return text !== null && /^(0x[0-9a-f]{1,8}|\d{1,9})$/i.test(text) ? Number(text) : null;
}

/** The last part of what a symbolic link points to. */
export async function readLink(path: string): Promise<string | null> {
  return await readlink(path).then(basename, () => null);
}

export async function readNames(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => []);
}
