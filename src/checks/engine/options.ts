import type { Expectation } from '../../model/check.ts';
import type { Event } from '../../model/event.ts';
import type { VmKey, VmSnapshot } from '../../model/snapshot.ts';
import type { Clock } from '../../util/clock.ts';
import type { Semaphore } from '../../util/semaphore.ts';
import type { Probes } from '../probes.ts';
import type { Host } from './machine-run.ts';
import type { Due } from './next-check.ts';
import type { Known } from './store.ts';

/** What the configuration says of one VM's checks. Milliseconds. */
export interface CheckPolicy {
  expected: Expectation;
  /** A name or an address; null: to be found. */
  address: string | null;
  ports: readonly number[];
  failuresBeforeDown: number;
  bootGrace: number;
  probeTimeout: number;
}

export interface VmChecksOptions {
  key: VmKey;
  /** libvirt's name or UUID of it. */
  domain: string;
  policy: CheckPolicy;
  /** The VM as it is known now, and whether libvirt is there. */
  vm: () => VmSnapshot | null;
  libvirtUp: () => boolean;
  /** libvirt's id of the run; null: it does not run. */
  runId: () => number | null;
  /** What libvirt has instead of its domain; for people. */
  instead: () => string;
  /** Reads the definition again: libvirt has no event for a link that is set down. */
  reread: () => Promise<void>;
  probes: Probes;
  /** libvirt's host is this machine. */
  local: () => boolean;
  host: Host;
  known: Known;
  remember: (known: Known) => void;
  /** Not only when somebody asks for it. */
  automatic: boolean;
  /** When the schedule comes round next; null: never. */
  scheduled: () => Due | null;
  emit: (event: Event) => void;
  /** Shared by all VMs. */
  places: Semaphore;
  clock: Clock;
}
