import type { Event } from './event.ts';
import type { VmKey } from './snapshot.ts';
import type { State } from './state.ts';

/** The state of each host, and in which of them a VM is. */
export class States {
  readonly all: readonly State[];
  readonly #of = new Map<VmKey, State>();

  /** A VM that several hosts may have belongs to the first of them until it is found. */
  constructor(all: readonly State[]) {
    this.all = all;
    for (const state of all.toReversed()) for (const key in state.snapshot.vms) this.#of.set(key, state);
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
