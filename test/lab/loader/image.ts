/** Files of the loader's image, seen from outside. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { address, domainState } from '../lab.ts';

const run = promisify(execFile);

/** The image that the VM boots from. */
export const image = join(address.images, 'loader.img');

/** Of a VM that is off: its end puts the image back as it is now. */
export async function keepImage(): Promise<AsyncDisposable> {
  const folder = await scratch();
  const copy = join(folder.path, 'image');
  await clone(image, copy);
  return {
    async [Symbol.asyncDispose]() {
      await clone(copy, image);
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Of a VM that is off: another image in the place of its loader's. */
export function clone(from: string, to: string): Promise<unknown> {
  return run('cp', ['--sparse=always', from, to]);
}

/**
 * Hands over a copy of a file of the FAT partition at this byte, and writes it back if that has changed it; the VM is
 * off then.
 */
export async function edit<T>(offset: number, path: string, use: (file: string) => Promise<T>): Promise<T> {
  await using folder = await scratch();
  const file = join(folder.path, basename(path));
  await mtools('mcopy', offset, `::${path}`, file);
  const before = await readFile(file);
  const result = await use(file);
  if (before.equals(await readFile(file))) return result;
  if ((await domainState()) !== 'shut off') throw new Error('the loader’s disk is in use');
  await mtools('mcopy', offset, '-o', file, `::${path}`);
  return result;
}

export async function mtools(tool: string, offset: number, ...args: string[]): Promise<void> {
  await run(tool, ['-i', `${image}@@${offset}`, ...args]);
}

export async function scratch(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'loader-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
