import { byKey, type Hardware } from '../model/domain.ts';
import { cpuMetrics, diskMetrics, memoryMetrics, nicMetrics } from '../model/metrics.ts';
import { numbersBy, type Stats, unknownDisk, unknownNic } from '../model/stats.ts';
import type { Counters } from './counters.ts';

/** Counters turned into what is published: rates from two samples of one boot, totals from one. Pure. */

export interface Sample {
  counters: Counters;
  /** Monotonic, milliseconds. */
  at: number;
}

const cpuNumbers = numbersBy(cpuMetrics);
const memoryNumbers = numbersBy(memoryMetrics);
const diskNumbers = numbersBy(diskMetrics);
const nicNumbers = numbersBy(nicMetrics);

/**
 * Whether QEMU answered for this sample. If it is busy or hung, a NOWAIT call returns only what libvirt itself knows:
 * for disks, no more than their names.
 */
export function hasAnswered(hardware: Hardware, { disks }: Counters): boolean {
  return hardware.disks.length === 0 || [...disks.values()].some(disk => disk['rd.reqs'] !== null);
}

export function toStats(hardware: Hardware, sample: Sample, previous: Sample | null, sampledAt: string): Stats {
  const seconds = previous ? (sample.at - previous.at) / 1_000 : 0;
  const { counters } = sample;
  const before = previous?.counters;
  const disk = (target: string) => {
    const now = counters.disks.get(target);
    return now ? diskNumbers(now, before?.disks.get(target), seconds) : unknownDisk;
  };
  const nic = (tap: string) => {
    const now = counters.nics.get(tap);
    return now ? nicNumbers(now, before?.nics.get(tap), seconds) : unknownNic;
  };
  return {
    sampled_at: sampledAt,
    stale: !hasAnswered(hardware, counters),
    cpu: cpuNumbers(counters.cpu, before?.cpu, seconds),
    memory: memoryNumbers(counters.balloon, before?.balloon, seconds),
    disks: Object.fromEntries(hardware.disks.map(({ target }) => [target, disk(target)])),
    nics: Object.fromEntries(byKey(hardware.nics).map(([key, { tap }]) => [key, nic(tap ?? '')])),
  };
}
