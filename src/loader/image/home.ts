import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { ImageError, isImageError } from './errors.ts';
import type { LoaderImage } from './image.ts';
import { rootFile } from './root-file.ts';
import { readTar } from './tar.ts';

/** Where the image builder's home is saved, and which files of it are read. TinyCore has its home in memory. */
export interface SavedHome {
  readonly partition: number;
  /** A `.tar.gz` in the root folder of the partition, by its 8.3 name. */
  readonly archive: string;
  /** In the archive: `home/tc/`. */
  readonly folder: string;
  /** Their names in that folder. */
  readonly files: readonly string[];
  /** Nothing more is read when it has found these. */
  isEnough(found: HomeFiles): boolean;
}

/** By their names. */
export type HomeFiles = ReadonlyMap<string, Buffer>;

/** The scripts and settings have 200 KB at most. */
const maxFileBytes = 4 * 1024 ** 2;
/** More than any home has in the memory of the builder. */
const maxBytes = 4 * 1024 ** 3;

/**
 * The files of the saved home that are there, with the VM running or off. A home can have some 100 MB and is read as a
 * stream. Rejects with `bad_home`, as `rootFile` does, or with the signal's reason.
 */
export async function readHome(image: LoaderImage, home: SavedHome, signal: AbortSignal): Promise<HomeFiles> {
  const { partition, archive, folder, files, isEnough } = home;
  const unpacked = createGunzip({ chunkSize: 256 * 1024 });
  // The reader fails of what this fails of.
  const fed = pipeline(rootFile(image, partition, archive, signal), unpacked).catch(() => {});
  const keyOf = (path: string) => {
    const name = path.startsWith(folder) ? path.slice(folder.length) : '';
    return files.includes(name) ? name : null;
  };
  try {
    return await readTar(limited(unpacked), keyOf, isEnough, maxFileBytes);
  } catch (error) {
    signal.throwIfAborted();
    if (isImageError(error)) throw error;
    const why = error instanceof Error ? error.message : String(error);
    const message = `${image.path}: ${archive} on partition ${partition} cannot be read: ${why}`;
    throw new ImageError('bad_home', message, { cause: error });
  } finally {
    unpacked.destroy();
    await fed;
  }
}

async function* limited(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  let bytes = 0;
  for await (const piece of stream) {
    bytes += piece.length;
    if (bytes > maxBytes) throw new Error(`it has more than ${maxBytes} bytes`);
    yield piece;
  }
}
