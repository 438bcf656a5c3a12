import type { LoaderAdapter } from '../adapter.ts';
import { fileInArchive } from '../image/archive.ts';
import type { LoaderImage } from '../image/image.ts';
import { rootFile } from '../image/root-file.ts';
import { within } from './within.ts';

/** The configuration that the image builder will start with, or why it could not be looked at, a sentence. */
export type SavedConfig = { text: string } | { why: string };

/** Milliseconds; a home may have 100 MB. */
const patience = 30_000;
const maxBytes = 2 ** 18;

/** Reads it from the image, while the VM may run. Rejects with the signal's reason only. */
export function readSavedConfig(
  image: LoaderImage,
  { partition, archive, path }: LoaderAdapter['savedConfig'],
  signal: AbortSignal,
): Promise<SavedConfig> {
  const read = async (limit: AbortSignal): Promise<SavedConfig> => {
    const home = rootFile(image, partition, archive, limit);
    const file = await fileInArchive(home, path, maxBytes, limit);
    return file ? { text: file.toString('utf8') } : { why: `${archive} on partition ${partition} has no ${path}.` };
  };
  const failed = (error: Error) => ({ why: `${archive} on partition ${partition}: ${error.message}.` });
  const late = { why: `${archive} on partition ${partition} was not read within ${patience / 1_000} s.` };
  return within<SavedConfig>(patience, signal, limit => read(limit).catch(failed), late);
}
