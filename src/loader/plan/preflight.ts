import { buildOf, wantedDsm } from '../../model/loader-settings.ts';
import { mib } from '../image/image.ts';
import { platformOr } from '../platforms.ts';
import { sataMap } from '../sata-map.ts';
import { type Finding, type Level, type PreflightFacts, refuse, tell, warn } from './finding.ts';

/** Judges, before anything is changed, whether a rebuild can work. Pure: gets all facts as arguments. */

const order: readonly Level[] = ['refuse', 'warn', 'tell'];

/** The most serious first. A rebuild does not begin while one of them refuses. `own`: of the loader's kind. */
export function preflight(facts: PreflightFacts, own: readonly Finding[]): readonly Finding[] {
  const tables = [vmFindings, loaderDiskFindings, hostFindings, identityFindings];
  // What cannot be built changes nothing.
  const after = own.some(({ level }) => level === 'refuse') ? [] : changes(facts);
  return gravestFirst([...after, ...own, ...tables.flatMap(table => table(facts))]);
}

export function gravestFirst(findings: readonly Finding[]): readonly Finding[] {
  return findings.toSorted((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
}

/** Whether the loader's DSM can run in this VM. */
function vmFindings(facts: PreflightFacts): readonly Finding[] {
  const platform = platformOr(facts.model);
  const { model, maxThreads, maxDisks, deviceTree, cpuFlags } = platform;
  const { vcpus, disks, controllers } = facts;
  const missing = (cpuFlags ?? []).filter(flag => facts.cpuFlags?.includes(flag) === false);
  const data = disks.filter(({ role, bus }) => role === 'data' && bus !== 'usb');
  const tooMany = maxDisks !== null && data.length > maxDisks;
  const unseen = !tooMany && deviceTree && data.some(({ bus }) => bus !== 'sata');
  const map = facts.sataMap === 'auto' && !tooMany && !unseen ? sataMap(controllers, platform) : null;
  return [
    ...refuse('transient', !facts.persistent, {
      message: 'The domain is transient: libvirt forgets it when it is off, and it has to be off for a rebuild.',
      advice: 'Define it: `virsh dumpxml` and `virsh define`.',
    }),
    ...refuse('too_many_vcpus', vcpus !== null && maxThreads !== null && vcpus > maxThreads, {
      message: `The VM has ${vcpus} vCPUs, and ${model} uses ${maxThreads} at most.`,
      advice: `Give the VM ${maxThreads} vCPUs or fewer.`,
    }),
    ...warn('cpu_lacks', missing.length > 0, {
      message: `${model} needs a CPU with ${missing.join(' and ')}, which this one lacks: DSM will hardly start.`,
      advice: 'Set `<cpu mode="host-passthrough"/>`, or choose another model.',
    }),
    ...refuse('too_many_disks', tooMany, {
      message: `The VM has ${data.length} disks, and ${model} has ${maxDisks} slots.`,
      advice: 'Take disks away, or choose a larger model.',
    }),
    ...warn('disks_unseen', unseen, {
      message: `${model} finds disks on SATA only, and not all of this VM's are: DSM may not see them.`,
      advice: 'Put the disks on SATA, or choose a model without a device tree.',
    }),
    ...(map && 'map' in map ? map.notes.flatMap(message => tell('sata_map', true, { message })) : []),
    ...(map && 'refusal' in map ? refuse(map.refusal.code, true, map.refusal) : []),
  ];
}

function loaderDiskFindings({ disks, loaderPassedThrough }: PreflightFacts): readonly Finding[] {
  const loader = disks.find(({ role }) => role === 'loader');
  return [
    ...refuse('loader_on_stick', loaderPassedThrough, {
      message: 'The loader is on a USB stick of the host that is passed through: its image cannot be read or written.',
      advice: 'Copy the stick to an image, and attach that on USB.',
    }),
    ...refuse('no_loader_disk', !loaderPassedThrough && !loader, {
      message: 'The VM has no disk that looks like a loader: none on USB, and none that boots first.',
      advice: "Attach the loader's image on USB.",
    }),
  ];
}

/** Image, backup, servers, and the way to a VM that is off. */
function hostFindings(facts: PreflightFacts): readonly Finding[] {
  const { disks, image, backup, sources, servers, running, obeysAcpi, onTimeout } = facts;
  const { needed, free, trouble } = backup;
  const known = needed !== null && free !== null;
  const deaf = running && obeysAcpi === 'no';
  const button = 'What runs in the VM now (an installer, a recovery, a loader) does not heed the power button';
  return [
    // A missing disk has no image either.
    ...(disks.some(({ role }) => role === 'loader') ? imageFindings(facts) : []),
    ...refuse('backup_unwritable', trouble !== null, {
      message: `No backup of the image can be made. ${trouble}`,
      advice: 'Let the bridge write there, or set `backup_dir` to another folder.',
    }),
    // Without an image, the size of its backup does not matter.
    ...warn('backup_space_unknown', trouble === null && !known && image.found === 'yes', {
      message: 'It is not known whether there is space for a backup of the image.',
    }),
    ...refuse('backup_space', trouble === null && known && free < needed, {
      message: `A backup of the image needs ${mib(needed ?? 0)}, and ${mib(free ?? 0)} are free.`,
      advice: 'Make room in `backup_dir`, or keep fewer backups.',
    }),
    ...tell('sources_unknown', sources === 'unknown', {
      message: "It is not known whether the loader's sources can be reached.",
    }),
    ...warn('sources_unreachable', sources === 'no', {
      message: "Not all of the loader's sources can be reached from here: the build would fail.",
      advice: `Check the way to ${servers.join(', ')}.`,
    }),
    ...warn('no_acpi', deaf && onTimeout === 'force_off', {
      message: `${button}: when its time is up, its power is cut.`,
    }),
    ...warn('no_acpi', deaf && onTimeout === 'report', {
      message: `${button}: the rebuild will end there, with the VM running.`,
      advice: 'Power it off yourself, or ask with `on_timeout: force_off`.',
    }),
  ];
}

function imageFindings({ image, loader }: PreflightFacts): readonly Finding[] {
  if (image.found !== 'yes') {
    const { found, why, advice } = image;
    const message = `It is not known whether the loader's image can be read and written. ${why}`;
    return [
      ...refuse('no_image', found === 'no', { message: `The loader's image cannot be used. ${why}`, advice }),
      ...warn('image_unknown', found === 'unknown', { message, advice }),
    ];
  }
  const { size, diskSize, entries, refusal } = image;
  return [
    ...refuse('image_differs', diskSize !== null && diskSize !== size, {
      message: `The image at the configured path has ${size} bytes, and the VM's own disk has ${diskSize}: they are two.`,
      advice: "Set `image` to the path at which the VM's own image is mounted.",
    }),
    ...(refusal ? refuse('other_loader', true, refusal) : []),
    ...refuse('no_builder_entry', refusal === null && entries.builder === null, {
      message: "The loader's boot menu has no entry for the image builder.",
      advice: `Begin with a fresh image of ${loader}.`,
    }),
    ...refuse('no_dsm_entry', refusal === null && entries.dsm === null, {
      message:
        "The loader's boot menu has no entry that starts DSM from this disk, to come home to when a build fails.",
      advice: 'Build the loader once by hand, or begin with a fresh image.',
    }),
  ];
}

/** Whether serial number and MACs can be kept, by the configuration with which the image builder will start. */
function identityFindings({ config, keepIdentity, upgrade, installed }: PreflightFacts): readonly Finding[] {
  // Nothing of it is kept; or there is no image, which another finding reports.
  if (config === null || (!keepIdentity && upgrade === 'full')) return [];
  if ('problem' in config) return refuse(config.problem.code, true, config.problem);
  const lacking = 'complete' in config && !config.complete && keepIdentity;
  const none = 'The image builder has no serial number, or no MAC, to be kept: what is missing is made anew';
  return [
    ...warn('config_unknown', 'why' in config, {
      message: `The image builder's configuration, with serial number and MACs, could not be read. ${'why' in config ? config.why : ''}`,
      advice: 'The rebuild ends in the image builder, before it changes anything there, if they cannot be kept.',
    }),
    ...tell('identity_made', lacking && installed === null, { message: `${none}.` }),
    // An earlier rebuild that failed may have left a fresh configuration behind.
    ...warn('identity_made', lacking && installed !== null, {
      message: `${none}, though a DSM is installed.`,
      advice: '`rollback` first if a rebuild failed before; or write both into user_config.json in the image builder.',
    }),
  ];
}

/** What will be different afterwards. */
function changes(facts: PreflightFacts): readonly Finding[] {
  const { model, installed, keepIdentity } = facts;
  const build = buildOf(wantedDsm(facts).version);
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
  ];
}
