import { open, rename, rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFolder, replaceFile, syncFolder } from '../../util/replace-file.ts';
import { type Backup, backupName, partialOf, recordOf, rotate, sweep } from './backups.ts';
import { openFile } from './file-image.ts';
import { different, digest, ImageError, type LoaderImage, mib, type Progress, pieceBytes, writing } from './image.ts';

export interface BackupOptions extends Pick<Backup, 'domain' | 'source'> {
  folder: string;
  /** The name of its backups: the VM's key. Only one process at a time may make backups of one name. */
  name: string;
  uuid: string;
  keep: number;
  /** Backups (their `file`) that are kept at any age. */
  spare?: readonly string[];
  now?: () => Date;
}

/** A file system's usual block: smaller holes are copied as zeros. */
const holeBytes = 4_096;
const zeros = Buffer.alloc(pieceBytes);
const reserve = 1024 ** 2;

/**
 * Copies an image into a sparse file while its machine is off, reads the copy again, and only then gives it its name
 * and removes older ones. An interruption at any point leaves older backups intact, and the copy may be run again.
 *
 * Rejects with `no_space`, `unreadable`, `short_read`, `mismatch` (the copy differs from what was written, or the image
 * changed its size), `unwritable`, or the signal's reason.
 */
export async function backUp(
  image: LoaderImage,
  options: BackupOptions,
  signal: AbortSignal,
  progress: Progress = () => {},
): Promise<Backup> {
  const { folder, name, domain, uuid, source, keep, spare = [], now = () => new Date() } = options;
  await writing(folder, () => makeFolder(folder));
  await writing(folder, () => sweep(folder, name));
  const { needed, free } = await spaceFor(image, folder);
  if (needed > free) {
    const takes = `the backup takes up to ${mib(needed)} (holes of the image not counted)`;
    throw new ImageError('no_space', `${folder} has ${mib(free)} free; ${takes}`);
  }
  const at = now();
  const file = join(folder, backupName(name, at));
  const partial = partialOf(file);
  try {
    const { sha256, size } = await copy(image, partial, signal, share => progress(share / 2));
    if ((await image.size()) !== size) throw new ImageError('mismatch', `${image.path} changed its size meanwhile`);
    await using written = await openFile(partial);
    const proof = await digest(written, signal, share => progress((1 + share) / 2));
    if (proof.sha256 !== sha256 || proof.size !== size) {
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
 * Bytes that a backup takes at most, and bytes that are free. Holes of the image become holes of the backup; this
 * assumes that the folder's file system supports them.
 */
export async function spaceFor(image: LoaderImage, folder: string): Promise<{ needed: number; free: number }> {
  const { bavail, bsize } = await statfs(folder);
  return { needed: (await image.allocated()) + reserve, free: bavail * bsize };
}

async function copy(
  image: LoaderImage,
  to: string,
  signal: AbortSignal,
  progress: Progress,
): ReturnType<typeof digest> {
  await using file = await writing(to, () => open(to, 'w', 0o600));
  const read = await digest(image, signal, progress, async (bytes, offset) => {
    for (const { at, length } of different(bytes, zeros.subarray(0, bytes.length), holeBytes)) {
      for (let done = 0; done < length; ) {
        const write = () => file.write(bytes, at + done, length - done, offset + at + done);
        done += (await writing(to, write)).bytesWritten;
      }
    }
  });
  await writing(to, async () => {
    // The hole at its end, if it has one.
    await file.truncate(read.size);
    await file.sync();
  });
  return read;
}

/** The record is written first; the backup exists only when its image has its final name. */
async function publish({ file, ...rest }: Backup): Promise<void> {
  await replaceFile(recordOf(file), `${JSON.stringify(rest, null, 2)}\n`);
  await rename(partialOf(file), file);
  await syncFolder(dirname(file));
}
