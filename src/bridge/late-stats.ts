import type { VmKey } from '../model/snapshot.ts';
import type { State } from '../model/state.ts';
import type { Publisher } from './publisher.ts';

/**
 * A VM's sample, published once more after its device was announced: Home Assistant shows values that expire as
 * unavailable until the next one, which no broker keeps.
 */
export class LateStats {
  readonly #state: State;
  readonly #publisher: Publisher;
  readonly #settle: number;
  readonly #timers = new Map<VmKey, NodeJS.Timeout>();
  #closed = false;

  /** `settle`: milliseconds until Home Assistant has taken a device in. */
  constructor(state: State, publisher: Publisher, settle = 2_000) {
    this.#state = state;
    this.#publisher = publisher;
    this.#settle = settle;
  }

  readonly publish = (key: VmKey): void => {
    if (this.#closed) return;
    clearTimeout(this.#timers.get(key));
    this.#timers.set(
      key,
      setTimeout(() => this.#publisher.stats(this.#state.snapshot, key), this.#settle),
    );
  };

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }
}
