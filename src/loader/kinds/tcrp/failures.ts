import type { Failure, OutputTable } from '../adapter.ts';
import { diskFailed, fatal, hint } from '../outcome.ts';

const again = 'Try again later';
const space = 'Give the VM 2 GiB of memory or more';
const noPatCache =
  "Begin again from the old image, which `rollback` puts back; or remove the archive from the folder `auxfiles` on the image's third partition.";
const otherBuild = 'Choose another build, or set `upgrade: full`.';
const guestClock = "Check the guest's clock, and that no proxy stands between it and the internet.";
const noRecipe = 'Leave that extension out, or choose a build that it has a recipe for.';
const extensionAgain = `Check that the guest reaches github.com and raw.githubusercontent.com. ${again}.`;

const notWhole = { message: 'The extension $1 did not come whole.', advice: extensionAgain };
const noConfig = { message: 'The loader has no configuration for this model and build.', advice: otherBuild };

/** THE table of failures of rploader.sh. */
export const failures: readonly Failure[] = [
  hint('missing_program', / line \d{1,5}: ([\w./-]{1,60}): command not found/, {
    message: 'The loader lacks the program $1.',
    advice: 'Set `upgrade: full`, or begin with a fresh image of the loader: an upgrade may have come in half.',
  }),
  fatal('platform_not_found', /Error : Platform not found/, {
    message: 'The loader does not know the configured platform id.',
    advice: "Set `platform` to one of the loader's ids, or `upgrade: full` for those of its last release.",
  }),
  fatal('self_updated', /OK, updating, please re-run after updating/, {
    message: "The loader's script replaced itself by a newer one instead of building.",
    advice: 'Run the rebuild again; with `upgrade: full` it begins with the newest script.',
  }),
  fatal('no_space', /No space left on device/, {
    message: 'The loader ran out of space: in its memory, or on the first partition of its image.',
    advice: `${space}; if it has, begin with a fresh image of the loader.`,
  }),
  diskFailed,
  fatal('out_of_memory', /Cannot allocate memory| line \d{1,5}: {1,4}\d{1,10} Killed /, {
    message: 'The loader ran out of memory.',
    advice: `${space}, and try again.`,
  }),
  fatal('mount_failed', /ERROR: Failed to mount correctly all required partitions/, {
    message: "The partitions of the loader's image could not be mounted, so nothing was written to them.",
    advice: "Check that the loader's disk is on USB and its image whole; a power-off and a new start often help.",
  }),
  hint('clock_wrong', /certificate is not yet valid/, {
    message: "The guest's clock is behind: the certificate of a site is not valid yet by its time.",
    advice: 'Set the clock of the VM (`<clock offset="utc"/>` in its XML, and the time of its host), and try again.',
  }),
  hint('certificate', /SSL certificate problem: ([^\n]{1,100})\n/, {
    message: 'The guest does not trust the certificate of a site: $1.',
    advice: guestClock,
  }),
  hint('certificate', /server certificate verification failed/, {
    message: 'The guest does not trust the certificate of a site.',
    advice: guestClock,
  }),
  hint('host_unreachable', /(?:Failed to connect to|Could not resolve host:) ([\w.-]{1,100}?)(?: port |\n)/, {
    message: 'The guest could not reach $1.',
    advice: `Check the guest's way to that host: its network, its name server, a firewall. ${again}.`,
  }),
  fatal('git_failed', /fatal: ([^\n]{200}|[^\n]{1,199}(?=\n))/, {
    message: "The loader's sources could not be fetched: $1.",
    advice: `Check that the guest reaches github.com. ${again}.`,
  }),
  fatal('upgrade_not_whole', /The upgrade is not whole/, {
    message: "The upgrade did not bring the loader's own files, or only a part of them. Nothing of it was saved.",
    advice: `Check that the guest reaches github.com. ${again}, or set \`upgrade: never\`.`,
  }),
  fatal('no_friend', /Could not find friend files/, {
    message: "The build could not fetch the loader's kernel and stopped without an error.",
    advice: `Check that the guest reaches github.com and api.github.com. ${again}.`,
  }),
  fatal('checksum', /checksum ERROR !/, {
    message: 'A file that was fetched is damaged.',
    advice: `${again}: what is on its cache partition is fetched anew.`,
  }),
  fatal('unknown_model', /is not an available model for serial number generation/, {
    message: 'The loader makes no serial numbers for the configured model.',
    advice: 'Correct `model`; or write a serial number and MAC into user_config.json yourself, which are then kept.',
  }),
  fatal('random_identity', /Missing serial and\/or mac in userconfig\.json/, {
    message: 'The build found no serial number or no MAC in user_config.json, and made up its own.',
    advice: 'Write both into user_config.json, or set `keep_identity: false`.',
  }),
  fatal('no_usb_disk', /Sorry, no usb disk could be identified/, {
    message: 'The loader found no USB stick, or several.',
    advice: "Attach the loader's image on USB, and nothing else.",
  }),
  fatal('home_not_saved', /Error: Couldn't backup files/, {
    message: 'The home of the loader could not be saved to its image.',
    advice: 'Begin with a fresh image of the loader: its third partition is full or damaged.',
  }),
  fatal('no_internet', /Error: No internet found, or github is not accessible/, {
    message: 'The guest has no way to github.com.',
    advice: "Check the guest's network and its name server.",
  }),
  fatal('bad_config', /Problem found in user_config\.json/, {
    message: 'The loader cannot read user_config.json.',
    advice: 'Set `upgrade: full` for a fresh one, or begin with a fresh image of the loader.',
  }),
  hint('no_recipe', /The extension (\S{1,80}) was found\. However, the extension index has no recipe for/, {
    message: 'The extension $1 has no recipe for this build.',
    advice: noRecipe,
  }),
  hint('no_recipe', /the extension index has no recipe for/, {
    message: 'An extension has no recipe for this build.',
    advice: noRecipe,
  }),
  fatal('bad_extension', /The index file for .{1,200}? extension is invalid/, {
    message: "An extension's index is not valid.",
    advice: 'Check the URLs in `extensions`: they must lead to the plain file, not to a page about it.',
  }),
  fatal(
    'half_extension',
    /\/extensions\/([^/\s]{1,80})\/\S{1,200} file\.\.\.\s?\[ERR\]\s{0,2}\[!\] Checksum mismatch/,
    {
      message: 'The extension $1 came in half: a file of it is not the one that was expected.',
      advice: `${again}; its makers may have changed a file without its checksum.`,
    },
  ),
  hint('half_extension', /Recipe file for extension (\S{1,80}) platform \S{1,40} is logically invalid/, notWhole),
  fatal('half_extension', /Failed to dump extension (\S{1,80}) for platform/, notWhole),
  fatal('no_extension', /\[!\] Failed to add "([^"\n]{1,200})" as an extension/, {
    message: 'The extension at $1 could not be added.',
    advice: extensionAgain,
  }),
  fatal('no_extension', /\[!\] Extension "(\S{1,80})" is not added\/installed/, {
    message: 'The extension $1 could not be added.',
    advice: extensionAgain,
  }),
  fatal('cache_full', /No adequate space on .{1,100}? to download file into cache/, {
    message: "There is no space for DSM's archive on the third partition of the image.",
    advice: 'Begin with a fresh image of the loader, or remove old archives from its folder `auxfiles`.',
  }),
  // The source of the download did not answer, or the download does not run.
  hint(
    'no_extractor',
    /could not extract extractor pat file|could not execute synoarchive|ERROR downloading old pat|Cound not execute|cannot stat 'usr\/syno\/(?:sbin\/synoarchive|bin\/scemd)'|VERSION: Not found in archive/,
    {
      message: "The program that opens DSM's archive could not be fetched, or does not run.",
      advice: `Check that the guest reaches global.download.synology.com, from which it comes. ${again}; a broken one that stays in the image's cache is removed before the next build.`,
    },
  ),
  fatal('no_module', /Module does not contain platorm information/, {
    message: "The loader's kernel module could not be fetched, or there is none for this build of DSM.",
    advice: `Check that the guest reaches raw.githubusercontent.com. ${again}, or choose another build.`,
  }),
  fatal('no_module_list', /Error : File \S{1,100} could not be parsed/, {
    message: 'The list of kernel modules is damaged, so the loader did not look which drivers the VM needs.',
    advice: `Check that the guest reaches raw.githubusercontent.com. ${again}.`,
  }),
  hint('no_build_config', /\/config\/\S{1,60}\/config\.json: No such file/, noConfig),
  fatal('no_pat', /Failed to download PAT file/, {
    message: "DSM's archive could not be fetched.",
    advice: `Check that the guest reaches global.download.synology.com. ${again}.`,
  }),
  fatal('bad_pat', /is encrypted or not, maybe corrupted|Something went wrong, please check cache files/, {
    message: "DSM's archive is damaged: it was not fetched to its end, or a page came instead of it.",
    advice: noPatCache,
  }),
  fatal('bad_pat', /os sha256 verify FAILED|\.pat file\.\.\.\s?\[ERR\]\s{0,2}\[!\] Checksum mismatch/, {
    message: "DSM's archive is not the one that the loader expects.",
    advice: noPatCache,
  }),
  hint('broken_off', /unexpected end of file|Unexpected EOF in archive|transfer closed with \d{1,20} bytes remaining/, {
    message: 'An archive broke off before its end.',
    advice: `${again}. ${noPatCache}`,
  }),
  fatal(
    'no_build_config',
    /No config file found, please use|Config file \S{1,200} not found, please use|There doesn't seem to be a config for/,
    noConfig,
  ),
  fatal('no_tools', /Some tools weren't available/, {
    message: 'The loader lacks programs that the build needs.',
    advice: 'Begin with a fresh image of the loader.',
  }),
  fatal('patch_failed', /One of the patches - .{1,300}? - failed to apply/, {
    message: "DSM's files could not be patched: the archive and the loader do not fit each other.",
    advice: otherBuild,
  }),
  fatal('checksum', /Checksum mismatch - expected/, {
    message: 'A file that was fetched is not the one that was expected.',
    advice: `${again}; an extension may have been changed without its index.`,
  }),
  fatal('no_loop_device', /Failed to attach .{1,300}? to a loop device/, {
    message: 'The loader could not open the image that it had made.',
    advice: `${space}, and try again.`,
  }),
  fatal('no_menu', /Failed to generate grub\.cfg|Failed to add (?:USB|SATA) entry/, {
    message: "The loader's new boot menu could not be made.",
    advice: 'Set `upgrade: full`, or begin with a fresh image of the loader: a part of its own scripts is missing.',
  }),
  fatal('download_failed', /Failed to download/, {
    message: 'Something could not be fetched.',
    advice: extensionAgain,
  }),
  // Good builds print it too, for an extension that exists already.
  fatal('part_failed', /\[!\] (?!Extension is already added)([^\n]{300}|[^\n]{1,299}(?=\n))/, {
    message: 'A part of it failed: $1.',
    advice: null,
  }),
  fatal('bad_config', /parse error: /, {
    message: 'A file that the loader reads is not valid JSON.',
    advice: 'Check user_config.json; `upgrade: full` brings a fresh one.',
  }),
  fatal('build_failed', /FAILED : Loader creation failed/, {
    message: 'The loader could not be built.',
    advice: null,
  }),
];

const alreadyAdded = { pattern: /Extension is already added/, note: 'An extension was there already.' };

const remarks: OutputTable['remarks'] = [
  alreadyAdded,
  {
    pattern: /ERROR ! System DATE is not correct/,
    note: "The guest's clock was wrong; the loader has tried to set it.",
  },
  {
    pattern: /removed \/mnt\/\S{1,60}, which was broken/,
    note: "The extractor of DSM's archive in the image's cache was broken. It was removed, and comes anew.",
  },
  {
    pattern: /Recipe file for extension \S{1,80} platform \S{1,40} is logically invalid/,
    note: 'An extension did not come whole at first. The loader fetched it again.',
  },
  {
    pattern: /No adequate space on TCRP loader partition/,
    note: "DSM's archive was not kept in the image's cache: there is too little space.",
  },
  {
    pattern: /WARNING: Bad ports are mapped/,
    note: 'satamap found ports without a device behind them; its map is not the one that is used.',
  },
];

export const outputTable: OutputTable = {
  ...{ failures, remarks, marks: [] },
  // The extension to add exists already: all is well, though the exit code is 1. A build also prints this.
  forgiven: { steps: /^extension_/, pattern: alreadyAdded.pattern },
  noProgram: "Check that the loader's disk is on USB; on another bus it starts without its own files.",
};
