import type { VmKey } from '../model/snapshot.ts';

/** The ids of the commands that were carried out lately, so that none acts twice. In memory: nothing is replayed to a new process. */
export class Marks {
  readonly #life: number;
  readonly #most: number;
  /** Oldest first; the value is when it was taken. */
  readonly #taken = new Map<string, number>();

  constructor({ life = 600_000, most = 1_000 }: { life?: number; most?: number } = {}) {
    this.#life = life;
    this.#most = most;
  }

  /** Monotonic milliseconds. */
  has(key: VmKey, id: string, now: number): boolean {
    const at = this.#taken.get(name(key, id));
    return at !== undefined && now - at < this.#life;
  }

  take(key: VmKey, id: string, now: number): void {
    const mark = name(key, id);
    this.#taken.delete(mark);
    this.#taken.set(mark, now);
    for (const [oldest, at] of this.#taken) {
      if (this.#taken.size <= this.#most && now - at < this.#life) break;
      this.#taken.delete(oldest);
    }
  }
}

function name(key: VmKey, id: string): string {
  return `${key}/${id}`;
}
