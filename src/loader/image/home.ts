import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { ImageError, isImageError, type LoaderImage } from './image.ts';
import { rootFile } from './root-file.ts';

/** Where the image builder saves its home, and which files of it are read. TinyCore runs from memory. */
export interface SavedHome {
  readonly partition: number;
  /** A `.tar.gz` in the root folder of the partition, by its 8.3 name. */
  readonly archive: string;
  /** In the archive: `home/tc/`. */
  readonly folder: string;
  readonly files: readonly string[];
  /** Reading stops when these have been found. */
  isEnough(found: HomeFiles): boolean;
}

export type HomeFiles = ReadonlyMap<string, Buffer>;

/** The scripts and settings have 200 KB at most. */
const maxFileBytes = 4 * 1024 ** 2;
/** More than any home can have in the builder's memory. */
const maxBytes = 4 * 1024 ** 3;
const blockBytes = 512;

/**
 * The wanted files of the saved home; the VM may run. A home can have some 100 MB, and is read as a stream. Rejects
 * with `bad_home`, as `rootFile` does, or with the signal's reason.
 */
export async function readHome(image: LoaderImage, home: SavedHome, signal: AbortSignal): Promise<HomeFiles> {
  const { partition, archive } = home;
  const unpacked = createGunzip({ chunkSize: 256 * 1024 });
  // The reader fails for the same reason.
  const fed = pipeline(rootFile(image, partition, archive, signal), unpacked).catch(() => {});
  try {
    return await readTar(unpacked, home);
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

/** Keeps only wanted files in memory. Rejects with a reason when the archive is incomplete, or as the stream does. */
async function readTar(stream: AsyncIterable<Buffer>, { folder, files, isEnough }: SavedHome): Promise<HomeFiles> {
  const found = new Map<string, Buffer>();
  const take = taker(stream);
  while (!isEnough(found)) {
    const header = await take(blockBytes, true);
    // Two blocks of zeros are its end.
    if (header.every(byte => byte === 0)) break;
    const { path, size, isFile } = parseHeader(header);
    const name = path.startsWith(folder) ? path.slice(folder.length) : '';
    const wanted = isFile && files.includes(name);
    if (wanted && size > maxFileBytes) throw new Error(`${path} has ${size} bytes`);
    const content = await take(size, wanted);
    if (wanted) found.set(name, content);
    await take(-size & (blockBytes - 1), false);
  }
  return found;
}

/** The wanted names are short, so GNU's and POSIX's entries with long names are not read. */
function parseHeader(header: Buffer): { path: string; size: number; isFile: boolean } {
  const text = (at: number, length: number) => header.toString('utf8', at, at + length).split('\0')[0] ?? '';
  const size = Number.parseInt(text(124, 12), 8);
  if (text(257, 5) !== 'ustar' || !Number.isSafeInteger(size) || size < 0) throw new Error('it is no tar archive');
  // In archives of GNU tar, this field is no prefix.
  const prefix = text(257, 6) === 'ustar' ? text(345, 155) : '';
  const path = (prefix === '' ? '' : `${prefix}/`) + text(0, 100);
  return { path: path.replace(/^\.?\/+/, ''), size, isFile: ['', '0'].includes(text(156, 1)) };
}

/** Takes the next bytes of a stream, whose content is kept or not. */
function taker(stream: AsyncIterable<Buffer>): (length: number, keep: boolean) => Promise<Buffer> {
  const pieces = stream[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  let bytes = 0;
  return async (length, keep) => {
    const parts: Buffer[] = [];
    for (let left = length; left > 0; ) {
      if (rest.length === 0) {
        const { value, done } = await pieces.next();
        if (done) throw new Error('it ends too early');
        rest = value;
        bytes += rest.length;
        if (bytes > maxBytes) throw new Error(`it has more than ${maxBytes} bytes`);
      }
      const part = rest.subarray(0, left);
      rest = rest.subarray(part.length);
      left -= part.length;
      if (keep) parts.push(part);
    }
    return Buffer.concat(parts);
  };
}
