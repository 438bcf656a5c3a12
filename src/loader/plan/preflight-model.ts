import { nearest } from '../../util/did-you-mean.ts';
import { newestRelease } from '../kinds/tcrp/release.ts';
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

/** Whether there can be a loader for the DSM that is asked for. */

export function modelFindings(facts: PreflightFacts): readonly Finding[] {
  const parsed = parsePlatformId(facts.platform);
  if ('problem' in parsed) {
    const { code, message, nearest: ids } = parsed.problem;
    return [refuse(code, message, proposal(ids)), ...nameFindings(facts.model)];
  }
  const { id } = parsed;
  const build = buildFindings(id, facts);
  const possible = build.every(({ level }) => level !== 'refuse');
  return [
    ...nameFindings(facts.model),
    ...agreement(id, facts.model),
    ...build,
    // Of a build that is not to be had, there is no more to say.
    ...(possible ? [...extensionFindings(id, facts), ...serialFindings(id, facts), ...changes(id, facts)] : []),
  ];
}

function nameFindings(model: string): Finding[] {
  if (platformOf(model)) return [];
  const meant = nearest(
    model,
    platforms.map(row => row.model),
  );
  const advice = meant === null ? 'Write it as Synology does: DS918+.' : `Perhaps ${meant} is meant.`;
  return [refuse('unknown_model', `"${model}" is no model that is known here.`, advice)];
}

function agreement({ id, platform }: PlatformId, model: string): Finding[] {
  if (platform.model === model || !platformOf(model)) return [];
  const message = `The platform id ${id} is of ${platform.model}, and the configured model is ${model}.`;
  return [refuse('model_differs', message, 'Correct `model` or `platform`.')];
}

function buildFindings(id: PlatformId, { release, upgrade }: PreflightFacts): Finding[] {
  const { prefix, model, builds } = id.platform;
  const newestHas = newestRelease.builds.has(id.id);
  const upgradeHelps = upgrade === 'never' && newestHas;
  const unknown = 'why' in release;
  const listed = unknown ? builds.length > 0 : [...release.builds.keys()].some(each => each.startsWith(`${prefix}-`));
  if (!listed || (!unknown && release.models && release.models.get(prefix) !== model)) {
    const message = `${named(release)} cannot build a loader for ${model}.`;
    const other = 'Choose another model, or another loader: M-Shell and RR know it.';
    return [refuse('not_buildable', message, upgradeHelps ? 'Set `upgrade: full`.' : other)];
  }
  if (!unknown && release.builds.has(id.id)) return [];
  const ids = unknown ? newestRelease.builds.keys() : release.builds.keys();
  const advice = `${upgradeHelps ? 'Set `upgrade: full`. ' : ''}${proposal(nearestIds(id, ids))}`;
  if (compareVersions(id.version, firstUnknownVersion) >= 0) {
    return [refuse('dsm_too_new', `TinyCore RedPill knows no DSM from ${firstUnknownVersion} on.`, advice)];
  }
  if (!unknown) return [refuse('unknown_build', `${named(release)} cannot build ${id.id}.`, advice)];
  const message = `Whether the image's TinyCore RedPill can build ${id.id} is not known. ${release.why}`;
  const look = 'Look whether `./rploader.sh help` lists it in the image builder.';
  return [warn('depends_on_release', message, newestHas ? 'Set `upgrade: full`: its release can.' : look)];
}

function named(release: PreflightFacts['release']): string {
  if ('why' in release) return 'TinyCore RedPill';
  return release.version === null ? "The image's TinyCore RedPill" : `TinyCore RedPill ${release.version}`;
}

function extensionFindings(id: PlatformId, { extensions, fetched, release }: PreflightFacts): Finding[] {
  const key = `${id.platform.prefix}_${id.build}`;
  const configured = extensions.flatMap(({ url, recipe }) => {
    if (recipe === 'yes') return [];
    if (recipe === 'no_index') {
      const message = `There is no extension's index at ${url}, and the build would fail.`;
      return [refuse('no_extension', message, 'Correct the URL: it is that of a raw rpext-index.json.')];
    }
    if (recipe === 'no') {
      const message = `The extension ${url} has no recipe for ${key}, and the build would fail.`;
      return [refuse('no_recipe', message, 'Leave it out, or choose a build that it has a recipe for.')];
    }
    return [tell('recipe_unknown', `Whether the extension ${url} has a recipe for ${key} could not be looked up.`)];
  });
  const missing = fetched.filter(({ recipe }) => recipe === 'no' || recipe === 'no_index');
  const whole = 'why' in release ? [] : [...release.builds.keys()].filter(each => newestRelease.builds.has(each));
  return [
    ...configured,
    ...missing.map(({ url }) => {
      const message = `The loader itself fetches ${url}, which has nothing for ${key}: the build would fail.`;
      return refuse('no_recipe', message, proposal(nearestIds(id, whole)));
    }),
  ];
}

function serialFindings({ platform: { model } }: PlatformId, facts: PreflightFacts): Finding[] {
  const { release, keepIdentity, config } = facts;
  if ('why' in release || (release.serials?.includes(model) ?? true)) return [];
  const complete = config && 'complete' in config ? config.complete : null;
  if (keepIdentity && complete) return [];
  const none = `${named(release)} makes no serial numbers for ${model}`;
  const advice =
    'Write `sn` and `mac1` into user_config.json in the image builder, save it with `./rploader.sh backup`, and set `keep_identity: true`; or choose another model.';
  if (!keepIdentity) return [refuse('no_serial_numbers', `${none}, and the old one is not to be kept.`, advice)];
  if (complete === false) return [refuse('no_serial_numbers', `${none}, and the image has none to keep.`, advice)];
  return [warn('no_serial_numbers', `${none}, and whether the image has one to keep is not known.`, advice)];
}

/** What will be otherwise afterwards. */
function changes({ build, platform }: PlatformId, facts: PreflightFacts): Finding[] {
  const { installed, keepIdentity, upgrade } = facts;
  const findings = [];
  const otherModel = installed?.model != null && installed.model !== platform.model;
  const otherBuild = installed?.build != null && installed.build !== build;
  if (otherModel || otherBuild) {
    const message = `It is a loader for another DSM than the one that is installed: the VM will come up in DSM's installer.`;
    findings.push(tell('other_dsm', message, `Have the archive of ${platform.model}, build ${build}, at hand.`));
  }
  if (otherModel && keepIdentity) {
    const message = `The serial number that is kept was made for ${installed?.model}, not for ${platform.model}.`;
    findings.push(tell('foreign_identity', message));
  }
  if (!keepIdentity) findings.push(tell('new_identity', 'DSM gets a new serial number, and the MAC of its NIC.'));
  if (upgrade === 'full') {
    const message =
      'The upgrade replaces user_config.json: serial number and MACs are put back, other changes in it are lost.';
    findings.push(tell('config_replaced', message));
  }
  return findings;
}

function proposal(ids: readonly string[]): string {
  return ids.length === 0 ? 'Choose an id that the loader has.' : `Perhaps ${ids.join(' or ')} is meant.`;
}
