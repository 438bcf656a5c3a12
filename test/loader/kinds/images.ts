import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type BootPartition, menuOf } from '../../../src/loader/image/boot-entry.ts';
import type { HomeFiles } from '../../../src/loader/image/home.ts';
import { bootFiles } from '../../../src/loader/kinds/recognise.ts';

/** The images in test/fixtures/loaders, as they are read from a disk. */

const folder = new URL('../../fixtures/loaders/', import.meta.url).pathname;
export const images = readdirSync(folder).filter(name => statSync(join(folder, name)).isDirectory());

/** All files below a folder, by their path. */
export function filesOf(...path: string[]): ReadonlyMap<string, Buffer> {
  const place = join(folder, ...path);
  if (!existsSync(place)) return new Map();
  const names = readdirSync(place, { recursive: true, encoding: 'utf8' });
  const files = names.filter(name => statSync(join(place, name)).isFile());
  return new Map(files.map(name => [name, readFileSync(join(place, name))]));
}

export interface LoaderFiles {
  partition: BootPartition;
  /** Null: the image has none that can be read. */
  home: HomeFiles | null;
}

/** `changed`: files of the boot partition to have instead; null: none. */
export async function imageOf(
  name: string,
  changed: Readonly<Record<string, Buffer | string | null>> = {},
): Promise<LoaderFiles> {
  const all = new Map(filesOf(name, 'p1'));
  for (const [path, content] of Object.entries(changed)) {
    if (content === null) all.delete(path);
    else all.set(path, Buffer.from(content));
  }
  const read = async (path: string) => all.get(path) ?? Buffer.alloc(0);
  const boot = await menuOf({ list: async () => [...all.keys()], read });
  const small = [...all].map(([path, content]) => [path.toLowerCase(), content] as const);
  const files = new Map(small.filter(([path]) => bootFiles.includes(path)));
  const home = filesOf(name, 'home');
  return { partition: { boot, files }, home: home.size === 0 ? null : home };
}
