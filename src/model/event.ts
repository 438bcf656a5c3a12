import type { Boot } from './boot.ts';
import type { Check, Wish } from './check.ts';
import type { LoaderWord } from './commands.ts';
import type { Finding } from './doctor.ts';
import type { Domain } from './domain.ts';
import type { HostStats } from './host.ts';
import type { Loader, LoaderEnd } from './loader.ts';
import type { Quiet } from './quiet.ts';
import type { Asked, HypervisorInfo, LastError, VmKey, VmSnapshot, Work } from './snapshot.ts';
import type { Stats } from './stats.ts';

/** One thing that happened. Parts report events; `reduce` gives them their meaning. Times are ISO 8601, UTC. */
export type Event =
  | { type: 'hypervisor_up'; info: HypervisorInfo }
  | { type: 'hypervisor_down'; reason: string }
  /** What libvirt says of a domain now; null when it has no such domain. */
  | { type: 'domain'; key: VmKey; domain: Domain | null; at: string }
  /** It was on another host, with all that is known of it; what libvirt says of it here comes next. `path`: for people. */
  | { type: 'moved'; key: VmKey; vm: VmSnapshot; path: string; at: string }
  | { type: 'host'; host: HostStats }
  /** One sample of all VMs that were asked for, or some of them. */
  | { type: 'stats'; stats: ReadonlyMap<VmKey, Stats> }
  /** The guest restarted itself, or was reset. */
  | { type: 'rebooted'; key: VmKey; at: string }
  /** What the bridge is carrying out; null: nothing. */
  | { type: 'work'; key: VmKey; work: Work | null }
  /** Who asked it to stop; null: nobody whose request could still cause a stop. */
  | { type: 'asked'; key: VmKey; asked: Asked | null }
  | { type: 'error'; key: VmKey; error: LastError }
  /** A command has set what the VM is meant to be. */
  | { type: 'wished'; key: VmKey; wish: Wish }
  /** Its definition, and what it leads to, were looked at. */
  | { type: 'examined'; key: VmKey; harm: readonly Finding[] }
  /** A boot went wrong, or well; the bridge knows of it again. */
  | { type: 'boot'; key: VmKey; boot: Boot; at: string }
  | { type: 'checked'; key: VmKey; check: Check; at: string }
  /** The current or the last operation on its loader. */
  | { type: 'loader'; key: VmKey; loader: Loader; at: string }
  /** A rebuild or rollback is over, or was found interrupted. */
  | ({ type: 'loader_ended'; key: VmKey; word: LoaderWord; at: string } & LoaderEnd)
  /** Its quiet time has begun, has another end, or is over. `by`: who did that; null: its time is up. */
  | { type: 'quiet'; key: VmKey; quiet: Quiet | null; by: string | null; at: string }
  | { type: 'checks_overdue'; keys: readonly VmKey[] };
