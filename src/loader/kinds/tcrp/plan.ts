import { quote } from '../../../ssh/quote.ts';
import type { Condition, LoaderConfig, LoaderFacts, Step } from '../../adapter.ts';
import { backUpHome, customModule, keepLastStatus, overridePorts, selfUpdate, updateConfig } from './prompts.ts';

/**
 * The commands of a rebuild with TinyCore RedPill, in the order that works: the upgrade puts a new user_config.json in
 * place, so everything that is written into it comes afterwards, and the build reads it last. Pure.
 */

/** `Condition.code` says what each needs to know. */
const conditions: Readonly<Record<Condition['code'], Condition>> = {
  'upgraded_from_0.9': {
    code: 'upgraded_from_0.9',
    words: 'only if the image had release 0.9, whose upgrade fetches only a part of 0.10',
  },
  no_identity: { code: 'no_identity', words: 'only if user_config.json has no serial number and MAC to be kept' },
};

const minute = 60_000;
const config = 'user_config.json';
const version = './rploader.sh version';
/** Its own word on where everything is, at the end of `backup`. */
const homeSaved = { name: 'home_saved', pattern: /Backing up home files to/ };
const lastStatusKept = { name: 'last_status_kept', pattern: /OK, keeping last status/ };

const saveConfig = read('save_config', 'Save user_config.json', `cat ${config}`, /"extra_cmdline"/);

export function plan(wanted: LoaderConfig, facts: LoaderFacts): readonly Step[] {
  return [
    // Every release ends this with 1.
    { ...read('version', 'Look which release the image has', version, /\d\.\d{1,2}\.\d/), exitCodes: [0, 1] },
    // What nothing is kept of may be broken.
    ...(wanted.keepIdentity || wanted.upgrade === 'never' ? [saveConfig] : []),
    ...(wanted.upgrade === 'full' ? upgrade() : []),
    serialgen(wanted),
    ...(facts.usbDisks === 1 ? [identifyusb()] : []),
    ...(facts.deviceTree ? [] : [satamap()]),
    read('read_config', 'Read user_config.json', `cat ${config}`, /"extra_cmdline"/),
    edit(wanted, facts),
    ...wanted.extensions.map((url, nth) => extension(wanted.platform, url, nth + 1)),
    checkExtractor(),
    build(wanted.platform),
    backup(),
  ];
}

function step(name: string, title: string, command: string, more: Partial<Step>): Step {
  return {
    ...{ name, title, command, prompts: [], input: null, kept: false },
    // Most begin by fetching the date from a server, which takes its time where it is out of reach.
    ...{ silence: 5 * minute, timeout: 10 * minute, weight: 1, onlyIf: null, proofs: [], exitCodes: [0] },
    ...more,
  };
}

function read(name: string, title: string, command: string, proof: RegExp): Step {
  const proofs = [{ name: 'content', pattern: proof }];
  return step(name, title, command, { kept: true, silence: minute, timeout: minute, weight: 0, proofs });
}

/**
 * `fullupgrade` takes whatever it gets for a new file, be it an error page, and keeps the old one where it gets nothing.
 * So the old script gets a mark before, and what came is proven before anything is saved in the image. Where it is not
 * whole, the old files come back.
 */
function upgrade(): Step[] {
  const old = 'old/before-upgrade';
  const keep = `rm -rf ${old}; mkdir -p ${old} && cp rploader.sh *.json ${old} && echo '# old' >>rploader.sh && echo kept`;
  const json = `custom_config.json custom_config_jun.json global_config.json rpext-index.json ${config}`;
  const whole = [
    "head -n 1 rploader.sh | grep '^#!' && ! grep -x '# old' rploader.sh",
    `${version} | grep -x '[0-9][0-9.]*'`,
    `echo ${json} | xargs -n 1 jq -e . >/dev/null`,
  ].join(' && ');
  const check = `if ${whole}; then echo 'The upgrade is whole.'; else sudo cp ${old}/* .; echo 'The upgrade is not whole.'; fi`;
  const run = { prompts: [keepLastStatus], timeout: 15 * minute, weight: 6, proofs: [lastStatusKept] };
  const short = (proof: RegExp) => ({
    ...{ silence: minute, timeout: minute, weight: 0, proofs: [{ name: 'said', pattern: proof }] },
  });
  const again = { onlyIf: conditions['upgraded_from_0.9'] };
  // Of a copy: a late release writes over the script that runs, and its shell goes on in the middle of the new one.
  const fullupgrade = 'cp rploader.sh old/rploader.sh && old/rploader.sh fullupgrade';
  return [
    step('keep_old_files', 'Keep the old files', keep, short(/kept/)),
    step('upgrade', 'Upgrade the loader', fullupgrade, run),
    step('check_upgrade', 'Check what came', check, short(/The upgrade is whole\./)),
    step('upgrade_again', 'Complete the upgrade', fullupgrade, { ...run, ...again }),
    step('check_upgrade_again', 'Check what came', check, { ...short(/The upgrade is whole\./), ...again }),
  ];
}

function serialgen({ model, keepIdentity }: LoaderConfig): Step {
  return step('serialgen', 'Make a serial number', `./rploader.sh serialgen ${word(model)} realmac`, {
    prompts: [updateConfig],
    onlyIf: keepIdentity ? conditions.no_identity : null,
    proofs: [{ name: 'serial_number', pattern: /Serial Number for Model/ }],
  });
}

/** Under emulation it only says which numbers a stick of QEMU has. */
function identifyusb(): Step {
  return step('identifyusb', "Find the loader's USB stick", './rploader.sh identifyusb', {
    prompts: [updateConfig],
    proofs: [
      { name: 'usb_ids', pattern: /Vendor ID : 0x[0-9a-f]{4} Product ID : 0x[0-9a-f]{4}|VID 0x46f4 and PID 0x0001/ },
    ],
  });
}

function satamap(): Step {
  return step('satamap', 'Map the SATA ports', './rploader.sh satamap', {
    prompts: [overridePorts, updateConfig],
    proofs: [{ name: 'done', pattern: /Done\./ }],
  });
}

/** The new file is whole and right before it takes the old one's place. Its path stays, for redpill-load links to it. */
function edit({ keepIdentity }: LoaderConfig, { map, usbIds }: LoaderFacts): Step {
  const edits = { ...map, ...usbIds };
  const right = Object.entries(edits).map(([key, value]) => `.extra_cmdline.${key} == ${JSON.stringify(value)}`);
  const partial = `${config}.new`;
  const check = `test -s ${partial} && jq -e ${word(right.join(' and '))} ${partial}`;
  return step('edit_config', `Write ${config}`, `cat >${partial} && ${check} && mv -f ${partial} ${config}`, {
    ...{ input: { edits, keepIdentity }, silence: minute, timeout: minute },
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
 * Releases from 0.9.4.5 keep their extractor of DSM's archive in the image, a broken one too, and never fetch it again.
 * The script's own test of it: without arguments it ends with 3.
 */
function checkExtractor(): Step {
  const command = [
    'for d in /mnt/sd?3/auxfiles/patch-extractor; do [ -d "$d" ] || continue',
    'LD_LIBRARY_PATH="$d/lib" "$d/synoarchive.nano" >/dev/null 2>&1',
    'if [ $? -ne 3 ]; then sudo rm -rf "$d" && echo "removed $d, which was broken"; fi; done; echo checked',
  ].join('; ');
  return step('check_extractor', "Check the extractor of DSM's archive", command, {
    ...{ silence: minute, timeout: minute, weight: 0, proofs: [{ name: 'checked', pattern: /checked/ }] },
  });
}

/** Two of DSM's own archives of some 370 MB each are fetched the first time, and a progress meter is all one hears. */
function build(platform: string): Step {
  return step('build', 'Build the loader', `./rploader.sh build ${word(platform)}`, {
    ...{ prompts: [selfUpdate, customModule], silence: 15 * minute, timeout: 60 * minute, weight: 70 },
    proofs: [
      { name: 'usb_line', pattern: /Updated user_config with USB Command Line :[^\S\n]{0,8}[^\s]/ },
      { name: 'sata_line', pattern: /Updated user_config with SATA Command Line :[^\S\n]{0,8}[^\s]/ },
      // The last line of a good build; nothing says that it is finished.
      { name: 'session_saved', pattern: /Saving current user_config\.json\s{1,4}-> OK !/ },
    ],
  });
}

/** The home is in memory until this has been done. */
function backup(): Step {
  return step('backup', "Save the loader's home", './rploader.sh backup', {
    prompts: [backUpHome],
    weight: 4,
    proofs: [homeSaved],
  });
}

/** For the shell, in quotes only where it needs them. */
function word(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : quote(text);
}

/** `redpill-virtio` of …/redpill-virtio/rpext-index.json. */
function nameOf(url: string): string {
  return url.split('/').at(-2) || url;
}
