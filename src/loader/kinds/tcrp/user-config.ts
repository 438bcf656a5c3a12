/**
 * `user_config.json`, from which rploader.sh builds. Read, edited and judged as text: what comes out is always a whole
 * and valid file, since the build itself takes an empty one for good. Pure.
 */

/** Of its section `extra_cmdline`, where everything lives that is edited here. */
export type ConfigEdits = Readonly<Record<string, string | number>>;

export interface ConfigProblem {
  code: 'empty' | 'not_json' | 'not_a_config' | 'bad_identity' | 'bad_value' | 'bad_macs';
  message: string;
}

export type Edited = { text: string } | { problem: ConfigProblem };

/** A part of a kernel's command line. */
const word = /^[\w.:-]{0,64}$/;

/** `netif_num` follows the number of MACs by itself: DSM panics when they differ. Everything else stays as it is. */
export function editUserConfig(text: string, edits: ConfigEdits): Edited {
  const read = readConfig(text);
  if ('problem' in read) return read;
  const bad = Object.entries(edits).find(([key, value]) => !/^\w{1,32}$/.test(key) || !word.test(`${value}`));
  // Not the value: it may be a serial number.
  if (bad) return failed('bad_value', `"${bad[0]}" would get a value that a kernel's command line cannot carry.`);
  const cmdline: Record<string, unknown> = { ...read.cmdline, ...edits };
  const macs = Object.keys(cmdline).filter(key => isMac(key) && isSet(cmdline[key]));
  const gap = gapIn(macs);
  if (gap) return gap;
  const count = `${macs.length}`;
  if (macs.length > 0 && `${cmdline['netif_num']}` !== count) cmdline['netif_num'] = count;
  return { text: `${JSON.stringify({ ...read.config, extra_cmdline: cmdline }, null, 2)}\n` };
}

/**
 * Serial number and MACs as the file has them, which a rebuild keeps: all that are there, whatever stands beside them.
 * Empty ones are not there. A problem is no reason to make new ones: there may be an identity that nobody understands.
 */
export function readIdentity(text: string): { identity: ConfigEdits } | { problem: ConfigProblem } {
  const read = readConfig(text);
  if ('problem' in read) return read;
  const identity: Record<string, string | number> = {};
  for (const [key, value] of Object.entries(read.cmdline)) {
    if (!(key === 'sn' || isMac(key)) || !isSet(value)) continue;
    if (!isWord(value))
      return failed('bad_identity', `"${key}" in user_config.json is neither a word nor a whole number.`);
    identity[key] = value;
  }
  // The first is made where there is none.
  return gapIn(Object.keys({ ...identity, mac1: '' }).filter(isMac)) ?? { identity };
}

/** Values of serial numbers and MACs, wherever they stand and whatever is wrong with the rest. */
export function identityWords(text: string): readonly string[] {
  const values = text.matchAll(/"(?:sn|mac\d+)"\s*:\s*(?:"([^"\n]*)"|([\w.:-]+))/g);
  return [...values]
    .map(([, quoted, bare]) => quoted ?? bare ?? '')
    .filter(value => !/^(?:null|true|false)?$/.test(value));
}

type Read = { config: Record<string, unknown>; cmdline: Record<string, unknown> } | { problem: ConfigProblem };

function readConfig(text: string): Read {
  if (text.trim() === '') return failed('empty', 'user_config.json is empty.');
  const config = parse(text);
  if (config === undefined) return failed('not_json', 'user_config.json is not valid JSON.');
  if (!isObject(config) || !isObject(config['extra_cmdline']))
    return failed('not_a_config', 'user_config.json has no section "extra_cmdline".');
  return { config, cmdline: config['extra_cmdline'] };
}

function parse(text: string): unknown {
  try {
    // Without a byte order mark too, which jq passes over.
    const value: unknown = JSON.parse(text.trim());
    // What is nested too deep to be written again is nothing that jq would read.
    JSON.stringify(value);
    return value;
  } catch {
    return undefined;
  }
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

function gapIn(macs: readonly string[]): { problem: ConfigProblem } | null {
  const gap = macs.find(key => Number(key.slice(3)) > macs.length || key === 'mac0');
  return gap === undefined
    ? null
    : failed('bad_macs', `${gap} is set in user_config.json, and not every one before it.`);
}

function failed(code: ConfigProblem['code'], message: string): { problem: ConfigProblem } {
  return { problem: { code, message } };
}
