import type { ConfigVerdict } from '../../plan/finding.ts';
import { at, type Failed, type Identity, isValues, type Values, verdictOn } from '../identity.ts';

/**
 * `user_config.json`, from which rploader.sh builds. Reads, edits and checks its text. The result is always a whole and
 * valid file, because the build accepts even an empty one. Pure.
 */

export const userConfig = 'user_config.json';

/** A part of a kernel's command line. */
const word = /^[\w.:-]{0,64}$/;

/** `netif_num` follows the number of MACs by itself: DSM panics when they differ. Everything else is unchanged. */
export function editUserConfig(text: string, edits: Identity): { text: string } | Failed {
  const read = readConfig(text);
  if ('problem' in read) return read;
  const bad = Object.entries(edits).find(([key, value]) => !/^\w{1,32}$/.test(key) || !word.test(`${value}`));
  // Not the value: it may be a serial number.
  if (bad) return failed('bad_value', `"${bad[0]}" would get a value that a kernel's command line cannot carry.`);
  const cmdline: Record<string, unknown> = { ...read.cmdline, ...edits };
  const macs = Object.keys(cmdline).filter(key => isMac(key) && isSet(cmdline[key]));
  const count = `${macs.length}`;
  if (macs.length > 0 && `${cmdline['netif_num']}` !== count) cmdline['netif_num'] = count;
  return gapIn(macs) ?? { text: `${JSON.stringify({ ...read.config, extra_cmdline: cmdline }, null, 2)}\n` };
}

/**
 * Serial number and MACs in the file, which a rebuild keeps: all of them, whatever else is in it. Empty ones do not
 * count. A problem is no reason to make new ones: the file may have an identity in an unknown form.
 */
export function readIdentity(text: string): { identity: Identity } | Failed {
  const read = readConfig(text);
  if ('problem' in read) return read;
  const set = Object.entries(read.cmdline).filter(([key, value]) => (key === 'sn' || isMac(key)) && isSet(value));
  const identity = Object.fromEntries(set.filter((entry): entry is [string, string | number] => isWord(entry[1])));
  const bad = set.find(([, value]) => !isWord(value));
  if (bad) return failed('bad_identity', `"${bad[0]}" in ${userConfig} is neither a word nor a whole number.`);
  // The loader makes the first one if there is none.
  return gapIn(Object.keys({ ...identity, mac1: '' }).filter(isMac)) ?? { identity };
}

export function judgeConfig(text: string): ConfigVerdict {
  const advice =
    'Correct the file in the image builder and save it with `./rploader.sh backup`; or set `keep_identity: false` and `upgrade: full` for a new file, serial number and MAC.';
  return verdictOn(readIdentity(text), advice);
}

function readConfig(text: string): { config: Values; cmdline: Values } | Failed {
  if (text.trim() === '') return failed('empty', `${userConfig} is empty.`);
  let config: unknown;
  try {
    // Also without a byte order mark, which jq ignores.
    config = JSON.parse(text.trim());
    // A text that is nested too deep to be written again could not be read by jq either.
    JSON.stringify(config, null, 2);
  } catch {
    return failed('not_json', `${userConfig} is not valid JSON.`);
  }
  const cmdline = at(config, 'extra_cmdline');
  if (isValues(config) && isValues(cmdline)) return { config, cmdline };
  return failed('not_a_config', `${userConfig} has no section "extra_cmdline".`);
}

function isMac(key: string): boolean {
  return /^mac\d+$/.test(key);
}

function isSet(value: unknown): boolean {
  return value !== '' && value !== null;
}

/** Whether JSON writes the number as it was. */
function isWord(value: unknown): value is string | number {
  return typeof value === 'string' ? word.test(value) : Number.isSafeInteger(value) && Number(value) >= 0;
}

function gapIn(macs: readonly string[]): Failed | null {
  const gap = macs.find(key => Number(key.slice(3)) > macs.length || key === 'mac0');
  return gap === undefined ? null : failed('bad_macs', `${gap} is set in ${userConfig}, and not every one before it.`);
}

function failed(code: string, message: string): Failed {
  return { problem: { code, message } };
}
