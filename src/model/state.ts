import { reduce } from './reduce.ts';
import { type Event, emptyVm, type Snapshot, type VmKey, type VmSnapshot } from './snapshot.ts';

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

/** The state of each host, and in which of them a VM is. */
export class States {
  readonly all: readonly State[];
  readonly #of = new Map<VmKey, State>();

  /** Until it is found, a VM that several hosts may have belongs to the one on which it last was, or else to the first. */
  constructor(all: readonly State[], lastOn: (key: VmKey) => string | null = () => null) {
    this.all = all;
    for (const state of all.toReversed()) {
      for (const key in state.snapshot.vms) {
        if (this.#of.get(key)?.snapshot.hypervisor.name !== lastOn(key)) this.#of.set(key, state);
      }
    }
  }

  has(key: VmKey): boolean {
    return this.#of.has(key);
  }

  /** Throws for a VM that is not configured. */
  of(key: VmKey): State {
    const state = this.#of.get(key);
    if (!state) throw new RangeError(`no VM ${key} is configured`);
    return state;
  }

  /** Its VMs, of those in `keys`. */
  ownedBy(state: State, keys: readonly VmKey[] = Object.keys(state.snapshot.vms)): readonly VmKey[] {
    return this.all.length === 1 ? keys : keys.filter(key => this.#of.get(key) === state);
  }

  /** From now on it is on another host, which continues where the former one ended. */
  move(key: VmKey, to: State): void {
    const from = this.of(key);
    this.#of.set(key, to);
    const at = new Date().toISOString();
    const [was, is] = [from, to].map(({ snapshot }) => snapshot.hypervisor.name ?? '');
    to.dispatch({ type: 'moved', key, vm: from.vm(key), path: `from ${was} to ${is}`, at } satisfies Event);
  }
}
