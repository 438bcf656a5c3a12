import { byKey, type Hardware } from '../model/domain.ts';
import { diskMetrics, growth, nicMetrics, numbersOf, round } from '../model/metrics.ts';
import { type CpuStats, type MemoryStats, type Stats, unknownDisk, unknownNic } from '../model/stats.ts';
import type { Counters } from './counters.ts';

/** Counters turned into what is published: rates from two samples of one boot, totals from one. Pure. */

export interface Sample {
  counters: Counters;
  /** Monotonic, milliseconds. */
  at: number;
}

/**
 * Whether QEMU was there for this sample. A NOWAIT call that finds it busy or hung brings what libvirt knows by itself:
 * of the disks no more than their names.
 */
export function hasAnswered(hardware: Hardware, { disks }: Counters): boolean {
  return hardware.disks.length === 0 || [...disks.values()].some(disk => disk['rd.reqs'] !== null);
}

export function toStats(hardware: Hardware, sample: Sample, previous: Sample | null, sampledAt: string): Stats {
  const seconds = previous ? (sample.at - previous.at) / 1_000 : 0;
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
        return [target, now ? numbersOf(diskMetrics, now, before?.disks.get(target), seconds) : unknownDisk];
      }),
    ),
    nics: {
      ...Object.fromEntries(nics.map(([key]) => [key, unknownNic])),
      ...Object.fromEntries(
        [...counters.nics].flatMap(([tap, now]) => {
          const key = taps.get(tap);
          return key === undefined ? [] : [[key, numbersOf(nicMetrics, now, before?.nics.get(tap), seconds)]];
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

function kib(value: number | null): number | null {
  return value === null ? null : value * 1_024;
}
