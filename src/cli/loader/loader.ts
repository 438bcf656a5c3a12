import type { HomeFiles } from '../../loader/image/home.ts';
import type { LoaderIdentity } from '../../loader/kinds/identity.ts';
import { rebuildRefusals, recognise } from '../../loader/kinds/recognise.ts';
import { listedDsms } from '../../loader/look.ts';
import { size } from '../../loader/plan/plan.ts';
import { fold } from '../../loader/plan/plan-text.ts';
import { wantedDsm } from '../../model/loader-settings.ts';
import { exitCode, print } from '../terminal.ts';
import { type InspectedVm, type InspectVmOptions, inspectVm } from './inspect.ts';

/**
 * `dsm2mqtt loader V`: which loader the VM has, what for, and whether it can be rebuilt, found out by this process;
 * changes nothing. 0; 1: its image could not be read, or libvirt has no such domain; 3: libvirt was not reached. Throws
 * `Refusal`.
 */
export async function loader(options: InspectVmOptions): Promise<number> {
  const report = loaderReport(await inspectVm(options));
  print(options, report, loaderText(report).join('\n'));
  return report.loader ? exitCode.succeeded : exitCode.failed;
}

type LoaderReport = ReturnType<typeof loaderReport>;

/** What is known of a VM's loader, as plain data. Pure. */
function loaderReport({ vm, settings, inspection }: InspectedVm) {
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

/** What is known of a VM's loader, as lines for a terminal of 100 columns. Pure. */
function loaderText(report: LoaderReport): string[] {
  const { id, name, loader, hardware, rebuild } = report;
  const about = loader ? what(loader) : 'its loader is not known';
  const fits = `The VM's hardware fits ${hardware.model}, the configured model, as far as is known.`;
  return [
    ...fold(`${name} (${id}): ${about}.`),
    '',
    ...rows(report).flatMap(([title, value]) => fold(value, `  ${title.padEnd(width)}`, ' '.repeat(width + 2))),
    '',
    ...(hardware.findings.length === 0 ? fold(fits) : hardware.findings.flatMap(saying)),
    '',
    ...fold(
      rebuild.possible
        ? `A rebuild is possible, for ${rebuild.model} ${rebuild.version}: \`dsm2mqtt rebuild ${id} --dry-run\` shows the plan.`
        : 'A rebuild is refused.',
    ),
    ...(rebuild.refusal ? saying(rebuild.refusal) : []),
  ];
}

const width = 16;
const notKnown = 'not known';

type Loader = NonNullable<LoaderReport['loader']>;

function what({ title, version, model, dsm }: Loader): string {
  const release = version === null ? title : `${title} ${version}`;
  const target = [model ?? [], dsm === null ? [] : `DSM ${dsm}`].flat().join(', ');
  return target === '' ? release : `${release} for ${target}`;
}

function rows({ image, trouble, loader, boot, dsm_versions: list }: LoaderReport): (readonly [string, string])[] {
  const others = boot?.entries.filter(title => title !== boot.next) ?? [];
  const odd = boot?.environment_bytes ?? null;
  const repaired = `${odd} bytes instead of GRUB's 1024; the next change of the menu repairs it`;
  return [
    ['Image', image ? `${image.path}, ${size(image.size)}` : 'not found'],
    ...(trouble ? [['', [trouble.message, trouble.advice ?? []].flat().join(' ')] as const] : []),
    ...(loader ? configured(loader) : []),
    ...(boot ? [['Boot menu', `starts ${boot.next ?? 'nothing'}`] as const] : []),
    ...others.map(title => ['', title] as const),
    ...(odd === null ? [] : [['Environment', repaired] as const]),
    ...(list ? [['DSM versions', list.versions?.join(', ') || list.why || `none for ${list.model}`] as const] : []),
  ];
}

function configured(loader: Loader): (readonly [string, string])[] {
  const { sata_port_map: ports, disk_idx_map: places, macs, boot_wait_seconds: wait, why } = loader;
  const maps =
    ports === '' && places === '' ? 'none' : `SataPortMap ${ports || 'none'}, DiskIdxMap ${places || 'none'}`;
  return [
    ['Built', loader.built === false ? 'no, it waits for a build' : yesNo(loader.built)],
    ['Serial number', yesNo(loader.serial_number)],
    ['MACs', macs === null ? notKnown : `${macs}`],
    ['Disk maps', ports === null ? notKnown : maps],
    ...(loader.acpid === null ? [] : [['acpid', yesNo(loader.acpid)] as const]),
    ...(wait === null ? [] : [['Boot wait', `${wait} s, in which a login stops the start of DSM`] as const]),
    ...(why === null ? [] : [['', why] as const]),
  ];
}

function yesNo(value: boolean | null): string {
  if (value === null) return notKnown;
  return value ? 'yes' : 'no';
}

function saying({ message, advice }: { message: string; advice: string | null }): string[] {
  return [...fold(message, '  '), ...(advice === null ? [] : fold(advice, '  → ', '    '))];
}
