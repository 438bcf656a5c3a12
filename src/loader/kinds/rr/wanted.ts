import type { LoaderSettings } from '../../../model/loader-settings.ts';
import type { Values } from '../identity.ts';
import { readConfig, textOf } from './user-config.ts';

/** The DSM that is wanted, in RR's words. Pure. */
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
  return right && (update === null || value('smallnum') === update) && isPatched(config);
}

/** RR writes both hashes when it has taken DSM's files. */
function isPatched(config: Values): boolean {
  return textOf(config, 'zimage-hash') !== '' && textOf(config, 'ramdisk-hash') !== '';
}

export function configIn(text: string | undefined): Values {
  const read = readConfig(text ?? '');
  return 'problem' in read ? {} : read.config;
}
