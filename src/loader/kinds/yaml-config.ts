import { isUtf8 } from 'node:buffer';
import { parseDocument } from 'yaml';
import {
  at,
  isSet,
  isValues,
  macsIn,
  mapIn,
  modelName,
  releaseName,
  type Told,
  untold,
  type Values,
  word,
} from './identity.ts';

/** `user-config.yml` on the boot partition of ARPL, and of RR and Arc, which come from it. Pure. */

const config = 'user-config.yml';
/** While one of them is there, RR's configuration waits for a build. */
const waiting = ['.build', '.upgraded'];
/** Of the DSM archive that the loader was last built from. */
const archive = 'grub_ver';
export const yamlFiles: readonly string[] = [config, ...waiting, archive];

type Files = ReadonlyMap<string, Buffer>;

/** One with all modules has some 20 KB. */
const maxBytes = 64 * 1024;

/** `dsmOf` and `more`: what only this loader has. */
export function toldByYaml(
  files: Files,
  dsmOf: (values: Values) => string | null,
  more: (values: Values) => Partial<Told> = () => ({}),
): Told {
  const read = readYaml(files.get(config));
  if ('why' in read) return { ...untold, ...toldByArchive(files.get(archive)), why: read.why };
  const { values } = read;
  const cmdline = at(values, 'cmdline');
  const hashed = ['zimage-hash', 'ramdisk-hash'].every(key => word(values, key, isSet) !== null);
  return {
    ...{ ...untold, model: word(values, 'model', modelName), dsm: dsmOf(values) },
    ...{ built: hashed && !waiting.some(name => files.has(name)), serial: word(values, 'sn', isSet) !== null },
    ...{ macs: macsIn(values) + macsIn(cmdline), map: mapIn(cmdline) },
    acpid: at(at(values, 'addons'), 'acpid') !== undefined,
    ...more(values),
  };
}

const short = /^\d{1,2}\.\d{1,2}$/;
const build = /^\d{4,6}$/;

/** The address of DSM's archive has its full version. After an update of DSM, only the short one is the new one. */
export function rrDsm(values: Values): string | null {
  const version = word(values, 'productver', short);
  if (version === null) return null;
  const url = word(values, 'paturl', isSet) ?? '';
  const number = url === '#UPGRADED' ? null : word(values, 'buildnum', build);
  const [, full = ''] = /\/release\/(\d[\d.]{0,8})\/\d{4,6}\//.exec(url) ?? [];
  return dsm(full.startsWith(version) ? full : version, number);
}

export function arcDsm(values: Values): string | null {
  const full = word(values, 'dsmfullver', /^\d{1,2}\.\d{1,2}/)?.match(/^[\d.]{1,8}(?:-\d{4,6})?/)?.[0] ?? '';
  const [version = '', number = null] = full.split('-');
  const wanted = word(values, 'productver', short) ?? '';
  return dsm(version === '' ? wanted : version, word(values, 'buildnum', build) ?? number);
}

/** ARPL knows builds only. */
export function arplDsm(values: Values): string | null {
  return word(values, 'build', build);
}

function dsm(version: string, number: string | null): string | null {
  if (version === '') return null;
  return number === null ? version : `${version}-${number}`;
}

/** GRUB_VER has `MODEL="DS918+"` and, as its version, DSM's build. */
function toldByArchive(file: Buffer | undefined): Pick<Told, 'model' | 'dsm'> {
  const text = file?.toString('latin1', 0, 1_024) ?? '';
  const value = (name: string) => new RegExp(`^${name}="?([\\w+]+)"?\\s*$`, 'm').exec(text)?.[1];
  const read = { MODEL: value('MODEL'), DSM_VERSION: value('DSM_VERSION') };
  return { model: word(read, 'MODEL', modelName), dsm: word(read, 'DSM_VERSION', build) };
}

/** The first line of a file like RR_VERSION. */
export function releaseIn(file: Buffer | undefined): string | null {
  const line = file?.toString('latin1', 0, 64).split('\n', 1)[0]?.trim() ?? '';
  return releaseName.test(line) ? line : null;
}

/** All values are texts: a MAC of digits is no number. */
export function readYaml(file: Buffer | undefined): { values: Values } | { why: string } {
  // The loader makes it at its first start.
  if (file === undefined) return { values: {} };
  if (file.length > maxBytes) return wrong(`has ${file.length} bytes; more than ${maxBytes} are not read`);
  if (!isUtf8(file) || file.includes(0)) return wrong('is not text');
  try {
    const text = file.toString('utf8');
    const document = parseDocument(text, { schema: 'failsafe', uniqueKeys: false, prettyErrors: false });
    const [error] = document.errors;
    if (error?.code === 'MULTIPLE_DOCS') return wrong('has several documents');
    if (error) return wrong(`is not valid YAML: line ${text.slice(0, error.pos[0]).split('\n').length}`);
    const values: unknown = document.toJS({ maxAliasCount: 100 });
    return isValues(values) ? { values } : wrong('has no settings');
  } catch {
    return wrong('has aliases that lead to too much, or to nothing');
  }
}

function wrong(what: string): { why: string } {
  return { why: `${config} ${what}.` };
}
