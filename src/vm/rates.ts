import { byKey, type Hardware } from '../model/domain.ts';
import {
  type CpuStats,
  type DiskStats,
  type MemoryStats,
  type NicStats,
  type Stats,
  unknownDisk,
  unknownNic,
} from '../model/stats.ts';
import type { Counters, DiskCounters, NicCounters } from './counters.ts';

/** Counters turned into what is published: rates from two samples of one boot, totals from one. Pure. */

export interface Sample {
  counters: Counters;
  /** Monotonic, milliseconds. */
  at: number;
}

/** Growth between two samples; null when unknown, or when a counter went down: then it counts anew. */
type Growth = (now: number | null | undefined, before: number | null | undefined) => number | null;

/**
 * Whether QEMU was there for this sample. A NOWAIT call that finds it busy or hung brings what libvirt knows by itself:
 * of the disks no more than their names.
 */
export function hasAnswered(hardware: Hardware, { disks }: Counters): boolean {
  return hardware.disks.length === 0 || [...disks.values()].some(disk => disk['rd.reqs'] !== null);
}

export function toStats(hardware: Hardware, sample: Sample, previous: Sample | null, sampledAt: string): Stats {
  const seconds = previous ? (sample.at - previous.at) / 1_000 : 0;
  const rate: Growth = (now, before) => {
    const grown = growth(now, before);
    return grown === null || seconds <= 0 ? null : grown / seconds;
  };
  const { counters } = sample;
  const before = previous?.counters;
  const nics = byKey(hardware.nics);
  const taps = new Map(nics.map(([key, { tap }]) => [tap, key]));
  return {
    sampled_at: sampledAt,
    stale: !hasAnswered(hardware, counters),
    cpu: cpu(counters, before, seconds),
    memory: memory(counters),
    disks: Object.fromEntries(
      hardware.disks.map(({ target }) => {
        const now = counters.disks.get(target);
        return [target, now ? disk(now, before?.disks.get(target), rate) : unknownDisk];
      }),
    ),
    nics: {
      ...Object.fromEntries(nics.map(([key]) => [key, unknownNic])),
      ...Object.fromEntries(
        [...counters.nics].flatMap(([tap, now]) => {
          const key = taps.get(tap);
          return key === undefined ? [] : [[key, nic(now, before?.nics.get(tap), rate)]];
        }),
      ),
    },
  };
}

function cpu({ cpu: now }: Counters, before: Counters | undefined, seconds: number): CpuStats {
  const used = growth(now.guest, before?.cpu.guest) ?? growth(now.total, before?.cpu.total);
  const time = now.guest ?? now.total;
  const share = used === null || seconds <= 0 || !now.vcpus ? null : used / 1e9 / seconds / now.vcpus;
  return {
    // Two clocks are compared, so a busy guest may come out a little above the whole.
    percent: share === null ? null : round(Math.min(1, share) * 100, 2),
    vcpus: now.vcpus,
    seconds: time === null ? null : round(time / 1e9, 3),
  };
}

/**
 * What the guest uses is what it has, less what it could give away. Only its balloon driver knows, and that of a kernel
 * before 4.6 does not: it tells what is unused, and the rest is mostly cache.
 */
function memory({ balloon }: Counters): MemoryStats {
  const { available, usable } = balloon;
  const used = available === null || usable === null ? null : Math.max(0, available - usable);
  return {
    total: kib(balloon.current),
    used: kib(used),
    used_percent: used === null || !available ? null : round((used / available) * 100, 2),
    usable: kib(usable),
    unused: kib(balloon.unused),
    resident: kib(balloon.rss),
  };
}

function disk(now: DiskCounters, before: DiskCounters | undefined, rate: Growth): DiskStats {
  const per = (key: keyof DiskCounters) => whole(rate(now[key], before?.[key]));
  const latency = (count: keyof DiskCounters, time: keyof DiskCounters) => {
    const requests = growth(now[count], before?.[count]);
    const nanoseconds = growth(now[time], before?.[time]);
    return requests && nanoseconds !== null ? round(nanoseconds / requests / 1e6, 3) : null;
  };
  return {
    read_bytes_per_second: per('rd.bytes'),
    write_bytes_per_second: per('wr.bytes'),
    read_operations_per_second: per('rd.reqs'),
    write_operations_per_second: per('wr.reqs'),
    flush_operations_per_second: per('fl.reqs'),
    read_latency_ms: latency('rd.reqs', 'rd.times'),
    write_latency_ms: latency('wr.reqs', 'wr.times'),
    flush_latency_ms: latency('fl.reqs', 'fl.times'),
    read_bytes: now['rd.bytes'],
    write_bytes: now['wr.bytes'],
    read_operations: now['rd.reqs'],
    write_operations: now['wr.reqs'],
    errors: now.errors,
    capacity: now.capacity,
    allocation: now.allocation,
    physical: now.physical,
  };
}

function nic(now: NicCounters, before: NicCounters | undefined, rate: Growth): NicStats {
  const per = (key: keyof NicCounters) => whole(rate(now[key], before?.[key]));
  return {
    rx_bytes_per_second: per('rx.bytes'),
    tx_bytes_per_second: per('tx.bytes'),
    rx_packets_per_second: per('rx.pkts'),
    tx_packets_per_second: per('tx.pkts'),
    rx_bytes: now['rx.bytes'],
    tx_bytes: now['tx.bytes'],
    rx_packets: now['rx.pkts'],
    tx_packets: now['tx.pkts'],
    rx_errors: now['rx.errs'],
    tx_errors: now['tx.errs'],
    rx_drops: now['rx.drop'],
    tx_drops: now['tx.drop'],
  };
}

const growth: Growth = (now, before) =>
  now === null || now === undefined || before === null || before === undefined || now < before ? null : now - before;

function kib(value: number | null): number | null {
  return value === null ? null : value * 1_024;
}

/** One decimal is plenty for bytes and operations a second. */
function whole(value: number | null): number | null {
  return value === null ? null : round(value, 1);
}

function round(value: number, digits: number): number {
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
}
