import * as fs from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { orNull } from '../../util/or-null.ts';
import { shared } from '../../util/shared.ts';

/**
 * Reads sysfs and proc. A missing or unreadable file gives null or empty: a kernel, a container or another system may
 * lack it. The kernel answers from its memory within microseconds, so only what may wait for a driver is left to the
 * thread pool.
 */

/** Bytes that are read at most: a multiple of 16, the entries of a bridge's forwarding table. */
const bytes = Buffer.allocUnsafeSlow(1024 ** 2);

export function readBytes(path: string): Buffer | null {
  return orNull(() => {
    const file = fs.openSync(path, 'r');
    let length = 0;
    try {
      for (let more = -1; more !== 0 && length < bytes.length; length += more) {
        more = fs.readSync(file, bytes, length, bytes.length - length, null);
      }
    } finally {
      fs.closeSync(file);
    }
    return Buffer.from(bytes.subarray(0, length));
  });
}

export const exists = fs.existsSync;

/** An attribute's text, without the end of its line; empty: it has none. */
export function readText(path: string): string {
  return orNull(() => fs.readFileSync(path, 'utf8').trimEnd()) ?? '';
}

/** An attribute's number, decimal, or hexadecimal with `0x`. */
export function readNumber(path: string): number | null {
  return numberIn(readText(path));
}

/**
 * The number of an attribute that may have to wait for the kernel's lock of all network settings (`rtnl_lock`), which a
 * driver in trouble holds. Shared, because otherwise such a file would occupy all threads of the process.
 */
export const readSlowNumber = shared(path => readFile(path, 'latin1').then(numberIn, () => null));

/** The last part of what a symbolic link points to. */
export function readLink(path: string): string | null {
  return orNull(() => basename(fs.readlinkSync(path)));
}

export function readNames(folder: string): string[] | null {
  return orNull(() => fs.readdirSync(folder));
}

function numberIn(text: string): number | null {
  return /^(0x[0-9a-f]{1,8}|\d{1,9})\s*$/i.test(text) ? Number(text) : null;
}
