import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Libvirt } from '../../libvirt/client.ts';
import type { LoaderImage } from '../image/image.ts';
import { openImage } from '../image/open.ts';
import { loaderSource, mustBeOurs } from './bound.ts';
import type { JobParts } from './parts.ts';
import type { Run } from './run.ts';

/** The loader's image of a VM that is off, for as long as something is done to it. */

/** Where temporary files are; what is left there by a kill is swept at the next use. */
export function scratchFolder(folder: string): string {
  return join(folder, 'scratch');
}

export async function sweepScratch(folder: string): Promise<void> {
  await rm(scratchFolder(folder), { recursive: true, force: true });
}

/**
 * Hands the image to `use`, with a signal that is raised as soon as the VM is not known to be off any more: two that
 * write to one image would ruin it. Rejects as `use` does, with the reason of that signal, or with `NotOurs`.
 */
export async function withImage<T>(
  run: Pick<Run, 'parts' | 'runLog'>,
  signal: AbortSignal,
  use: (image: LoaderImage, how: { signal: AbortSignal; scratch: string }) => Promise<T>,
): Promise<T> {
  const { settings, power, open, folder } = run.parts;
  await power.read();
  mustBeOurs(run);
  using off = power.whileOff();
  const both = AbortSignal.any([signal, off]);
  const scratch = scratchFolder(folder);
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  try {
    both.throwIfAborted();
    await using client = await opened(open, both);
    await using image = await openImage(settings.image, loaderSource(power), client.libvirt, both);
    return await use(image, { signal: both, scratch });
  } catch (error) {
    if (off.aborted && !signal.aborted) throw off.reason;
    throw error;
  }
}

/** Closes with its scope. */
export async function opened(
  open: JobParts['open'],
  signal: AbortSignal,
): Promise<AsyncDisposable & { libvirt: Libvirt }> {
  const libvirt = await open(signal);
  return { libvirt, [Symbol.asyncDispose]: () => libvirt.close() };
}
