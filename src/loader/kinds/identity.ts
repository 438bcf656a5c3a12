import type { ConfigVerdict, Problem } from '../plan/finding.ts';
import type { MapPair } from '../sata-map.ts';

export type RecognisedKind = 'tcrp' | 'rr' | 'arc' | 'mshell' | 'arpl' | 'trireme' | 'unknown';

/** Which loader an image has, and what its menu and its configuration say. */
export interface LoaderIdentity extends Told {
  readonly kind: RecognisedKind;
  /** `TinyCore RedPill` */
  readonly title: string;
}

/** Null: they do not tell. */
export interface Told {
  /** Of the loader: `26.7.4`. */
  readonly version: string | null;
  readonly model: string | null;
  /** The DSM that it starts, or would build, as far as it is known: `7.2.2-72806`, `7.2-72806`, `7.2`. */
  readonly dsm: string | null;
  /** Whether it has been built, and nothing waits to be built. */
  readonly built: boolean | null;
  /** Whether there is a serial number. */
  readonly serial: boolean | null;
  /** The number of MACs. */
  readonly macs: number | null;
  /** Both empty: it sets none. */
  readonly map: MapPair | null;
  readonly acpid: boolean | null;
  /** Seconds before DSM starts in which a login stops the start. */
  readonly bootWait: number | null;
  /** Why its configuration is not known, a sentence; null: it is known. */
  readonly why: string | null;
}

export const untold: Told = {
  ...{ version: null, model: null, dsm: null, built: null, serial: null, macs: null },
  ...{ map: null, acpid: null, bootWait: null, why: null },
};

/** Serial number and MACs in a loader's configuration, by their keys. */
export type Identity = Readonly<Record<string, string | number>>;

export interface Failed {
  problem: { code: string; message: string };
}

/** Values of serial numbers and MACs, anywhere in JSON or YAML, even if the rest is broken: to be hidden everywhere. */
export function identityWords(text: string): readonly string[] {
  const values = text.matchAll(
    /(?<![\w-])["']?(?:sn|mac\d+)["']?\s*:\s*(?:"([^"\n]*)"|'([^'\n]*)'|([^\s#"',}]+(?:,[^\s#"',}]+)*))/g,
  );
  return [...values]
    .map(([, double, single, bare]) => double ?? single ?? bare ?? '')
    .filter(value => !/^(?:null|true|false)?$/.test(value));
}

/** For a VM with several NICs, the loader makes only the first MAC. */
export function isComplete({ sn, mac1 }: Identity): boolean {
  return sn !== undefined && mac1 !== undefined;
}

/** `advice`: for a configuration that cannot be read. */
export function verdictOn(read: { identity: Identity } | Failed, advice: string): ConfigVerdict {
  if (!('problem' in read)) return { complete: isComplete(read.identity) };
  return { problem: { code: 'bad_config', message: read.problem.message, advice } };
}

/** Why a configuration that a step has printed allows no rebuild; null: it does. */
export function objectionIn(verdict: ConfigVerdict): Problem | null {
  return 'problem' in verdict ? verdict.problem : null;
}

/** A configuration as it was read: nobody has checked it. */
export type Values = Readonly<Record<string, unknown>>;

export function isValues(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function at(values: unknown, key: string): unknown {
  return isValues(values) && Object.hasOwn(values, key) ? values[key] : undefined;
}

/** A value as text, if the text matches. */
export function word(values: unknown, key: string, pattern: RegExp): string | null {
  const value = at(values, key);
  if (!['string', 'number', 'boolean'].includes(typeof value)) return null;
  return pattern.test(`${value}`) ? `${value}` : null;
}

export const isSet = /^(?!(?:null|~)$)\S/;
export const modelName = /^[A-Za-z]{2,4}\d[\w+]{1,15}$/;
export const releaseName = /^\d[\w.+-]{0,31}$/;

export function mapIn(cmdline: unknown): MapPair {
  const digits = (key: keyof MapPair) => word(cmdline, key, /^[\dA-Fa-f:-@]{1,32}$/) ?? '';
  return { SataPortMap: digits('SataPortMap'), DiskIdxMap: digits('DiskIdxMap') };
}

/** `mac1`; Arc calls them `eth0`. */
export function macsIn(values: unknown): number {
  const keys = isValues(values) ? Object.keys(values) : [];
  return keys.filter(key => /^(?:mac|eth)\d{1,2}$/.test(key) && word(values, key, isSet) !== null).length;
}
