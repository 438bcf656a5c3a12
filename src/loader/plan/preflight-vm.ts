import { platformOr } from '../platforms.ts';
import { sataMap } from '../sata-map.ts';
import { type Finding, type PreflightFacts, refuse, tell, warn } from './finding.ts';

/** Whether the loader's DSM can run in this VM, and whether the loader's own disk is one. */

export function vmFindings(facts: PreflightFacts): readonly Finding[] {
  return [
    ...refuse('transient', !facts.persistent, {
      message: 'The domain is transient: libvirt forgets it when it is off, and it has to be off for a rebuild.',
      advice: 'Define it: `virsh dumpxml` and `virsh define`.',
    }),
    ...hardware(facts),
  ];
}

function hardware(facts: PreflightFacts): readonly Finding[] {
  const platform = platformOr(facts.model);
  const { model, maxThreads, maxDisks, deviceTree, cpuFlags } = platform;
  const { vcpus, disks, controllers } = facts;
  const missing = (cpuFlags ?? []).filter(flag => facts.cpuFlags?.includes(flag) === false);
  const data = disks.filter(({ role, bus }) => role === 'data' && bus !== 'usb');
  const tooMany = maxDisks !== null && data.length > maxDisks;
  const unseen = !tooMany && deviceTree && data.some(({ bus }) => bus !== 'sata');
  const map = facts.sataMap === 'auto' && !tooMany && !unseen ? sataMap(controllers, platform) : null;
  return [
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

export function loaderDiskFindings({ disks, loaderPassedThrough }: PreflightFacts): readonly Finding[] {
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
