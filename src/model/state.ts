import type { Event } from './event.ts';
import { reduce } from './reduce.ts';
import { emptyVm, type Snapshot, type VmKey, type VmSnapshot } from './snapshot.ts';

/** Called after the snapshot has taken the event. `before`: the snapshot without it. */
export type Listener = (event: Event, before: Snapshot) => void;

/** The current state of a host and its VMs. Only events change it; its listeners get each event, in the order in which they subscribed. */
export class State {
  readonly #listeners: Listener[] = [];
  #snapshot: Snapshot;

  /** `host`: its name in the configuration, if it is one of several. */
  constructor(vms: Readonly<Record<VmKey, VmSnapshot>>, host: string | null = null) {
    const hypervisor = { name: host, up: false, reason: 'not yet connected', info: null };
    this.#snapshot = { hypervisor, host: null, vms, overdueChecks: [] };
  }

  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** Of a VM that is not configured: nothing is known. */
  vm(key: VmKey): VmSnapshot {
    return this.#snapshot.vms[key] ?? emptyVm(key, key);
  }

  readonly dispatch = (event: Event): void => {
    const before = this.#snapshot;
    this.#snapshot = reduce(before, event);
    for (const listener of this.#listeners) listener(event, before);
  };

  subscribe(listener: Listener): void {
    this.#listeners.push(listener);
  }
}
