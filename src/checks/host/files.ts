import * as fs from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';

/**
 * Reads sysfs and proc. A missing or unreadable file gives null or empty: a kernel, a container or another system may
 * lack it.
 *
 * The kernel answers from its own memory within microseconds, so the reads do not go through the thread pool. Only what
 * may wait for a driver does (`readSlowNumber`).
 */

/** Bytes, a multiple of 16: the kernel returns only whole entries of a bridge's forwarding table. */
const pieceBytes = 4_096;

/** Reads at most so many bytes from the beginning of the file. */
export function readBytes(path: string, limit: number): Buffer | null {
  return orElse(null, () => {
    const file = fs.openSync(path, 'r');
    try {
      const pieces: Buffer[] = [];
      for (let left = limit, length = -1; left > 0 && length !== 0; left -= length) {
        const piece = Buffer.allocUnsafe(Math.min(pieceBytes, left));
        length = fs.readSync(file, piece, 0, piece.length, null);
        pieces.push(piece.subarray(0, length));
      }
      return Buffer.concat(pieces);
    } finally {
      fs.closeSync(file);
    }
  });
}

export const exists = fs.existsSync;

/** An attribute's text, without the end of its line; empty: it has none. */
export function readText(path: string): string {
  return orElse('', () => fs.readFileSync(path, 'utf8').trimEnd());
}

/** An attribute's number, decimal, or hexadecimal with `0x`. */
export function readNumber(path: string): number | null {
  return numberIn(readText(path));
}

const slow = new Map<string, Promise<number | null>>();

/**
 * The number of an attribute that may have to wait for the kernel's lock of all network settings (`rtnl_lock`), which a
 * driver in trouble holds. Of each file there is one read at a time: more would take all threads of the process.
 */
export function readSlowNumber(path: string): Promise<number | null> {
  const read = () => readFile(path, 'latin1').then(numberIn, () => null);
  const reading = slow.get(path) ?? read().finally(() => slow.delete(path));
  slow.set(path, reading);
  return reading;
}

/** The last part of what a symbolic link points to. */
export function readLink(path: string): string | null {
  return orElse(null, () => basename(fs.readlinkSync(path)));
}

export function readNames(folder: string): string[] {
  return orElse([], () => fs.readdirSync(folder));
}

function numberIn(text: string): number | null {
  return /^(0x[0-9a-f]{1,8}|\d{1,9})\s*$/i.test(text) ? Number(text) : null;
}

function orElse<T>(otherwise: T, act: () => T): T {
  try {
    return act();
  } catch {
    return otherwise;
  }
}
