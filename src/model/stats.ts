import { diskMetrics, type Numbers, nicMetrics, unknownNumbers } from './metrics.ts';

/**
 * One statistics sample as published on `B/V/stats`: rates and totals in base units (bytes, operations,
 * milliseconds). Every key is always there; `null` means unknown, never zero.
 */

export interface CpuStats {
  /** 0 to 100, of all the domain's vCPUs together. */
  percent: number | null;
  vcpus: number | null;
  /** CPU time used since the domain started, seconds. */
  seconds: number | null;
}

export interface MemoryStats {
  /** Bytes the balloon gives to the guest now. */
  total: number | null;
  /** Bytes the guest uses, caches aside; needs the guest's balloon driver. */
  used: number | null;
  used_percent: number | null;
  /** Bytes the guest could use without swapping. */
  usable: number | null;
  /** Bytes of nothing at all in the guest. */
  unused: number | null;
  /** Bytes of host memory that QEMU holds. */
  resident: number | null;
}

export interface Stats {
  /** ISO 8601, UTC; null before the first sample. */
  sampled_at: string | null;
  /** The numbers are older than they should be: libvirt or QEMU did not answer. */
  stale: boolean;
  cpu: CpuStats;
  memory: MemoryStats;
  /** By target (`sda`). */
  disks: Record<string, Numbers<typeof diskMetrics>>;
  /** By MAC in hex without colons (`525400d53001`). */
  nics: Record<string, Numbers<typeof nicMetrics>>;
}

export const unknownCpu: CpuStats = { percent: null, vcpus: null, seconds: null };

export const unknownMemory: MemoryStats = {
  total: null,
  used: null,
  used_percent: null,
  usable: null,
  unused: null,
  resident: null,
};

export const unknownDisk = unknownNumbers(diskMetrics);
export const unknownNic = unknownNumbers(nicMetrics);

/** The sample of a VM that is off, or not yet asked. */
export function unknownStats(sampledAt: string | null): Stats {
  return { sampled_at: sampledAt, stale: false, cpu: unknownCpu, memory: unknownMemory, disks: {}, nics: {} };
}
