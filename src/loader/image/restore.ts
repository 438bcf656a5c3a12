import { digest, digestOf, type Progress } from './backup.ts';
import { type Backup, readBackup } from './backups.ts';
import { ImageError, isImageError } from './errors.ts';
import { FileImage } from './file-image.ts';
import { type LoaderImage, pieceBytes } from './image.ts';
import { different } from './runs.ts';

/** What is written when a part of it differs. */
const blockBytes = 65_536;

/**
 * Makes an image, whose machine is off, what it was. The backup is proven before the first byte is written; only what
 * differs is written; and the image is read again and held against the checksum. Interrupted at any point it may be run
 * again, and one that is as it should be is not written at all.
 *
 * Resolves to the bytes that were written. Rejects with `bad_backup`, and nothing was written; with `mismatch`, when the
 * image is of another size (nothing was written) or is not what was written to it; or as reading and writing does.
 */
export async function restore(
  image: LoaderImage,
  file: string,
  signal: AbortSignal,
  progress: Progress = () => {},
): Promise<{ backup: Backup; written: number }> {
  const backup = await readBackup(file);
  if (!backup) throw new ImageError('bad_backup', `${file} has no record of what it is`);
  const { size, sha256 } = backup;
  await prove(backup, signal, done => progress(done, 3 * size));
  const now = await image.size();
  if (now !== size) throw new ImageError('mismatch', `${image.path} has ${now} bytes, its backup ${size}`);
  const written = await writeDifferences(image, backup, signal, done => progress(size + done, 3 * size));
  if (written > 0) {
    const proof = await digestOf(image, signal, done => progress(2 * size + done, 3 * size));
    if (proof.sha256 !== sha256) {
      throw new ImageError('mismatch', `${image.path} was written and is not what its backup ${file} is`);
    }
  }
  progress(3 * size, 3 * size);
  return { backup, written };
}

/** Rejects with `bad_backup` unless all of it is what it was when it was made. */
export async function prove(backup: Backup, signal: AbortSignal, progress: (done: number) => void): Promise<void> {
  try {
    const found = await digest(backup.file, signal, progress);
    if (found.size === backup.size && found.sha256 === backup.sha256) return;
  } catch (error) {
    if (!isImageError(error)) throw error;
    throw new ImageError('bad_backup', error.message, { cause: error });
  }
  throw new ImageError('bad_backup', `${backup.file} is not what it was when it was made`);
}

async function writeDifferences(
  image: LoaderImage,
  { file, size }: Backup,
  signal: AbortSignal,
  progress: (done: number) => void,
): Promise<number> {
  await using source = await FileImage.open(file);
  let written = 0;
  for (let at = 0; at < size; at += pieceBytes) {
    const length = Math.min(pieceBytes, size - at);
    const [should, is] = [await source.read(at, length, signal), await image.read(at, length, signal)];
    for (const { start, end } of different(should, is, blockBytes)) {
      await image.write(at + start, should.subarray(start, end), signal);
      written += end - start;
    }
    progress(at + length);
  }
  return written;
}
