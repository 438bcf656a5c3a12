import { nearest } from '../../util/nearest.ts';
import { platforms } from '../platform-table.ts';
import {
  buildsFor,
  compareVersions,
  firstUnknownVersion,
  nearestIds,
  type PlatformId,
  parsePlatformId,
  platformOf,
} from '../platforms.ts';
import { type Finding, type PreflightFacts, refuse, tell, warn } from './finding.ts';

/** Whether there can be a loader for the DSM that is asked for. */

/** After this build the indexes of pocopico's virtio and acpid extensions end. */
const lastRecipe = 42_962;
const endsThere = /\/pocopico\/redpill-load\/.*\/redpill-(?:virtio|acpid)\//;

export function wantedFindings(facts: PreflightFacts): readonly Finding[] {
  const parsed = parsePlatformId(facts.platform);
  if ('problem' in parsed) {
    const { code, message, nearest: ids } = parsed.problem;
    return [refuse(code, message, proposal(ids)), ...modelFindings(facts.model)];
  }
  const { id } = parsed;
  const build = buildFindings(id, facts);
  const possible = build.every(({ level }) => level !== 'refuse');
  return [
    ...modelFindings(facts.model),
    ...agreement(id, facts.model),
    ...build,
    // Of a build that is not to be had, there is no more to say.
    ...(possible ? [...extensionFindings(id, facts), ...changes(id, facts)] : []),
  ];
}

function modelFindings(model: string): Finding[] {
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

function buildFindings({ id, platform, version }: PlatformId, { release, upgrade }: PreflightFacts): Finding[] {
  if (buildsFor(platform, null).length === 0) {
    const message = `TinyCore RedPill cannot build a loader for ${platform.model}.`;
    return [refuse('not_buildable', message, 'Choose another model, or another loader: M-Shell and RR know it.')];
  }
  if (compareVersions(version, firstUnknownVersion) >= 0) {
    const message = `TinyCore RedPill knows no DSM from ${firstUnknownVersion} on.`;
    return [refuse('dsm_too_new', message, proposal(nearestIds(id, null)))];
  }
  const then = upgrade === 'full' ? '0.10' : release;
  if (!buildsFor(platform, then).includes(id)) {
    const whose = then === null ? 'No release' : `Release ${then}`;
    const message = `${whose} of TinyCore RedPill ${then === null ? 'has' : 'does not have'} the id ${id}.`;
    return [refuse('unknown_build', message, proposal(nearestIds(id, then)))];
  }
  if (then !== null) return [];
  const only = (['0.9', '0.10'] as const).filter(each => buildsFor(platform, each).includes(id));
  if (only.length > 1) return [];
  const message = `Only release ${only[0]} of TinyCore RedPill has the id ${id}, and it is not known which one the image has.`;
  return [warn('depends_on_release', message, only[0] === '0.10' ? 'Set `upgrade: full`.' : null)];
}

function extensionFindings({ build, platform }: PlatformId, { extensions }: PreflightFacts): Finding[] {
  const key = `${platform.prefix}_${build}`;
  return extensions.flatMap(({ url, recipe }) => {
    if (recipe === 'yes') return [];
    if (recipe === 'no_index') {
      const message = `There is no extension's index at ${url}, and the build would fail.`;
      return [refuse('no_extension', message, 'Correct the URL: it is that of a raw rpext-index.json.')];
    }
    if (recipe === 'no' || (build > lastRecipe && endsThere.test(url))) {
      const message = `The extension ${url} has no recipe for ${key}, and the build would fail.`;
      return [refuse('no_recipe', message, `Leave it out, or choose a build up to ${lastRecipe}.`)];
    }
    return [tell('recipe_unknown', `Whether the extension ${url} has a recipe for ${key} could not be looked up.`)];
  });
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
