import { isAbsolute } from 'node:path';
import type { Libvirt } from '../../libvirt/client.ts';
import type { LoaderSettings } from '../../model/loader-settings.ts';
import { openFile } from './file-image.ts';
import { ImageError, type LoaderImage } from './image.ts';
import { openVolume } from './volume-image.ts';

/**
 * Opens a loader's image in the configured way. `source`: its disk in the domain's XML. Rejects as `openFile` and
 * `openVolume` do, with `not_found` when libvirt names no path, or with the signal's reason.
 */
export async function openImage(
  way: LoaderSettings['image'],
  source: string | null,
  client: Libvirt,
  signal: AbortSignal,
): Promise<LoaderImage> {
  signal.throwIfAborted();
  if (way.way === 'path') return openFile(way.path);
  if (source !== null && isAbsolute(source)) {
    return openVolume(client, { path: source, transientPool: way.transientPool, signal });
  }
  const what = source === null ? 'no file' : `'${source}'`;
  throw new ImageError(
    'not_found',
    `the domain's XML gives ${what} as the loader's disk, and a path is needed: give it a file or block device as its source, or mount the image and set \`image\` to its path`,
  );
}
