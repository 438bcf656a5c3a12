/**
 * THE table of what goes wrong in rploader.sh, by what it then says: in words for people, with what to do. The more
 * particular come first. Patterns as `Proof` has them; `$1` is what the first group found.
 */

export interface Failure {
  code: string;
  pattern: RegExp;
  /** The exit code may be 0 all the same; else it only explains another one. */
  lies: boolean;
  message: string;
  advice: string;
}

const again = 'Try again later';
const noRecipe =
  'Leave that extension out, or choose a build that it has a recipe for; virtio and acpid end with 42962.';
const space = 'Give the VM 2 GiB of memory or more';

export const failures: readonly Failure[] = [
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
    ...{ code: 'mount_failed', lies: true, pattern: /ERROR: Failed to mount correctly all required partitions/ },
    message: "The partitions of the loader's image could not be mounted, so nothing was written to them.",
    advice: "Check that the loader's disk is on USB and its image whole; a power-off and a new start often help.",
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
    ...{ code: 'no_module', lies: false, pattern: /Module does not contain platorm information/ },
    message: "The loader's kernel module is not made for this build of DSM.",
    advice: 'Choose another build.',
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
    ...{ code: 'bad_extension', lies: false, pattern: /The index file for .{1,200}? extension is invalid/ },
    message: "An extension's index is not valid.",
    advice: 'Check the URLs in `extensions`: they must lead to the plain file, not to a page about it.',
  },
  {
    ...{ code: 'cache_full', lies: false, pattern: /No adequate space on .{1,100}? to download file into cache/ },
    message: "There is no space for DSM's archive on the third partition of the image.",
    advice: 'Begin with a fresh image of the loader, or remove old archives from its folder `auxfiles`.',
  },
  {
    ...{ code: 'no_pat', lies: false, pattern: /Failed to download PAT file/ },
    message: "DSM's archive could not be fetched.",
    advice: `Check that the guest reaches global.download.synology.com. ${again}.`,
  },
  {
    ...{ code: 'bad_pat', lies: false, pattern: /is encrypted or not, maybe corrupted/ },
    message: "DSM's archive is damaged: it was not fetched to its end, or a page came instead of it.",
    advice: 'Remove it from the folder `auxfiles` on the third partition of the image, or begin with a fresh image.',
  },
  {
    ...{ code: 'bad_pat', lies: false, pattern: /os sha256 verify FAILED/ },
    message: "DSM's archive is not the one that the loader expects.",
    advice: 'Remove it from the folder `auxfiles` on the third partition of the image, or begin with a fresh image.',
  },
  {
    ...{ code: 'no_build_config', lies: false, pattern: /No config file found, please use the proper repo/ },
    message: 'The loader has no configuration for this model and build.',
    advice: 'Choose another build, or set `upgrade: full`.',
  },
  {
    ...{ code: 'no_build_config', lies: false, pattern: /There doesn't seem to be a config for/ },
    message: 'The loader has no configuration for this model and build.',
    advice: 'Choose another build, or set `upgrade: full`.',
  },
  {
    ...{ code: 'no_tools', lies: false, pattern: /Some tools weren't available/ },
    message: 'The loader lacks programs that the build needs.',
    advice: 'Begin with a fresh image of the loader.',
  },
  {
    ...{ code: 'patch_failed', lies: false, pattern: /One of the patches - .{1,300}? - failed to apply/ },
    message: "DSM's files could not be patched: the archive and the loader do not fit each other.",
    advice: 'Choose another build, or set `upgrade: full`.',
  },
  {
    ...{ code: 'checksum', lies: false, pattern: /Checksum mismatch - expected/ },
    message: 'A file that was fetched is not the one that was expected.',
    advice: `${again}; an extension may have been changed without its index.`,
  },
  {
    ...{ code: 'no_loop_device', lies: false, pattern: /Failed to attach .{1,300}? to a loop device/ },
    message: 'The loader could not open the image that it had made.',
    advice: `${space}, and try again.`,
  },
  {
    ...{ code: 'download_failed', lies: false, pattern: /Failed to download/ },
    message: 'Something could not be fetched.',
    advice: `Check that the guest reaches github.com and raw.githubusercontent.com. ${again}.`,
  },
  {
    ...{ code: 'build_failed', lies: true, pattern: /FAILED : Loader creation failed/ },
    message: 'The loader could not be built.',
    advice: 'Read the last lines of its output.',
  },
];
