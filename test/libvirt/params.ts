import type { Picker, TypedParam } from '../../src/libvirt/structs.ts';
import { cpuMetrics, diskMetrics, type Metric, memoryMetrics, nicMetrics } from '../../src/model/metrics.ts';
import { placesOf } from '../../src/model/stats.ts';
import { type Counters, CountersPicker } from '../../src/vm/counters.ts';

type Field = Pick<TypedParam, 'field' | 'value'>;

/** A picker of all parameters. */
export function everyParam(): Picker<Field[]> {
  const params: Field[] = [];
  return { take: (field, value) => params.push({ field, value }), done: () => params };
}

export function readCounters(params: readonly Field[]): Counters {
  const picker = new CountersPicker();
  for (const { field, value } of params) picker.take(field, value);
  return picker.done();
}

/** By their names; unknown is null. */
export function readNamed(params: readonly Field[]) {
  const { state, cpu, balloon, disks, nics } = readCounters(params);
  return {
    state,
    cpu: named(cpuMetrics, cpu),
    balloon: named(memoryMetrics, balloon),
    disks: new Map(disks.map(({ name, counters }) => [name, named(diskMetrics, counters)])),
    nics: new Map(nics.map(({ name, counters }) => [name, named(nicMetrics, counters)])),
  };
}

function named<T extends Readonly<Record<string, Metric>>>(table: T, counters: readonly number[]) {
  const places = Object.entries<number>(placesOf(table));
  const values = places.map(([name, place]) => [name, Number.isNaN(counters[place]) ? null : counters[place]]);
  return Object.fromEntries(values) as Record<T[keyof T]['from'][number], number | null>;
}
