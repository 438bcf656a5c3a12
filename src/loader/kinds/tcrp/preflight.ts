import { nearest } from '../../../util/did-you-mean.ts';
import { type Finding, type PreflightFacts, refuse, tell, warn } from '../../plan/finding.ts';
import type { World } from '../../plan/world.ts';
import { platforms } from '../../platform-table.ts';
import {
  compareVersions,
  firstUnknownVersion,
  nearestIds,
  type PlatformId,
  parsePlatformId,
  platformOf,
} from '../../platforms.ts';
import { type Extension, lookUp } from './extensions.ts';
import { always, type LoaderRelease, newestRelease, readRelease } from './release.ts';

/** What only TinyCore RedPill requires: an id that it has, recipes of its extensions, its own bus, drivers. */

export interface TcrpFacts extends PreflightFacts {
  found: readonly Extension[];
  /** The release that will build: the image's, or the one after its upgrade. `why` it is unknown: a sentence. */
  release: LoaderRelease | { why: string };
  fetched: readonly Extension[];
}

export async function examine(
  facts: PreflightFacts,
  world: Pick<World, 'fetch'>,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const parsed = parsePlatformId(facts.platform);
  const id = 'id' in parsed ? parsed.id : null;
  const release = facts.upgrade === 'full' ? newestRelease : releaseOf(facts.home);
  const own = 'why' in release ? [] : (release.builds.get(facts.platform) ?? []);
  const [found, fetched] = await Promise.all([
    lookUp(world, facts.extensions, id, signal),
    lookUp(world, [...own, ...always], id, signal),
  ]);
  return tcrpFindings({ ...facts, found, release, fetched });
}

/** Pure. */
export function tcrpFindings(facts: TcrpFacts): readonly Finding[] {
  const { addons, upgradeZip, memory } = facts;
  return [
    ...refuse('not_for_this_loader', addons.length > 0 || upgradeZip !== null, {
      message: 'The loader is TinyCore RedPill, and `addons` and `upgrade_zip` are of RR.',
      advice: 'Leave them out; TinyCore RedPill has `extensions`.',
    }),
    ...modelFindings(facts),
    ...refuse('too_little_memory', memory !== null && memory < leastMemory, {
      message: `The VM has ${Math.round((memory ?? 0) / 2 ** 20)} MiB of memory, and the loader needs 2 GiB to build.`,
      advice: 'Give the VM 2 GiB of memory or more.',
    }),
    ...drivers(facts),
    ...loaderBus(facts),
  ];
}

function releaseOf(home: PreflightFacts['home']): TcrpFacts['release'] {
  if ('why' in home) return home;
  const none = { why: 'The saved home of the image builder has no rploader.sh with its list of ids.' };
  return readRelease(home.files) ?? none;
}

/** Memory that the loader itself needs: it keeps all its downloads in memory. */
const leastMemory = 2 * 2 ** 30;

/** Extensions that have drivers for virtio, up to build 42962, and acpid for every build. */
const redpillVirtio = 'https://github.com/pocopico/redpill-load/raw/develop/redpill-virtio/rpext-index.json';
const acpid = 'https://github.com/pocopico/tcrp-addons/raw/main/acpid/rpext-index.json';

const full = 'Set `upgrade: full`';

/** Whether a loader for this DSM can be built. */
function modelFindings(facts: TcrpFacts): readonly Finding[] {
  const { model, platform } = facts;
  const known = platformOf(model) !== null;
  const models = platforms.map(row => row.model);
  const meant = nearest(model, models);
  const unknown = refuse('unknown_model', !known, {
    message: `"${model}" is no model that is known here.`,
    advice: meant === null ? 'Write it as Synology does: DS918+.' : `Perhaps ${meant} is meant.`,
  });
  const parsed = parsePlatformId(platform);
  if ('problem' in parsed) {
    const { code, message, nearest: ids } = parsed.problem;
    return [...refuse(code, true, { message, advice: proposal(ids) }), ...unknown];
  }
  const { id } = parsed;
  const build = buildFindings(id, facts);
  return [
    ...unknown,
    ...refuse('model_differs', known && id.platform.model !== model, {
      message: `The platform id ${platform} is of ${id.platform.model}, and the configured model is ${model}.`,
      advice: 'Correct `model` or `platform`.',
    }),
    ...build,
    // The build is not available, so nothing else matters.
    ...(build.some(({ level }) => level === 'refuse')
      ? []
      : [
          ...extensionFindings(id, facts),
          ...serialFindings(id, facts),
          ...tell('config_replaced', facts.upgrade === 'full', {
            message:
              'The upgrade replaces user_config.json: serial number and MACs are put back, other changes in it are lost.',
          }),
        ]),
  ];
}

function buildFindings({ id, version, ...wanted }: PlatformId, { release, upgrade }: TcrpFacts) {
  const { prefix, model, builds } = wanted.platform;
  const known = 'why' in release ? null : release;
  const listed = known ? [...known.builds.keys()].some(each => each.startsWith(`${prefix}-`)) : builds.length > 0;
  const newestHas = newestRelease.builds.has(id);
  const upgradeHelps = upgrade === 'never' && newestHas;
  if (!listed || (known?.models && known.models.get(prefix) !== model)) {
    return refuse('not_buildable', true, {
      message: `${named(release)} cannot build a loader for ${model}.`,
      advice: upgradeHelps ? `${full}.` : 'Choose another model, or another loader: M-Shell and RR know it.',
    });
  }
  const has = known?.builds.has(id) ?? false;
  const tooNew = compareVersions(version, firstUnknownVersion) >= 0;
  const others = nearestIds({ id, version, ...wanted }, (known ?? newestRelease).builds.keys());
  const advice = `${upgradeHelps ? `${full}. ` : ''}${proposal(others)}`;
  return [
    ...refuse('dsm_too_new', !has && tooNew, {
      message: `TinyCore RedPill does not know DSM ${firstUnknownVersion} or newer.`,
      advice,
    }),
    ...refuse('unknown_build', !has && !tooNew && known !== null, {
      message: `${named(release)} cannot build ${id}.`,
      advice,
    }),
    ...warn('depends_on_release', !tooNew && known === null, {
      message: `Whether the image's TinyCore RedPill can build ${id} is not known. ${'why' in release ? release.why : ''}`,
      advice: newestHas
        ? `${full}: its release can.`
        : 'Check whether `./rploader.sh help` lists it in the image builder.',
    }),
  ];
}

function named(release: TcrpFacts['release']): string {
  if ('why' in release) return 'TinyCore RedPill';
  return release.version === null ? "The image's TinyCore RedPill" : `TinyCore RedPill ${release.version}`;
}

function extensionFindings(id: PlatformId, { found, fetched, release }: TcrpFacts) {
  const key = `${id.platform.prefix}_${id.build}`;
  const whole = 'why' in release ? [] : [...release.builds.keys()].filter(each => newestRelease.builds.has(each));
  return [
    ...found.flatMap(({ url, recipe }) => [
      ...refuse('no_extension', recipe === 'no_index', {
        message: `There is no extension's index at ${url}, and the build would fail.`,
        advice: 'Correct the URL: it is that of a raw rpext-index.json.',
      }),
      ...refuse('no_recipe', recipe === 'no', {
        message: `The extension ${url} has no recipe for ${key}, and the build would fail.`,
        advice: 'Leave it out, or choose a build that it has a recipe for.',
      }),
      ...tell('recipe_unknown', recipe === 'unknown', {
        message: `It is not known whether the extension ${url} has a recipe for ${key}.`,
      }),
    ]),
    ...fetched.flatMap(({ url, recipe }) =>
      refuse('no_recipe', recipe === 'no' || recipe === 'no_index', {
        message: `The loader itself fetches ${url}, which has nothing for ${key}: the build would fail.`,
        advice: proposal(nearestIds(id, whole)),
      }),
    ),
  ];
}

function serialFindings({ platform: { model } }: PlatformId, { release, keepIdentity, config }: TcrpFacts) {
  if ('why' in release || (release.serials?.includes(model) ?? true)) return [];
  const complete = config && 'complete' in config ? config.complete : null;
  const none = `${named(release)} makes no serial numbers for ${model}`;
  const advice =
    'Write `sn` and `mac1` into user_config.json in the image builder, save it with `./rploader.sh backup`, and set `keep_identity: true`; or choose another model.';
  const why = keepIdentity ? 'the image has none to keep' : 'the old one is not to be kept';
  return [
    ...refuse('no_serial_numbers', !keepIdentity || complete === false, { message: `${none}, and ${why}.`, advice }),
    ...warn('no_serial_numbers', keepIdentity && complete === null, {
      message: `${none}, and it is not known whether the image has one to keep.`,
      advice,
    }),
  ];
}

function proposal(ids: readonly string[]): string {
  return ids.length === 0 ? 'Choose an id that the loader has.' : `Perhaps ${ids.join(' or ')} is meant.`;
}

/**
 * Every release chooses extensions by the IDs of PCI devices, and finds none for virtio. The ones with the drivers are
 * named virtio, or all-modules, of which eudev loads the needed ones.
 */
function drivers({ disks, nics, controllers, found, fetched, release }: TcrpFacts): readonly Finding[] {
  const has = (name: string) => [...found, ...fetched].some(({ url }) => url.includes(name));
  const lacking = !has('virtio') && !(has('all-modules') && has('eudev'));
  const onScsi = controllers.filter(({ kind }) => kind === 'virtio-scsi').flatMap(({ disks: held }) => held);
  const virtio = [...disks.filter(({ bus }) => bus === 'virtio'), ...onScsi].filter(({ role }) => role === 'data');
  const none = `${'why' in release ? 'As far as is known, no' : 'No'} extension brings the driver of the VM's virtio`;
  const add = `Add ${redpillVirtio} to \`extensions\` (up to build 42962), set \`upgrade: full\`, or`;
  return [
    ...warn('no_virtio_extension', lacking && nics.some(({ model }) => model?.startsWith('virtio')), {
      message: `${none} NIC: DSM will have no network.`,
      advice: `${add} give the NIC the model e1000e.`,
    }),
    ...warn('no_virtio_extension', lacking && virtio.length > 0, {
      message: `${none} disks (${virtio.map(({ target }) => target).join(', ')}): DSM will not see them.`,
      advice: `${add} put the disks on SATA.`,
    }),
    ...warn('no_acpid_extension', !has('acpid'), {
      message: 'No acpid extension is configured: the new DSM will not heed the power button, and cannot be shut down.',
      advice: `Add ${acpid} to \`extensions\`.`,
    }),
  ];
}

function loaderBus({ disks, usbIds, loaderPassedThrough }: TcrpFacts): readonly Finding[] {
  const loader = disks.find(({ role }) => role === 'loader');
  const [target, bus] = loaderPassedThrough || !loader ? [null, null] : [loader.target, loader.bus];
  const sticks = disks.filter(each => each.bus === 'usb').length;
  const several = `${sticks} disks are on USB, and the loader would ask which one is its own.`;
  return [
    ...refuse('loader_bus', target !== null && bus !== 'usb' && bus !== 'sata', {
      message: `The loader's disk ${target} is on ${bus ?? 'an unknown bus'}: from there it starts without its own files and without SSH.`,
      advice: "Attach the loader's image on USB.",
    }),
    ...tell('loader_on_sata', bus === 'sata', {
      message: `The loader's disk ${target} is on SATA: it works, but takes a place that a disk could have.`,
    }),
    ...tell('several_usb_disks', bus === 'usb' && sticks > 1 && usbIds !== null, {
      message: `${several} It is not asked; vendor and product ID are written instead.`,
    }),
    ...refuse('several_usb_disks', bus === 'usb' && sticks > 1 && usbIds === null, {
      message: several,
      advice: 'Leave only the loader on USB.',
    }),
  ];
}
