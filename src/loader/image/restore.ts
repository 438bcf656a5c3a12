import { type Backup, readBackup } from './backups.ts';
import { openFile } from './file-image.ts';
import { digest, ImageError, isImageError, type LoaderImage, type Progress, writeDifferences } from './image.ts';

/** The block size: a block with a difference is written whole. */
const blockBytes = 65_536;

/**
 * Makes an image, whose machine is off, equal to its backup. It checks the backup before it writes the first byte,
 * writes only what differs, and then reads the image again and compares the checksum. After an interruption at any
 * point it may be run again, and it writes nothing to an image that is already right.
 *
 * Resolves to the number of bytes written. Rejects with `bad_backup`, and nothing was written; with `mismatch`, when
 * the image has another size (nothing was written) or differs from what was written; or as reading and writing does.
 */
export async function restore(
  image: LoaderImage,
  file: string,
  signal: AbortSignal,
  progress: Progress = () => {},
): Promise<{ backup: Backup; written: number }> {
  const backup = await readBackup(file);
  if (!backup) throw new ImageError('bad_backup', `${file} has no record of what it is`);
  await prove(backup, signal, share => progress(share / 3));
  const now = await image.size();
  if (now !== backup.size)
    throw new ImageError('mismatch', `${image.path} has ${now} bytes, its backup ${backup.size}`);
  await using source = await openFile(file);
  const places = { image, source, offset: 0, blockBytes };
  const written = await writeDifferences(places, signal, share => progress((1 + share) / 3));
  if (written > 0) {
    const proof = await digest(image, signal, share => progress((2 + share) / 3));
    if (proof.sha256 !== backup.sha256) {
      throw new ImageError('mismatch', `${image.path} was written and is not what its backup ${file} is`);
    }
  }
  progress(1);
  return { backup, written };
}

/** Rejects with `bad_backup` unless its checksum is the one in its record. */
export async function prove({ file, size, sha256 }: Backup, signal: AbortSignal, progress: Progress): Promise<void> {
  try {
    await using backup = await openFile(file);
    const found = await digest(backup, signal, progress);
    if (found.size === size && found.sha256 === sha256) return;
  } catch (error) {
    if (!isImageError(error)) throw error;
    throw new ImageError('bad_backup', error.message, { cause: error });
  }
  throw new ImageError('bad_backup', `${file} is not what it was when it was made`);
}
