import { access, constants, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { within } from '../../util/deadline.ts';

/** The folder for copies of an image, as far as it is there. */
export interface BackupFolder {
  /** The folder itself, or the nearest one above it that is there; null: not known. */
  nearest: string | null;
  /** Why nothing can be written there, a sentence; null: nothing speaks against it. */
  trouble: string | null;
}

/** Milliseconds; a network's file system may hang. */
const patience = 10_000;

/** Rejects with the signal's reason only. */
export function inspectFolder(folder: string, signal: AbortSignal): Promise<BackupFolder> {
  return within(patience, signal, () => look(resolve(folder)), {
    nearest: null,
    trouble: `${folder} does not answer within ${patience / 1_000} s.`,
  });
}

async function look(folder: string): Promise<BackupFolder> {
  for (let nearest = folder; ; nearest = dirname(nearest)) {
    try {
      if (!(await stat(nearest)).isDirectory()) return { nearest: null, trouble: `${nearest} is not a folder.` };
      await access(nearest, constants.W_OK | constants.X_OK);
      return { nearest, trouble: null };
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' || nearest === dirname(nearest))
        return { nearest: null, trouble: `${nearest} cannot be written: ${message}.` };
    }
  }
}
