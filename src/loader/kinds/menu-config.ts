import { orNull } from '../../util/or-null.ts';
import type { HomeFiles, SavedHome } from '../image/home.ts';
import { at, isSet, isValues, macsIn, mapIn, modelName, releaseName, type Told, untold, word } from './identity.ts';

/**
 * TinyCore RedPill and M-shell: the titles of the menu and DSM's command line in it, and what the image builder's home
 * has. Pure.
 */

const script = 'rploader.sh';
/** M-shell's. */
export const mshellScript = 'functions.sh';
const config = 'user_config.json';

const unread = 'The home of its image builder was not read.';

/** A title with a model and a build: both write `RedPill`, M-shell also the others. */
const forDsm =
  /^(?:RedPill|Tiny Core Friend|Tiny Core PostUpdate \(RamDisk Update\)|Re-Install DSM of) (\S+) v?(\d[\d.]*-\d{4,6})\b/;

/** Also of M-shell, which has it in the same place. */
export function withMshell(home: SavedHome): SavedHome {
  const isEnough: SavedHome['isEnough'] = found =>
    home.isEnough(found) || (found.has(mshellScript) && found.has(config));
  return { ...home, files: [...home.files, mshellScript], isEnough };
}

export function toldByMenu(titles: readonly string[], grubConfig: string, home: HomeFiles | null): Told {
  const [, model, dsm = null] = titles.map(title => forDsm.exec(title)).find(match => match !== null) ?? [];
  const cmdline = commandLine(grubConfig);
  const text = (name: string) => home?.get(name)?.toString('utf8') ?? null;
  const saved = orNull(() => JSON.parse(text(config)?.trim() ?? ''));
  const known = isValues(at(saved, 'extra_cmdline'));
  // The home is saved after a build or not at all; the menu is what DSM starts with.
  const values = known ? at(saved, 'extra_cmdline') : cmdline;
  const hashed = word(at(saved, 'general'), 'zimghash', isSet) !== null;
  const [, release] = /^rploaderver="([^"\n]{1,32})"/m.exec(text(mshellScript) ?? text(script) ?? '') ?? [];
  const [, jot] = /\bJOT Version : (\S{1,32}?)"?$/m.exec(grubConfig) ?? [];
  return {
    ...{ ...untold, version: word({ release: release ?? jot }, 'release', releaseName), dsm },
    ...{ model: word({ model }, 'model', modelName), built: dsm !== null && (hashed || null) },
    ...(values !== null && { serial: word(values, 'sn', isSet) !== null, macs: macsIn(values), map: mapIn(values) }),
    why: known ? null : home ? `The saved home of its image builder has no valid ${config}.` : unread,
  };
}

/** What DSM's kernel gets in the first entry that has it all; null: none has. */
function commandLine(grubConfig: string): Readonly<Record<string, string>> | null {
  const lines = grubConfig.split('\n').filter(line => /^\s*(?:linux\s|set kernel_cmdline=)/.test(line));
  const line = lines.find(each => /[\s"]sn=/.test(each));
  if (line === undefined) return null;
  const words = line.matchAll(/(?<=[\s"])([A-Za-z]\w{0,31})=([^\s"']{0,64})/g);
  return Object.fromEntries([...words].map(([, key = '', value = '']) => [key, value]));
}
