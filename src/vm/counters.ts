import type { Picker, TypedParam } from '../libvirt/structs.ts';
import { cpuMetrics, diskMetrics, memoryMetrics, nicMetrics } from '../model/metrics.ts';
import { placesOf, type Counters as Row, unknownCounters } from '../model/stats.ts';

/**
 * The counters of one domain in one bulk statistics record, by the keys of virConnectGetAllDomainStats. Which keys there
 * are depends on libvirt's version, the guest's drivers and whether QEMU answered: what is missing is NaN.
 */
export interface Counters {
  /** `virDomainState`; null: it is missing. */
  state: number | null;
  /** Times in nanoseconds; only QEMU knows those of the vCPU threads. */
  cpu: Row;
  /** KiB */
  balloon: Row;
  /** Named by target; without counters when QEMU did not answer. */
  disks: readonly Part[];
  /** Named by tap. */
  nics: readonly Part[];
}

export interface Part {
  name: string | null;
  counters: Row;
}

const places = {
  domain: { 'state.state': 0, 'cpu.time': 1, 'vcpu.current': 2, 'vcpu.maximum': 3, 'block.count': 4, 'net.count': 5 },
  balloon: placesOf(memoryMetrics),
  vcpu: { time: 0 },
  block: placesOf(diskMetrics),
  net: placesOf(nicMetrics),
};
const cpuPlaces = placesOf(cpuMetrics);
const [noDomain, noBalloon] = [unknownCounters(places.domain), unknownCounters(places.balloon)];
const noPart = { block: unknownCounters(places.block), net: unknownCounters(places.net) };

/** Where a field's value goes: to a disk, a NIC or a vCPU by its number, or to the whole domain. */
interface Place {
  into: keyof typeof places;
  index: number;
  /** In the row; null: it is the name. */
  at: number | null;
}

/** Null: nobody needs it. */
function readField(field: string): Place | null {
  const whole = placeIn('domain', field);
  if (whole !== null) return { into: 'domain', index: 0, at: whole };
  const [, group, number, key = ''] = /^(balloon|vcpu|block|net)\.(?:(\d+)\.)?(.+)$/s.exec(field) ?? [];
  const into = group as Exclude<keyof typeof places, 'domain'> | undefined;
  if (into === undefined || (into === 'balloon') !== (number === undefined)) return null;
  const index = Number(number ?? 0);
  if (into in noPart && key === 'name') return { into, index, at: null };
  const at = placeIn(into, key);
  return at === null ? null : { into, index, at };
}

function placeIn(into: keyof typeof places, key: string): number | null {
  return new Map(Object.entries(places[into])).get(key) ?? null;
}

/** Fields recur: each is read once. */
const known = new Map<string, Place | null>();
const mostKnown = 16_384;

function placeOf(field: string): Place | null {
  const before = known.get(field);
  if (before !== undefined) return before;
  const place = readField(field);
  if (known.size < mostKnown) known.set(field, place);
  return place;
}

/** Picks the counters out of one record, whatever the order of its parameters. */
export class CountersPicker implements Picker<Counters> {
  readonly #domain = noDomain.slice();
  readonly #balloon = noBalloon.slice();
  readonly #parts: Record<'block' | 'net', Part[]> = { block: [], net: [] };
  /** Nanoseconds, by the vCPU's id. */
  readonly #vcpuTimes: number[] = [];

  take(field: string, value: TypedParam['value']): void {
    const place = placeOf(field);
    if (!place) return;
    const { into, index, at } = place;
    const number = typeof value === 'number' && Number.isFinite(value) ? value : Number.NaN;
    if (into === 'block' || into === 'net') {
      const part = this.#parts[into][index] ?? { name: null, counters: noPart[into].slice() };
      this.#parts[into][index] = part;
      if (at !== null) part.counters[at] = number;
      else if (typeof value === 'string') part.name = value;
    } else if (into === 'vcpu') this.#vcpuTimes[index] = number;
    else if (at !== null) (into === 'balloon' ? this.#balloon : this.#domain)[at] = number;
  }

  done(): Counters {
    const of = (field: keyof typeof places.domain) => this.#domain[places.domain[field]] ?? Number.NaN;
    const [state, vcpus] = [of('state.state'), of('vcpu.current')];
    const cpu: Row = [];
    cpu[cpuPlaces.guest] = this.#vcpuTime(vcpus, of('vcpu.maximum'));
    cpu[cpuPlaces.total] = of('cpu.time');
    cpu[cpuPlaces.vcpus] = vcpus;
    return {
      state: Number.isNaN(state) ? null : state,
      cpu,
      balloon: this.#balloon,
      disks: named(this.#parts.block, of('block.count')),
      nics: named(this.#parts.net, of('net.count')),
    };
  }

  /** Of those that are online, which may have any of the ids below `slots`; NaN unless all of them tell. */
  #vcpuTime(vcpus: number, slots: number): number {
    const most = Number.isNaN(slots) ? vcpus : slots;
    const times = this.#vcpuTimes.filter((time, id) => id < most && !Number.isNaN(time));
    return times.length > 0 && times.length === vcpus ? times.reduce((sum, time) => sum + time) : Number.NaN;
  }
}

/** Those below the count that was told. */
function named(parts: readonly Part[], count: number): Part[] {
  return parts.filter(({ name }, index) => index < count && name !== null);
}
