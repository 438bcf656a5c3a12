import { quote } from '../../../ssh/quote.ts';
import type { LoaderConfig } from '../../plan/finding.ts';
import { type LoaderFacts, minute, type Outputs, type Step, step } from '../adapter.ts';
import { at, isComplete, objectionIn, type Values } from '../identity.ts';
import {
  configIn,
  isBuiltFor,
  judgeConfig,
  readIdentity,
  textOf,
  userConfig,
  type Wanted,
  wantedOf,
} from './user-config.ts';

/**
 * The commands of a rebuild with RR, by its `menu.sh`, which runs each function of its menu without dialogs when it is
 * named as an argument. It then prints the dialogs, ends with 0 whatever happens, and reads its standard input to the
 * end. So each command ends with a look at the files, and says what they show. Pure.
 */

const file = `/mnt/p1/${userConfig}`;
/** English messages, whatever language RR is set to: gettext finds no catalogue of this name. */
const enter = '[ ! -f ~/.mountloader ] || . ~/.mountloader; export LANGUAGE=en; cd /opt/rr &&';

/** Empty for an id of another form, which `examine` refuses. */
export function plan(config: LoaderConfig, facts: LoaderFacts): readonly Step[] {
  const wanted = wantedOf(config);
  if (wanted === null) return [];
  return [
    short('version', 'Look which version RR has', `${enter} . ./include/consts.sh && echo "RR $RR_VERSION"`, {
      ...{ kept: true, proofs: [{ name: 'version', pattern: /RR \d[\w.]*/ }] },
    }),
    {
      ...readKept('save_config'),
      objection: output => (config.keepIdentity ? objectionIn(judgeConfig(output)) : null),
    },
    ...(config.upgrade === 'full' ? upgrade(config.upgradeZip) : []),
    ...(config.keepIdentity ? [] : [forget()]),
    chooseModel(wanted, config),
    readKept('model_config'),
    chooseVersion(wanted),
    readKept('version_config'),
    edit(config, facts),
    ...(config.addons.length > 0 ? [checkAddons(config.addons)] : []),
    make(),
    {
      ...readKept('read_back'),
      objection: (output, outputs) => objectionTo(output, outputs, wanted, { config, facts }),
    },
    short('clean_cache', "Remove DSM's archive from the image", menu('cleanCache'), { timeout: 5 * minute, weight: 1 }),
  ];
}

function rrStep(name: string, title: string, command: string, more: Partial<Step>): Step {
  return step(name, title, command, { exitCodes: null, ...more });
}

function short(name: string, title: string, command: string, more: Partial<Step>): Step {
  return rrStep(name, title, command, { silence: minute, timeout: minute, weight: 0, ...more });
}

/** A function of RR's menu. An open pipe on its standard input would hold it for ever. */
function menu(words: string): string {
  return `${enter} ./menu.sh ${words} </dev/null`;
}

/** RR's functions for its configuration; they need bash. */
function withFunctions(script: string): string {
  return `${enter} bash -c ${quote(`. include/functions.sh; ${script}`)}`;
}

/** Prints `yes` when the test holds, else `no`. */
function tell(test: string, yes: string, no: string): string {
  return `if ${test}; then echo ${quote(yes)}; else echo ${quote(no)}; fi`;
}

function readKept(name: string): Step {
  const proofs = [{ name: 'content', pattern: /^\s*\w[\w-]*\s*:/m }];
  return short(name, `Read ${userConfig}`, `cat ${file}`, { kept: true, proofs });
}

/** RR takes the newest `update*.zip` in /tmp, or else fetches its newest release. It reboots into its builder itself. */
function upgrade(zip: string | null): Step[] {
  const there = '/tmp/update-dsm2mqtt.zip';
  const take = `rm -f /tmp/update*.zip; cat >${there}.part && mv -f ${there}.part ${there}; `;
  const sent = tell(`[ -s ${there} ]`, 'The update has arrived.', 'The update has not arrived.');
  const arrived = [{ name: 'arrived', pattern: /The update has arrived\./ }];
  const send = { file: zip, silence: 30 * minute, timeout: 30 * minute, weight: 6, proofs: arrived };
  return [
    ...(zip === null ? [] : [rrStep('send_update', "Send RR's update", take + sent, send)]),
    rrStep('upgrade', 'Upgrade the loader', menu('updateMenu r'), {
      ...{ reboots: true, silence: 10 * minute, timeout: 30 * minute, weight: 10 },
      proofs: [{ name: 'updated', pattern: /updated with success/ }],
    }),
  ];
}

function forget(): Step {
  const keys = ['sn', 'mac1', 'mac2'].map(key => `writeConfigKey ${key} "" "$USER_CONFIG_FILE"`);
  return short('forget_identity', 'Forget the serial number', withFunctions(`${keys.join('; ')}; echo forgotten.`), {
    proofs: [{ name: 'said', pattern: /forgotten\./ }],
  });
}

/** Another model resets most of the configuration, and gets a new serial number. */
function chooseModel({ model }: Wanted, { keepIdentity }: LoaderConfig): Step {
  const is = tell(isSet('model', model), 'The model is set.', 'The model is not set.');
  const condition = {
    words: 'only if it is not the model of the image, or serial number and MAC are missing',
    holds: (outputs: Outputs) => {
      const text = outputs.get('save_config') ?? '';
      const read = readIdentity(text);
      const complete = !('problem' in read) && isComplete(read.identity);
      return textOf(configIn(text), 'model') !== model || !complete;
    },
  };
  return rrStep('model', `Choose the model ${model}`, `${menu(`modelMenu ${quote(model)}`)}; ${is}`, {
    ...{ onlyIf: keepIdentity ? condition : null, weight: 2 },
    proofs: [{ name: 'model', pattern: /The model is set\./ }],
  });
}

/** A build that the image was made for needs no look at Synology's site: its files are there. */
function chooseVersion(wanted: Wanted): Step {
  const { key, product, build } = wanted;
  const url = `grep -q ${quote(`^paturl:.*_${build}`)} ${file}`;
  const is = tell(`${isSet('productver', product)} && ${url}`, 'The version is set.', 'The version is not set.');
  return rrStep('dsm_version', `Choose DSM ${key}`, `${menu(`productversMenu ${quote(key)}`)}; ${is}`, {
    weight: 2,
    onlyIf: {
      words: 'only if the image is of another version',
      holds: outputs => !isBuiltFor(configIn(outputs.get('model_config')), wanted),
    },
    proofs: [{ name: 'version', pattern: /The version is set\./ }],
  });
}

function isSet(key: string, value: string): string {
  const escaped = value.replaceAll(/[.+*[\]\\^$]/g, '\\$&').replaceAll('\\+', '[+]');
  return `grep -qE ${quote(`^${key}: *["']?${escaped}["']?$`)} ${file}`;
}

/** What is written, by its path. `written`: the configuration, by which a model with a device tree gets no map. */
function settingsOf({ addons }: LoaderConfig, { map }: LoaderFacts, written: Values): Record<string, string> {
  const maps = Object.entries(textOf(written, 'dt') === 'true' ? {} : map).filter(([, value]) => value !== '');
  const named = addons.map(each => [`addons."${nameOf(each)}"`, each.split('=').slice(1).join('=')]);
  return Object.fromEntries([...maps.map(([key, value]) => [`cmdline.${key}`, value]), ...named]);
}

/** Serial number and MACs come through standard input, so that no command has them. */
function edit(config: LoaderConfig, facts: LoaderFacts): Step {
  const { keepIdentity } = config;
  const read = 'while IFS== read -r k v; do writeConfigKey "$k" "$v" "$USER_CONFIG_FILE"; done; echo written.';
  const edits = settingsOf(config, facts, {});
  const text: NonNullable<Step['input']>['text'] = outputs => {
    const settings = settingsOf(config, facts, configIn(outputs.get('version_config')));
    const kept = keepIdentity ? readIdentity(outputs.get('save_config') ?? '') : { identity: {} };
    if ('problem' in kept) return kept;
    const all = { ...settings, ...kept.identity };
    const lines = Object.entries(all).map(([key, value]) => `${key}=${value}\n`);
    const skipped = Object.keys(settings).length < Object.keys(edits).length;
    const note = 'The model has a device tree: SataPortMap and DiskIdxMap are not set.';
    return { text: lines.join(''), notes: skipped ? [note] : [] };
  };
  return short('edit_config', `Write ${userConfig}`, withFunctions(read), {
    ...{ input: { edits, keepIdentity, text } },
    proofs: [{ name: 'written', pattern: /written\./ }],
  });
}

function nameOf(addon: string): string {
  return addon.split('=')[0] ?? '';
}

function checkAddons(addons: readonly string[]): Step {
  const read = ['platform', 'kpre', 'kver'].map(key => `${key}=$(readConfigKey ${key} "$USER_CONFIG_FILE")`).join('; ');
  const names = addons.map(nameOf).join(' ');
  const check = `checkAddonExist "$a" "$platform" "\${kpre:+$kpre-}$kver" || echo "There is no add-on $a."`;
  const script = `${read}; for a in ${names}; do ${check}; done; echo looked.`;
  return short('check_addons', 'Check the add-ons', withFunctions(script), {
    proofs: [{ name: 'looked', pattern: /looked\./ }],
  });
}

/** It has worked when both files that DSM starts from are new, and RR itself sees nothing left to build. */
function make(): Step {
  const begin = '/tmp/dsm2mqtt-begin';
  const isNew = (name: string) => `[ -s /mnt/p3/${name} ] && [ /mnt/p3/${name} -nt ${begin} ]`;
  const all = `[ ! -e /mnt/p1/.build ] && ${isNew('zImage-dsm')} && ${isNew('initrd-dsm')}`;
  const prepare = `touch /mnt/p1/.build ${begin}; sleep 2; `;
  const is = tell(all, 'The loader is built.', 'The loader is not built.');
  return rrStep('build', 'Build the loader', `${prepare}${menu('make')}; sync; ${is}`, {
    ...{ weight: 70, silence: 15 * minute, timeout: 60 * minute },
    proofs: [{ name: 'built', pattern: /The loader is built\./ }],
  });
}

function objectionTo(
  output: string,
  outputs: Outputs,
  wanted: Wanted,
  given: { config: LoaderConfig; facts: LoaderFacts },
): ReturnType<Step['objection']> {
  const config = configIn(output);
  if (!isBuiltFor(config, wanted)) {
    const is = ['model', 'productver', 'buildnum', 'smallnum'].map(key => textOf(config, key) || '?').join(' ');
    const message = `RR has built ${is}, and ${wanted.model} ${wanted.key} is wanted.`;
    return { code: 'other_build', message, advice: 'Choose a version that RR lists, or set `upgrade: full`.' };
  }
  const settings = Object.entries(settingsOf(given.config, given.facts, config));
  const [lacking] = settings.find(([path, value]) => valueAt(config, path) !== value) ?? [];
  if (lacking) return { ...notWritten, message: `${lacking} in ${userConfig} is not what was written there.` };
  const [was, is] = [readIdentity(outputs.get('save_config') ?? ''), readIdentity(output)];
  if ('problem' in is) return objectionIn(judgeConfig(output));
  if (!isComplete(is.identity)) return { ...lost, message: 'RR has made no serial number, or no MAC.' };
  if (!given.config.keepIdentity || 'problem' in was) return null;
  const changed = Object.entries(was.identity).find(([key, value]) => is.identity[key] !== value);
  return changed ? { ...lost, message: `"${changed[0]}" in ${userConfig} is not what it was.` } : null;
}

function valueAt(config: Values, path: string): unknown {
  const [section = '', key = ''] = path.replaceAll('"', '').split(/\.(.*)/);
  return at(at(config, section), key);
}

/** RR's own function says nothing when it fails. */
const notWritten = {
  code: 'not_written',
  advice: 'Begin with a fresh image of RR: the first partition of this one may be full, or its file damaged.',
};
const lost = { code: 'identity_lost', advice: '`rollback` puts the old loader back, with its serial number and MACs.' };
