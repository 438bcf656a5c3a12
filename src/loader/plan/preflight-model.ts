import { nearest } from '../../util/did-you-mean.ts';
import { platforms } from '../platform-table.ts';
import {
  compareVersions,
  firstUnknownVersion,
  nearestIds,
  type PlatformId,
  parsePlatformId,
  platformOf,
} from '../platforms.ts';
import { type Finding, type PreflightFacts, refuse, tell, warn } from './finding.ts';

/** Whether a loader for this DSM can be built. */

const full = 'Set `upgrade: full`';

export function modelFindings(facts: PreflightFacts): readonly Finding[] {
  const { model, platform } = facts;
  const known = platformOf(model) !== null;
  const meant = nearest(
    model,
    platforms.map(row => row.model),
  );
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
      : [...extensionFindings(id, facts), ...serialFindings(id, facts), ...changes(id, facts)]),
  ];
}

function buildFindings({ id, version, ...wanted }: PlatformId, { release, newest, upgrade }: PreflightFacts) {
  const { prefix, model, builds } = wanted.platform;
  const known = 'why' in release ? null : release;
  const listed = known ? [...known.builds.keys()].some(each => each.startsWith(`${prefix}-`)) : builds.length > 0;
  const newestHas = newest.builds.has(id);
  const upgradeHelps = upgrade === 'never' && newestHas;
  if (!listed || (known?.models && known.models.get(prefix) !== model)) {
    return refuse('not_buildable', true, {
      message: `${named(release)} cannot build a loader for ${model}.`,
      advice: upgradeHelps ? `${full}.` : 'Choose another model, or another loader: M-Shell and RR know it.',
    });
  }
  const has = known?.builds.has(id) ?? false;
  const tooNew = compareVersions(version, firstUnknownVersion) >= 0;
  const others = nearestIds({ id, version, ...wanted }, (known ?? newest).builds.keys());
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

function named(release: PreflightFacts['release']): string {
  if ('why' in release) return 'TinyCore RedPill';
  return release.version === null ? "The image's TinyCore RedPill" : `TinyCore RedPill ${release.version}`;
}

function extensionFindings(id: PlatformId, { extensions, fetched, release, newest }: PreflightFacts) {
  const key = `${id.platform.prefix}_${id.build}`;
  const whole = 'why' in release ? [] : [...release.builds.keys()].filter(each => newest.builds.has(each));
  return [
    ...extensions.flatMap(({ url, recipe }) => [
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

function serialFindings({ platform: { model } }: PlatformId, { release, keepIdentity, config }: PreflightFacts) {
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

/** What will be different afterwards. */
function changes({ build, platform: { model } }: PlatformId, { installed, keepIdentity, upgrade }: PreflightFacts) {
  const otherModel = (installed?.model ?? model) !== model;
  return [
    ...tell('other_dsm', otherModel || (installed?.build ?? build) !== build, {
      message: "It is a loader for another DSM than the one that is installed: the VM will come up in DSM's installer.",
      advice: `Have the archive of ${model}, build ${build}, at hand.`,
    }),
    ...tell('foreign_identity', otherModel && keepIdentity, {
      message: `The serial number that is kept was made for ${installed?.model}, not for ${model}.`,
    }),
    ...tell('new_identity', !keepIdentity, { message: 'DSM gets a new serial number, and the MAC of its NIC.' }),
    ...tell('config_replaced', upgrade === 'full', {
      message:
        'The upgrade replaces user_config.json: serial number and MACs are put back, other changes in it are lost.',
    }),
  ];
}

function proposal(ids: readonly string[]): string {
  return ids.length === 0 ? 'Choose an id that the loader has.' : `Perhaps ${ids.join(' or ')} is meant.`;
}
