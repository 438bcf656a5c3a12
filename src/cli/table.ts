import { fullVersion, probeNames } from '../model/check.ts';
import type { CheckDocument } from '../model/documents.ts';
import { byKey, type Hardware, type Nic } from '../model/domain.ts';
import type { Stats } from '../model/stats.ts';
import { align } from './terminal.ts';

/** A VM as lines for a terminal. Pure; shared by `status` and the demo. */
export interface VmView {
  name: string;
  state: string;
  reason: string;
  hardware: Pick<Hardware, 'vcpus' | 'disks'> & { nics: readonly Pick<Nic, 'mac' | 'source'>[] };
  stats: Stats | null;
}

export function renderVm({ name, state, reason, hardware, stats }: VmView): string {
  const rows: string[][] = [];
  if (stats) {
    const { cpu, memory } = stats;
    rows.push(['CPU', show(cpu.percent, 1, '%'), `of ${show(cpu.vcpus ?? hardware.vcpus, 0, 'vCPUs')}`]);
    const [used, total, resident] = [memory.used, memory.total, memory.resident].map(bytes => show(bytes, 0, 'MiB'));
    rows.push(['Memory', `${used} used`, `of ${total}, ${resident} resident`]);
  }
  for (const { target, role, source } of hardware.disks) {
    const disk = stats?.disks[target];
    rows.push([
      `Disk ${target}`,
      `read ${show(disk?.read_bytes_per_second, 2, 'MB/s')}`,
      `write ${show(disk?.write_bytes_per_second, 2, 'MB/s')}`,
      `${show(disk?.read_operations_per_second, 0, 'r/s')} ${show(disk?.write_operations_per_second, 0, 'w/s')}`,
      `${role}, ${source ?? 'empty'}`,
    ]);
  }
  for (const [key, { mac, source }] of byKey(hardware.nics)) {
    const nic = stats?.nics[key];
    rows.push([
      `NIC ${mac}`,
      `rx ${show(nic?.rx_bytes_per_second, 2, 'Mbit/s')}`,
      `tx ${show(nic?.tx_bytes_per_second, 2, 'Mbit/s')}`,
      `${show(nic?.rx_packets_per_second, 0, 'p/s')} ${show(nic?.tx_packets_per_second, 0, 'p/s')}`,
      source ?? '',
    ]);
  }
  const stale = stats?.stale ? ', numbers are stale' : '';
  return [`${name}: ${state} (${reason})${stale}`, ...align(rows)].join('\n');
}

/** Bytes, or bytes a second, in one of these. */
const scales: Readonly<Record<string, number>> = { 'MB/s': 1e6, 'Mbit/s': 1e6 / 8, MiB: 1024 ** 2 };

function show(value: number | null | undefined, digits: number, unit: string): string {
  return `${value === null || value === undefined ? '–' : (value / (scales[unit] ?? 1)).toFixed(digits)} ${unit}`;
}

/** A check as lines for a terminal: the sentence, what to do, and a row for each probe. Pure. */
export function renderCheck(row: CheckDocument, title: string): string {
  const { verdict, reason, next_step, probes } = row;
  const rows = probeNames.flatMap(probe => {
    const { outcome = null, ms = null, explanation = null } = probes[probe] ?? {};
    const time = ms === null ? '' : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
    return outcome === null ? [] : [[probe, outcomes[outcome], time, explanation ?? '']];
  });
  const about = aboutGuest(row);
  return [
    `${title}: ${verdict}`,
    `  ${reason}`,
    ...(next_step === null ? [] : [`  → ${next_step}`]),
    ...(about.length > 0 ? [`  ${about.join(', ')}`] : []),
    ...(rows.length > 0 ? ['', ...align(rows)] : []),
  ].join('\n');
}

function aboutGuest({ dsm, address = null, certificate_days: days = null }: CheckDocument): string[] {
  const version = dsm ? fullVersion(dsm) : null;
  const ofDsm = dsm ? [dsm.name, dsm.model, version && `DSM ${version}`, dsm.address] : [];
  const certificate = days === null ? null : `${days} days until a certificate expires`;
  return [...ofDsm, address, certificate].filter(word => word !== null);
}

const outcomes = { ok: 'ok', failed: 'FAILED', not_applicable: '–' } as const;
