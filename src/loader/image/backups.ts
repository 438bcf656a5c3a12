import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';

/** The backups of one loader image in their folder: for each an image, and a small JSON record beside it. */

/** An older version's says less. `image`: its path. `source`: the loader's disk in the domain's XML; null: no file. */
const record = z.object({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.int().nonnegative(),
  at: z.string().refine(at => !Number.isNaN(Date.parse(at))),
  ...{ domain: z.string().catch(''), image: z.string().catch('') },
  ...{ uuid: z.string().nullable().catch(null), source: z.string().nullable().catch(null) },
});

/** `file`: the image, sparse. */
export type Backup = Readonly<z.infer<typeof record> & { file: string }>;

/** `DSM-20261125T231500Z.img`: sorts by age. */
export function backupName(name: string, at: Date): string {
  return `${name}-${at.toISOString().replaceAll(/[-:]|\.\d+/g, '')}.img`;
}

export function recordOf(file: string): string {
  return `${file}.json`;
}

export function partialOf(file: string): string {
  return `${file}.partial`;
}

/** The backups of this name, newest first, without those whose record is damaged or whose image is missing. */
export async function listBackups(folder: string, name: string): Promise<Backup[]> {
  const files = await ourFiles(folder, name);
  const found = await Promise.all(
    files.filter(file => file.endsWith('.img')).map(file => readBackup(join(folder, file))),
  );
  return found.filter(backup => backup !== null).sort((a, b) => (a.file < b.file ? 1 : -1));
}

/** The backup with this image; null when its record is missing or damaged. */
export async function readBackup(file: string): Promise<Backup | null> {
  try {
    return { file, ...record.parse(JSON.parse(await readFile(recordOf(file), 'utf8'))) };
  } catch {
    return null;
  }
}

/**
 * Removes all but the `keep` newest. Those in `spare` (their `file`), and those of another domain, are kept and not
 * counted.
 */
export async function rotate(
  folder: string,
  { name, uuid }: { name: string; uuid: string },
  keep: number,
  spare: readonly string[],
): Promise<void> {
  const ours = (await listBackups(folder, name)).filter(each => each.uuid === null || each.uuid === uuid);
  const mayGo = ours.filter(({ file }) => !spare.includes(file));
  for (const { file } of mayGo.slice(keep)) {
    // The image first: a record without one is no backup.
    await rm(file, { force: true });
    await rm(recordOf(file), { force: true });
  }
}

/** Removes the rest of an interrupted backup. Only for the one process that makes backups of this name. */
export async function sweep(folder: string, name: string): Promise<void> {
  const files = await ourFiles(folder, name);
  for (const file of files) {
    const orphan = file.endsWith('.json') && !files.includes(file.slice(0, -'.json'.length));
    if (file.endsWith('.partial') || orphan) await rm(join(folder, file), { force: true });
  }
}

/** The format of our own names; the backups of a VM `DSM-2` do not belong to `DSM`. */
async function ourFiles(folder: string, name: string): Promise<string[]> {
  const rest = /^-\d{8}T\d{6}Z\.img(\.partial|\.json((\.\d+)?\.partial)?)?$/;
  const files = await readdir(folder);
  return files.filter(file => file.startsWith(name) && rest.test(file.slice(name.length)));
}
