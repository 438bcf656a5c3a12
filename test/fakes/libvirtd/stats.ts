import { statSync } from 'node:fs';
import type { TypedParam } from '../../../src/libvirt/structs.ts';
import type { Hardware } from './xml.ts';

type Value = number | string | boolean;

/** In libvirt's order, with the bit that asks for each. */
const groups = [
  ['state', 1],
  ['cpu', 2],
  ['balloon', 4],
  ['vcpu', 8],
  ['net', 16],
  ['block', 32],
] as const;

/** What libvirt asks QEMU for; the rest it knows by itself. */
const fromMonitor = /^balloon\.(?!current$|maximum$)|^block\.\d+\.(?!name$|path$|backingIndex$)/;
const monitorGroups = 2 | 4 | 8 | 32;
/** libvirt 9.0 without cgroups tells its own CPU time of a domain that is off; so does the fake. */
const whileOff =
  /^cpu\.(time|user|system)$|^balloon\.(current|maximum)$|^vcpu\.(current|maximum)$|^block\.(count|\d+\.(name|path|allocation|capacity|physical))$/;

/**
 * One domain's statistics under libvirt's own keys. Tests move them with `set` and `add`, and take keys away with
 * `drop`, as a version or driver without them would.
 */
export class FakeStats {
  #values = new Map<string, Value>();
  #dropped = new Set<string>();

  /** As QEMU starts: everything zero, taps new. */
  reset({ vcpus, memory, disks }: Hardware, taps: string[]): void {
    const diskKeys = ['rd.reqs', 'rd.bytes', 'rd.times', 'wr.reqs', 'wr.bytes', 'wr.times', 'fl.reqs', 'fl.times'];
    const nicKeys = ['rx.bytes', 'rx.pkts', 'rx.errs', 'rx.drop', 'tx.bytes', 'tx.pkts', 'tx.errs', 'tx.drop'];
    const zeros = (prefix: string, keys: string[]) => Object.fromEntries(keys.map(key => [`${prefix}.${key}`, 0]));
    this.#values = new Map();
    this.set({
      ...zeros('cpu', ['time', 'user', 'system']),
      'balloon.current': memory,
      'balloon.maximum': memory,
      'balloon.last-update': 0,
      'balloon.rss': 65_536,
      'vcpu.current': vcpus,
      'vcpu.maximum': vcpus,
      'net.count': taps.length,
      'block.count': disks.length,
    });
    for (let i = 0; i < vcpus; i++) {
      this.set({ [`vcpu.${i}.state`]: 1, ...zeros(`vcpu.${i}`, ['time', 'wait', 'delay']) });
    }
    taps.forEach((name, i) => {
      this.set({ [`net.${i}.name`]: name, ...zeros(`net.${i}`, nicKeys) });
    });
    disks.forEach(({ target, source }, i) => {
      this.set({ [`block.${i}.name`]: target, ...(source === null ? {} : { [`block.${i}.path`]: source }) });
      this.set(zeros(`block.${i}`, diskKeys));
      const size = sizeOf(source);
      this.set({ [`block.${i}.allocation`]: 0, [`block.${i}.capacity`]: size, [`block.${i}.physical`]: size });
    });
  }

  number(key: string): number {
    return Number(this.#values.get(key) ?? 0);
  }

  set(values: Record<string, Value>): void {
    for (const [key, value] of Object.entries(values)) this.#values.set(key, value);
  }

  add(increments: Record<string, number>): void {
    for (const [key, increment] of Object.entries(increments)) this.#values.set(key, this.number(key) + increment);
  }

  /** These keys are never sent again, not even after a restart. */
  drop(...keys: string[]): void {
    for (const key of keys) this.#dropped.add(key);
  }

  /** What one record holds. `groupBits` 0 asks for all; `monitor`: QEMU could be asked. */
  params(
    groupBits: number,
    options: { state: number; reason: number; active: boolean; monitor: boolean },
  ): TypedParam[] {
    const values = new Map<string, Value>([
      ['state.state', options.state],
      ['state.reason', options.reason],
      ...this.#values,
    ]);
    return groups
      .filter(([, bit]) => groupBits === 0 || (groupBits & bit) !== 0)
      .flatMap(([group]) => [...values].filter(([key]) => key.startsWith(`${group}.`)))
      .filter(([key]) => !this.#dropped.has(key))
      .filter(([key]) => options.active || key.startsWith('state.') || whileOff.test(key))
      .filter(([key]) => !options.active || options.monitor || !fromMonitor.test(key))
      .map(([field, value]) => ({ field, type: typeOf(field, value), value }));
  }
}

export function needsMonitor(groupBits: number): boolean {
  return groupBits === 0 || (groupBits & monitorGroups) !== 0;
}

/** `virTypedParameterType` as libvirt chooses it for each key. */
function typeOf(field: string, value: Value): number {
  if (typeof value === 'string') return 7;
  if (typeof value === 'boolean') return 6;
  if (/^state\.|\.state$/.test(field)) return 1;
  return /\.count$|^vcpu\.(current|maximum)$|\.backingIndex$/.test(field) ? 2 : 4;
}

/** Of the file, if there is one. */
function sizeOf(source: string | null): number {
  return (source === null ? undefined : statSync(source, { throwIfNoEntry: false })?.size) ?? 1024 ** 3;
}
