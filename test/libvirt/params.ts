import type { Picker, TypedParam } from '../../src/libvirt/structs.ts';
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
