/** What Prometheus reads: its rules for names and lines, and the values. */
import { describe, expect, test } from 'vitest';
import { cpuMetrics, diskMetrics, memoryMetrics, nicMetrics } from '../../src/model/metrics.ts';
import type { Snapshot, VmSnapshot } from '../../src/model/snapshot.ts';
import { type Stats, unknownDisk, unknownStats } from '../../src/model/stats.ts';
import { metricsText } from '../../src/servers/metrics.ts';
import { checkOf, snapshotOf } from '../model/samples.ts';

/** Each number of a table, with another value each. */
const all = <T extends object>(table: T, from: number) =>
  Object.fromEntries(Object.keys(table).map((key, i) => [key, from + i])) as Record<keyof T & string, number>;
const stats: Stats = {
  ...{ sampled_at: '2026-11-22T08:00:00.000Z', stale: false },
  cpu: { ...all(cpuMetrics, 10), percent: 12.34 },
  memory: all(memoryMetrics, 20),
  disks: { sda: { ...all(diskMetrics, 30), read_latency_ms: 2.5 }, sdb: { ...unknownDisk, read_bytes: 7 } },
  nics: { '525400d53001': all(nicMetrics, 60) },
};
const hostStats = {
  sampledAt: '2026-11-22T08:00:00.000Z',
  ...{ cpu: 25, load: 1.5, memory: { total: 8e9, available: 2e9 } },
  pools: { 'the "big" one': { total: 1e12, available: 1e9 } },
};

const textOf = (...snapshots: Snapshot[]) =>
  metricsText({
    ...{ version: '1.2.3', instance: 'nas\nhost', connected: true },
    hosts: snapshots.map(snapshot => ({ snapshot, keys: Object.keys(snapshot.vms) })),
  });
/** Each sample's value, by its name and labels. */
const valuesOf = (text: string) =>
  new Map(
    text
      .split('\n')
      .filter(line => line !== '' && !line.startsWith('#'))
      .map(line => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))] as const),
  );
const full = () => ({
  ...snapshotOf({ stats, check: { ...checkOf('up'), certificateDays: 2 }, startedAt: '2026-11-22T07:00:00Z' }),
  host: hostStats,
});

test('every line is as the format wants it: names, labels, a family’s lines together, a counter ends in _total', () => {
  const text = textOf(full());
  expect(text.endsWith('\n')).toBe(true);
  const types = new Map<string, string>();
  const seen = new Set<string>();
  let family = '';
  for (const line of text.trimEnd().split('\n')) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) ([a-z_0-9]+) (.+)$/.exec(line) ?? [];
    if (kind === 'HELP') {
      expect(types.has(name), line).toBe(false);
      family = name;
      types.set(name, '');
    } else if (kind === 'TYPE') {
      expect(name).toBe(family);
      types.set(name, rest);
    } else {
      const sample =
        /^([a-z_][a-z0-9_]*)(\{[a-z]+="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-z]+="(?:[^"\\\n]|\\[\\"n])*")*\})? \S+$/.exec(
          line,
        );
      expect(sample?.[1], line).toBe(family);
      const id = line.slice(0, line.lastIndexOf(' '));
      expect(seen.has(id), line).toBe(false);
      seen.add(id);
    }
  }
  for (const [name, type] of types) expect(name.endsWith('_total'), name).toBe(type === 'counter');
});

test('every metric of the table is there, in base units', () => {
  const values = valuesOf(textOf(full()));
  const of = (group: string) => [...values.keys()].filter(key => key.startsWith(`dsm2mqtt_vm_${group}_`));
  const tables = { cpu: cpuMetrics, memory: memoryMetrics, nic: nicMetrics };
  for (const [group, table] of Object.entries(tables)) expect(of(group), group).toHaveLength(Object.keys(table).length);
  expect(of('disk')).toHaveLength(Object.keys(diskMetrics).length + 1);
  expect(values.get('dsm2mqtt_vm_cpu_usage_ratio{vm="DSM"}')).toBe(0.1234);
  expect(values.get('dsm2mqtt_vm_memory_used_ratio{vm="DSM"}')).toBe(0.21);
  expect(values.get('dsm2mqtt_vm_memory_used_bytes{vm="DSM"}')).toBe(20);
  expect(values.get('dsm2mqtt_vm_disk_read_latency_seconds{vm="DSM",disk="sda"}')).toBe(0.0025);
  expect(values.get('dsm2mqtt_vm_disk_read_bytes_total{vm="DSM",disk="sdb"}')).toBe(7);
  expect(values.get('dsm2mqtt_vm_disk_capacity_bytes{vm="DSM",disk="sda"}')).toBeGreaterThan(0);
  expect(values.get('dsm2mqtt_vm_nic_rx_bytes_total{vm="DSM",nic="525400d53001"}')).toBeGreaterThan(0);
});

test('states and verdicts, one of each is 1; the host and its pools', () => {
  const text = textOf(full());
  const values = valuesOf(text);
  const ones = (name: string) =>
    [...values].filter(([key, value]) => key.startsWith(`dsm2mqtt_${name}{vm="DSM"`) && value === 1);
  expect(ones('vm_state')).toEqual([['dsm2mqtt_vm_state{vm="DSM",state="running"}', 1]]);
  expect(ones('vm_verdict')).toEqual([['dsm2mqtt_vm_verdict{vm="DSM",verdict="up"}', 1]]);
  expect(values.get('dsm2mqtt_vm_probe_success{vm="DSM",probe="web"}')).toBe(1);
  expect(values.get('dsm2mqtt_vm_probe_duration_seconds{vm="DSM",probe="web"}')).toBe(0.001);
  expect(values.get('dsm2mqtt_vm_problem{vm="DSM"}')).toBe(0);
  expect(values.get('dsm2mqtt_vm_certificate_expiry_seconds{vm="DSM"}')).toBe(172_800);
  expect(values.get('dsm2mqtt_vm_start_time_seconds{vm="DSM"}')).toBe(Date.UTC(2026, 10, 22, 7) / 1_000);
  expect(values.get('dsm2mqtt_host_cpu_usage_ratio')).toBe(0.25);
  expect(values.get('dsm2mqtt_pool_nearly_full{pool="the \\"big\\" one"}')).toBe(1);
  expect(text).toContain('dsm2mqtt_build_info{version="1.2.3",instance="nas\\nhost"} 1\n');
  expect(values.get('process_resident_memory_bytes')).toBeGreaterThan(2 ** 20);
});

describe('what is not known is left out', () => {
  test.each([
    ['stale numbers', { stats: { ...stats, stale: true } }],
    ['an unknown sample', { stats: unknownStats(null) }],
    ['no sample', {}],
  ])('%s', (_, vm) => {
    expect(textOf(snapshotOf(vm))).not.toMatch(/vm_(cpu|memory|disk|nic)_/);
  });

  test('libvirt away: no state, but what the checks say', () => {
    const { hypervisor, ...rest } = snapshotOf({ stats, check: checkOf('up') });
    const text = textOf({ ...rest, hypervisor: { ...hypervisor, up: false } });
    expect(text).toContain('dsm2mqtt_libvirt_up 0\n');
    expect(text).not.toMatch(/vm_(active|state|cpu)/);
    expect(text).toContain('dsm2mqtt_vm_reachable{vm="DSM"} 1\n');
  });
});

test('of several hosts each sample says which', () => {
  const of = (name: string) => ({ ...full(), hypervisor: { ...full().hypervisor, name } });
  const [one, two] = [of('one'), of('two')];
  const hosts = [
    { snapshot: one, keys: ['DSM'] },
    { snapshot: two, keys: ['other'] },
  ];
  const text = metricsText({ version: '1', instance: 'i', connected: false, hosts });
  expect(text).toContain('dsm2mqtt_vm_active{host="one",vm="DSM"} 1\n');
  expect(text).toContain('dsm2mqtt_vm_active{host="two",vm="other"} 0\n');
  expect(text).toContain('dsm2mqtt_mqtt_connected 0\n');
  expect(text.match(/^dsm2mqtt_vm_active/gm)).toHaveLength(2);
});

test('a problem is held back in quiet time', () => {
  const check = { ...checkOf('off'), problem: true };
  const problemOf = (quiet: VmSnapshot['quiet']) => {
    const values = valuesOf(textOf(snapshotOf({ check, quiet })));
    return ['problem', 'quiet'].map(name => values.get(`dsm2mqtt_vm_${name}{vm="DSM"}`));
  };
  expect(problemOf(null)).toEqual([1, 0]);
  expect(problemOf({ until: '2026-11-22T08:00:00.000Z', by: null })).toEqual([0, 1]);
});
