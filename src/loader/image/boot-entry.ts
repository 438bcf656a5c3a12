import { isUtf8 } from 'node:buffer';
import { open } from 'node:fs/promises';
import { ImageError } from './errors.ts';
import { type Fat, mustBeFat, openFat } from './fat.ts';
import { choices, type Menu, readMenu, savedName, withFixedDefault } from './grub/config.ts';
import { formatGrubEnv, type GrubEnv, parseGrubEnv, withGrubEnv } from './grub/env.ts';
import type { LoaderImage } from './image.ts';
import { sectorBytes } from './mbr.ts';
import { type PartitionCopy, withPartition } from './partition.ts';

/**
 * Which entry of its boot menu a loader starts next, read and set in an image whose machine is off.
 *
 * A menu starts what its environment block remembers (`saved_entry`, set by every start), unless its configuration
 * overrules that with a fixed number. The former is changed where it suffices, the latter too where it does not; then
 * the menu is read as GRUB will, and must start what was asked for.
 */
export interface Boot {
  /** Titles in the menu's order. */
  readonly entries: readonly string[];
  /** What `default` comes to: a number, a title or an id; null when nothing sets it. */
  readonly default: string | null;
  /** `saved_entry`; null when it is not set, or there is no environment block. */
  readonly saved: string | null;
  /** The title of what starts by itself; null for an empty menu. */
  readonly next: string | null;
}

export interface BootOptions {
  signal: AbortSignal;
  /** Where temporary files may be: some 100 MB. */
  scratch: string;
}

/** Where loaders keep their menu, in this order. */
const folders = ['boot/grub/', 'grub/', 'efi/boot/', ''];
/** A loader's has some 10 KiB. */
const maxConfigBytes = 256 * 1024;

/** Rejects with `not_mbr`, `no_fat`, `no_grub`, `bad_grubenv` or `no_mtools`, or as reading does. */
export function readBoot(image: LoaderImage, { signal, scratch }: BootOptions): Promise<Boot> {
  return withPartition(image, scratch, signal, async copy => view(await find(image, copy, signal)));
}

/**
 * Makes the first entry that matches the one that starts next; where it is so already, nothing is written. Rejects as
 * `readBoot` does, with `no_entry` (which names those there are), with `cannot_arm`, or as writing does; `mismatch` when
 * what was written is not what is there.
 */
export function armEntry(
  image: LoaderImage,
  match: string | ((title: string) => boolean),
  { signal, scratch }: BootOptions,
): Promise<{ before: Boot; after: Boot; written: number }> {
  return withPartition(image, scratch, signal, async copy => {
    const found = await find(image, copy, signal);
    const before = view(found);
    const index = before.entries.findIndex(title => (typeof match === 'string' ? title === match : match(title)));
    if (index === -1) {
      const what = typeof match === 'string' ? `'${match}'` : 'that was asked for';
      const titles = before.entries.map(title => `'${title}'`).join(', ');
      throw new ImageError('no_entry', `the boot menu has no entry ${what}; it has ${titles || 'none'}`);
    }
    const armed = arm(found, index);
    const { config, env, places, fat } = found;
    if (armed.config !== config) await fat.replace(places.config, Buffer.from(armed.config), copy.scratch);
    if (armed.env && places.env !== null && armed.env !== env) {
      await fat.replace(places.env, formatGrubEnv(armed.env), copy.scratch);
    }
    const written = await copy.writeBack();
    const after = view(await find(image, copy, signal));
    return { before, after, written };
  });
}

/** What decides: the texts of a menu. `env` is null where there is no environment block. */
export interface GrubFiles {
  readonly config: string;
  readonly env: GrubEnv | null;
}

/** The least that must change for this entry to start. Pure. Throws `cannot_arm`. */
export function arm(files: GrubFiles, index: number): GrubFiles {
  const { config, env } = files;
  const { entries } = readMenu(config, env);
  const saved = env && withGrubEnv(env, 'saved_entry', savedName(entries, index));
  // Something is due once: it would go first.
  const notOnce = saved && choices(saved).once !== null ? withGrubEnv(saved, 'next_entry', null) : saved;
  const fixed = (with_: GrubEnv | null) => withFixedDefault(config, readMenu(config, with_), index);
  const ways: GrubFiles[] = [
    files,
    { config, env: saved },
    { config, env: notOnce },
    { config: fixed(notOnce), env: notOnce },
  ];
  const way = ways.find(each => readMenu(each.config, each.env).next === index);
  if (way) return way;
  const why = env ? 'its configuration decides otherwise' : 'it has no environment block (grubenv)';
  throw new ImageError('cannot_arm', `the boot menu cannot be made to start '${entries[index]?.title}': ${why}`);
}

interface Found extends GrubFiles {
  readonly menu: Menu;
  readonly fat: Fat;
  readonly places: { readonly config: string; readonly env: string | null };
}

async function find(image: LoaderImage, { file }: Pick<PartitionCopy, 'file'>, signal: AbortSignal): Promise<Found> {
  mustBeFat(await firstSector(file));
  const fat = openFat(file, signal);
  const paths = await fat.list();
  const at = (path: string) => paths.find(each => each.toLowerCase() === path);
  const folder = folders.find(each => at(`${each}grub.cfg`) !== undefined);
  const place = folder === undefined ? undefined : at(`${folder}grub.cfg`);
  if (place === undefined) throw new ImageError('no_grub', `${image.path}: partition 1 has no grub.cfg`);
  const bytes = await fat.read(place);
  if (bytes.length > maxConfigBytes) {
    const most = `a boot menu of more than ${maxConfigBytes} is not read`;
    throw new ImageError('no_grub', `${place} has ${bytes.length} bytes; ${most}`);
  }
  if (!isUtf8(bytes)) throw new ImageError('no_grub', `${place} is not text`);
  const config = bytes.toString('utf8');
  const envPlace = at(`${folder}grubenv`) ?? null;
  const env = envPlace === null ? null : parseGrubEnv(await fat.read(envPlace));
  return { config, env, menu: readMenu(config, env), fat, places: { config: place, env: envPlace } };
}

function view({ menu, env }: Pick<Found, 'menu' | 'env'>): Boot {
  const entries = menu.entries.map(({ title }) => title);
  const next = menu.next === null ? null : (entries[menu.next] ?? null);
  return { entries, default: menu.fallback, saved: choices(env).saved, next };
}

async function firstSector(file: string): Promise<Buffer> {
  await using handle = await open(file);
  return (await handle.read(Buffer.alloc(sectorBytes), 0, sectorBytes, 0)).buffer;
}
