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

export interface DiskStats {
  read_bytes_per_second: number | null;
  write_bytes_per_second: number | null;
  read_operations_per_second: number | null;
  write_operations_per_second: number | null;
  flush_operations_per_second: number | null;
  /** Mean time of one request since the last sample, milliseconds; null when there was none. */
  read_latency_ms: number | null;
  write_latency_ms: number | null;
  flush_latency_ms: number | null;
  read_bytes: number | null;
  write_bytes: number | null;
  read_operations: number | null;
  write_operations: number | null;
  errors: number | null;
  /** Bytes: what the guest sees, what is written to, what the host holds. */
  capacity: number | null;
  allocation: number | null;
  physical: number | null;
}

/** Directions are the guest's: received is what came to the guest. */
export interface NicStats {
  rx_bytes_per_second: number | null;
  tx_bytes_per_second: number | null;
  rx_packets_per_second: number | null;
  tx_packets_per_second: number | null;
  rx_bytes: number | null;
  tx_bytes: number | null;
  rx_packets: number | null;
  tx_packets: number | null;
  rx_errors: number | null;
  tx_errors: number | null;
  rx_drops: number | null;
  tx_drops: number | null;
}

export interface Stats {
  /** ISO 8601, UTC; null before the first sample. */
  sampled_at: string | null;
  /** The numbers are older than they should be: libvirt or QEMU did not answer. */
  stale: boolean;
  cpu: CpuStats;
  memory: MemoryStats;
  /** By target (`sda`). */
  disks: Record<string, DiskStats>;
  /** By MAC in hex without colons (`525400d53001`). */
  nics: Record<string, NicStats>;
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

export const unknownDisk: DiskStats = {
  read_bytes_per_second: null,
  write_bytes_per_second: null,
  read_operations_per_second: null,
  write_operations_per_second: null,
  flush_operations_per_second: null,
  read_latency_ms: null,
  write_latency_ms: null,
  flush_latency_ms: null,
  read_bytes: null,
  write_bytes: null,
  read_operations: null,
  write_operations: null,
  errors: null,
  capacity: null,
  allocation: null,
  physical: null,
};

export const unknownNic: NicStats = {
  rx_bytes_per_second: null,
  tx_bytes_per_second: null,
  rx_packets_per_second: null,
  tx_packets_per_second: null,
  rx_bytes: null,
  tx_bytes: null,
  rx_packets: null,
  tx_packets: null,
  rx_errors: null,
  tx_errors: null,
  rx_drops: null,
  tx_drops: null,
};

/** The sample of a VM that is off, or not yet asked. */
export function unknownStats(sampledAt: string | null): Stats {
  return { sampled_at: sampledAt, stale: false, cpu: unknownCpu, memory: unknownMemory, disks: {}, nics: {} };
}
