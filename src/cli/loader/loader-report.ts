import type { HomeFiles } from '../../loader/image/home.ts';
import type { LoaderIdentity } from '../../loader/kinds/identity.ts';
import { rebuildRefusals, recognise } from '../../loader/kinds/recognise.ts';
import { listedDsms } from '../../loader/look.ts';
import { wantedDsm } from '../../model/loader-settings.ts';
import type { InspectedVm } from './inspect.ts';

/** What is known of a VM's loader, as plain data. Pure. */

export type LoaderReport = ReturnType<typeof loaderReport>;

export function loaderReport({ vm, settings, inspection }: InspectedVm) {
  const { findings, image, partition, home } = inspection;
  const known = partition && recognise(partition, home);
  const refusal = known && rebuildRefusals[known.kind];
  const trouble = findings.find(({ code }) => known === null && aboutImage.has(code)) ?? null;
  return {
    ...{ id: vm.key, name: vm.label, image, trouble, loader: known && described(known) },
    boot: partition && {
      ...{ next: partition.boot.next, entries: partition.boot.entries },
      /** Null: it has the size that it should have, or there is none. */
      environment_bytes: partition.boot.envBytes ?? null,
    },
    dsm_versions: known && listed(known, home, settings.model),
    hardware: {
      model: settings.model,
      findings: findings.filter(({ level, code }) => {
        return level !== 'tell' && (ofModel.has(code) || (refusal === null && ofBuild.has(code)));
      }),
    },
    rebuild: {
      ...wantedDsm(settings),
      possible: !refusal && !inspection.refused,
      refusal: refusal ?? findings.find(({ level }) => level === 'refuse') ?? null,
    },
  };
}

const aboutImage = new Set(['no_loader_disk', 'loader_on_stick', 'no_image', 'image_unknown']);
/** Findings on the VM's hardware that concern DSM's model, and those that concern a build. */
const ofModel = new Set([
  ...['too_many_vcpus', 'cpu_lacks', 'too_many_disks', 'disks_unseen'],
  ...['sata_map_unknown', 'too_many_controllers', 'too_many_ports'],
]);
const ofBuild = new Set([
  ...['too_little_memory', 'little_memory', 'no_virtio_extension'],
  ...['loader_bus', 'several_usb_disks'],
]);

function described({ map, serial, bootWait, ...told }: LoaderIdentity) {
  const maps = { sata_port_map: map?.SataPortMap ?? null, disk_idx_map: map?.DiskIdxMap ?? null };
  return { ...told, ...maps, serial_number: serial, boot_wait_seconds: bootWait };
}

/** The versions of DSM that the loader itself lists for a model; or why they are not known, a sentence. */
function listed({ kind, model: its }: LoaderIdentity, home: HomeFiles | null, configured: string) {
  const model = its ?? configured;
  const versions = kind === 'tcrp' ? listedDsms(home, model) : null;
  return versions
    ? { model, versions }
    : { model, versions, why: notListed[kind] ?? 'Its list of versions was not read.' };
}

const notListed: Readonly<Partial<Record<LoaderIdentity['kind'], string>>> = {
  rr: 'RR has its list on the third partition, which is not read: its image builder names the versions.',
  arc: 'Arc has its list on the third partition, which is not read: its menu names the versions.',
};
