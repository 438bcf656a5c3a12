import { size } from '../../loader/plan/plan.ts';
import { fold } from '../../loader/plan/plan-text.ts';
import type { LoaderReport } from './loader-report.ts';

/** What is known of a VM's loader, as lines for a terminal of 100 columns. Pure. */
export function loaderText(report: LoaderReport): string[] {
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
