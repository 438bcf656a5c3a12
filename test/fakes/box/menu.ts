import { readMenu } from '../../../src/loader/image/grub/config.ts';
import {
  formatGrubEnv,
  type GrubEnv,
  grubEnvValue,
  parseGrubEnv,
  withGrubEnv,
} from '../../../src/loader/image/grub/env.ts';
import type { Fat } from './fat.ts';
import { withPartition } from './image.ts';
import { rrFile, rrTitles } from './rr/image.ts';

/** The boot menu of an image, read and set without mtools, and what GRUB does with it at each start. */

export interface LoaderMenu {
  entries: readonly string[];
  /** The title of what starts next. */
  next: string | null;
  /** `saved_entry`. */
  saved: string | null;
  /** Which build wrote the menu, from 0; null: none that says so. */
  build: number | null;
}

const places = { config: 'boot/grub/grub.cfg', env: 'boot/grub/grubenv' };

/** Throws when there is none. */
export function menuOf(image: string): LoaderMenu {
  return withPartition(image, 1, fat => read(fat, image).menu);
}

/**
 * What GRUB starts, `chosen` by somebody at its menu or by itself: it remembers that, and says it. Null for an image
 * without a menu, where nothing starts.
 */
export function grubStarts(image: string, chosen: string | null = null): LoaderMenu | null {
  try {
    return withPartition(image, 1, fat => {
      const { menu, env } = read(fat, image);
      const next = chosen ?? menu.next;
      // RR's menu forgets what was chosen for once; TCRP's remembers what was started.
      const [name, value] = isRr(menu.entries) ? (['next_entry', null] as const) : (['saved_entry', next] as const);
      if (env && next !== null) fat.write(places.env, saved(withGrubEnv(env, name, value), fat));
      return { ...menu, next };
    });
  } catch {
    return null;
  }
}

/** GRUB keeps the size of the block. */
function saved(env: GrubEnv, fat: Fat): Buffer {
  const block = formatGrubEnv(env);
  return Buffer.concat([block, Buffer.alloc(Math.max(0, (fat.read(places.env)?.length ?? 0) - block.length), '#')]);
}

function isRr(entries: readonly string[]): boolean {
  return entries.includes(rrTitles.builder);
}

function read(fat: Fat, image: string): { menu: LoaderMenu; env: GrubEnv | null } {
  const config = fat.read(places.config)?.toString();
  if (config === undefined) throw new Error(`there is no ${places.config}`);
  const block = fat.read(places.env);
  const env = block && parseGrubEnv(block);
  const { entries, next } = readMenu(config, env);
  const titles = entries.map(({ title }) => title);
  const title = next === null ? null : (titles[next] ?? null);
  const ofRr = isRr(titles);
  const build = ofRr ? rrFile(image, 'lab/build') : /loader_build=(\d+)/.exec(config)?.[1];
  // Entries of a DSM that is not there are not in RR's menu.
  const hasDsm = !ofRr || (rrFile(image, 'zImage-dsm') && rrFile(image, 'initrd-dsm'));
  return {
    env,
    menu: {
      entries: titles,
      next: hasDsm ? title : rrTitles.builder,
      saved: env && grubEnvValue(env, 'saved_entry'),
      build: build ? Number(build) : null,
    },
  };
}
