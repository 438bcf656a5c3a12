import { ImageError } from './errors.ts';

/**
 * A virtual machine's loader image: bytes at their offsets, wherever they lie. It is never made, never cut off and
 * never grows. Whoever writes makes sure that the machine is off: nothing here, and nothing in libvirt, does.
 *
 * Everything rejects with `ImageError`, or with the signal's reason.
 */
export interface LoaderImage extends AsyncDisposable {
  /** Where it lies, on the machine that has it. */
  readonly path: string;
  /** All of its bytes. */
  size(): Promise<number>;
  /** The bytes that take up room where it lies: no more than `size`, as an image has holes. */
  allocated(): Promise<number>;
  /** Exactly these bytes, at most `pieceBytes`. `short_read` when they are not all there. */
  read(offset: number, length: number, signal: AbortSignal): Promise<Buffer>;
  /** All of it, in order, in pieces of `pieceBytes` at most; nothing is read ahead. */
  stream(signal: AbortSignal): AsyncIterable<Buffer>;
  /** On the disk when it resolves, as far as its keeper can tell. Only reading it again proves that it is there. */
  write(offset: number, bytes: Buffer, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** What is read or written at once, and held in memory: little enough to be hashed between two events. */
export const pieceBytes = 1024 ** 2;

/** A stream by reading piece after piece. */
export async function* pieces(
  image: Pick<LoaderImage, 'read' | 'size'>,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void> {
  const size = await image.size();
  for (let at = 0; at < size; at += pieceBytes) yield await image.read(at, Math.min(pieceBytes, size - at), signal);
}

/** Throws `out_of_range` unless the range is in it, and no longer than what may be read at once. */
export function mustBeIn(path: string, size: number, offset: number, length: number): void {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
  if (!whole || offset < 0 || length < 0 || length > pieceBytes || offset + length > size) {
    throw new ImageError('out_of_range', `${length} bytes at ${offset} are not within the ${size} bytes of ${path}`);
  }
}
