import { execFile } from 'node:child_process';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openFile } from './file-image.ts';
import { ImageError, type LoaderImage, piecesOf, writeDifferences, writing } from './image.ts';
import { fatPartition, sectorBytes } from './mbr.ts';

/** The files of an image's boot partition, in a copy of it, by mtools (https://www.gnu.org/software/mtools/). */

/** Rejects with `no_mtools` when mtools is missing or fails, or with the signal's reason. */
export interface BootFiles {
  /** The paths of all files, without a `/` in front. */
  list(): Promise<readonly string[]>;
  read(path: string): Promise<Buffer>;
  replace(path: string, content: Buffer): Promise<void>;
  /**
   * Writes the changed sectors back, from the last to the first: data before the entries that point to it. Then it
   * reads the whole partition again and compares it with the copy: `mismatch`.
   */
  writeBack(): Promise<void>;
}

export interface BootOptions {
  signal: AbortSignal;
  scratch: string;
}

const run = promisify(execFile);
const deadline = 30_000;
const maxOutput = 16 * 1024 ** 2;
/** A larger partition is no loader's first one; those have 48 to 512 MiB. */
const maxBytes = 1024 ** 3;

/** Gives the files of partition 1 to `use`, and removes the copy afterwards. Rejects with `not_mbr` or `no_fat` too. */
export async function withBootFiles<T>(
  image: LoaderImage,
  { scratch, signal }: BootOptions,
  use: (files: BootFiles) => Promise<T>,
): Promise<T> {
  const { offset, length } = await fatPartition(image, 1, signal);
  if (length > maxBytes) {
    throw new ImageError('not_mbr', `partition 1 of the loader image has ${length} bytes, which is too many`);
  }
  const folder = await writing(scratch, () => mkdtemp(join(scratch, 'dsm2mqtt-boot-')));
  try {
    const path = join(folder, 'partition');
    await fetch(image, { offset, length }, path, signal);
    const files = filesOf(path, join(folder, 'file'), signal);
    return await use({ ...files, writeBack: () => bringBack(image, offset, path, signal) });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function bringBack(image: LoaderImage, offset: number, path: string, signal: AbortSignal): Promise<void> {
  await using source = await openFile(path);
  const places = { source, offset, blockBytes: sectorBytes };
  if ((await writeDifferences({ ...places, image, backwards: true }, signal)) === 0) return;
  const write = () => {
    throw new ImageError('mismatch', `${image.path}: the boot partition is not what was written to it`);
  };
  const read: LoaderImage['read'] = (...range) => image.read(...range);
  await writeDifferences({ ...places, image: { read, write } }, signal);
}

async function fetch(
  image: LoaderImage,
  { offset, length: whole }: { offset: number; length: number },
  to: string,
  signal: AbortSignal,
): Promise<void> {
  await using file = await writing(to, () => open(to, 'wx', 0o600));
  for (const { at, length } of piecesOf(whole)) {
    const bytes = await image.read(offset + at, length, signal);
    await writing(to, () => file.writeFile(bytes));
  }
}

function filesOf(partition: string, scratch: string, signal: AbortSignal): Omit<BootFiles, 'writeBack'> {
  const tool = async (name: string, ...args: string[]): Promise<Buffer> => {
    try {
      const options = {
        ...({ encoding: 'buffer', signal, timeout: deadline, maxBuffer: maxOutput } as const),
        // Ignores the user's settings, and the disk geometry, which means nothing here.
        env: { PATH: process.env['PATH'], MTOOLSRC: '/dev/null', MTOOLS_SKIP_CHECK: '1', LC_ALL: 'C.UTF-8' },
      };
      return (await run(name, ['-i', partition, ...args], options)).stdout;
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
    replace: async (path, content) => {
      await writing(scratch, () => writeFile(scratch, content, { mode: 0o600 }));
      await tool('mcopy', '-o', scratch, `::/${path}`);
    },
  };
}
