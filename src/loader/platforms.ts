import { nearest } from '../util/nearest.ts';
import { oldPrefixes, type Platform, platforms, type TcrpVersion } from './platform-table.ts';

/** From a model or an id to its row of the table, and from a mistaken id to the ones that were meant. Pure. */

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
  /** Ids that may have been meant, the likeliest first; none when nothing comes near. */
  nearest: readonly string[];
}

type ParsedId = { id: PlatformId } | { problem: IdProblem };

/** The first DSM that no release of TinyCore RedPill knows. */
export const firstUnknownVersion = '7.2.2';

/** Whether the loader has such a build is another question: see `buildsFor`. */
export function parsePlatformId(text: string): ParsedId {
  const [, prefix, version, build] = /^([a-z0-9]+)-(\d+\.\d+(?:\.\d+)?)-(\d{4,6})$/.exec(text) ?? [];
  if (prefix === undefined || version === undefined || build === undefined) return { problem: malformed(text) };
  const platform = platforms.find(row => row.prefix === prefix);
  if (platform) return { id: { id: text, platform, version, build: Number(build) } };
  const today = oldPrefixes.get(prefix);
  if (today !== undefined) return { problem: renamed(text, `${today}-${version}-${build}`) };
  return { problem: unknownModel(text, prefix) };
}

/** Null for a model that no loader knows. */
export function platformOf(model: string): Platform | null {
  return platforms.find(row => row.model === model) ?? null;
}

/** Ids of one model that a release can build; of either release where it is not known which one it is. */
export function buildsFor(platform: Platform, release: TcrpVersion | null): readonly string[] {
  const builds = release === null ? [...platform.builds['0.9'], ...platform.builds['0.10']] : platform.builds[release];
  return [...new Set(builds)]
    .toSorted((a, b) => buildNumber(a) - buildNumber(b))
    .map(build => `${platform.prefix}-${build}`);
}

/** Ids like this one that a release has: of the same model by their distance in builds, else of a model so spelled. */
export function nearestIds(text: string, release: TcrpVersion | null): readonly string[] {
  const parsed = parsePlatformId(text);
  if ('problem' in parsed) return parsed.problem.nearest;
  const { platform, build } = parsed.id;
  const distance = (id: string) => Math.abs(buildNumber(id) - build);
  return buildsFor(platform, release)
    .toSorted((a, b) => distance(a) - distance(b))
    .slice(0, 3);
}

/** Of versions like `7.2.2`: negative when a is the earlier one. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map(version => version.split('.').map(Number));
  for (let part = 0; part < 3; part++) {
    const difference = (left?.[part] ?? 0) - (right?.[part] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function buildNumber(id: string): number {
  return Number(id.slice(id.lastIndexOf('-') + 1));
}

function malformed(text: string): IdProblem {
  const message = `"${text}" is no platform id: they are written like ds918p-7.1.1-42962.`;
  const meant = nearest(text, allIds());
  return { code: 'malformed', message, nearest: meant === null ? [] : [meant] };
}

function renamed(text: string, today: string): IdProblem {
  const message = `"${text}" is an id of loaders before 0.9.2.9, which called models by their platform; it is "${today}" now.`;
  return { code: 'old_id', message, nearest: [today] };
}

function unknownModel(text: string, prefix: string): IdProblem {
  const meant =
    nearest(text, allIds()) ??
    nearest(
      prefix,
      platforms.map(row => row.prefix),
    );
  const row = platforms.find(candidate => meant !== null && meant.split('-')[0] === candidate.prefix);
  const ids = meant?.includes('-') ? [meant] : row ? buildsFor(row, null).slice(-3) : [];
  return { code: 'unknown_model', message: `"${text}" names no model that is known here.`, nearest: ids };
}

function allIds(): readonly string[] {
  return platforms.flatMap(row => buildsFor(row, null));
}
