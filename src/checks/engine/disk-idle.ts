import type { Hardware } from '../../model/domain.ts';
import type { Stats } from '../../model/stats.ts';

/**
 * Whether DSM's disks may be asleep, by libvirt's counts of their requests: an awake DSM writes every few seconds. A
 * question to DSM over the network would wake them. Pure.
 */
export interface DiskActivity {
  /** Requests of all data disks; null: libvirt does not count those of every disk. */
  requests: number | null;
  /** Milliseconds of any clock; null: before the first sample. */
  changedAt: number | null;
  /** libvirt does not count the requests of these disks, or not of all of them. */
  unknown: boolean;
}

/** Milliseconds without a request after which a disk may be asleep: DSM's shortest time is ten minutes. */
export const untilAsleep = 10 * 60_000;

/** Before the first sample the disks count as awake. */
export const noActivity: DiskActivity = { requests: null, changedAt: null, unknown: false };

export function withSample(before: DiskActivity, stats: Stats, hardware: Hardware, now: number): DiskActivity {
  const counts = hardware.disks.filter(({ role }) => role === 'data').map(({ target }) => requestsOf(stats, target));
  const known = counts.filter(count => count !== null);
  const complete = counts.length > 0 && known.length === counts.length;
  const requests = complete ? known.reduce((sum, count) => sum + count, 0) : null;
  const changed = stats.stale || requests === null || requests !== before.requests;
  return {
    requests,
    changedAt: changed ? now : before.changedAt,
    unknown: stats.stale ? before.unknown : requests === null || hardware.hiddenDisks,
  };
}

/** There were requests between two samples. */
export function isStirred(before: DiskActivity, after: DiskActivity): boolean {
  return before.requests !== null && after.requests !== null && before.requests !== after.requests;
}

/** `quiet`: the disks may be asleep. */
export function restOf({ unknown, changedAt }: DiskActivity, now: number): 'awake' | 'quiet' | 'unknown' {
  if (unknown) return 'unknown';
  return changedAt !== null && now - changedAt >= untilAsleep ? 'quiet' : 'awake';
}

function requestsOf({ disks }: Stats, target: string): number | null {
  const { read_operations: reads = null, write_operations: writes = null } = disks[target] ?? {};
  return reads === null || writes === null ? null : reads + writes;
}
