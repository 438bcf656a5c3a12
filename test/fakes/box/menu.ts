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
  return withPartition(image, 1, fat => read(fat).menu);
}

/**
 * What GRUB starts, `chosen` by somebody at its menu or by itself: it remembers that, and says it. Null for an image
 * without a menu, where nothing starts.
 */
export function grubStarts(image: string, chosen: string | null = null): LoaderMenu | null {
  try {
    return withPartition(image, 1, fat => {
      const { menu, env } = read(fat);
      const next = chosen ?? menu.next;
      if (env && next !== null) save(fat, env, next);
      return { ...menu, next };
    });
  } catch {
    return null;
  }
}

function save(fat: Fat, env: GrubEnv | null, title: string | null): void {
  fat.write(places.env, formatGrubEnv(withGrubEnv(env ?? [], 'saved_entry', title)));
}

function read(fat: Fat): { menu: LoaderMenu; env: GrubEnv | null } {
  const config = fat.read(places.config)?.toString();
  if (config === undefined) throw new Error(`there is no ${places.config}`);
  const block = fat.read(places.env);
  const env = block && parseGrubEnv(block);
  const { entries, next } = readMenu(config, env);
  const titles = entries.map(({ title }) => title);
  const [, build] = /loader_build=(\d+)/.exec(config) ?? [];
  return {
    env,
    menu: {
      entries: titles,
      next: next === null ? null : (titles[next] ?? null),
      saved: env && grubEnvValue(env, 'saved_entry'),
      build: build === undefined ? null : Number(build),
    },
  };
}
