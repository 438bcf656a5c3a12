import type { VmKey } from '../model/snapshot.ts';

/**
 * The ids of the commands that were carried out lately, so that none acts twice. Of each VM its own, in memory: nothing
 * is replayed to a new process. None is forgotten early: where there is no room, the caller refuses the command.
 */
export class RecentIds {
  readonly #life: number;
  readonly #most: number;
  /** Of each VM, oldest first; the value is when it was taken. */
  readonly #taken = new Map<VmKey, Map<string, number>>();

  constructor({ life = 600_000, most = 5_000 }: { life?: number; most?: number } = {}) {
    this.#life = life;
    this.#most = most;
  }

  /** Monotonic milliseconds. */
  has(key: VmKey, id: string, now: number): boolean {
    return this.#alive(key, now).has(id);
  }

  hasRoom(key: VmKey, now: number): boolean {
    return this.#alive(key, now).size < this.#most;
  }

  take(key: VmKey, id: string, now: number): void {
    const taken = this.#alive(key, now);
    taken.delete(id);
    taken.set(id, now);
  }

  #alive(key: VmKey, now: number): Map<string, number> {
    const taken = this.#taken.get(key) ?? new Map<string, number>();
    this.#taken.set(key, taken);
    for (const [id, at] of taken) {
      if (now - at < this.#life) break;
      taken.delete(id);
    }
    return taken;
  }
}
