import { createHash } from 'node:crypto';

/**
 * A virtual machine's loader image: bytes at their offsets, in a file or a volume. It is never made, never truncated
 * and never grows. Whoever writes must make sure that the machine is off: neither this code nor libvirt does.
 *
 * Everything rejects with `ImageError`, or with the signal's reason.
 */
export interface LoaderImage extends AsyncDisposable {
  readonly path: string;
  size(): Promise<number>;
  /** The bytes that it takes up on the disk: at most `size`, because an image has holes. */
  allocated(): Promise<number>;
  /** Exactly these bytes, at most `pieceBytes`. Rejects with `short_read` when there are fewer. */
  read(offset: number, length: number, signal: AbortSignal): Promise<Buffer>;
  /** Resolves when the bytes are on the disk, as far as the system can tell. Only reading them again proves it. */
  write(offset: number, bytes: Buffer, signal: AbortSignal): Promise<void>;
}

/** From 0 to 1; goes up only. */
export type Progress = (share: number) => void;

/** Bytes that are read or written at once, and held in memory: few enough to be hashed between two events. */
export const pieceBytes = 1024 ** 2;

export function mib(bytes: number): string {
  return `${Math.ceil(bytes / 1024 ** 2)} MiB`;
}

/** Throws `out_of_range` unless the range is within the image, and short enough for one read. */
export function mustBeIn(path: string, size: number, offset: number, length: number): void {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
  if (!whole || offset < 0 || length < 0 || length > pieceBytes || offset + length > size) {
    throw new ImageError('out_of_range', `${length} bytes at ${offset} are not within the ${size} bytes of ${path}`);
  }
}

interface Range {
  readonly at: number;
  readonly length: number;
}

/** So many bytes, in pieces for one read each. */
export function piecesOf(bytes: number): Range[] {
  return Array.from({ length: Math.ceil(bytes / pieceBytes) }, (_, nth) => {
    return { at: nth * pieceBytes, length: Math.min(pieceBytes, bytes - nth * pieceBytes) };
  });
}

/** Reads the whole image in order, gives each piece to `use`, and resolves to its checksum and size. */
export async function digest(
  image: Pick<LoaderImage, 'read' | 'size'>,
  signal: AbortSignal,
  progress: Progress = () => {},
  use: (bytes: Buffer, at: number) => Promise<void> = async () => {},
): Promise<{ sha256: string; size: number }> {
  const hash = createHash('sha256');
  const size = await image.size();
  for (const { at, length } of piecesOf(size)) {
    const bytes = await image.read(at, length, signal);
    hash.update(bytes);
    await use(bytes, at);
    progress((at + length) / size);
  }
  return { sha256: hash.digest('hex'), size };
}

/** Where the image differs from `source`, from `offset` on: with the right bytes, in whole blocks. */
interface Differences {
  image: Pick<LoaderImage, 'read' | 'write'>;
  source: LoaderImage;
  offset: number;
  blockBytes: number;
  backwards?: boolean;
}

export async function writeDifferences(
  { image, source, offset, blockBytes, backwards = false }: Differences,
  signal: AbortSignal,
  progress: Progress = () => {},
): Promise<number> {
  const pieces = piecesOf(await source.size());
  let written = 0;
  for (const [nth, { at, length }] of (backwards ? pieces.toReversed() : pieces).entries()) {
    const [should, is] = [await source.read(at, length, signal), await image.read(offset + at, length, signal)];
    const found = different(should, is, blockBytes);
    for (const run of backwards ? found.toReversed() : found) {
      await image.write(offset + at + run.at, should.subarray(run.at, run.at + run.length), signal);
      written += run.length;
    }
    progress((nth + 1) / pieces.length);
  }
  return written;
}

/** The runs of whole blocks in which two buffers of one length differ; the last block may be shorter. */
export function different(a: Buffer, b: Buffer, blockBytes: number): Range[] {
  const found: Range[] = [];
  for (let at = 0; at < a.length; at += blockBytes) {
    const end = Math.min(at + blockBytes, a.length);
    if (a.compare(b, at, end, at, end) === 0) continue;
    const last = found.at(-1);
    const begin = last && last.at + last.length === at ? last.at : at;
    if (begin !== at) found.pop();
    found.push({ at: begin, length: end - begin });
  }
  return found;
}

/** What can go wrong with a loader image; `code` tells the errors apart. The message is one plain sentence. */

export type ImageErrorCode =
  | 'not_found'
  | 'not_an_image'
  | 'unreadable'
  | 'unwritable'
  | 'short_read'
  | 'out_of_range'
  /** Its size has changed, or its bytes are not those that were written. */
  | 'mismatch'
  | 'no_space'
  | 'bad_backup'
  | 'no_pool'
  | 'no_storage_driver'
  /** The connection was lost during a write: only reading shows what was written. */
  | 'outcome_unknown'
  | 'not_mbr'
  | 'no_fat'
  | 'bad_home'
  | 'no_grub'
  | 'bad_grubenv'
  | 'no_entry'
  /** No edit of ours can make the menu start the wanted entry. */
  | 'cannot_arm'
  /** The program that edits FAT file systems is missing, or failed. */
  | 'no_mtools';

export class ImageError extends Error {
  override name = 'ImageError';
  readonly code: ImageErrorCode;

  constructor(code: ImageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export function isImageError(error: unknown, ...codes: ImageErrorCode[]): error is ImageError {
  return error instanceof ImageError && (codes.length === 0 || codes.includes(error.code));
}

/** An error of writing to `path` on this machine, as `no_space` or `unwritable`. */
export function writing<T>(path: string, act: () => Promise<T>): Promise<T> {
  return attempt(path, { ENOSPC: 'no_space', EDQUOT: 'no_space', EFBIG: 'no_space' }, 'unwritable', act);
}

export async function attempt<T>(
  path: string,
  codes: Readonly<Record<string, ImageErrorCode>>,
  otherwise: ImageErrorCode,
  act: () => Promise<T>,
): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (isImageError(error)) throw error;
    const { code: reason = '', message } = error as NodeJS.ErrnoException;
    const code = codes[reason] ?? otherwise;
    throw new ImageError(code, code === 'not_found' ? `there is no ${path}` : `${path}: ${message}`, { cause: error });
  }
}
