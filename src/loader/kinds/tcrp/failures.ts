/**
 * THE table of what goes wrong in rploader.sh, by what it then says: in words for people, with what to do. The more
 * particular come first. Patterns as `Proof` has them; `$1` is what the first group found.
 */

export interface Failure {
  code: string;
  pattern: RegExp;
  /** No good run says it: the step has failed, even with an exit code of 0. Else it only tells why one has failed. */
  lies: boolean;
  message: string;
  /** Null where its last lines say more than we can. */
  advice: string | null;
}

const again = 'Try again later';
const space = 'Give the VM 2 GiB of memory or more';
const noPatCache =
  "Begin again from the old image, which `rollback` puts back; or remove the archive from the folder `auxfiles` on the image's third partition.";
const noRecipe = 'Leave that extension out, or choose a build that it has a recipe for.';
const extensionAgain = `Check that the guest reaches github.com and raw.githubusercontent.com. ${again}.`;
const extractorServer = `Check that the guest reaches global.download.synology.com, from which it comes. ${again}; a broken one that stays in the image's cache is removed before the next build.`;

export const failures: readonly Failure[] = [
  {
    code: 'missing_program',
    lies: false,
    pattern: / line \d{1,5}: ([\w./-]{1,60}): command not found/,
    message: 'The loader lacks the program $1.',
    advice: 'Set `upgrade: full`, or begin with a fresh image of the loader: an upgrade may have come in half.',
  },
  {
    ...{ code: 'platform_not_found', lies: true, pattern: /Error : Platform not found/ },
    message: 'The loader does not know the configured platform id.',
    advice: "Set `platform` to one of the loader's ids, or `upgrade: full` for those of its last release.",
  },
  {
    ...{ code: 'self_updated', lies: true, pattern: /OK, updating, please re-run after updating/ },
    message: "The loader's script replaced itself by a newer one instead of building.",
    advice: 'Run the rebuild again; with `upgrade: full` it begins with the newest script.',
  },
  {
    ...{ code: 'no_space', lies: true, pattern: /No space left on device/ },
    message: 'The loader ran out of space: in its memory, or on the first partition of its image.',
    advice: `${space}; if it has, begin with a fresh image of the loader.`,
  },
  {
    code: 'disk_failed',
    lies: true,
    pattern: /Input\/output error|Read-only file system/,
    message: 'A disk of the image builder failed while it was read or written.',
    advice: "Look at the host's disk that has the loader's image (`dmesg`), and try again.",
  },
  {
    code: 'out_of_memory',
    lies: true,
    pattern: /Cannot allocate memory| line \d{1,5}: {1,4}\d{1,10} Killed /,
    message: 'The loader ran out of memory.',
    advice: `${space}, and try again.`,
  },
  {
    ...{ code: 'mount_failed', lies: true, pattern: /ERROR: Failed to mount correctly all required partitions/ },
    message: "The partitions of the loader's image could not be mounted, so nothing was written to them.",
    advice: "Check that the loader's disk is on USB and its image whole; a power-off and a new start often help.",
  },
  {
    ...{ code: 'clock_wrong', lies: false, pattern: /certificate is not yet valid/ },
    message: "The guest's clock is behind: the certificate of a site is not valid yet by its time.",
    advice: 'Set the clock of the VM (`<clock offset="utc"/>` in its XML, and the time of its host), and try again.',
  },
  {
    code: 'certificate',
    lies: false,
    pattern: /SSL certificate problem: ([^\n]{1,100})\n/,
    message: 'The guest does not trust the certificate of a site: $1.',
    advice: "Check the guest's clock, and that no proxy stands between it and the internet.",
  },
  {
    ...{ code: 'certificate', lies: false, pattern: /server certificate verification failed/ },
    message: 'The guest does not trust the certificate of a site.',
    advice: "Check the guest's clock, and that no proxy stands between it and the internet.",
  },
  {
    code: 'host_unreachable',
    lies: false,
    pattern: /(?:Failed to connect to|Could not resolve host:) ([\w.-]{1,100}?)(?: port |\n)/,
    message: 'The guest could not reach $1.',
    advice: `Check the guest's way to that host: its network, its name server, a firewall. ${again}.`,
  },
  {
    ...{ code: 'git_failed', lies: true, pattern: /fatal: ([^\n]{200}|[^\n]{1,199}(?=\n))/ },
    message: "The loader's sources could not be fetched: $1.",
    advice: `Check that the guest reaches github.com. ${again}.`,
  },
  {
    ...{ code: 'upgrade_not_whole', lies: true, pattern: /The upgrade is not whole/ },
    message: "The upgrade did not bring the loader's own files, or only a part of them. Nothing of it was saved.",
    advice: `Check that the guest reaches github.com. ${again}, or set \`upgrade: never\`.`,
  },
  {
    ...{ code: 'no_friend', lies: true, pattern: /Could not find friend files/ },
    message: "The build could not fetch the loader's kernel and stopped without an error.",
    advice: `Check that the guest reaches github.com and api.github.com. ${again}.`,
  },
  {
    ...{ code: 'checksum', lies: true, pattern: /checksum ERROR !/ },
    message: 'A file that was fetched is damaged.',
    advice: `${again}: what is on its cache partition is fetched anew.`,
  },
  {
    ...{ code: 'unknown_model', lies: true, pattern: /is not an available model for serial number generation/ },
    message: 'The loader makes no serial numbers for the configured model.',
    advice: 'Correct `model`; or write a serial number and MAC into user_config.json yourself, which are then kept.',
  },
  {
    ...{ code: 'random_identity', lies: true, pattern: /Missing serial and\/or mac in userconfig\.json/ },
    message: 'The build found no serial number or no MAC in user_config.json, and made up its own.',
    advice: 'Write both into user_config.json, or set `keep_identity: false`.',
  },
  {
    ...{ code: 'no_usb_disk', lies: true, pattern: /Sorry, no usb disk could be identified/ },
    message: 'The loader found no USB stick, or several.',
    advice: "Attach the loader's image on USB, and nothing else.",
  },
  {
    ...{ code: 'home_not_saved', lies: true, pattern: /Error: Couldn't backup files/ },
    message: 'The home of the loader could not be saved to its image.',
    advice: 'Begin with a fresh image of the loader: its third partition is full or damaged.',
  },
  {
    ...{ code: 'no_internet', lies: true, pattern: /Error: No internet found, or github is not accessible/ },
    message: 'The guest has no way to github.com.',
    advice: "Check the guest's network and its name server.",
  },
  {
    ...{ code: 'bad_config', lies: true, pattern: /Problem found in user_config\.json/ },
    message: 'The loader cannot read user_config.json.',
    advice: 'Set `upgrade: full` for a fresh one, or begin with a fresh image of the loader.',
  },
  {
    code: 'no_recipe',
    lies: false,
    pattern: /The extension (\S{1,80}) was found\. However, the extension index has no recipe for/,
    message: 'The extension $1 has no recipe for this build.',
    advice: noRecipe,
  },
  {
    ...{ code: 'no_recipe', lies: false, pattern: /the extension index has no recipe for/ },
    message: 'An extension has no recipe for this build.',
    advice: noRecipe,
  },
  {
    ...{ code: 'bad_extension', lies: true, pattern: /The index file for .{1,200}? extension is invalid/ },
    message: "An extension's index is not valid.",
    advice: 'Check the URLs in `extensions`: they must lead to the plain file, not to a page about it.',
  },
  {
    code: 'half_extension',
    lies: true,
    pattern: /\/extensions\/([^/\s]{1,80})\/\S{1,200} file\.\.\.\s?\[ERR\]\s{0,2}\[!\] Checksum mismatch/,
    message: 'The extension $1 came in half: a file of it is not the one that was expected.',
    advice: `${again}; its makers may have changed a file without its checksum.`,
  },
  {
    code: 'half_extension',
    lies: false,
    pattern: /Recipe file for extension (\S{1,80}) platform \S{1,40} is logically invalid/,
    message: 'The extension $1 did not come whole.',
    advice: extensionAgain,
  },
  {
    code: 'half_extension',
    lies: true,
    pattern: /Failed to dump extension (\S{1,80}) for platform/,
    message: 'The extension $1 did not come whole.',
    advice: extensionAgain,
  },
  {
    code: 'no_extension',
    lies: true,
    pattern: /\[!\] Failed to add "([^"\n]{1,200})" as an extension/,
    message: 'The extension at $1 could not be added.',
    advice: extensionAgain,
  },
  {
    code: 'no_extension',
    lies: true,
    pattern: /\[!\] Extension "(\S{1,80})" is not added\/installed/,
    message: 'The extension $1 could not be added.',
    advice: extensionAgain,
  },
  {
    ...{ code: 'cache_full', lies: true, pattern: /No adequate space on .{1,100}? to download file into cache/ },
    message: "There is no space for DSM's archive on the third partition of the image.",
    advice: 'Begin with a fresh image of the loader, or remove old archives from its folder `auxfiles`.',
  },
  {
    // What it is taken from did not come, or it does not run.
    code: 'no_extractor',
    lies: false,
    pattern:
      /could not extract extractor pat file|could not execute synoarchive|ERROR downloading old pat|Cound not execute|cannot stat 'usr\/syno\/(?:sbin\/synoarchive|bin\/scemd)'|VERSION: Not found in archive/,
    message: "The program that opens DSM's archive could not be fetched, or does not run.",
    advice: extractorServer,
  },
  {
    code: 'no_module',
    lies: true,
    pattern: /Module does not contain platorm information/,
    message: "The loader's kernel module could not be fetched, or there is none for this build of DSM.",
    advice: `Check that the guest reaches raw.githubusercontent.com. ${again}, or choose another build.`,
  },
  {
    ...{ code: 'no_module_list', lies: true, pattern: /Error : File \S{1,100} could not be parsed/ },
    message: 'The list of kernel modules is damaged, so the loader did not look which drivers the VM needs.',
    advice: `Check that the guest reaches raw.githubusercontent.com. ${again}.`,
  },
  {
    ...{ code: 'no_build_config', lies: false, pattern: /\/config\/\S{1,60}\/config\.json: No such file/ },
    message: 'The loader has no configuration for this model and build.',
    advice: 'Choose another build, or set `upgrade: full`.',
  },
  {
    ...{ code: 'no_pat', lies: true, pattern: /Failed to download PAT file/ },
    message: "DSM's archive could not be fetched.",
    advice: `Check that the guest reaches global.download.synology.com. ${again}.`,
  },
  {
    code: 'bad_pat',
    lies: true,
    pattern: /is encrypted or not, maybe corrupted|Something went wrong, please check cache files/,
    message: "DSM's archive is damaged: it was not fetched to its end, or a page came instead of it.",
    advice: noPatCache,
  },
  {
    code: 'bad_pat',
    lies: true,
    pattern: /os sha256 verify FAILED|\.pat file\.\.\.\s?\[ERR\]\s{0,2}\[!\] Checksum mismatch/,
    message: "DSM's archive is not the one that the loader expects.",
    advice: noPatCache,
  },
  {
    code: 'broken_off',
    lies: false,
    pattern: /unexpected end of file|Unexpected EOF in archive|transfer closed with \d{1,20} bytes remaining/,
    message: 'An archive broke off before its end.',
    advice: `${again}. ${noPatCache}`,
  },
  {
    code: 'no_build_config',
    lies: true,
    pattern:
      /No config file found, please use the proper repo|Config file \S{1,200} not found, please use the proper repo/,
    message: 'The loader has no configuration for this model and build.',
    advice: 'Choose another build, or set `upgrade: full`.',
  },
  {
    ...{ code: 'no_build_config', lies: true, pattern: /There doesn't seem to be a config for/ },
    message: 'The loader has no configuration for this model and build.',
    advice: 'Choose another build, or set `upgrade: full`.',
  },
  {
    ...{ code: 'no_tools', lies: true, pattern: /Some tools weren't available/ },
    message: 'The loader lacks programs that the build needs.',
    advice: 'Begin with a fresh image of the loader.',
  },
  {
    ...{ code: 'patch_failed', lies: true, pattern: /One of the patches - .{1,300}? - failed to apply/ },
    message: "DSM's files could not be patched: the archive and the loader do not fit each other.",
    advice: 'Choose another build, or set `upgrade: full`.',
  },
  {
    ...{ code: 'checksum', lies: true, pattern: /Checksum mismatch - expected/ },
    message: 'A file that was fetched is not the one that was expected.',
    advice: `${again}; an extension may have been changed without its index.`,
  },
  {
    ...{ code: 'no_loop_device', lies: true, pattern: /Failed to attach .{1,300}? to a loop device/ },
    message: 'The loader could not open the image that it had made.',
    advice: `${space}, and try again.`,
  },
  {
    ...{ code: 'no_menu', lies: true, pattern: /Failed to generate grub\.cfg|Failed to add (?:USB|SATA) entry/ },
    message: "The loader's new boot menu could not be made.",
    advice: 'Set `upgrade: full`, or begin with a fresh image of the loader: a part of its own scripts is missing.',
  },
  {
    ...{ code: 'download_failed', lies: true, pattern: /Failed to download/ },
    message: 'Something could not be fetched.',
    advice: extensionAgain,
  },
  {
    code: 'part_failed',
    lies: true,
    // Of an extension that is there already it is said in good builds too.
    pattern: /\[!\] (?!Extension is already added)([^\n]{300}|[^\n]{1,299}(?=\n))/,
    message: 'A part of it failed: $1.',
    advice: null,
  },
  {
    ...{ code: 'bad_config', lies: true, pattern: /parse error: / },
    message: 'A file that the loader reads is not valid JSON.',
    advice: 'Check user_config.json; `upgrade: full` brings a fresh one.',
  },
  {
    ...{ code: 'build_failed', lies: true, pattern: /FAILED : Loader creation failed/ },
    message: 'The loader could not be built.',
    advice: null,
  },
];
