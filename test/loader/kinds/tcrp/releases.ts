import { readFileSync } from 'node:fs';
import { type LoaderRelease, readRelease } from '../../../../src/loader/kinds/tcrp/release.ts';

/**
 * What each release of TinyCore RedPill lists and compares with, taken from the tags of pocopico/tinycore-redpill: for some
 * prefixes all ids, for DS918+ the extensions that it adds, and the chains of `setplatform` and `serialgen`.
 */
interface Recorded {
  tag: string;
  version: string;
  /** The file that its script names for its ids; null: none, which is custom_config.json. */
  list: string | null;
  ids: Readonly<Record<string, readonly string[]>>;
  /** Ids by the URLs of their extensions. */
  extensions: Readonly<Record<string, readonly string[]>>;
  models: readonly (readonly [prefix: string, model: string])[] | null;
  serials: readonly string[];
}

const file = new URL('../../../fixtures/tcrp/releases.jsonl', import.meta.url);
export const recorded: readonly Recorded[] = readFileSync(file, 'utf8')
  .trimEnd()
  .split('\n')
  .map(line => JSON.parse(line));

/** The builder's home with that release, as far as it is read: in the shape of its own files. */
export function homeOf(tag: string): Map<string, Buffer> {
  const release = recorded.find(each => each.tag === tag);
  if (!release) throw new Error(`no release ${tag}`);
  const { version, list, ids, extensions, models, serials } = release;
  const urls = new Map(Object.entries(extensions).flatMap(([key, each]) => each.map(id => [id, key.split(' ')])));
  const all = Object.entries(ids).flatMap(([prefix, builds]) => builds.map(build => `${prefix}-${build}`));
  const configs = (jun: boolean) => {
    const build_configs = all
      .filter(id => id.endsWith('-JUN') === jun)
      .map(id => ({ id, add_extensions: (urls.get(id) ?? []).map(url => ({ [url.split('/').at(-2) ?? '']: url })) }));
    return Buffer.from(JSON.stringify({ build_configs }));
  };
  const script = [
    '#!/bin/bash',
    `rploaderver="${version}"`,
    ...(list === null ? [] : [`CUSTOMCONFIG="/home/tc/${list}"`]),
    ...(models === null ? [] : setplatform(models)),
    'function serialgen() {',
    `    if ${serials.map(model => `[ "$1" = "${model}" ]`).join(' || ')}; then`,
    '        serial="$(generateSerial $1)"',
    '    fi',
    '}',
  ];
  return new Map([
    // Who takes ids from the wrong list is found out.
    ['custom_config.json', Buffer.from('{"build_configs":[]}')],
    [list ?? 'custom_config.json', configs(false)],
    ['custom_config_jun.json', configs(true)],
    ['rploader.sh', Buffer.from(script.join('\n'))],
  ]);
}

export function releaseOf(tag: string): LoaderRelease {
  const release = readRelease(homeOf(tag));
  if (!release) throw new Error(`the home of ${tag} was not read`);
  return release;
}

function setplatform(models: readonly (readonly [string, string])[]): string[] {
  const chain = Map.groupBy(models, ([, model]) => model);
  const branches = [...chain].map(([model, pairs], nth) => {
    const conditions = pairs.map(([prefix]) => `[ "\${TARGET_PLATFORM}" = "${prefix}" ]`).join(' || ');
    const id = `SYNOMODEL="${pairs[0]?.[0]}_$TARGET_REVISION"`;
    return `    ${nth === 0 ? 'if' : 'elif'} ${conditions}; then\n        ${id} && MODEL="${model}"`;
  });
  return ['function setplatform() {', ...branches, '    fi', '}'];
}
