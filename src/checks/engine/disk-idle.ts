import type { Hardware } from '../../model/domain.ts';
import type { Stats } from '../../model/stats.ts';

/** Milliseconds without a request after which a disk may be asleep: DSM's shortest time is ten minutes. */
const untilAsleep = 10 * 60_000;

/** `quiet`: they may be asleep. `unknown`: libvirt does not count what is asked of them, or not of all of them. */
type Rest = 'awake' | 'quiet' | 'unknown';

/**
 * Whether DSM's disks may be asleep, from what they were asked: an awake DSM writes every few seconds. Whoever is asked
 * over the network then would wake them.
 */
export class DiskIdle {
  #requests: number | null = null;
  #lastAt: number | null = null;
  #unknown = false;

  /** A sample; `now` in milliseconds, of any clock. True: there were requests since the one before. */
  hear(stats: Stats, { disks, hiddenDisks }: Pick<Hardware, 'disks' | 'hiddenDisks'>, now: number): boolean {
    const data = disks.filter(({ role }) => role === 'data');
    const counts = data.map(({ target }) => requestsOf(stats.disks[target]));
    const known = counts.filter(count => count !== null);
    const total = data.length > 0 && known.length === data.length ? known.reduce((sum, count) => sum + count, 0) : null;
    const stirred = total !== null && this.#requests !== null && total !== this.#requests;
    if (stats.stale || total === null || total !== this.#requests) this.#lastAt = now;
    this.#requests = total;
    if (!stats.stale) this.#unknown = total === null || hiddenDisks;
    return stirred;
  }

  /** Before the first sample they count as awake. */
  at(now: number): Rest {
    if (this.#unknown) return 'unknown';
    return this.#lastAt !== null && now - this.#lastAt >= untilAsleep ? 'quiet' : 'awake';
  }

  /** Another run, other counters. */
  reset(): void {
    this.#requests = null;
    this.#lastAt = null;
    this.#unknown = false;
  }
}

function requestsOf(disk: Stats['disks'][string] | undefined): number | null {
  const { read_operations: reads, write_operations: writes } = disk ?? {
    read_operations: null,
    write_operations: null,
  };
  return reads === null || writes === null ? null : reads + writes;
}
