import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { ImageError, writing } from './errors.ts';

/** The files of a FAT file system that is a file itself, by mtools (https://www.gnu.org/software/mtools/). */

export interface Fat {
  /** The paths of all files, without a `/` in front. */
  list(): Promise<string[]>;
  read(path: string): Promise<Buffer>;
  /** Replaces a file; `scratch` is a path that may be written to. */
  replace(path: string, content: Buffer, scratch: string): Promise<void>;
}

const run = promisify(execFile);
const deadline = 30_000;
const maxOutput = 16 * 1024 ** 2;

/** Throws `no_fat` unless a boot sector says FAT12, FAT16 or FAT32. */
export function mustBeFat(sector: Buffer, number = 1): void {
  const named = sector.toString('latin1', 54, 57) === 'FAT' || sector.toString('latin1', 82, 85) === 'FAT';
  const signed = sector.length >= 512 && sector.readUInt16LE(510) === 0xaa55;
  if (!named || !signed) throw noFat(number);
}

export function noFat(number: number): ImageError {
  return new ImageError('no_fat', `partition ${number} of the loader image has no FAT file system`);
}

/** Its methods reject with `no_mtools` when mtools is missing or fails, or with the signal's reason. */
export function openFat(file: string, signal: AbortSignal): Fat {
  const tool = async (name: string, ...args: string[]): Promise<Buffer> => {
    try {
      const options = {
        encoding: 'buffer',
        signal,
        timeout: deadline,
        maxBuffer: maxOutput,
        // Nobody's settings, and no complaint about a geometry that means nothing here.
        env: { PATH: process.env['PATH'], MTOOLSRC: '/dev/null', MTOOLS_SKIP_CHECK: '1', LC_ALL: 'C.UTF-8' },
      } as const;
      return (await run(name, ['-i', file, ...args], options)).stdout;
    } catch (error) {
      signal.throwIfAborted();
      const { code, message } = error as NodeJS.ErrnoException;
      const what = code === 'ENOENT' ? `${name} is not installed (package mtools)` : message.trim();
      throw new ImageError('no_mtools', `the boot menu cannot be read or changed: ${what}`, { cause: error });
    }
  };
  return {
    list: async () => {
      const paths = (await tool('mdir', '-b', '-/', '-a', '::/')).toString('utf8').split('\n');
      return paths.filter(path => path !== '' && !path.endsWith('/')).map(path => path.replace(/^::\//, ''));
    },
    read: path => tool('mcopy', `::/${path}`, '-'),
    replace: async (path, content, scratch) => {
      await writing(scratch, () => writeFile(scratch, content, { mode: 0o600 }));
      await tool('mcopy', '-o', scratch, `::/${path}`);
    },
  };
}
