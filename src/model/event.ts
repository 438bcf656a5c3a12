import type { Domain } from './domain.ts';
import type { Activity, HypervisorInfo, LastError, VmKey } from './snapshot.ts';
import type { Stats } from './stats.ts';

/** One thing that happened. Parts report these; `reduce` is what they mean. Times are ISO 8601, UTC. */
export type Event =
  | { type: 'hypervisor_up'; info: HypervisorInfo }
  | { type: 'hypervisor_down'; reason: string }
  /** What libvirt says of a domain now; null when it has no such domain. */
  | { type: 'domain'; key: VmKey; domain: Domain | null; at: string }
  | { type: 'stats'; key: VmKey; stats: Stats }
  /** What the bridge is carrying out, since when and until when. */
  | { type: 'activity'; key: VmKey; activity: Activity; at: string; deadline: string | null }
  | { type: 'error'; key: VmKey; error: LastError };
