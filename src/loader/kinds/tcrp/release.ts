import * as z from 'zod';
import { orNull } from '../../../util/or-null.ts';
import { platforms } from '../../platform-table.ts';

/**
 * The builds that a release of TinyCore RedPill can make, read from its own files in the builder's home. Its number
 * does not tell: 0.9.4.5 and 0.9.4.6 use another list of ids than earlier and later ones, and images are edited. Pure.
 */

export interface LoaderRelease {
  /** `0.9.4.6`; null: not known. */
  version: string | null;
  /** For each id in its list, the URLs of the extensions that it adds by itself. */
  builds: ReadonlyMap<string, readonly string[]>;
  /** The model by the prefix of an id; null: not known. */
  models: ReadonlyMap<string, string> | null;
  /** Models for which it makes serial numbers; null: not known. */
  serials: readonly string[] | null;
}

const script = 'rploader.sh';
const jun = 'custom_config_jun.json';

export const releaseFiles: readonly string[] = [script, 'custom_config.json', 'custom_config2.json', jun];

/** What every release fetches for every build, besides the listed extensions: the kernel module, and boot-wait. */
export const always: readonly string[] = [
  'https://github.com/pocopico/rp-ext/raw/main/redpillprod/rpext-index.json',
  'https://github.com/pocopico/tcrp-addons/raw/main/boot-wait/rpext-index.json',
];
const addons = ['all-modules', 'eudev', 'disks', 'misc'].map(
  name => `https://github.com/pocopico/tcrp-addons/raw/main/${name}/rpext-index.json`,
);

/** The last release, of 2023. Lists only the builds for which it has all files. */
export const newestRelease: LoaderRelease = {
  version: '0.10.0.0',
  builds: new Map(
    platforms.flatMap(({ prefix, builds }) => builds.map(build => [`${prefix}-${build}`, addons] as const)),
  ),
  models: new Map(platforms.map(({ prefix, model }) => [prefix, model])),
  // It lists them for DS1019+ and DS723+ too, but compares with ds1019p and ds723p.
  serials: platforms.map(({ model }) => model).filter(model => !['DS1019+', 'DS723+'].includes(model)),
};

export function areEnough(home: ReadonlyMap<string, Buffer>): boolean {
  const text = home.get(script)?.toString('utf8');
  return text !== undefined && home.has(listOf(text)) && home.has(jun);
}

/** Null without a script that has a list of ids. */
export function readRelease(home: ReadonlyMap<string, Buffer>): LoaderRelease | null {
  const text = home.get(script)?.toString('utf8');
  const listed = text === undefined ? null : buildsIn(home.get(listOf(text)));
  if (text === undefined || listed === null) return null;
  const [, version = null] = /^rploaderver="([\w.]+)"/m.exec(text) ?? [];
  // If both have an id, the first one counts.
  const builds = new Map([...(buildsIn(home.get(jun)) ?? []), ...listed]);
  return { version, builds, models: modelsIn(text), serials: serialsIn(text) };
}

function listOf(text: string): string {
  return /^CUSTOMCONFIG="(?:[^"]*\/)?([^"/]+)"/m.exec(text)?.[1] ?? 'custom_config.json';
}

const list = z.object({
  build_configs: z.array(
    z.object({ id: z.string(), add_extensions: z.array(z.record(z.string(), z.string())).catch([]) }),
  ),
});

function buildsIn(file: Buffer | undefined): (readonly [string, readonly string[]])[] | null {
  const read = orNull(() => list.parse(JSON.parse(file?.toString('utf8') ?? '')));
  if (!read) return null;
  return read.build_configs.map(({ id, add_extensions }) => {
    return [id, add_extensions.flatMap(Object.values<string>).filter(url => url.startsWith('https://'))];
  });
}

/** Its `setplatform`: a chain of `if`, each of which compares with prefixes and sets the model. */
function modelsIn(text: string): LoaderRelease['models'] {
  const models = functionIn(text, 'setplatform')
    .split(/\b(?:el)?if\b/)
    .flatMap(branch => {
      const [, model] = /\bMODEL="([^"]+)"/.exec(branch) ?? [];
      const prefixes = branch.matchAll(/"\$\{TARGET_PLATFORM\}" = "(\w+)"/g);
      return model === undefined ? [] : [...prefixes].map(([, prefix = '']) => [prefix, model] as const);
    });
  return models.length === 0 ? null : new Map(models);
}

/** Its `serialgen`: one long `if` that compares with each model. */
function serialsIn(text: string): LoaderRelease['serials'] {
  const models = [...functionIn(text, 'serialgen').matchAll(/"\$1" = "([^"]+)"/g)].map(([, model = '']) => model);
  return models.length === 0 ? null : models;
}

function functionIn(text: string, name: string): string {
  const start = text.indexOf(`\nfunction ${name}() {`);
  return start === -1 ? '' : (text.slice(start).split('\n}')[0] ?? '');
}
