import type { LoaderSettings } from '../../../model/loader-settings.ts';
import type { ConfigVerdict } from '../../plan/finding.ts';
import { at, type Failed, type Identity, type Values, verdictOn } from '../identity.ts';
import { readYaml } from '../yaml-config.ts';

/** `user-config.yml` on RR's first partition. Only RR's own functions write it, key by key. Pure. */

export const userConfig = 'user-config.yml';

const mac = /^[0-9A-Fa-f]{12}$/;
const serial = /^\w{1,32}$/;

/** RR makes an empty file at its first start. Never throws. */
export function readConfig(text: string): { config: Values } | Failed {
  const read = text.trim() === '' ? { values: {} } : readYaml(Buffer.from(text));
  return 'why' in read ? failed(read.why) : { config: read.values };
}

/** A key at the top; empty when there is none. */
export function textOf(config: Values, key: string): string {
  const value = at(config, key);
  return typeof value === 'string' ? value : '';
}

/** `sn` and each `macN` that is set. */
export function readIdentity(text: string): { identity: Identity } | Failed {
  const read = readConfig(text);
  if ('problem' in read) return read;
  const keys = Object.keys(read.config).filter(key => key === 'sn' || /^mac\d+$/.test(key));
  const set = keys.map(key => [key, textOf(read.config, key)] as const).filter(([, value]) => value !== '');
  const bad = set.find(([key, value]) => !(key === 'sn' ? serial : mac).test(value));
  // Not the value: it is secret.
  if (bad)
    return failed(`"${bad[0]}" in ${userConfig} is no ${bad[0] === 'sn' ? 'serial number' : 'MAC of 12 digits'}.`);
  return { identity: Object.fromEntries(set) };
}

export function judgeConfig(text: string): ConfigVerdict {
  const advice = "Correct the file in RR's menu, or set `keep_identity: false` for a new serial number and MACs.";
  return verdictOn(readIdentity(text), advice);
}

function failed(message: string): Failed {
  return { problem: { code: 'bad_config', message } };
}

/** The DSM that is wanted, in RR's words. */
export interface Wanted {
  model: string;
  /** `7.2`, as `productver` has it. */
  product: string;
  build: string;
  /** Null: any. */
  update: string | null;
  /** As `productversMenu` takes it: `7.2.2-72806`, or with an update `7.2.2-72806-3`. */
  key: string;
}

/** Null when the id has another form. */
export function wantedOf({ model, platform }: Pick<LoaderSettings, 'model' | 'platform'>): Wanted | null {
  const form = /^[a-z\d]+-((\d+\.\d+)(?:\.\d+)?-(\d{4,6})(?:-(\d+))?)$/i;
  const [, key, product, build, update = null] = form.exec(platform) ?? [];
  if (key === undefined || product === undefined || build === undefined) return null;
  return { model, product, build, update, key };
}

/** Whether the configuration, after a build, is of this DSM. */
export function isBuiltFor(config: Values, { model, product, build, update }: Wanted): boolean {
  const value = (key: string) => textOf(config, key);
  const right = value('model') === model && value('productver') === product && value('buildnum') === build;
  // RR writes both hashes when it has taken DSM's files.
  const patched = value('zimage-hash') !== '' && value('ramdisk-hash') !== '';
  return right && (update === null || value('smallnum') === update) && patched;
}

export function configIn(text: string | undefined): Values {
  const read = readConfig(text ?? '');
  return 'problem' in read ? {} : read.config;
}
