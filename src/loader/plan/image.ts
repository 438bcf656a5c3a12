import { access, constants, mkdir } from 'node:fs/promises';
import type { Libvirt } from '../../libvirt/client.ts';
import { ConnectionLost, TimeoutError } from '../../libvirt/errors.ts';
import type { DomainRef } from '../../libvirt/structs.ts';
import type { Disk } from '../../model/domain.ts';
import type { LoaderSettings } from '../../model/loader-settings.ts';
import { within } from '../../util/deadline.ts';
import { spaceFor } from '../image/backup.ts';
import { type Boot, readBoot } from '../image/boot-entry.ts';
import { type ImageError, isImageError, writing } from '../image/errors.ts';
import { type HomeFiles, readHome, type SavedHome } from '../image/home.ts';
import type { LoaderImage } from '../image/image.ts';
import { openImage } from '../image/open.ts';
import { explain } from '../job/failure.ts';

/** The loader's image as it is now: found, read, and left as it is. */
export interface ImageInspection {
  /** Why it cannot be used, a sentence; null: it can. */
  trouble: { certain: boolean; why: string; advice: string | null } | null;
  path: string;
  /** Bytes. */
  size: number | null;
  /** Of libvirt's own disk, where the image is at a path that somebody has configured; null: not known. */
  diskSize: number | null;
  /** Null: it could not be read. */
  boot: Boot | null;
  /** Files of the image builder's saved home, or why they are not known, a sentence; null: nobody has looked. */
  home: { files: HomeFiles } | { why: string } | null;
  /** Bytes for a copy of it. */
  space: { needed: number | null; free: number | null };
}

export interface InspectImageOptions {
  way: LoaderSettings['image'];
  /** The loader's, as the domain's XML has it. */
  disk: Pick<Disk, 'target' | 'source'> | null;
  client: Libvirt;
  ref: DomainRef;
  /** A folder for temporary files, some 100 MB. Made if it is not there. */
  scratch: string;
  /** A folder where copies would be, once it is known; null: there is none. */
  backups: Promise<string | null>;
  signal: AbortSignal;
  /** Default: by mtools. */
  menu?: typeof readBoot | undefined;
  /** Where the image builder's home is saved. */
  place: SavedHome;
  /** Default: from the image. */
  home?: typeof readHome | undefined;
  /** Milliseconds for all of it; default two minutes. */
  patience?: number | undefined;
}

/** Milliseconds for one question. */
const short = 10_000;
/** It can have some 100 MB, from another machine. */
const homePatience = 30_000;
const unknown: ImageInspection['space'] = { needed: null, free: null };

/** Rejects with the signal's reason, or with an error of our own making. */
export function inspectImage(options: InspectImageOptions): Promise<ImageInspection> {
  const { way, disk, patience = 120_000, signal } = options;
  const path = way.way === 'path' ? way.path : (disk?.source ?? '');
  const look: ImageInspection = {
    trouble: null,
    path,
    size: null,
    diskSize: null,
    boot: null,
    home: null,
    space: unknown,
  };
  const why = `${path} was not read within ${patience / 1_000} s.`;
  // What was found before something failed is told all the same.
  return within<ImageInspection>(
    patience,
    signal,
    async limit => {
      try {
        await read({ ...options, signal: limit }, look);
        return look;
      } catch (error) {
        return { ...look, trouble: troubleOf(error) };
      }
    },
    { ...look, trouble: { certain: false, why, advice: null } },
  );
}

async function read(options: InspectImageOptions, look: ImageInspection): Promise<void> {
  const { way, disk, client, scratch, backups, signal, menu = readBoot } = options;
  await using image = await openImage(way, disk?.source ?? null, client, signal);
  look.size = await image.size();
  // While it is being read, what else there is to know of it.
  const beside = Promise.all([diskSize(options), room(image, await backups, signal)]);
  if (way.way === 'path') await mustBeWritable(way.path);
  await writing(scratch, () => mkdir(scratch, { recursive: true, mode: 0o700 }));
  look.boot = await menu(image, { scratch, signal });
  look.home = await homeOf(image, options);
  [look.diskSize, look.space] = await beside;
}

/** What is wrong with it is no reason to leave the image unused. */
function homeOf(
  image: LoaderImage,
  { place, home = readHome, signal }: InspectImageOptions,
): Promise<NonNullable<ImageInspection['home']>> {
  const late = { why: `The saved home of the image builder was not read within ${homePatience / 1_000} s.` };
  return within<NonNullable<ImageInspection['home']>>(
    homePatience,
    signal,
    limit =>
      home(image, place, limit).then(
        files => ({ files }),
        error => ({ why: explain(error).message }),
      ),
    late,
  );
}

/** By its mode and its mount; nothing is written. */
function mustBeWritable(path: string): Promise<void> {
  return writing(path, () => access(path, constants.R_OK | constants.W_OK));
}

/** A QEMU that hangs does not tell it. */
async function diskSize({ way, disk, client, ref, signal }: InspectImageOptions): Promise<number | null> {
  if (way.way !== 'path' || !disk) return null;
  return client.blockInfo(ref, disk.target, { timeout: short, signal }).then(
    ({ capacity }) => capacity,
    () => null,
  );
}

function room(image: LoaderImage, folder: string | null, signal: AbortSignal): Promise<ImageInspection['space']> {
  if (folder === null) return Promise.resolve(unknown);
  return within<ImageInspection['space']>(
    short,
    signal,
    () => spaceFor(image, folder).catch(() => unknown),
    unknown,
  ).catch(() => unknown);
}

function troubleOf(error: unknown): ImageInspection['trouble'] {
  if (!isImageError(error)) throw error;
  const { cause } = error;
  const lost = cause instanceof ConnectionLost || cause instanceof TimeoutError;
  const { message, advice } = explain(error);
  return { certain: !lost, why: message, advice: advice ?? adviceFor(error) };
}

function adviceFor({ code }: ImageError): string | null {
  switch (code) {
    case 'not_found':
    case 'unreadable':
      return 'Mount its folder and set `image` to the path, or let libvirt have a storage pool there.';
    case 'unwritable':
      return 'Mount it so that the bridge may write, and let its user do so.';
    case 'not_an_image':
    case 'not_mbr':
    case 'no_fat':
    case 'no_grub':
    case 'bad_grubenv':
      return 'It has to be a raw image of TinyCore RedPill, with its boot menu.';
    default:
      return null;
  }
}
