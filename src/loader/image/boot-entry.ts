import { isUtf8 } from 'node:buffer';
import { type BootFiles, type BootOptions, withBootFiles } from './fat.ts';
import { readMenu, savedName, withFixedDefault } from './grub/config.ts';
import { blockBytes, formatGrubEnv, type GrubEnv, grubEnvValue, parseGrubEnv, withGrubEnv } from './grub/env.ts';
import { ImageError, type LoaderImage } from './image.ts';

/**
 * Which entry of its boot menu a loader starts next. Reads and sets it in an image whose machine is off, or in the
 * files of a mounted boot partition.
 *
 * A menu starts the entry in its environment block (`saved_entry`, set by every start), unless its configuration
 * overrules that with a fixed number. This changes the block if that is enough, else also the configuration; then it
 * reads the menu as GRUB does, and the menu must start the wanted entry. Other menus always start the same entry, but
 * for one start the one in `next_entry`, which GRUB removes.
 */
export interface Boot {
  readonly entries: readonly string[];
  /** The title of the entry that starts by itself; null for an empty menu. */
  readonly next: string | null;
  /** The size of an environment block that has not GRUB's 1024 bytes; the next change repairs it. */
  readonly envBytes?: number;
}

/** The variable of the environment block that chooses an entry: until it is set again, or for one start. */
export type BootVariable = 'saved_entry' | 'next_entry';

export interface BootPartition {
  readonly boot: Boot;
  /** Those of the wanted files that are there, by their path in lower case. */
  readonly files: ReadonlyMap<string, Buffer>;
}

/** Where loaders have their menu, in this order. */
const folders = ['boot/grub/', 'grub/', 'efi/boot/', ''];
export const menuPaths = folders.flatMap(folder => [`${folder}grub.cfg`, `${folder}grubenv`]);
const maxConfigBytes = 256 * 1024;

/** Rejects with `not_mbr`, `no_fat`, `no_grub`, `bad_grubenv` or `no_mtools`, or as reading does. */
export function readBoot(image: LoaderImage, options: BootOptions): Promise<Boot> {
  return withBootFiles(image, options, menuOf);
}

/** Also reads files of the boot partition. `wanted`: paths in lower case. */
export function readBootPartition(
  image: LoaderImage,
  wanted: readonly string[],
  options: BootOptions,
): Promise<BootPartition> {
  return withBootFiles(image, options, async files => {
    const boot = await menuOf(files);
    const found = new Map<string, Buffer>();
    for (const path of await files.list()) {
      const name = path.toLowerCase();
      if (wanted.includes(name)) found.set(name, await files.read(path));
    }
    return { boot, files: found };
  });
}

/**
 * Makes this entry the one that starts next; writes nothing if it is already. Resolves to the menu afterwards. Rejects
 * as `readBoot` does, with `no_entry` (which names the existing ones), with `cannot_arm`, or as writing does; with
 * `mismatch` when the menu was not written correctly.
 */
export function setBootEntry(
  image: LoaderImage,
  title: string,
  { variable = 'saved_entry', ...options }: BootOptions & { variable?: BootVariable },
): Promise<Boot> {
  return withBootFiles(image, options, async files => {
    const { changed } = await setEntry(files, () => title, variable);
    if (changed) await files.writeBack();
    return menuOf(files);
  });
}

export async function menuOf(files: Pick<BootFiles, 'list' | 'read'>): Promise<Boot> {
  return bootOf(await readGrub(files));
}

/** Sets the entry in the files with the smallest change. `choose`: one of the titles. */
export async function setEntry(
  files: Pick<BootFiles, 'list' | 'read' | 'replace'>,
  choose: (titles: readonly string[]) => string,
  variable: BootVariable = 'saved_entry',
): Promise<{ title: string; changed: boolean }> {
  const found = await readGrub(files);
  const { entries } = bootOf(found);
  const title = choose(entries);
  const index = entries.indexOf(title);
  if (index === -1) {
    const titles = entries.map(each => `'${each}'`).join(', ');
    throw new ImageError('no_entry', `the boot menu has no entry '${title}'; it has ${titles || 'none'}`);
  }
  const chosen = variable === 'next_entry' ? withNextEntry(found, index) : withEntry(found, index);
  const isOdd = found.envBytes !== undefined;
  // The environment block may be too small: then nothing is written.
  const block = chosen.env && (chosen.env !== found.env || isOdd) && formatGrubEnv(chosen.env);
  if (chosen.config !== found.config) await files.replace(found.paths.config, Buffer.from(chosen.config));
  if (block) await files.replace(found.paths.env, block);
  return { title, changed: chosen !== found || isOdd };
}

/** The texts of a menu, which decide what starts. `env` is null without an environment block. */
interface GrubFiles {
  readonly config: string;
  readonly env: GrubEnv | null;
  readonly envBytes?: number;
}

/** The smallest change that makes this entry start. Pure. Throws `cannot_arm`. */
export function withEntry(files: GrubFiles, index: number): GrubFiles {
  const { config, env } = files;
  const { entries } = readMenu(config, env);
  const saved = env && withGrubEnv(env, 'saved_entry', savedName(entries, index));
  // An entry is set for one start only: it would come first.
  const once = saved !== null && grubEnvValue(saved, 'next_entry') !== null;
  const notOnce = once ? withGrubEnv(saved, 'next_entry', null) : saved;
  const fixed = withFixedDefault(config, readMenu(config, notOnce), index);
  const ways = [files, { config, env: saved }, { config, env: notOnce }, { config: fixed, env: notOnce }];
  const way = ways.find(each => readMenu(each.config, each.env).next === index);
  if (way) return way;
  const why = env ? 'its configuration always starts another entry' : 'it has no environment block (grubenv)';
  throw new ImageError('cannot_arm', `the boot menu cannot be made to start '${entries[index]?.title}': ${why}`);
}

/** Makes this entry start once. Pure. Throws `cannot_arm`. */
export function withNextEntry(files: GrubFiles, index: number): GrubFiles {
  const { entries, next } = readMenu(files.config, files.env);
  if (next === index) return files;
  const { id = null, title = '' } = entries[index] ?? {};
  const chosen = { ...files, env: withGrubEnv(files.env ?? [], 'next_entry', id ?? title) };
  if (readMenu(chosen.config, chosen.env).next === index) return chosen;
  throw new ImageError('cannot_arm', `the boot menu cannot be made to start '${title}' once`);
}

/** With the paths of both files: where they are, or `env` would be. */
async function readGrub(files: Pick<BootFiles, 'list' | 'read'>) {
  const all = await files.list();
  const at = (path: string) => all.find(each => each.toLowerCase() === path);
  const folder = folders.find(each => at(`${each}grub.cfg`) !== undefined);
  const place = at(`${folder}grub.cfg`);
  if (place === undefined) throw new ImageError('no_grub', 'the boot partition has no grub.cfg');
  const bytes = await files.read(place);
  if (bytes.length > maxConfigBytes) {
    const most = `a boot menu of more than ${maxConfigBytes} is not read`;
    throw new ImageError('no_grub', `${place} has ${bytes.length} bytes; ${most}`);
  }
  if (!isUtf8(bytes)) throw new ImageError('no_grub', `${place} is not text`);
  const envPath = at(`${folder}grubenv`);
  const block = envPath === undefined ? null : await files.read(envPath);
  const paths = { config: place, env: envPath ?? `${folder}grubenv` };
  const odd = block && block.length !== blockBytes && { envBytes: block.length };
  return { config: bytes.toString('utf8'), env: block && parseGrubEnv(block), paths, ...odd };
}

function bootOf({ config, env, envBytes }: GrubFiles): Boot {
  const menu = readMenu(config, env);
  const entries = menu.entries.map(({ title }) => title);
  const next = menu.next === null ? null : (entries[menu.next] ?? null);
  return { entries, next, ...(envBytes !== undefined && { envBytes }) };
}
