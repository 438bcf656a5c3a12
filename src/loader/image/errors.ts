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
