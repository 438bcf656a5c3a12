import type { Picker, TypedParam } from '../libvirt/structs.ts';
import { type cpuMetrics, diskMetrics, memoryMetrics, nicMetrics } from '../model/metrics.ts';
import { type Counters as TableCounters, unknownCounters } from '../model/stats.ts';

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

type Values = Record<string, number | null>;

/** What a field is read into: a disk, a NIC or a vCPU by its number, or a value of the whole domain. */
interface Place {
  into: 'block' | 'net' | 'vcpu' | 'balloon' | 'domain';
  index: number;
  key: string;
}

const noBalloon = unknownCounters(memoryMetrics);
const unknown: Readonly<Record<'block' | 'net', Values>> = {
  block: unknownCounters(diskMetrics),
  net: unknownCounters(nicMetrics),
};
const ofDomain = new Set(['state.state', 'cpu.time', 'vcpu.current', 'vcpu.maximum', 'block.count', 'net.count']);

/** Null: nobody needs it. */
function readField(field: string): Place | null {
  if (ofDomain.has(field)) return { into: 'domain', index: 0, key: field };
  const [, group = '', number, key = ''] = /^(\w+)\.(?:(\d+)\.)?(.+)$/s.exec(field) ?? [];
  const index = Number(number);
  if (number === undefined)
    return group === 'balloon' && Object.hasOwn(noBalloon, key) ? { into: group, index: 0, key } : null;
  if (group === 'vcpu') return key === 'time' ? { into: group, index, key } : null;
  if (group !== 'block' && group !== 'net') return null;
  return key === 'name' || Object.hasOwn(unknown[group], key) ? { into: group, index, key } : null;
}

/** Fields recur: each is read once. */
const places = new Map<string, Place | null>();
const mostPlaces = 16_384;

function placeOf(field: string): Place | null {
  const known = places.get(field);
  if (known !== undefined) return known;
  const place = readField(field);
  if (places.size < mostPlaces) places.set(field, place);
  return place;
}

interface Part {
  name: string | null;
  values: Values;
}

/** Picks the counters out of one record, whatever the order of its parameters. */
export class CountersPicker implements Picker<Counters> {
  readonly #domain: Values = {};
  readonly #balloon = { ...noBalloon };
  readonly #parts = { block: new Map<number, Part>(), net: new Map<number, Part>() };
  /** Nanoseconds. */
  readonly #vcpuTimes = new Map<number, number>();

  take(field: string, value: TypedParam['value']): void {
    const place = placeOf(field);
    if (!place) return;
    const { into, index, key } = place;
    const number = typeof value === 'number' && Number.isFinite(value) ? value : null;
    if (into === 'block' || into === 'net') {
      const part = this.#part(into, index);
      if (key !== 'name') part.values[key] = number;
      else if (typeof value === 'string') part.name = value;
    } else if (into === 'balloon') (this.#balloon as Values)[key] = number;
    else if (into === 'domain') this.#domain[key] = number;
    else if (number !== null) this.#vcpuTimes.set(index, number);
  }

  done(): Counters {
    const { 'state.state': state = null, 'cpu.time': total = null, 'vcpu.current': vcpus = null } = this.#domain;
    const slots = this.#domain['vcpu.maximum'] ?? vcpus;
    return {
      state,
      cpu: { total, guest: this.#vcpuTime(vcpus, slots), vcpus },
      balloon: this.#balloon,
      disks: this.#named('block'),
      nics: this.#named('net'),
    };
  }

  #part(kind: 'block' | 'net', index: number): Part {
    const known = this.#parts[kind].get(index);
    if (known) return known;
    const part = { name: null, values: { ...unknown[kind] } };
    this.#parts[kind].set(index, part);
    return part;
  }

  /** Those below the count that was told. */
  #named<T extends Values>(kind: 'block' | 'net'): Map<string, T> {
    const count = this.#domain[`${kind}.count`] ?? 0;
    const named = new Map<string, T>();
    for (const [index, { name, values }] of this.#parts[kind]) {
      if (index < count && name !== null) named.set(name, values as T);
    }
    return named;
  }

  /** Of those that are online, which may have any of the ids below `slots`; null unless all of them tell. */
  #vcpuTime(vcpus: number | null, slots: number | null): number | null {
    if (!vcpus || !slots) return null;
    let [sum, count] = [0, 0];
    for (const [id, time] of this.#vcpuTimes) {
      if (id >= slots) continue;
      sum += time;
      count += 1;
    }
    return count === vcpus ? sum : null;
  }
}
