import type { Platform } from '../platform-table.ts';
import { parsePlatformId } from '../platforms.ts';
import { sataMap } from '../sata-map.ts';
import { type Finding, type PreflightFacts, refuse, tell, warn } from './finding.ts';

/** Whether the loader can be built in this VM, and whether its DSM can run there. */

/** Memory that the loader itself needs: it keeps all its downloads in memory. */
const leastMemory = 2 * 2 ** 30;

/** Extensions that have drivers for virtio, up to build 42962, and acpid for every build. */
const redpillVirtio = 'https://github.com/pocopico/redpill-load/raw/develop/redpill-virtio/rpext-index.json';
const acpid = 'https://github.com/pocopico/tcrp-addons/raw/main/acpid/rpext-index.json';

export function vmFindings(facts: PreflightFacts): readonly Finding[] {
  const { persistent, memory, platform } = facts;
  const parsed = parsePlatformId(platform);
  return [
    ...refuse('transient', !persistent, {
      message: 'The domain is transient: libvirt forgets it when it is off, and it has to be off for a rebuild.',
      advice: 'Define it: `virsh dumpxml` and `virsh define`.',
    }),
    ...refuse('too_little_memory', memory !== null && memory < leastMemory, {
      message: `The VM has ${Math.round((memory ?? 0) / 2 ** 20)} MiB of memory, and the loader needs 2 GiB to build.`,
      advice: 'Give the VM 2 GiB of memory or more.',
    }),
    ...('id' in parsed ? hardware(parsed.id.platform, facts) : []),
    ...drivers(facts),
  ];
}

function hardware(platform: Platform, facts: PreflightFacts): readonly Finding[] {
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

/**
 * Every release chooses extensions by the IDs of PCI devices, and finds none for virtio. The ones with the drivers are
 * named virtio, or all-modules, of which eudev loads the needed ones.
 */
function drivers({ disks, nics, controllers, extensions, fetched, release }: PreflightFacts): readonly Finding[] {
  const has = (name: string) => [...extensions, ...fetched].some(({ url }) => url.includes(name));
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

export function loaderDiskFindings({ disks, usbIds, loaderPassedThrough }: PreflightFacts): readonly Finding[] {
  const loader = disks.find(({ role }) => role === 'loader');
  const [target, bus] = loaderPassedThrough || !loader ? [null, null] : [loader.target, loader.bus];
  const sticks = disks.filter(each => each.bus === 'usb').length;
  const several = `${sticks} disks are on USB, and the loader would ask which one is its own.`;
  return [
    ...refuse('loader_on_stick', loaderPassedThrough, {
      message: 'The loader is on a USB stick of the host that is passed through: its image cannot be read or written.',
      advice: 'Copy the stick to an image, and attach that on USB.',
    }),
    ...refuse('no_loader_disk', !loaderPassedThrough && !loader, {
      message: 'The VM has no disk that looks like a loader: none on USB, and none that boots first.',
      advice: "Attach the loader's image on USB.",
    }),
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
