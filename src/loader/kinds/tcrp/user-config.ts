import type { ConfigVerdict } from '../../adapter.ts';

/**
 * `user_config.json`, from which rploader.sh builds. Read, edited and judged as text: what comes out is always a whole
 * and valid file, since the build itself takes an empty one for good. Pure.
 */

export const userConfig = 'user_config.json';

/** Of its section `extra_cmdline`, where everything lives that is edited here. */
export type ConfigEdits = Readonly<Record<string, string | number>>;

interface Failed {
  problem: {
    code: 'empty' | 'not_json' | 'not_a_config' | 'bad_identity' | 'bad_value' | 'bad_macs';
    message: string;
  };
}

/** A part of a kernel's command line. */
const word = /^[\w.:-]{0,64}$/;

/** `netif_num` follows the number of MACs by itself: DSM panics when they differ. Everything else stays as it is. */
export function editUserConfig(text: string, edits: ConfigEdits): { text: string } | Failed {
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
 * Serial number and MACs as the file has them, which a rebuild keeps: all that are there, whatever stands beside them.
 * Empty ones are not there. A problem is no reason to make new ones: there may be an identity that nobody understands.
 */
export function readIdentity(text: string): { identity: ConfigEdits } | Failed {
  const read = readConfig(text);
  if ('problem' in read) return read;
  const set = Object.entries(read.cmdline).filter(([key, value]) => (key === 'sn' || isMac(key)) && isSet(value));
  const identity = Object.fromEntries(set.filter((entry): entry is [string, string | number] => isWord(entry[1])));
  const bad = set.find(([, value]) => !isWord(value));
  if (bad) return failed('bad_identity', `"${bad[0]}" in ${userConfig} is neither a word nor a whole number.`);
  // The first is made where there is none.
  return gapIn(Object.keys({ ...identity, mac1: '' }).filter(isMac)) ?? { identity };
}

/** Of a VM with several NICs the loader makes the first MAC only. */
export function isComplete({ sn, mac1 }: ConfigEdits): boolean {
  return sn !== undefined && mac1 !== undefined;
}

export function judgeConfig(text: string): ConfigVerdict {
  const read = readIdentity(text);
  if (!('problem' in read)) return { complete: isComplete(read.identity) };
  const advice =
    'Correct the file in the image builder and save it with `./rploader.sh backup`; or set `keep_identity: false` and `upgrade: full` for a new file, serial number and MAC.';
  return { problem: { code: 'bad_config', message: read.problem.message, advice } };
}

/** Values of serial numbers and MACs, wherever they stand and whatever is wrong with the rest. */
export function identityWords(text: string): readonly string[] {
  const values = text.matchAll(/"(?:sn|mac\d+)"\s*:\s*(?:"([^"\n]*)"|([\w.:-]+))/g);
  return [...values]
    .map(([, quoted, bare]) => quoted ?? bare ?? '')
    .filter(value => !/^(?:null|true|false)?$/.test(value));
}

function readConfig(text: string): { config: Record<string, unknown>; cmdline: Record<string, unknown> } | Failed {
  if (text.trim() === '') return failed('empty', `${userConfig} is empty.`);
  let config: unknown;
  try {
    // Without a byte order mark too, which jq passes over.
    config = JSON.parse(text.trim());
    // What is nested too deep to be written again is nothing that jq would read.
    JSON.stringify(config);
  } catch {
    return failed('not_json', `${userConfig} is not valid JSON.`);
  }
  const cmdline = isObject(config) ? config['extra_cmdline'] : null;
  if (isObject(config) && isObject(cmdline)) return { config, cmdline };
  return failed('not_a_config', `${userConfig} has no section "extra_cmdline".`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isMac(key: string): boolean {
  return /^mac\d+$/.test(key);
}

function isSet(value: unknown): boolean {
  return value !== '' && value !== null;
}

/** A number is one that JSON gives back as it was written. */
function isWord(value: unknown): value is string | number {
  return typeof value === 'string' ? word.test(value) : Number.isSafeInteger(value) && Number(value) >= 0;
}

function gapIn(macs: readonly string[]): Failed | null {
  const gap = macs.find(key => Number(key.slice(3)) > macs.length || key === 'mac0');
  return gap === undefined ? null : failed('bad_macs', `${gap} is set in ${userConfig}, and not every one before it.`);
}

function failed(code: Failed['problem']['code'], message: string): Failed {
  return { problem: { code, message } };
}
