import type { Platform } from '../platform-table.ts';
import { parsePlatformId } from '../platforms.ts';
import { sataMap } from '../sata-map.ts';
import { type Finding, type PreflightFacts, refuse, tell, warn } from './finding.ts';

/** Whether the VM is one that the loader can be built in, and that its DSM can run in. */

/** What the loader asks for itself: everything that it fetches is held in memory. */
const leastMemory = 2 * 2 ** 30;

/** Extensions that have drivers for virtio, up to build 42962, and acpid for every build. */
const redpillVirtio = 'https://github.com/pocopico/redpill-load/raw/develop/redpill-virtio/rpext-index.json';
const acpid = 'https://github.com/pocopico/tcrp-addons/raw/main/acpid/rpext-index.json';

export function vmFindings(facts: PreflightFacts): readonly Finding[] {
  const parsed = parsePlatformId(facts.platform);
  const platform = 'id' in parsed ? parsed.id.platform : null;
  return [
    ...lifetime(facts),
    ...memory(facts),
    ...(platform ? [...cpu(platform, facts), ...disks(platform, facts)] : []),
    ...loaderDisk(facts),
    ...drivers(facts),
  ];
}

function lifetime({ persistent }: PreflightFacts): Finding[] {
  if (persistent) return [];
  const message = 'The domain is transient: libvirt forgets it when it is off, and it has to be off for a rebuild.';
  return [refuse('transient', message, 'Define it: `virsh dumpxml` and `virsh define`.')];
}

function memory({ memory: bytes }: PreflightFacts): Finding[] {
  if (bytes === null || bytes >= leastMemory) return [];
  const message = `The VM has ${Math.round(bytes / 2 ** 20)} MiB of memory, and the loader needs 2 GiB to build.`;
  return [refuse('too_little_memory', message, 'Give the VM 2 GiB of memory or more.')];
}

function cpu({ model, maxThreads, cpuFlags: needed }: Platform, { vcpus, cpuFlags }: PreflightFacts): Finding[] {
  const findings = [];
  if (vcpus !== null && maxThreads !== null && vcpus > maxThreads) {
    const message = `The VM has ${vcpus} vCPUs, and ${model} uses ${maxThreads} at most.`;
    findings.push(refuse('too_many_vcpus', message, `Give the VM ${maxThreads} vCPUs or fewer.`));
  }
  const missing = cpuFlags === null ? [] : (needed ?? []).filter(flag => !cpuFlags.includes(flag));
  if (missing.length > 0) {
    const message = `${model} needs a CPU with ${missing.join(' and ')}, which this one lacks: DSM will hardly start.`;
    findings.push(warn('cpu_lacks', message, 'Set `<cpu mode="host-passthrough"/>`, or choose another model.'));
  }
  return findings;
}

function disks(platform: Platform, { disks: all, controllers, sataMap: map }: PreflightFacts): Finding[] {
  const data = all.filter(({ role, bus }) => role === 'data' && bus !== 'usb');
  const { model, maxDisks, deviceTree } = platform;
  if (maxDisks !== null && data.length > maxDisks) {
    const message = `The VM has ${data.length} disks, and ${model} has ${maxDisks} slots.`;
    return [refuse('too_many_disks', message, 'Take disks away, or choose a larger model.')];
  }
  if (deviceTree && data.some(({ bus }) => bus !== 'sata')) {
    const message = `${model} finds disks on SATA only, and not all of this VM's are: DSM may not see them.`;
    return [warn('disks_unseen', message, 'Put the disks on SATA, or choose a model without a device tree.')];
  }
  if (map !== 'auto') return [];
  const computed = sataMap(controllers, platform);
  if (computed.kind === 'map') return computed.notes.map(note => tell('sata_map', note));
  return [refuse(computed.code, computed.message, computed.advice)];
}

function loaderDisk({ disks: all, usbIds, loaderPassedThrough }: PreflightFacts): Finding[] {
  const loader = all.find(({ role }) => role === 'loader');
  if (loaderPassedThrough) {
    const message =
      'The loader is on a USB stick of the host that is passed through: its image cannot be read or written.';
    return [refuse('loader_on_stick', message, 'Copy the stick to an image, and attach that on USB.')];
  }
  if (!loader) {
    const message = 'The VM has no disk that looks like a loader: none on USB, and none that boots first.';
    return [refuse('no_loader_disk', message, "Attach the loader's image on USB.")];
  }
  if (loader.bus !== 'usb' && loader.bus !== 'sata') {
    const message = `The loader's disk ${loader.target} is on ${loader.bus ?? 'an unknown bus'}: from there it starts without its own files and without SSH.`;
    return [refuse('loader_bus', message, "Attach the loader's image on USB.")];
  }
  if (loader.bus === 'sata') {
    const message = `The loader's disk ${loader.target} is on SATA: it works, but takes a place that a disk could have.`;
    return [tell('loader_on_sata', message)];
  }
  const sticks = all.filter(({ bus }) => bus === 'usb').length;
  if (sticks < 2) return [];
  const several = `${sticks} disks are on USB, and the loader would ask which one is its own.`;
  if (usbIds)
    return [tell('several_usb_disks', `${several} It is not asked; vendor and product ID are written instead.`)];
  return [refuse('several_usb_disks', several, 'Leave only the loader on USB.')];
}

/**
 * Every release looks for extensions by the IDs of PCI devices, and finds none for virtio. Those that have the drivers:
 * one named virtio, or all-modules, of which eudev loads what is needed.
 */
function drivers({ disks: all, nics, controllers, extensions, fetched, release }: PreflightFacts): Finding[] {
  const has = (name: string) => [...extensions, ...fetched].some(({ url }) => url.includes(name));
  const findings = [];
  if (!has('virtio') && !(has('all-modules') && has('eudev'))) {
    const onScsi = controllers.filter(({ kind }) => kind === 'virtio-scsi').flatMap(({ disks: held }) => held);
    const virtio = [...all.filter(({ bus }) => bus === 'virtio'), ...onScsi].filter(({ role }) => role === 'data');
    const none = `${'why' in release ? 'As far as is known, no' : 'No'} extension brings the driver of the VM's virtio`;
    const add = `Add ${redpillVirtio} to \`extensions\` (up to build 42962), set \`upgrade: full\`, or`;
    if (nics.some(({ model }) => model?.startsWith('virtio'))) {
      const message = `${none} NIC: DSM will have no network.`;
      findings.push(warn('no_virtio_extension', message, `${add} give the NIC the model e1000e.`));
    }
    if (virtio.length > 0) {
      const message = `${none} disks (${virtio.map(({ target }) => target).join(', ')}): DSM will not see them.`;
      findings.push(warn('no_virtio_extension', message, `${add} put the disks on SATA.`));
    }
  }
  if (!has('acpid')) {
    const message =
      'No acpid extension is configured: the new DSM will not heed the power button, and cannot be shut down.';
    findings.push(warn('no_acpid_extension', message, `Add ${acpid} to \`extensions\`.`));
  }
  return findings;
}
