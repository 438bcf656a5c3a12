import { byKey, type Hardware } from '../model/domain.ts';
import { cpuMetrics, diskMetrics, memoryMetrics, nicMetrics } from '../model/metrics.ts';
import { numbersBy, placesOf, type Stats, unknownDisk, unknownNic } from '../model/stats.ts';
import type { Counters, Part } from './counters.ts';

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
const readRequests = placesOf(diskMetrics)['rd.reqs'];
const availableMemory = placesOf(memoryMetrics).available;

/**
 * Whether QEMU answered for this sample. If it is busy or hung, a NOWAIT call returns only what libvirt itself knows:
 * for disks, no more than their names.
 */
export function hasAnswered(hardware: Hardware, { disks }: Counters): boolean {
  return hardware.disks.length === 0 || disks.some(({ counters }) => !Number.isNaN(counters[readRequests]));
}

/** Whether the guest's balloon driver reports. */
export function hasMemory({ balloon }: Counters): boolean {
  return !Number.isNaN(balloon[availableMemory]);
}

export function toStats(hardware: Hardware, sample: Sample, previous: Sample | null, sampledAt: string): Stats {
  const seconds = previous ? (sample.at - previous.at) / 1_000 : 0;
  const { counters } = sample;
  const before = previous?.counters;
  const disk = (name: string) => {
    const now = countersOf(name, counters.disks);
    return now ? diskNumbers(now, countersOf(name, before?.disks), seconds) : unknownDisk;
  };
  const nic = (name: string | null) => {
    const now = countersOf(name, counters.nics);
    return now ? nicNumbers(now, countersOf(name, before?.nics), seconds) : unknownNic;
  };
  return {
    sampled_at: sampledAt,
    stale: !hasAnswered(hardware, counters),
    cpu: cpuNumbers(counters.cpu, before?.cpu, seconds),
    memory: memoryNumbers(counters.balloon, before?.balloon, seconds),
    disks: Object.fromEntries(hardware.disks.map(({ target }) => [target, disk(target)])),
    nics: Object.fromEntries(byKey(hardware.nics).map(([key, { tap }]) => [key, nic(tap)])),
  };
}

function countersOf(name: string | null, parts: readonly Part[] = []): Part['counters'] | undefined {
  return parts.find(part => part.name === name)?.counters;
}
