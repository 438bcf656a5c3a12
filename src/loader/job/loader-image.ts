import { basename, join } from 'node:path';
import type { Domain } from '../../model/domain.ts';
import { makeFolder } from '../../util/replace-file.ts';
import { type Backup, readBackup } from '../image/backups.ts';
import { readBoot } from '../image/boot-entry.ts';
import { openFile } from '../image/file-image.ts';
import { ImageError, type LoaderImage } from '../image/image.ts';
import { identityOf } from '../image/mbr.ts';
import { openImage } from '../image/open.ts';
import { restore } from '../image/restore.ts';
import { LoaderFailure, NotOurs } from './failure.ts';
import type { Touched } from './journal.ts';
import type { JobParts } from './parts.ts';
import { mustBeOurs, type Run } from './run.ts';

/** Access to the image of a run's own domain, and to the backup that belongs to it. */

/** For temporary files. The next start removes what a kill left there. */
export function scratchFolder(folder: string): string {
  return join(folder, 'scratch');
}

/**
 * Opens the image for `use`. Its signal aborts as soon as the VM may no longer be off, because two writers would destroy
 * the image. Rejects as `use` does, with the reason of that signal, or with `NotOurs`.
 */
export async function withImage<T>(
  run: Run,
  signal: AbortSignal,
  use: (image: LoaderImage, how: { signal: AbortSignal; scratch: string }) => Promise<T>,
): Promise<T> {
  const { power, folder } = run.parts;
  await power.read();
  mustBeOurs(run);
  using off = power.whileOff();
  const both = AbortSignal.any([signal, off]);
  const scratch = scratchFolder(folder);
  await makeFolder(scratch);
  try {
    both.throwIfAborted();
    return await opened(run.parts, both, image => use(image, { signal: both, scratch }));
  } catch (error) {
    if (off.aborted && !signal.aborted) throw off.reason;
    throw error;
  }
}

/** Opens the image over a connection of its own. */
async function opened<T>(
  { settings, power, open }: JobParts,
  signal: AbortSignal,
  use: (image: LoaderImage) => Promise<T>,
): Promise<T> {
  await using client = await open(signal);
  await using image = await openImage(settings.image, loaderSource(power), client, signal);
  return await use(image);
}

/** Checks that the backup belongs to this domain's image. Changes nothing: the VM may be on. */
export async function checkBackup(run: Run, signal: AbortSignal): Promise<void> {
  await opened(run.parts, signal, image => mustFit(run, image, signal));
}

/**
 * Resolves to the record's backup, if it belongs to this image and this domain. Rejects with `NotOurs` if that cannot be
 * proven, with `no_backup` or `bad_backup` if there is no backup, or as reading does.
 */
export async function mustFit({ parts, runLog }: Run, image: LoaderImage, signal: AbortSignal): Promise<Backup> {
  const { backup, uuid } = runLog.record;
  if (!backup) throw new LoaderFailure('no_backup', 'There is no backup to restore.');
  // The folder of the backups may have been moved.
  const moved = join(parts.settings.backupDir, basename(backup.file));
  const found = (await readBackup(backup.file)) ?? (await readBackup(moved));
  if (!found) throw new ImageError('bad_backup', `${backup.file} is not there, or has no record of what it is`);
  const { file } = found;
  const refuse = (code: string, why: string) => new NotOurs(code, why, file);
  if (found.uuid === null) {
    const why = `An older version made the backup ${file}: it does not say of which domain.`;
    throw refuse('unknown_copy', why);
  }
  if (found.uuid !== uuid) {
    throw refuse('other_domain', `The backup ${file} is of the domain ${found.uuid}, and this one is ${uuid}.`);
  }
  const why = await difference(found, image, loaderSource(parts.power), signal);
  if (why !== null) throw refuse('other_image', `The backup ${file} is of another image: ${why}.`);
  return found;
}

async function difference(
  backup: Backup,
  image: LoaderImage,
  source: string | null,
  signal: AbortSignal,
): Promise<string | null> {
  if (backup.source !== source) {
    return `the domain's loader disk was ${backup.source ?? 'no file'}, and is ${source ?? 'no file'} now`;
  }
  if (backup.image !== image.path) return `that was ${backup.image}, and the loader's image is ${image.path} now`;
  const size = await image.size();
  if (backup.size !== size) return `it has ${backup.size} bytes, and ${image.path} has ${size}`;
  await using file = await openFile(backup.file);
  const [was, is] = [await identityOf(file, signal), await identityOf(image, signal)];
  if (is !== null && is === was) return null;
  return `the disk signature, the partition table or a serial number of its file systems is other than in ${image.path}`;
}

export function loaderSource({ vm }: JobParts['power']): string | null {
  return (vm.domain && loaderDisk(vm.domain.hardware)?.source) ?? null;
}

export function loaderDisk({ disks }: Domain['hardware']): Domain['hardware']['disks'][number] | null {
  return disks.find(({ role }) => role === 'loader') ?? null;
}

/**
 * Writes back what differs from the backup, and compares the whole image with the backup's checksum. `meanwhile`: what
 * the record says until that is done.
 */
export async function putBack(
  run: Run,
  meanwhile: Touched,
  signal: AbortSignal,
  progress: (share: number) => void,
): Promise<void> {
  const { runLog } = run;
  await withImage(run, signal, async (image, how) => {
    const { file } = await mustFit(run, image, how.signal);
    await runLog.remember({ touched: meanwhile });
    const { written } = await restore(image, file, how.signal, progress);
    const boot = await readBoot(image, how).catch(() => null);
    await runLog.remember({ touched: 'no', boot_entry: boot?.next ?? null });
    runLog.say(`the image is again what ${file} is; ${written} bytes were written`);
  });
}
