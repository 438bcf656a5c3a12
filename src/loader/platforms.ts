import { nearest } from '../util/did-you-mean.ts';
import { oldPrefixes, type Platform, platforms } from './platform-table.ts';

/** Finds the row of a model or an id, and for a wrong id, the ids that were probably meant. Pure. */

/** `ds918p-7.1.1-42962`: the model lower case with + as p, DSM's version, its build. */
export interface PlatformId {
  id: string;
  platform: Platform;
  /** `7.1.1` */
  version: string;
  build: number;
}

interface IdProblem {
  code: 'malformed' | 'old_id' | 'unknown_model';
  message: string;
  /** Ids that were probably meant, the likeliest first; none when no id is similar. */
  nearest: readonly string[];
}

/** The first DSM that no release of TinyCore RedPill lists. */
export const firstUnknownVersion = '7.2.2';

/** Whether the loader has this build depends on its release. */
export function parsePlatformId(text: string): { id: PlatformId } | { problem: IdProblem } {
  const [, prefix = '', version = '', build = ''] = /^([a-z0-9]+)-(\d+\.\d+(?:\.\d+)?)-(\d{4,6})$/.exec(text) ?? [];
  const platform = platforms.find(row => row.prefix === prefix);
  if (platform) return { id: { id: text, platform, version, build: Number(build) } };
  const meant = nearest(text, platforms.flatMap(idsOf));
  if (prefix === '') {
    const message = `"${text}" is no platform id: they are written like ds918p-7.1.1-42962.`;
    return { problem: { code: 'malformed', message, nearest: meant === null ? [] : [meant] } };
  }
  const today = oldPrefixes.get(prefix);
  if (today !== undefined) {
    const id = `${today}-${version}-${build}`;
    const message = `"${text}" is an id of loaders before 0.9.2.9, which called models by their platform; it is "${id}" now.`;
    return { problem: { code: 'old_id', message, nearest: [id] } };
  }
  const prefixes = platforms.map(row => row.prefix);
  const similar = nearest(prefix, prefixes);
  const last = platforms.filter(row => row.prefix === similar).flatMap(row => idsOf(row).slice(-3));
  const ids = meant === null ? last : [meant];
  return { problem: { code: 'unknown_model', message: `"${text}" names no model that is known here.`, nearest: ids } };
}

export function platformOf(model: string | null): Platform | null {
  return platforms.find(row => row.model === model) ?? null;
}

/** The row of a model, or for an unknown one what can be said of any. */
export function platformOr(model: string): Omit<Platform, 'prefix' | 'builds'> {
  return platformOf(model) ?? { model, deviceTree: false, cpuFlags: null, maxThreads: null, maxDisks: null };
}

/** The ids of the same model among these, nearest build first; three at most. */
export function nearestIds({ platform, build }: PlatformId, ids: Iterable<string>): readonly string[] {
  const others = [...ids].flatMap(each => {
    const parsed = parsePlatformId(each);
    return 'id' in parsed && parsed.id.platform === platform ? [parsed.id] : [];
  });
  const byDistance = others.toSorted((a, b) => Math.abs(a.build - build) - Math.abs(b.build - build));
  return byDistance.map(({ id }) => id).slice(0, 3);
}

/** Of versions like `7.2.2`: negative when a is the earlier one. */
export function compareVersions(a: string, b: string): number {
  const [left = [], right = []] = [a, b].map(version => version.split('.').map(Number));
  const part = [0, 1, 2].find(nth => (left[nth] ?? 0) !== (right[nth] ?? 0)) ?? 0;
  return (left[part] ?? 0) - (right[part] ?? 0);
}

function idsOf({ prefix, builds }: Platform): readonly string[] {
  return builds.map(build => `${prefix}-${build}`);
}
