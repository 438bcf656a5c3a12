import { byKey, type Hardware, type Nic } from '../model/domain.ts';
import type { Stats } from '../model/stats.ts';

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
    rows.push([
      'Memory',
      show(mebi(memory.used), 0, 'MiB used'),
      `of ${show(mebi(memory.total), 0, 'MiB')}, ${show(mebi(memory.resident), 0, 'MiB resident')}`,
    ]);
  }
  for (const { target, role, source } of hardware.disks) {
    const disk = stats?.disks[target];
    rows.push([
      `Disk ${target}`,
      `read ${show(mega(disk?.read_bytes_per_second), 2, 'MB/s')}`,
      `write ${show(mega(disk?.write_bytes_per_second), 2, 'MB/s')}`,
      `${show(disk?.read_operations_per_second, 0, 'r/s')} ${show(disk?.write_operations_per_second, 0, 'w/s')}`,
      `${role}, ${source ?? 'empty'}`,
    ]);
  }
  for (const [key, { mac, source }] of byKey(hardware.nics)) {
    const nic = stats?.nics[key];
    rows.push([
      `NIC ${mac}`,
      `rx ${show(megabits(nic?.rx_bytes_per_second), 2, 'Mbit/s')}`,
      `tx ${show(megabits(nic?.tx_bytes_per_second), 2, 'Mbit/s')}`,
      `${show(nic?.rx_packets_per_second, 0, 'p/s')} ${show(nic?.tx_packets_per_second, 0, 'p/s')}`,
      source ?? '',
    ]);
  }
  const stale = stats?.stale ? ', numbers are stale' : '';
  return [`${name}: ${state} (${reason})${stale}`, ...align(rows)].join('\n');
}

/** Cells in columns, indented. */
export function align(rows: readonly string[][]): string[] {
  const widths = rows.reduce<number[]>((all, row) => row.map((cell, i) => Math.max(cell.length, all[i] ?? 0)), []);
  return rows.map(row => `  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd());
}

function show(value: number | null | undefined, digits: number, unit: string): string {
  return value === null || value === undefined ? `– ${unit}` : `${value.toFixed(digits)} ${unit}`;
}

function mega(value: number | null | undefined): number | null {
  return value === null || value === undefined ? null : value / 1e6;
}

function megabits(value: number | null | undefined): number | null {
  return value === null || value === undefined ? null : (value * 8) / 1e6;
}

function mebi(value: number | null): number | null {
  return value === null ? null : value / 1024 ** 2;
}
