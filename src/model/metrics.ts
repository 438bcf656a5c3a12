/**
 * THE table of measurements. A row gives a number its key on `B/V/stats`, the counters of libvirt that it is made from,
 * and its entity in Home Assistant; types, unknown samples and docs/entities.md follow from it.
 *
 * The counters are those of virConnectGetAllDomainStats without the prefix of their group. Numbers on the topic are in
 * base units (bytes, operations); only a latency is in milliseconds.
 */

export type Unit = 'ms' | 'MB/s' | 'Mbit/s' | 'GB' | 'ops/s' | 'packets/s';

export interface Metric<Counter extends string = string> {
  /**
   * - `rate`: growth of the counter in a second
   * - `latency`: growth of the second counter, nanoseconds, for each one of the first; in milliseconds
   * - `total`: the counter, which only grows and starts anew with the VM
   * - `value`: the counter, which goes up and down
   */
  is: 'rate' | 'latency' | 'total' | 'value';
  from: readonly Counter[];
  entity?: MetricEntity;
}

export interface MetricEntity {
  /** What comes after the disk or NIC in the entity's key and name. */
  key: string;
  name: string;
  /** What Home Assistant shows; a number without one has no unit. */
  unit?: Unit;
  /** It is one of the first numbers that people look for: enabled from the start where the disk or NIC is. */
  icon?: `mdi:${string}`;
}

function metric<const Counter extends string>(is: Metric['is'], ...from: Counter[]) {
  return (key?: string, name = '', unit?: Unit, icon?: `mdi:${string}`): Metric<Counter> => ({
    ...{ is, from },
    ...(key !== undefined && { entity: { key, name, ...(unit && { unit }), ...(icon && { icon }) } }),
  });
}

/** `block.<n>.` */
export const diskMetrics = {
  read_bytes_per_second: metric('rate', 'rd.bytes')('read_rate', 'read', 'MB/s', 'mdi:harddisk'),
  write_bytes_per_second: metric('rate', 'wr.bytes')('write_rate', 'write', 'MB/s', 'mdi:harddisk'),
  read_operations_per_second: metric('rate', 'rd.reqs')('read_operations', 'read operations', 'ops/s'),
  write_operations_per_second: metric('rate', 'wr.reqs')('write_operations', 'write operations', 'ops/s'),
  flush_operations_per_second: metric('rate', 'fl.reqs')('flush_operations', 'flush operations', 'ops/s'),
  read_latency_ms: metric('latency', 'rd.reqs', 'rd.times')('read_latency', 'read latency', 'ms'),
  write_latency_ms: metric('latency', 'wr.reqs', 'wr.times')('write_latency', 'write latency', 'ms'),
  flush_latency_ms: metric('latency', 'fl.reqs', 'fl.times')('flush_latency', 'flush latency', 'ms'),
  read_bytes: metric('total', 'rd.bytes')('read_total', 'read total', 'GB'),
  write_bytes: metric('total', 'wr.bytes')('write_total', 'write total', 'GB'),
  read_operations: metric('total', 'rd.reqs')(),
  write_operations: metric('total', 'wr.reqs')(),
  errors: metric('total', 'errors')('errors', 'errors'),
  capacity: metric('value', 'capacity')('capacity', 'capacity', 'GB'),
  allocation: metric('value', 'allocation')('allocation', 'allocation', 'GB'),
  physical: metric('value', 'physical')('physical', 'physical size', 'GB'),
};

/** `net.<n>.`; directions are the guest's: received is what came to the guest. */
export const nicMetrics = {
  rx_bytes_per_second: metric('rate', 'rx.bytes')('rx_rate', 'receive', 'Mbit/s', 'mdi:download-network'),
  tx_bytes_per_second: metric('rate', 'tx.bytes')('tx_rate', 'send', 'Mbit/s', 'mdi:upload-network'),
  rx_packets_per_second: metric('rate', 'rx.pkts')('rx_packets', 'receive packets', 'packets/s'),
  tx_packets_per_second: metric('rate', 'tx.pkts')('tx_packets', 'send packets', 'packets/s'),
  rx_bytes: metric('total', 'rx.bytes')('rx_total', 'receive total', 'GB'),
  tx_bytes: metric('total', 'tx.bytes')('tx_total', 'send total', 'GB'),
  rx_packets: metric('total', 'rx.pkts')(),
  tx_packets: metric('total', 'tx.pkts')(),
  rx_errors: metric('total', 'rx.errs')('rx_errors', 'receive errors'),
  tx_errors: metric('total', 'tx.errs')('tx_errors', 'send errors'),
  rx_drops: metric('total', 'rx.drop')('rx_drops', 'receive drops'),
  tx_drops: metric('total', 'tx.drop')('tx_drops', 'send drops'),
};

type Table = Readonly<Record<string, Metric>>;

/** A sample's numbers; null: unknown, never zero. */
export type Numbers<T extends Table> = Record<keyof T & string, number | null>;
/** The counters that a table's numbers are made from; null: libvirt has not told. */
export type Counters<T extends Table> = Record<T[keyof T]['from'][number], number | null>;

export function unknownNumbers<T extends Table>(table: T): Numbers<T> {
  return Object.fromEntries(Object.keys(table).map(key => [key, null])) as Numbers<T>;
}

/** The names of the counters, each once. */
export function countersOf<T extends Table>(table: T): readonly (keyof Counters<T>)[] {
  return [...new Set(Object.values(table).flatMap(({ from }) => from))] as (keyof Counters<T>)[];
}

/** The numbers of one sample. `before`: the sample before it, so many seconds ago. */
export function numbersOf<T extends Table>(
  table: T,
  now: Counters<T>,
  before: Counters<T> | undefined,
  seconds: number,
): Numbers<T> {
  const grown = (name: keyof Counters<T> | undefined) =>
    name === undefined ? null : growth(now[name], before?.[name]);
  const number = ({ is, from: [first, second] }: Metric): number | null => {
    if (is === 'total' || is === 'value') return now[first as keyof Counters<T>] ?? null;
    const count = grown(first as keyof Counters<T>);
    // One decimal is plenty for bytes and operations a second.
    if (is === 'rate') return count === null || seconds <= 0 ? null : round(count / seconds, 1);
    const nanoseconds = grown(second as keyof Counters<T>);
    return count && nanoseconds !== null ? round(nanoseconds / count / 1e6, 3) : null;
  };
  const numbers: Record<string, number | null> = {};
  for (const key in table) numbers[key] = number(table[key] as Metric);
  return numbers as Numbers<T>;
}

/** Null when one is unknown, or when the counter went down: then it counts anew. */
export function growth(now: number | null | undefined, before: number | null | undefined): number | null {
  if (now === null || now === undefined || before === null || before === undefined) return null;
  return now < before ? null : now - before;
}

export function round(value: number, digits: number): number {
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
}
