import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFolder } from '../../util/replace-file.ts';
import { type Backup, backupName, partialOf, recordOf, rotate, sweep } from './backups.ts';
import { ImageError, writing } from './errors.ts';
import { FileImage } from './file-image.ts';
import type { LoaderImage } from './image.ts';
import { filled } from './runs.ts';

export interface BackupOptions {
  /** Made if it is not there. */
  folder: string;
  /** What its backups are called: the VM's key. Only one at a time may make backups of a name. */
  name: string;
  domain: string;
  uuid: string;
  /** The loader's disk in the domain's XML. */
  source: string | null;
  /** The newest that stay, the new one among them. */
  keep: number;
  /** Backups (their `file`) that stay, whatever their age. */
  spare?: readonly string[];
  now?: () => Date;
}

/** Bytes done of all that is to do; goes up only. */
export type Progress = (done: number, total: number) => void;

/** A file system's usual block: a smaller hole is none. */
const holeBytes = 4_096;
/** What a folder needs beside the images. */
const reserve = 1024 ** 2;

/**
 * Copies an image whose machine is off into a sparse file, reads that again, and only then gives it its name and lets
 * older ones go. Interrupted at any point it leaves older backups as they are, and may be run again.
 *
 * Rejects with `no_space`, `unreadable`, `short_read`, `mismatch` (it was not read back as it was written, or the image
 * changed its size), `unwritable`, or the signal's reason.
 */
export async function backUp(
  image: LoaderImage,
  options: BackupOptions,
  signal: AbortSignal,
  progress: Progress = () => {},
): Promise<Backup> {
  const { folder, name, domain, uuid, source, keep, spare = [], now = () => new Date() } = options;
  await writing(folder, () => mkdir(folder, { recursive: true, mode: 0o700 }));
  await writing(folder, () => sweep(folder, name));
  const { needed, free } = await spaceFor(image, folder);
  if (needed > free) throw noSpace(folder, needed, free);
  const size = await image.size();
  const at = now();
  const file = join(folder, backupName(name, at));
  const partial = partialOf(file);
  try {
    const sha256 = await copy(image, partial, signal, done => progress(done, 2 * size));
    if ((await image.size()) !== size) throw new ImageError('mismatch', `${image.path} changed its size meanwhile`);
    const written = await digest(partial, signal, done => progress(size + done, 2 * size));
    if (written.sha256 !== sha256 || written.size !== size) {
      throw new ImageError('mismatch', `${partial} is not what was written to it`);
    }
    const backup: Backup = { file, sha256, size, at: at.toISOString(), domain, image: image.path, uuid, source };
    await writing(folder, () => publish(backup));
    await writing(folder, () => rotate(folder, { name, uuid }, Math.max(0, keep - 1), [...spare, file]));
    return backup;
  } catch (error) {
    await rm(partial, { force: true }).catch(() => {});
    throw error;
  }
}

/**
 * Bytes that a backup takes at most, and that are free: the image's own holes are holes of its backup too, which the
 * folder's file system is assumed to know.
 */
export async function spaceFor(image: LoaderImage, folder: string): Promise<{ needed: number; free: number }> {
  const { bavail, bsize } = await statfs(folder);
  return { needed: (await image.allocated()) + reserve, free: bavail * bsize };
}

/** The checksum and size of a file. */
export async function digest(
  path: string,
  signal: AbortSignal,
  progress: (done: number) => void = () => {},
): Promise<{ sha256: string; size: number }> {
  await using file = await FileImage.open(path);
  return await digestOf(file, signal, progress);
}

/** The checksum and size of an image. */
export async function digestOf(
  image: Pick<LoaderImage, 'stream'>,
  signal: AbortSignal,
  progress: (done: number) => void,
): Promise<{ sha256: string; size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const bytes of image.stream(signal)) {
    hash.update(bytes);
    size += bytes.length;
    progress(size);
  }
  return { sha256: hash.digest('hex'), size };
}

async function copy(
  image: LoaderImage,
  to: string,
  signal: AbortSignal,
  progress: (done: number) => void,
): Promise<string> {
  const hash = createHash('sha256');
  const file = await writing(to, () => open(to, 'w', 0o600));
  try {
    let at = 0;
    for await (const bytes of image.stream(signal)) {
      hash.update(bytes);
      await writing(to, () => writeSparse(file, bytes, at));
      at += bytes.length;
      progress(at);
    }
    await writing(to, async () => {
      // The hole at its end, if there is one.
      await file.truncate(at);
      await file.sync();
    });
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}

async function writeSparse(file: FileHandle, bytes: Buffer, at: number): Promise<void> {
  for (const { start, end } of filled(bytes, holeBytes)) {
    for (let done = start; done < end; ) {
      done += (await file.write(bytes, done, end - done, at + done)).bytesWritten;
    }
  }
}

/** The record first: until its image has its name, there is no backup. */
async function publish(backup: Backup): Promise<void> {
  const { file, ...rest } = backup;
  const record = recordOf(file);
  const json = await open(partialOf(record), 'w', 0o600);
  try {
    await json.writeFile(`${JSON.stringify(rest, null, 2)}\n`);
    await json.sync();
  } finally {
    await json.close();
  }
  await rename(partialOf(record), record);
  await rename(partialOf(file), file);
  await syncFolder(dirname(file));
}

function noSpace(folder: string, needed: number, free: number): ImageError {
  return new ImageError(
    'no_space',
    `${folder} has ${megabytes(free)} free; the backup takes up to ${megabytes(needed)} (holes of the image not counted)`,
  );
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024 ** 2)} MiB`;
}
