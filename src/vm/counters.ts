import type { TypedParam } from '../libvirt/structs.ts';
import { type cpuMetrics, diskMetrics, memoryMetrics, nicMetrics } from '../model/metrics.ts';
import { countersOf, type Counters as TableCounters } from '../model/stats.ts';

/**
 * The counters of one domain in one bulk statistics record, by the keys of virConnectGetAllDomainStats. Which keys there
 * are depends on libvirt's version, the guest's drivers and whether QEMU answered: what is missing is null.
 */
export interface Counters {
  /** `virDomainState` */
  state: number | null;
  /** Times in nanoseconds; only QEMU knows those of the vCPU threads. */
  cpu: TableCounters<typeof cpuMetrics>;
  /** KiB */
  balloon: TableCounters<typeof memoryMetrics>;
  /** By target; with nothing but nulls when QEMU did not answer. */
  disks: Map<string, TableCounters<typeof diskMetrics>>;
  /** By tap name. */
  nics: Map<string, TableCounters<typeof nicMetrics>>;
}

const balloonKeys = countersOf(memoryMetrics);
const diskKeys = countersOf(diskMetrics);
const nicKeys = countersOf(nicMetrics);

export function readCounters(params: readonly TypedParam[]): Counters {
  const values = new Map<string, TypedParam['value']>();
  for (const { field, value } of params) values.set(field, value);
  const number = (key: string): number | null => {
    const value = values.get(key);
    return typeof value === 'number' && Number.isFinite(value) ? value : null;
  };
  const group = <K extends string>(prefix: string, keys: readonly K[]) => {
    const numbers: Partial<Record<K, number | null>> = {};
    for (const [key, field] of fields(prefix, keys)) numbers[key] = number(field);
    return numbers as Record<K, number | null>;
  };
  const named = <K extends string>(kind: string, keys: readonly K[]): Map<string, Record<K, number | null>> => {
    const count = Math.min(number(`${kind}.count`) ?? 0, params.length);
    const entries = Array.from({ length: count }, (_, i) => `${kind}.${i}.`).flatMap(prefix => {
      const name = values.get(`${prefix}name`);
      return typeof name === 'string' ? [[name, group(prefix, keys)] as const] : [];
    });
    return new Map(entries);
  };
  const vcpus = number('vcpu.current');
  const slots = number('vcpu.maximum') ?? vcpus;
  return {
    state: number('state.state'),
    cpu: { total: number('cpu.time'), guest: vcpuTime(number, vcpus, slots), vcpus },
    balloon: group('balloon.', balloonKeys),
    disks: named('block', diskKeys),
    nics: named('net', nicKeys),
  };
}

const spelt = new Map<string, readonly (readonly [string, string])[]>();

/** Each key with its field, which is put together once: a poll of many domains reads thousands. */
function fields<K extends string>(prefix: string, keys: readonly K[]): readonly (readonly [K, string])[] {
  const known = spelt.get(prefix) ?? keys.map(key => [key, `${prefix}${key}`] as const);
  spelt.set(prefix, known);
  return known as readonly (readonly [K, string])[];
}

/** libvirt's own limit is lower; a greater number is invalid. */
const maxVcpus = 16_384;

/** Of those that are online, which may have any of the ids below `slots`; null unless all of them tell. */
function vcpuTime(number: (key: string) => number | null, vcpus: number | null, slots: number | null): number | null {
  if (!vcpus || !slots || slots > maxVcpus) return null;
  const times = Array.from({ length: slots }, (_, id) => number(`vcpu.${id}.time`)).filter(time => time !== null);
  return times.length === vcpus ? times.reduce((sum, time) => sum + time, 0) : null;
}
