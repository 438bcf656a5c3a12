import { type Check, verdicts } from '../model/check.ts';
import { domainStates } from '../model/domain.ts';
import { nearlyFull } from '../model/host.ts';
import { cpuMetrics, diskMetrics, type Metric, memoryMetrics, nicMetrics } from '../model/metrics.ts';
import { shownProblem } from '../model/notice/quiet.ts';
import type { Snapshot, VmKey, VmSnapshot } from '../model/snapshot.ts';

/** What the bridge knows, in Prometheus' text format (prometheus.io/docs/instrumenting/exposition_formats). */

export interface Observed {
  version: string;
  instance: string;
  /** The session with the broker is there, and the base topic is this bridge's. */
  connected: boolean;
  /** Of each host, with the VMs that are there now. */
  hosts: readonly { snapshot: Snapshot; keys: readonly VmKey[] }[];
}

type Labels = Readonly<Record<string, string>>;
type Value = number | boolean | null | undefined;

export function metricsText({ version, instance, connected, hosts }: Observed): string {
  const page = new Page();
  page.gauge('build_info', 'The bridge, always 1', 1, { version, instance });
  page.gauge('mqtt_connected', 'Whether the bridge publishes', connected, {});
  for (const { snapshot, keys } of hosts) {
    const { name } = snapshot.hypervisor;
    const host = name === null ? {} : { host: name };
    hostMetrics(page, snapshot, host);
    for (const key of keys) {
      const vm = snapshot.vms[key];
      if (vm) vmMetrics(page, vm, snapshot.hypervisor.up, { ...host, vm: key });
    }
  }
  processMetrics(page);
  return page.text();
}

function hostMetrics(page: Page, { hypervisor, host: stats }: Snapshot, labels: Labels): void {
  page.gauge('libvirt_up', 'Whether libvirt answers', hypervisor.up, labels);
  if (!hypervisor.up || !stats) return;
  page.gauge('host_cpu_usage_ratio', 'CPU of the host', over(stats.cpu, 100), labels);
  page.gauge('host_memory_bytes', 'Memory of the host', stats.memory?.total, labels);
  page.gauge('host_memory_available_bytes', 'Memory available on the host', stats.memory?.available, labels);
  page.gauge('host_load1', 'Load of the host, the mean of one minute', stats.load, labels);
  const full = nearlyFull(stats);
  for (const [pool, { total, available }] of Object.entries(stats.pools)) {
    const of = { ...labels, pool };
    page.gauge('pool_bytes', 'Size of a storage pool', total, of);
    page.gauge('pool_available_bytes', 'Room in a storage pool', available, of);
    page.gauge('pool_nearly_full', 'Whether QEMU may soon pause guests for want of room', full.includes(pool), of);
  }
}

function vmMetrics(page: Page, { label: name, guest, ...vm }: VmSnapshot, isKnown: boolean, labels: Labels): void {
  page.gauge('vm_info', 'A VM, always 1', 1, { ...labels, name, guest });
  page.gauge('vm_quiet', 'Whether problems of the VM are held back', vm.quiet !== null, labels);
  if (vm.check) checkMetrics(page, { ...vm.check, problem: shownProblem(vm) }, labels);
  if (!isKnown || !vm.domain) return;
  page.gauge('vm_active', 'Whether libvirt calls the VM active', vm.domain.active, labels);
  for (const state of domainStates)
    page.gauge('vm_state', 'The state of the VM is 1, all others 0', vm.domain.state === state, { ...labels, state });
  page.gauge('vm_start_time_seconds', 'When the VM was started, since 1970', time(vm.startedAt), labels);
  const { stats } = vm;
  if (!stats || stats.stale) return;
  page.table('cpu', cpuMetrics, stats.cpu, labels);
  page.table('memory', memoryMetrics, stats.memory, labels);
  for (const [disk, numbers] of Object.entries(stats.disks))
    page.table('disk', diskMetrics, numbers, { ...labels, disk });
  for (const [nic, numbers] of Object.entries(stats.nics)) page.table('nic', nicMetrics, numbers, { ...labels, nic });
}

function checkMetrics(page: Page, check: Check, labels: Labels): void {
  for (const verdict of verdicts)
    page.gauge('vm_verdict', 'The verdict is 1, all others 0', check.verdict === verdict, { ...labels, verdict });
  page.gauge('vm_problem', 'Whether the VM is not as it is meant to be', check.problem, labels);
  page.gauge('vm_reachable', 'Whether the guest answers', check.reachable, labels);
  const checked = time(check.checkedAt);
  page.gauge('vm_last_check_time_seconds', 'When the guest was last checked, since 1970', checked, labels);
  const days = check.certificateDays;
  const expiry = days === null ? null : days * 86_400;
  page.gauge('vm_certificate_expiry_seconds', 'Until the first certificate expires, in whole days', expiry, labels);
  for (const [probe, { outcome, ms }] of Object.entries(check.probes)) {
    const of = { ...labels, probe };
    const success = outcome === 'not_applicable' ? null : outcome === 'ok';
    page.gauge('vm_probe_success', 'Whether a probe found what it expects', success, of);
    page.gauge('vm_probe_duration_seconds', 'How long the probe took', success === null ? null : over(ms, 1_000), of);
  }
}

/** As Prometheus' own clients name them. */
function processMetrics(page: Page): void {
  const { user, system } = process.cpuUsage();
  const started = Date.now() / 1_000 - process.uptime();
  page.add('process_cpu_seconds_total', 'counter', 'CPU of the bridge', (user + system) / 1e6, {});
  page.add('process_resident_memory_bytes', 'gauge', 'Memory of the bridge', process.memoryUsage.rss(), {});
  page.add('process_start_time_seconds', 'gauge', 'When the bridge was started, since 1970', started, {});
}

/** All samples of one name must stand together. */
class Page {
  readonly #families = new Map<string, string[]>();

  /** A value that is not known is left out. */
  add(name: string, type: 'gauge' | 'counter', help: string, value: Value, labels: Labels): void {
    if (value === null || value === undefined) return;
    const lines = this.#families.get(name) ?? [`# HELP ${name} ${help}.`, `# TYPE ${name} ${type}`];
    this.#families.set(name, lines);
    const inside = Object.entries(labels).map(([key, text]) => `${key}="${escaped(text)}"`);
    lines.push(`${name}${inside.length > 0 ? `{${inside.join()}}` : ''} ${Number(value)}`);
  }

  gauge(name: string, help: string, value: Value, labels: Labels): void {
    this.add(`dsm2mqtt_${name}`, 'gauge', help, value, labels);
  }

  /** Each row of a table of metrics. */
  table<T extends Readonly<Record<string, Metric>>>(
    group: string,
    table: T,
    numbers: Readonly<Record<keyof T & string, number | null>>,
    labels: Labels,
  ): void {
    for (const [key, row] of Object.entries(table)) {
      const { name, per } = converted(key, row);
      const type = row.grows ? 'counter' : 'gauge';
      const help = `${group}: ${row.entity?.name || key.replaceAll('_', ' ')}`;
      this.add(`dsm2mqtt_vm_${group}_${name}`, type, help, over(numbers[key as keyof T & string], per), labels);
    }
  }

  text(): string {
    return [...this.#families.values()].flat().join('\n').concat('\n');
  }
}

/** In base units, as prometheus.io/docs/practices/naming wants them: seconds, bytes, ratios. */
function converted(key: string, { grows, entity }: Metric): { name: string; per: number } {
  const unit = entity?.unit;
  const total = grows ? '_total' : '';
  if (unit === '%') return { name: key.replace(/(^|_)percent$/, (_, joint) => `${joint || 'usage_'}ratio`), per: 100 };
  if (unit === 'ms') return { name: key.replace(/ms$/, 'seconds'), per: 1_000 };
  const isSize = (unit === 'MiB' || unit === 'GB') && !key.endsWith('bytes');
  return { name: `${key}${isSize ? '_bytes' : ''}${total}`, per: 1 };
}

function over(value: number | null, per: number): number | null {
  return value === null ? null : value / per;
}

function time(at: string | null): number | null {
  return at === null ? null : Date.parse(at) / 1_000;
}

function escaped(label: string): string {
  return label.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n');
}
