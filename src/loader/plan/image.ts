import { access, constants } from 'node:fs/promises';
import type { Libvirt } from '../../libvirt/client.ts';
import type { DomainRef } from '../../libvirt/structs.ts';
import type { Disk } from '../../model/domain.ts';
import type { LoaderSettings } from '../../model/loader-settings.ts';
import { within } from '../../util/deadline.ts';
import { makeFolder } from '../../util/replace-file.ts';
import { spaceFor } from '../image/backup.ts';
import type { BootPartition } from '../image/boot-entry.ts';
import type { HomeFiles } from '../image/home.ts';
import { type ImageErrorCode, isImageError, type LoaderImage, writing } from '../image/image.ts';
import { openImage } from '../image/open.ts';
import { explain } from '../job/failure.ts';
import type { LoaderAdapter, LoaderKind } from '../kinds/adapter.ts';
import { withMshell } from '../kinds/menu-config.ts';
import { bootFiles, kindOf } from '../kinds/recognise.ts';
import type { ImageFacts } from './finding.ts';
import type { World } from './world.ts';

/** The loader's image as it is: finds and reads it, and changes nothing. */
export interface ImageInspection {
  trouble: Exclude<ImageFacts, { found: 'yes' }> | null;
  path: string;
  /** Bytes. */
  size: number | null;
  /** The size of libvirt's own disk, if the image has a configured path; null: not known. */
  diskSize: number | null;
  partition: BootPartition | null;
  /** The kind of loader that it is taken for. */
  adapter: LoaderAdapter;
  /** Files of the image builder's saved home, or a sentence why they are unknown; null: they were not read. */
  home: { files: HomeFiles } | { why: string } | null;
  space: { needed: number | null; free: number | null };
}

export interface InspectImageOptions {
  settings: Pick<LoaderSettings, 'image' | 'kind' | 'model'>;
  adapters: (kind: LoaderKind) => LoaderAdapter;
  disk: Pick<Disk, 'target' | 'source'> | null;
  client: Libvirt;
  ref: DomainRef;
  /** A folder for temporary files, some 100 MB. Made if it is not there. */
  scratch: string;
  backups: Promise<string | null>;
  signal: AbortSignal;
  world: Pick<World, 'menu' | 'home'>;
}

/** Milliseconds. The home can have some 100 MB, from another machine. */
const patience = { all: 120_000, question: 10_000, home: 30_000 };
const unknown: ImageInspection['space'] = { needed: null, free: null };

/** Rejects with the signal's reason, or with one of our own errors. */
export function inspectImage(options: InspectImageOptions): Promise<ImageInspection> {
  const { settings, adapters, disk, signal } = options;
  const way = settings.image;
  const path = way.way === 'path' ? way.path : (disk?.source ?? '');
  const found: ImageInspection = {
    ...{ trouble: null, path, size: null, diskSize: null, partition: null, home: null },
    ...{ space: unknown, adapter: adapters(kindOf(null, settings.kind)) },
  };
  const why = `${path} was not read within ${patience.all / 1_000} s.`;
  // If something fails, the facts that were found before are still reported.
  const look = async (limit: AbortSignal): Promise<ImageInspection> => {
    try {
      await read({ ...options, signal: limit }, found);
      return found;
    } catch (error) {
      return { ...found, trouble: troubleOf(error) };
    }
  };
  return within(patience.all, signal, look, { ...found, trouble: { found: 'unknown', why, advice: null } });
}

async function read(options: InspectImageOptions, found: ImageInspection): Promise<void> {
  const { settings, adapters, disk, client, ref, scratch, backups, signal, world } = options;
  const way = settings.image;
  await using image = await openImage(way, disk?.source ?? null, client, signal);
  found.size = await image.size();
  // Finds the other facts while it is being read. A QEMU that hangs does not tell the size.
  const size = async () => {
    if (way.way !== 'path' || !disk) return null;
    return (await client.blockInfo(ref, disk.target, { timeout: patience.question, signal })).capacity;
  };
  const beside = Promise.all([size().catch(() => null), room(image, await backups, signal)]);
  if (way.way === 'path') {
    // By its mode and its mount; nothing is written.
    await writing(way.path, () => access(way.path, constants.R_OK | constants.W_OK));
  }
  await writing(scratch, () => makeFolder(scratch));
  found.partition = await world.menu(image, bootFiles, { scratch, signal });
  found.adapter = adapters(kindOf(found.partition, settings.kind));
  found.home = await homeOf(image, found.adapter, options);
  [found.diskSize, found.space] = await beside;
}

/** A broken configuration does not make the image unusable. */
async function homeOf(
  image: LoaderImage,
  { home: place }: LoaderAdapter,
  { world, signal }: InspectImageOptions,
): Promise<ImageInspection['home']> {
  if (place === null) return null;
  const why = `The saved home of the image builder was not read within ${patience.home / 1_000} s.`;
  const look = (limit: AbortSignal): Promise<ImageInspection['home']> =>
    world.home(image, withMshell(place), limit).then(
      files => ({ files }),
      error => ({ why: explain(error).message }),
    );
  return within(patience.home, signal, look, { why });
}

function room(image: LoaderImage, folder: string | null, signal: AbortSignal): Promise<ImageInspection['space']> {
  if (folder === null) return Promise.resolve(unknown);
  const ask = (): Promise<ImageInspection['space']> => spaceFor(image, folder);
  return within(patience.question, signal, ask, unknown).catch(() => unknown);
}

function troubleOf(error: unknown): ImageInspection['trouble'] {
  if (!isImageError(error)) throw error;
  const { code, message, advice } = explain(error);
  const found = code === 'libvirt_unavailable' ? 'unknown' : 'no';
  return { found, why: message, advice: advice ?? adviceFor[error.code] ?? null };
}

const unread = 'Mount its folder and set `image` to the path, or let libvirt have a storage pool there.';
const otherImage = 'It has to be a raw image of a loader, with its boot menu.';
const adviceFor: Readonly<Partial<Record<ImageErrorCode, string>>> = {
  ...{ not_found: unread, unreadable: unread },
  unwritable: 'Mount it so that the bridge may write, and let its user do so.',
  ...{
    not_an_image: otherImage,
    not_mbr: otherImage,
    no_fat: otherImage,
    no_grub: otherImage,
    bad_grubenv: otherImage,
  },
};
