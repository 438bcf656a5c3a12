import type { Failure, OutputTable } from '../adapter.ts';
import { diskFailed, fatal, hint } from '../outcome.ts';

const again = 'Try again later';
const network = `Check that the guest reaches global.synologydownload.com and www.synology.com. ${again}.`;
const space = "Enlarge the loader's image, or begin with a fresh one: a partition is full.";
const older = 'Set `upgrade: full`, for a newer RR; or choose another build.';

/** THE table of failures of RR's menu.sh, whose dialogs are printed as their arguments. */
const failures: readonly Failure[] = [
  fatal('not_initialised', /Loader is not init!/, {
    message: 'RR does not know its own disk.',
    advice: 'Begin with a fresh image of RR; or start its builder by hand and look at the screen.',
  }),
  fatal('menu_open', /menu\.sh instance is already running|Error opening terminal/, {
    message: "RR's menu is open in another terminal.",
    advice: 'Close it there, and try again.',
  }),
  fatal('synology_unreachable', /Unable to connect to Synology website/, {
    message: "RR could not read the list of models or versions from Synology's site.",
    advice: network,
  }),
  fatal('model_not_offered', /The model is not set\./, {
    message: 'RR does not offer this model: it does not know it, or the CPU lacks what the model needs.',
    advice: 'Correct `model`; or give the VM a CPU with `movbe` (`<cpu mode="host-passthrough"/>`).',
  }),
  fatal('version_not_listed', /The version is not set\./, {
    message: 'RR does not list this version of DSM for the model.',
    advice: older,
  }),
  fatal('no_addon', /There is no add-on ([\w.-]{1,60})\./, {
    message: 'RR has no add-on $1 for this model and version.',
    advice: 'Correct or remove it in `addons`; the list is in the menu of RR.',
  }),
  fatal('no_space', /No disk space left, please clean the cache|No space left on device/, {
    message: 'There is too little space on a partition of the image, or in memory.',
    advice: space,
  }),
  fatal('no_pat', /Check internet\.\s{1,4}Error: ([\d:]{1,20})/, {
    message: "DSM's archive could not be fetched (curl says $1).",
    advice: network,
  }),
  fatal('bad_pat', /md5 hash of pat not match/, {
    message: "DSM's archive is not the one that Synology lists.",
    advice: `${again}, but first \`rollback\`: the archive stays in the image, and RR would take it again.`,
  }),
  fatal('bad_pat', /pat Invalid, try again|Could not determine if pat file is encrypted/, {
    message: "DSM's archive is damaged, or a page came instead of it.",
    advice: `Check that no proxy stands between the guest and the internet, and \`rollback\` first: the archive stays in the image.`,
  }),
  fatal('no_pat_url', /The pat url is empty|The cache has been cleared/, {
    message: "RR does not know from where DSM's archive comes.",
    advice: 'Choose another build once, so that RR asks Synology again.',
  }),
  fatal('no_reconfiguration', /Reconfiguration failed!/, {
    message: 'RR could not adapt its configuration to its new version.',
    advice: 'Begin with a fresh image of RR.',
  }),
  fatal('ramdisk_not_patched', /DSM ramdisk not patched/, {
    message: "RR could not patch DSM's ramdisk: this RR is too old for this build.",
    advice: older,
  }),
  fatal('kernel_not_patched', /DSM zImage not patched/, {
    message: "RR could not patch DSM's kernel: this RR is too old for this build.",
    advice: older,
  }),
  fatal('update_damaged', /Checksum do not match!|Error extracting update file/, {
    message: "RR's update is damaged, or it is another file.",
    advice: 'Set `upgrade_zip` to the update.zip of a release of RR, whole.',
  }),
  fatal('update_refused', /does not support upgrading to the latest update\.zip/, {
    message: 'This RR is too old to be upgraded.',
    advice: 'Begin with a fresh image of RR.',
  }),
  fatal('update_space', /insufficient remaining disk space/, {
    message: "There is too little space for RR's update on the third partition of the image.",
    advice: space,
  }),
  fatal('update_unreachable', /Error checking new version|Error downloading new version/, {
    message: "RR's newest release could not be fetched.",
    advice: `Check that the guest reaches github.com. ${again}; or set \`upgrade_zip\`.`,
  }),
  fatal('update_not_sent', /The update has not arrived\./, {
    message: "RR's update did not arrive in the image builder.",
    advice: 'Give the VM more memory: the update is kept there.',
  }),
  fatal('out_of_memory', /Cannot allocate memory|Out of memory/, {
    message: 'The image builder ran out of memory.',
    advice: 'Give the VM 4 GiB of memory.',
  }),
  diskFailed,
  fatal('rr_error', /--title Error --msgbox ([^\n]{200}|[^\n]{1,199}(?=\n))/, {
    message: 'RR reports an error: $1',
    advice: null,
  }),
  hint('not_built', /The loader is not built\./, {
    message: 'RR has not built the loader: its files are missing or old.',
    advice: null,
  }),
];

export const outputTable: OutputTable = {
  ...{ failures, remarks: [], forgiven: null, noProgram: null },
  marks: [
    { pattern: /Downloading \S{1,80}\.pat/, share: 0.05 },
    { pattern: /Checking hash of/, share: 0.5 },
    { pattern: /Extracting \.\.\./, share: 0.55 },
    { pattern: /Setting hash:/, share: 0.65 },
    { pattern: /Patching Ramdisk/, share: 0.7 },
    { pattern: /Patching zImage/, share: 0.9 },
    { pattern: /Ready!/, share: 1 },
  ],
};
