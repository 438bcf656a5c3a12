/**
 * THE table of measurements. A row gives a number its key on `B/V/stats`, the counters of libvirt that it is made from,
 * and its entity in Home Assistant; types, unknown samples and docs/entities.md follow from it.
 *
 * The counters are those of virConnectGetAllDomainStats without the prefix of their group. Numbers on the topic are in
 * base units (bytes, operations); only a latency is in milliseconds.
 */

export interface UnitRow {
  /** Base units of the topic in one of these. */
  per?: number;
  /** Decimals kept: finer changes are noise that would fill the recorder. */
  digits: number;
  /** Decimals displayed. */
  shown: number;
  device_class?: 'data_rate' | 'data_size' | 'duration';
}

export const units = {
  '%': { digits: 1, shown: 1 },
  d: { digits: 0, shown: 0, device_class: 'duration' },
  s: { digits: 1, shown: 0, device_class: 'duration' },
  ms: { digits: 2, shown: 1, device_class: 'duration' },
  MiB: { per: 2 ** 20, digits: 1, shown: 0, device_class: 'data_size' },
  GB: { per: 1e9, digits: 3, shown: 1, device_class: 'data_size' },
  'MB/s': { per: 1e6, digits: 3, shown: 2, device_class: 'data_rate' },
  'Mbit/s': { per: 1e6 / 8, digits: 3, shown: 2, device_class: 'data_rate' },
  'ops/s': { digits: 1, shown: 1 },
  'packets/s': { digits: 1, shown: 1 },
} as const satisfies Record<string, UnitRow>;
export type Unit = keyof typeof units;

/** What two samples of a counter give; NaN: unknown. */
interface Reading<Counter extends string> {
  now(counter: Counter): number;
  /** Growth since the sample before; also NaN if the counter went down, because then it has been reset. */
  grown(counter: Counter): number;
  /** Between the samples; above zero. */
  seconds: number;
}

export interface Metric<Counter extends string = string> {
  from: readonly Counter[];
  /** Not finite: unknown. */
  number(reading: Reading<Counter>): number;
  /** It only grows, and starts anew with the VM. */
  grows: boolean;
  entity: {
    /** What comes after the disk or NIC in the entity's key and name. */
    key: string;
    name: string;
    /** What Home Assistant shows; without a unit, the number has none. */
    unit?: Unit;
    /** Most people want this number: it is enabled from the start. */
    icon?: `mdi:${string}`;
  } | null;
}

/** The counter, which goes up and down, of so many base units each. */
const value = <const C extends string>(from: C, size = 1) =>
  metric({ from: [from], grows: false, number: ({ now }) => now(from) * size });

/** The counter, which only grows. */
const total = <const C extends string>(from: C) =>
  metric({ from: [from], grows: true, number: ({ now }) => now(from) });

/** Growth of the counter in a second. One decimal is plenty for bytes and operations. */
const rate = <const C extends string>(from: C) =>
  metric({ from: [from], grows: false, number: ({ grown, seconds }) => round(grown(from) / seconds, 1) });

/** Growth of `time`, nanoseconds, for each one of `count`; in milliseconds. */
const latency = <const C extends string>(count: C, time: C) =>
  metric({ from: [count, time], grows: false, number: ({ grown }) => round(grown(time) / grown(count) / 1e6, 3) });

const memory = (number: Metric<'available' | 'usable'>['number']) =>
  metric({ from: ['available', 'usable'], grows: false, number });

function metric<C extends string>(measure: Omit<Metric<C>, 'entity'>) {
  return (key?: string, name = '', unit?: Unit, icon?: `mdi:${string}`): Metric<C> => ({
    ...measure,
    entity: key === undefined ? null : { key, name, ...(unit && { unit }), ...(icon && { icon }) },
  });
}

/** For all vCPUs. `guest`: nanoseconds of their threads; `total`: of QEMU, if the threads' are unknown. */
export const cpuMetrics = {
  percent: metric({
    ...{ from: ['guest', 'total', 'vcpus'], grows: false },
    number: ({ now, grown, seconds }) => {
      const used = either(grown('guest'), grown('total')) / 1e9 / seconds;
      // The samples use two clocks, so a busy guest may come out a little above 100 %.
      return now('vcpus') > 0 ? round(Math.min(1, used / now('vcpus')) * 100, 2) : Number.NaN;
    },
  })('cpu', 'CPU', '%', 'mdi:cpu-64-bit'),
  vcpus: value('vcpus')(),
  seconds: metric({
    ...{ from: ['guest', 'total'], grows: true },
    number: ({ now }) => round(either(now('guest'), now('total')) / 1e9, 3),
  })('cpu_time', 'CPU time', 's'),
};

const kib = 1_024;

/**
 * `balloon.` The guest uses what it has, less what it could give away. Only its balloon driver knows that, and only
 * since kernel 4.6: an older one reports what is unused, and the rest is mostly cache.
 */
export const memoryMetrics = {
  used: memory(({ now }) => used(now) * kib)('memory_used', 'Memory used', 'MiB', 'mdi:memory'),
  used_percent: memory(({ now }) => round((used(now) / now('available')) * 100, 2))(
    ...(['memory_used_percent', 'Memory used share', '%'] as const),
  ),
  total: value('current', kib)('memory_total', 'Memory total', 'MiB'),
  usable: value('usable', kib)('memory_usable', 'Memory usable', 'MiB'),
  unused: value('unused', kib)('memory_unused', 'Memory unused', 'MiB'),
  resident: value('rss', kib)('memory_resident', 'Memory resident', 'MiB'),
};

/** KiB. */
function used(now: Reading<'available' | 'usable'>['now']): number {
  return Math.max(0, now('available') - now('usable'));
}

/** `block.<n>.` */
export const diskMetrics = {
  read_bytes_per_second: rate('rd.bytes')('read_rate', 'read', 'MB/s', 'mdi:harddisk'),
  write_bytes_per_second: rate('wr.bytes')('write_rate', 'write', 'MB/s', 'mdi:harddisk'),
  read_operations_per_second: rate('rd.reqs')('read_operations', 'read operations', 'ops/s'),
  write_operations_per_second: rate('wr.reqs')('write_operations', 'write operations', 'ops/s'),
  flush_operations_per_second: rate('fl.reqs')('flush_operations', 'flush operations', 'ops/s'),
  read_latency_ms: latency('rd.reqs', 'rd.times')('read_latency', 'read latency', 'ms'),
  write_latency_ms: latency('wr.reqs', 'wr.times')('write_latency', 'write latency', 'ms'),
  flush_latency_ms: latency('fl.reqs', 'fl.times')('flush_latency', 'flush latency', 'ms'),
  read_bytes: total('rd.bytes')('read_total', 'read total', 'GB'),
  write_bytes: total('wr.bytes')('write_total', 'write total', 'GB'),
  read_operations: total('rd.reqs')(),
  write_operations: total('wr.reqs')(),
  errors: total('errors')('errors', 'errors'),
  capacity: value('capacity')('capacity', 'capacity', 'GB'),
  allocation: value('allocation')('allocation', 'allocation', 'GB'),
  physical: value('physical')('physical', 'physical size', 'GB'),
};

/** `net.<n>.`; directions are the guest's: received is what came to the guest. */
export const nicMetrics = {
  rx_bytes_per_second: rate('rx.bytes')('rx_rate', 'receive', 'Mbit/s', 'mdi:download-network'),
  tx_bytes_per_second: rate('tx.bytes')('tx_rate', 'send', 'Mbit/s', 'mdi:upload-network'),
  rx_packets_per_second: rate('rx.pkts')('rx_packets', 'receive packets', 'packets/s'),
  tx_packets_per_second: rate('tx.pkts')('tx_packets', 'send packets', 'packets/s'),
  rx_bytes: total('rx.bytes')('rx_total', 'receive total', 'GB'),
  tx_bytes: total('tx.bytes')('tx_total', 'send total', 'GB'),
  rx_packets: total('rx.pkts')(),
  tx_packets: total('tx.pkts')(),
  rx_errors: total('rx.errs')('rx_errors', 'receive errors'),
  tx_errors: total('tx.errs')('tx_errors', 'send errors'),
  rx_drops: total('rx.drop')('rx_drops', 'receive drops'),
  tx_drops: total('tx.drop')('tx_drops', 'send drops'),
};

function either(first: number, second: number): number {
  return Number.isNaN(first) ? second : first;
}

function round(number: number, digits: number): number {
  const scale = 10 ** digits;
  return Math.round(number * scale) / scale;
}
