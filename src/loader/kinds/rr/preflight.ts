import { type Finding, type PreflightFacts, refuse, tell, warn } from '../../plan/finding.ts';
import { compareVersions } from '../../platforms.ts';
import { at } from '../identity.ts';
import { configIn, textOf, wantedOf } from './user-config.ts';

/** What only RR requires. Its models and versions are those of its own lists, which only its builder can read. */

/** RR unpacks DSM's archive in memory, and warns of less than 4 GiB. */
const memoryNeeded = { least: 2 * 2 ** 30, good: 3_500 * 2 ** 20 };

export function rrFindings(facts: PreflightFacts): readonly Finding[] {
  const { platform, extensions, memory, cpuFlags, addons, configText, upgrade, upgradeZip } = facts;
  const wanted = wantedOf(facts);
  const config = configIn(configText ?? undefined);
  const mib = Math.round((memory ?? 0) / 2 ** 20);
  const newer = wanted !== null && compareVersions(wanted.product, '7.2') > 0;
  const acpid = addons.some(each => /^acpid(=|$)/.test(each)) || at(at(config, 'addons'), 'acpid') !== undefined;
  return [
    ...refuse('malformed', wanted === null, {
      message: `"${platform}" is no platform id: they are written like ds918p-7.2.2-72806.`,
      advice: 'Write the version and build of DSM: `platform: 7.2.2-72806`.',
    }),
    ...refuse('not_for_this_loader', extensions.length > 0, {
      message: 'The loader is RR, and `extensions` are of TinyCore RedPill.',
      advice: 'Leave them out; RR has `addons`.',
    }),
    ...refuse('too_little_memory', memory !== null && memory < memoryNeeded.least, {
      message: `The VM has ${mib} MiB of memory, and RR unpacks DSM's archive there.`,
      advice: 'Give the VM 4 GiB of memory.',
    }),
    ...warn('little_memory', memory !== null && memory >= memoryNeeded.least && memory < memoryNeeded.good, {
      message: `The VM has ${mib} MiB of memory, and RR wants 4 GiB: the build may run out of it.`,
      advice: 'Give the VM 4 GiB of memory.',
    }),
    ...warn('cpu_lacks', newer && cpuFlags?.includes('movbe') === false, {
      message: `DSM ${wanted?.product} needs a CPU with movbe, which this one lacks: DSM will hardly start.`,
      advice: 'Set `<cpu mode="host-passthrough"/>`, or choose DSM 7.2.',
    }),
    ...warn('no_acpid_addon', configText !== null && !acpid, {
      message: 'The add-on acpid is not configured: the new DSM will not heed the power button.',
      advice: 'Set `addons: [acpid]`.',
    }),
    ...tell('other_model', configText !== null && textOf(config, 'model') !== facts.model, {
      message: `The image is of ${textOf(config, 'model') || 'no model yet'}: RR resets what it has set for that model.`,
    }),
    ...tell('version_unknown', wanted !== null, {
      message: `Whether RR lists DSM ${wanted?.key} for ${facts.model} shows in its builder, before anything is built.`,
    }),
    ...tell('upgrade_online', upgrade === 'full' && upgradeZip === null, {
      message: 'RR fetches its newest release from github.com.',
    }),
  ];
}
