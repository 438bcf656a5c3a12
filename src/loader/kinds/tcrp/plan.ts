import type { Prompt } from '../../../ssh/dialogue.ts';
import { quote } from '../../../ssh/quote.ts';
import type { LoaderConfig } from '../../plan/finding.ts';
import { parsePlatformId } from '../../platforms.ts';
import { type LoaderFacts, minute, type Outputs, type Step, step } from '../adapter.ts';
import { isComplete, objectionIn } from '../identity.ts';
import { explainDifference, satamapOf } from './satamap.ts';
import { editUserConfig, judgeConfig, readIdentity, userConfig } from './user-config.ts';

/**
 * The commands of a rebuild with TinyCore RedPill, in the order that works: the upgrade replaces user_config.json, so
 * everything that edits it comes afterwards, and the build reads it last. Pure.
 */

const version = './rploader.sh version';

/** Every question of rploader.sh that a rebuild meets, and its one right answer. They are read from standard input. */
const prompts = {
  update_config: [/Should i update the user_config\.json with these values \? \[Yy\/Nn\]/, 'y'],
  /** Asked for each SATA controller; ENTER takes the number that is proposed. */
  override_ports: [/Override # of ports or ENTER to accept <?\d{1,2}>?/, '', 8],
  back_up_home: [/Should i update the \w{1,16} with your current files \[Yy\/Nn\]/, 'y'],
  /** The same at the end of `fullupgrade`: first the download is proven. */
  keep_last_status: [/Should i update the \w{1,16} with your current files \[Yy\/Nn\]/, 'n'],
  /** With `y`, the build replaces the script and ends with exit code 0, without building anything. */
  self_update: [/There is a newer version of the script on the repo should we use that \? \[yY\/nN\]/, 'n'],
  custom_module: [/Found custom redpill module, do you want to use this instead \? \[yY\/nN\](?: :)?/, 'n'],
} as const satisfies Readonly<Record<string, readonly [pattern: RegExp, answer: string, times?: number]>>;

const saveConfig = {
  ...read('save_config', 'Save user_config.json', `cat ${userConfig}`, /"extra_cmdline"/),
  objection: (output: string) => objectionIn(judgeConfig(output)),
};

/** Empty for an id that is none, which `examine` refuses. */
export function plan(wanted: LoaderConfig, facts: LoaderFacts): readonly Step[] {
  if ('problem' in parsePlatformId(wanted.platform)) return [];
  return [
    // Every release ends this command with 1.
    { ...read('version', 'Look which release the image has', version, /\d\.\d{1,2}\.\d/), exitCodes: [0, 1] },
    // A configuration of which nothing is kept may be broken.
    ...(wanted.keepIdentity || wanted.upgrade === 'never' ? [saveConfig] : []),
    ...(wanted.upgrade === 'full' ? upgrade() : []),
    serialgen(wanted),
    ...(facts.usbDisks === 1 ? [identifyusb()] : []),
    ...(facts.deviceTree ? [] : [satamap()]),
    read('read_config', 'Read user_config.json', `cat ${userConfig}`, /"extra_cmdline"/),
    edit(wanted, facts),
    ...wanted.extensions.map((url, nth) => extension(wanted.platform, url, nth + 1)),
    checkExtractor(),
    build(wanted.platform),
    // Until this has run, the home is only in memory. The proof is a message of rploader.sh.
    step('backup', "Save the loader's home", './rploader.sh backup', {
      ...{ prompts: [prompt('back_up_home')], weight: 4 },
      proofs: [{ name: 'home_saved', pattern: /Backing up home files to/ }],
    }),
  ];
}

function short(name: string, title: string, command: string, proof: Step['proofs'][number], more: Partial<Step> = {}) {
  return step(name, title, command, { silence: minute, timeout: minute, weight: 0, proofs: [proof], ...more });
}

function read(name: string, title: string, command: string, pattern: RegExp): Step {
  return short(name, title, command, { name: 'content', pattern }, { kept: true });
}

function prompt(name: keyof typeof prompts): Prompt {
  const [pattern, answer, times = 1] = prompts[name];
  return { name, pattern, answer, times };
}

/**
 * `fullupgrade` accepts any answer as a new file, even an error page, and keeps the old file if it gets nothing. So the
 * old script is marked before, and the new one is proven before anything is saved in the image. If it is not whole, the
 * old files are restored.
 */
function upgrade(): Step[] {
  const old = 'old/before-upgrade';
  const keep = `rm -rf ${old}; mkdir -p ${old} && cp rploader.sh *.json ${old} && echo '# old' >>rploader.sh && echo kept`;
  const json = `custom_config.json custom_config_jun.json global_config.json rpext-index.json ${userConfig}`;
  const whole = [
    "head -n 1 rploader.sh | grep '^#!' && ! grep -x '# old' rploader.sh",
    `${version} | grep -x '[0-9][0-9.]*'`,
    `echo ${json} | xargs -n 1 jq -e . >/dev/null`,
  ].join(' && ');
  const check = `if ${whole}; then echo 'The upgrade is whole.'; else sudo cp ${old}/* .; echo 'The upgrade is not whole.'; fi`;
  const isWhole = { name: 'said', pattern: /The upgrade is whole\./ };
  const run = {
    ...{ prompts: [prompt('keep_last_status')], timeout: 15 * minute, weight: 6 },
    proofs: [{ name: 'last_status_kept', pattern: /OK, keeping last status/ }],
  };
  const onlyIf = {
    words: 'only if the image had release 0.9, whose upgrade fetches only a part of 0.10',
    holds: (outputs: Outputs) => /\b0\.9\./.test(outputs.get('version') ?? ''),
  };
  // Runs a copy: a late release overwrites the running script, and its shell continues in the middle of the new one.
  const fullupgrade = 'cp rploader.sh old/rploader.sh && old/rploader.sh fullupgrade';
  return [
    short('keep_old_files', 'Keep the old files', keep, { name: 'said', pattern: /kept/ }),
    step('upgrade', 'Upgrade the loader', fullupgrade, run),
    short('check_upgrade', 'Check what came', check, isWhole),
    step('upgrade_again', 'Complete the upgrade', fullupgrade, { ...run, onlyIf }),
    short('check_upgrade_again', 'Check what came', check, isWhole, { onlyIf }),
  ];
}

function serialgen({ model, keepIdentity }: LoaderConfig): Step {
  const missing = {
    words: 'only if user_config.json has no serial number and MAC to be kept',
    holds: (outputs: Outputs) => {
      const saved = readIdentity(outputs.get('save_config') ?? '');
      return !('problem' in saved) && !isComplete(saved.identity);
    },
  };
  return step('serialgen', 'Make a serial number', `./rploader.sh serialgen ${word(model)} realmac`, {
    prompts: [prompt('update_config')],
    onlyIf: keepIdentity ? missing : null,
    proofs: [{ name: 'serial_number', pattern: /Serial Number for Model/ }],
  });
}

/** Under emulation it only prints the numbers of QEMU's stick. */
function identifyusb(): Step {
  const pattern = /Vendor ID : 0x[0-9a-f]{4} Product ID : 0x[0-9a-f]{4}|VID 0x46f4 and PID 0x0001/;
  return step('identifyusb', "Find the loader's USB stick", './rploader.sh identifyusb', {
    prompts: [prompt('update_config')],
    proofs: [{ name: 'usb_ids', pattern }],
  });
}

function satamap(): Step {
  return step('satamap', 'Map the SATA ports', './rploader.sh satamap', {
    prompts: [prompt('override_ports'), prompt('update_config')],
    proofs: [{ name: 'done', pattern: /Done\./ }],
  });
}

/** The new file is whole and right before it replaces the old one. Its path stays, because redpill-load links to it. */
function edit({ keepIdentity }: LoaderConfig, { map, usbIds }: LoaderFacts): Step {
  const edits = { ...map, ...usbIds };
  const right = Object.entries(edits).map(([key, value]) => `.extra_cmdline.${key} == ${JSON.stringify(value)}`);
  const partial = `${userConfig}.new`;
  const check = `test -s ${partial} && jq -e ${word(right.join(' and '))} ${partial}`;
  const command = `cat >${partial} && ${check} && mv -f ${partial} ${userConfig}`;
  // The current configuration with our settings, and with the old serial number and MACs if they are kept.
  const text: NonNullable<Step['input']>['text'] = outputs => {
    const now = outputs.get('read_config') ?? '';
    const saved = keepIdentity ? readIdentity(outputs.get('save_config') ?? '') : { identity: {} };
    if ('problem' in saved) return saved;
    const edited = editUserConfig(now, { ...edits, ...saved.identity });
    if ('problem' in edited) return edited;
    const made = readIdentity(edited.text);
    if ('problem' in made) return made;
    if (!isComplete(made.identity)) {
      const message = 'user_config.json has no serial number and MAC, though they were to be made.';
      return { problem: { code: 'no_identity', message } };
    }
    const satamaps = satamapOf(now);
    // A device tree needs no map, so satamap does not run.
    const notes = satamaps && edits.SataPortMap !== '' ? explainDifference(edits, satamaps) : [];
    return { text: edited.text, notes };
  };
  return step('edit_config', `Write ${userConfig}`, command, {
    ...{ input: { edits, keepIdentity, text }, silence: minute, timeout: minute },
    proofs: [{ name: 'checked', pattern: /true/ }],
  });
}

function extension(platform: string, url: string, nth: number): Step {
  const command = `./rploader.sh ext ${word(platform)} add ${word(url)}`;
  return step(`extension_${nth}`, `Add extension ${nameOf(url)}`, command, {
    weight: 4,
    proofs: [{ name: 'added', pattern: /Adding new extension from |Extension is already added/ }],
  });
}

/**
 * Releases from 0.9.4.5 keep their extractor of DSM's archive in the image, even a broken one, and never fetch it
 * again. The script's own test: without arguments the extractor ends with 3.
 */
function checkExtractor(): Step {
  const command = [
    'for d in /mnt/sd?3/auxfiles/patch-extractor; do [ -d "$d" ] || continue',
    'LD_LIBRARY_PATH="$d/lib" "$d/synoarchive.nano" >/dev/null 2>&1',
    'if [ $? -ne 3 ]; then sudo rm -rf "$d" && echo "removed $d, which was broken"; fi; done; echo checked',
  ].join('; ');
  const proof = { name: 'checked', pattern: /checked/ };
  return short('check_extractor', "Check the extractor of DSM's archive", command, proof);
}

/** The first build downloads two of DSM's own archives of some 370 MB each, and prints only a progress meter. */
function build(platform: string): Step {
  return step('build', 'Build the loader', `./rploader.sh build ${word(platform)}`, {
    ...{ prompts: [prompt('self_update'), prompt('custom_module')], weight: 70 },
    ...{ silence: 15 * minute, timeout: 60 * minute },
    proofs: [
      { name: 'usb_line', pattern: /Updated user_config with USB Command Line :[^\S\n]{0,8}[^\s]/ },
      { name: 'sata_line', pattern: /Updated user_config with SATA Command Line :[^\S\n]{0,8}[^\s]/ },
      // The last line of a good build; there is no message that it has finished.
      { name: 'session_saved', pattern: /Saving current user_config\.json\s{1,4}-> OK !/ },
    ],
  });
}

function word(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : quote(text);
}

/** `redpill-virtio` of …/redpill-virtio/rpext-index.json. */
function nameOf(url: string): string {
  return url.split('/').at(-2) || url;
}
