import { copyFile, type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ImageError, writing } from './errors.ts';
import { type LoaderImage, pieceBytes } from './image.ts';
import { type Partition, parseMbr, sectorBytes } from './mbr.ts';
import { different } from './runs.ts';

/** More than that is no loader's first partition; they have 48 to 512 MiB. */
const maxBytes = 1024 ** 3;

/** A copy of one partition in a temporary file, to be changed there and brought back. */
export interface PartitionCopy {
  readonly file: string;
  /** A path beside it that may be written to. */
  readonly scratch: string;
  /**
   * Writes the sectors that differ back, from the last to the first: what is pointed at before what points at it. Then
   * all of the partition is read again and held against the copy. Resolves to the bytes that were written.
   */
  writeBack(): Promise<number>;
}

/** Where a partition is. Rejects with `not_mbr`, or as reading does. */
export async function partitionOf(image: LoaderImage, number: number, signal: AbortSignal): Promise<Partition> {
  const size = await image.size();
  const sector = await image.read(0, Math.min(sectorBytes, size), signal);
  const partition = parseMbr(sector, size).find(each => each.number === number);
  if (!partition) throw new ImageError('not_mbr', `the loader image has no partition ${number}`);
  return partition;
}

/** Hands partition 1 to `use`, and removes the copy afterwards. `folder` is where temporary files may be. */
export async function withPartition<T>(
  image: LoaderImage,
  folder: string,
  signal: AbortSignal,
  use: (copy: PartitionCopy) => Promise<T>,
): Promise<T> {
  const partition = await partitionOf(image, 1, signal);
  if (partition.length > maxBytes) {
    throw new ImageError('not_mbr', `partition 1 of the loader image has ${partition.length} bytes, which is too many`);
  }
  const scratch = await writing(folder, () => mkdtemp(join(folder, 'dsm2mqtt-boot-')));
  try {
    const original = join(scratch, 'original');
    const file = join(scratch, 'partition');
    await fetch(image, partition, original, signal);
    await writing(folder, () => copyFile(original, file));
    const writeBack = () => bringBack(image, partition, original, file, signal);
    return await use({ file, scratch: join(scratch, 'scratch'), writeBack });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function fetch(image: LoaderImage, partition: Partition, to: string, signal: AbortSignal): Promise<void> {
  await using file = await writing(to, () => handle(to, 'wx'));
  for (const { at, length } of steps(partition)) {
    const bytes = await image.read(partition.offset + at, length, signal);
    await writing(to, () => file.write(bytes, 0, length, at));
  }
}

async function bringBack(
  image: LoaderImage,
  partition: Partition,
  original: string,
  changed: string,
  signal: AbortSignal,
): Promise<number> {
  await using before = await handle(original, 'r');
  await using after = await handle(changed, 'r');
  let written = 0;
  for (const { at, length } of steps(partition).reverse()) {
    const [was, is] = await Promise.all([part(before, at, length), part(after, at, length)]);
    for (const { start, end } of different(was, is, sectorBytes).reverse()) {
      await image.write(partition.offset + at + start, is.subarray(start, end), signal);
      written += end - start;
    }
  }
  if (written === 0) return 0;
  for (const { at, length } of steps(partition)) {
    const there = await image.read(partition.offset + at, length, signal);
    if (there.equals(await part(after, at, length))) continue;
    throw new ImageError('mismatch', `${image.path}: the boot partition is not what was written to it`);
  }
  return written;
}

function steps({ length }: Partition): { at: number; length: number }[] {
  const count = Math.ceil(length / pieceBytes);
  return Array.from({ length: count }, (_, i) => ({
    at: i * pieceBytes,
    length: Math.min(pieceBytes, length - i * pieceBytes),
  }));
}

async function part(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at);
  if (bytesRead < length) throw new ImageError('short_read', 'the copy of the boot partition has become shorter');
  return buffer;
}

function handle(path: string, flags: string): Promise<FileHandle> {
  return open(path, flags, 0o600);
}
