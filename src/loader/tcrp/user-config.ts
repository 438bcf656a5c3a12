/**
 * `user_config.json`, from which rploader.sh builds. Read, edited and judged as text: what comes out is always a whole
 * and valid file, since the build itself takes an empty one for good. Pure.
 */

/** Of its section `extra_cmdline`, where everything lives that is edited here. */
export type ConfigEdits = Readonly<Record<string, string>>;

interface ConfigProblem {
  code: 'empty' | 'not_json' | 'not_a_config' | 'not_text' | 'bad_value' | 'bad_macs';
  message: string;
}

export type Edited = { text: string } | { problem: ConfigProblem };

/** `netif_num` follows the number of MACs by itself: DSM panics when they differ. All other sections stay as they are. */
export function editUserConfig(text: string, edits: ConfigEdits): Edited {
  const read = readConfig(text);
  if ('problem' in read) return read;
  const bad = Object.entries(edits).find(([key, value]) => !/^\w{1,32}$/.test(key) || !/^[\w.:-]{0,64}$/.test(value));
  // Not the value: it may be a serial number.
  if (bad) return failed('bad_value', `"${bad[0]}" would get a value that a kernel's command line cannot carry.`);
  const cmdline = { ...read.cmdline, ...edits };
  const macs = Object.keys(cmdline).filter(key => /^mac\d+$/.test(key) && cmdline[key] !== '');
  const gap = macs.find(key => Number(key.slice(3)) > macs.length || key === 'mac0');
  if (gap !== undefined) return failed('bad_macs', `${gap} is set, and not every one before it.`);
  if (macs.length > 0) cmdline['netif_num'] = String(macs.length);
  return { text: `${JSON.stringify({ ...read.config, extra_cmdline: cmdline }, null, 2)}\n` };
}

/** Serial number, MACs and their number: what a rebuild keeps. Null unless there is a serial number and a MAC. */
export function savedIdentity(text: string): ConfigEdits | null {
  const read = readConfig(text);
  if ('problem' in read) return null;
  const { cmdline } = read;
  if (!cmdline['sn'] || !cmdline['mac1']) return null;
  return Object.fromEntries(
    Object.entries(cmdline).filter(([key, value]) => /^(sn|mac\d+)$/.test(key) && value !== ''),
  );
}

type Read = { config: Record<string, unknown>; cmdline: Record<string, string> } | { problem: ConfigProblem };

function readConfig(text: string): Read {
  if (text.trim() === '') return failed('empty', 'user_config.json is empty.');
  const config = parse(text);
  if (config === undefined) return failed('not_json', 'user_config.json is not valid JSON.');
  if (!isObject(config) || !isObject(config['general']) || !isObject(config['extra_cmdline']))
    return failed('not_a_config', 'user_config.json lacks the section "general" or "extra_cmdline".');
  const cmdline: Record<string, string> = {};
  for (const [key, value] of Object.entries(config['extra_cmdline'])) {
    if (typeof value !== 'string') return failed('not_text', `"${key}" in user_config.json is not written as text.`);
    cmdline[key] = value;
  }
  return { config, cmdline };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function failed(code: ConfigProblem['code'], message: string): { problem: ConfigProblem } {
  return { problem: { code, message } };
}
