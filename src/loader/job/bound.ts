import { basename, join } from 'node:path';
import type { Domain } from '../../model/domain.ts';
import { type Backup, readBackup } from '../image/backups.ts';
import { ImageError } from '../image/errors.ts';
import { FileImage } from '../image/file-image.ts';
import { identityOf } from '../image/identity.ts';
import type { LoaderImage } from '../image/image.ts';
import { LoaderFailure } from './failure.ts';
import type { LoaderRecord } from './journal.ts';
import type { JobParts } from './parts.ts';
import type { RunLog } from './run-log.ts';

/**
 * A run is bound to one domain, and its copy to one image. A name or a path may lead to another one meanwhile: then
 * nothing is written, and nobody is started or stopped.
 */
export class NotOurs extends LoaderFailure {
  override name = 'NotOurs';
}

/** A run, as far as this needs it. */
interface Bound {
  readonly parts: Pick<JobParts, 'power' | 'settings'>;
  readonly runLog: Pick<RunLog, 'record'>;
}

/** Throws `NotOurs` when another domain is meant now than the one that the run is about. */
export function mustBeOurs({ parts: { power }, runLog: { record } }: Bound): void {
  const other = otherDomain(power.vm.domain, record);
  if (other) throw other;
}

/** Null: it is the one whose loader the record is of, or there is none. */
export function otherDomain(domain: Domain | null, record: Pick<LoaderRecord, 'uuid' | 'backup'>): NotOurs | null {
  if (!domain || domain.uuid === record.uuid) return null;
  const message = `The domain ${domain.name} is another one now: its UUID is ${domain.uuid}, and ${record.uuid || 'an unknown one'} was expected.`;
  return new NotOurs('other_domain', message, record.backup && byHand(record.backup.file));
}

/**
 * Resolves to the copy to go back to, if it is one of this image and this domain. Rejects with `NotOurs` when that
 * cannot be proven, with `no_backup` or `bad_backup` when there is no copy, or as reading does.
 */
export async function mustFit(run: Bound, image: LoaderImage, signal: AbortSignal): Promise<Backup> {
  const { parts, runLog } = run;
  const { backup, uuid } = runLog.record;
  if (!backup) throw new LoaderFailure('no_backup', 'There is no copy to go back to.');
  // The folder of the copies may have been moved.
  const moved = join(parts.settings.backupDir, basename(backup.file));
  const copy = (await readBackup(backup.file)) ?? (await readBackup(moved));
  if (!copy) throw new ImageError('bad_backup', `${backup.file} is not there, or has no record of what it is`);
  const refuse = (code: string, why: string) => new NotOurs(code, why, byHand(copy.file));
  if (copy.uuid === null) {
    throw refuse(
      'unknown_copy',
      `An older version has made the copy ${copy.file}: it does not say which domain's it is.`,
    );
  }
  if (copy.uuid !== uuid) {
    throw refuse('other_domain', `The copy ${copy.file} is of the domain ${copy.uuid}, and this one is ${uuid}.`);
  }
  const why = await difference(copy, image, loaderSource(parts.power), signal);
  if (why !== null) throw refuse('other_image', `The copy ${copy.file} is of another image: ${why}.`);
  return copy;
}

/** Null: as far as can be seen the copy is of this image. */
async function difference(
  copy: Backup,
  image: LoaderImage,
  source: string | null,
  signal: AbortSignal,
): Promise<string | null> {
  if (copy.source !== source) {
    return `the domain's loader disk was ${copy.source ?? 'no file'}, and is ${source ?? 'no file'} now`;
  }
  if (copy.image !== image.path) return `that was ${copy.image}, and the loader's image is ${image.path} now`;
  const size = await image.size();
  if (copy.size !== size) return `it has ${copy.size} bytes, and ${image.path} has ${size}`;
  await using file = await FileImage.open(copy.file);
  const [was, is] = [await identityOf(file, signal), await identityOf(image, signal)];
  if (is !== null && is === was) return null;
  return `the disk signature, the partition table or a serial number of its file systems is other than in ${image.path}`;
}

/** The loader's disk in the domain's XML. */
export function loaderSource({ vm }: JobParts['power']): string | null {
  const disks = vm.domain?.hardware.disks ?? [];
  return disks.find(({ role }) => role === 'loader')?.source ?? null;
}

function byHand(file: string): string {
  return `If that copy is the right one all the same, put it back by hand, with the VM off: \`cp --sparse=always ${file} IMAGE\`.`;
}
