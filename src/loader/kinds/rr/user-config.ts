import type { ConfigVerdict } from '../../plan/finding.ts';
import { at, type Values } from '../identity.ts';
import { readYaml } from '../yaml-config.ts';

/** `user-config.yml` on RR's first partition. Only RR's own functions write it, key by key. Pure. */

export const userConfig = 'user-config.yml';

interface Failed {
  problem: { code: string; message: string };
}

const mac = /^[0-9A-Fa-f]{12}$/;
const serial = /^\w{1,32}$/;

/** RR makes an empty file at its first start. Never throws. */
export function readConfig(text: string): { config: Values } | Failed {
  const read = text.trim() === '' ? { values: {} } : readYaml(Buffer.from(text));
  return 'why' in read ? failed(read.why) : { config: read.values };
}

/** A key at the top, or one of a map in it; empty when there is none. */
export function textOf(config: Values, key: string, inner?: string): string {
  const value = inner === undefined ? at(config, key) : at(at(config, key), inner);
  return typeof value === 'string' ? value : '';
}

/** `sn` and each `macN` that is set. */
export function readIdentity(text: string): { identity: Readonly<Record<string, string>> } | Failed {
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

export function isComplete({ sn, mac1 }: Readonly<Record<string, string>>): boolean {
  return sn !== undefined && mac1 !== undefined;
}

export function judgeConfig(text: string): ConfigVerdict {
  const read = readIdentity(text);
  if (!('problem' in read)) return { complete: isComplete(read.identity) };
  const advice = "Correct the file in RR's menu, or set `keep_identity: false` for a new serial number and MACs.";
  return { problem: { ...read.problem, advice } };
}

/** Values of serial numbers and MACs, even if the rest is broken. */
export function identityWords(text: string): readonly string[] {
  const values = text.matchAll(/^\s*(?:sn|mac\d+)\s*:\s*(?:"([^"\n]*)"|'([^'\n]*)'|([^\s#]+))/gm);
  return [...values].map(([, double, single, bare]) => double ?? single ?? bare ?? '').filter(value => value !== '');
}

function failed(message: string): Failed {
  return { problem: { code: 'bad_config', message } };
}
