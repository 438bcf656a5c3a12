import type { Check, Wish } from './check.ts';
import type { Domain } from './domain.ts';
import type { Loader } from './loader.ts';
import type { Asked, HypervisorInfo, LastError, VmKey, Work } from './snapshot.ts';
import type { Stats } from './stats.ts';

/** One thing that happened. Parts report these; `reduce` is what they mean. Times are ISO 8601, UTC. */
export type Event =
  | { type: 'hypervisor_up'; info: HypervisorInfo }
  | { type: 'hypervisor_down'; reason: string }
  /** What libvirt says of a domain now; null when it has no such domain. */
  | { type: 'domain'; key: VmKey; domain: Domain | null; at: string }
  | { type: 'stats'; key: VmKey; stats: Stats }
  /** The guest restarted itself, or was reset. */
  | { type: 'rebooted'; key: VmKey; at: string }
  /** What the bridge is carrying out; null: nothing. */
  | { type: 'work'; key: VmKey; work: Work | null }
  /** It has been asked to stop; null: whoever asked is no longer the cause of a stop. */
  | { type: 'asked'; key: VmKey; asked: Asked | null }
  | { type: 'error'; key: VmKey; error: LastError }
  /** A command says what it is meant to be. */
  | { type: 'wished'; key: VmKey; wish: Wish }
  | { type: 'checked'; key: VmKey; check: Check; at: string }
  /** What is being done, or was done last, to its loader. */
  | { type: 'loader'; key: VmKey; loader: Loader; at: string }
  /** Whose checks did not run when they should have. */
  | { type: 'checks_overdue'; keys: readonly VmKey[] };
