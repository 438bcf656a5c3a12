/** Milliseconds that an id is remembered. */
const life = 600_000;
const most = 5_000;

/**
 * The ids of a VM's recent commands, so that none runs twice. Kept in memory: a new process gets no old message again.
 * No id is forgotten early: when there is no room, the caller refuses the command.
 */
export class RecentIds {
  /** Oldest first; the value is when it was taken, monotonic milliseconds. */
  readonly #taken = new Map<string, number>();

  has(id: string, now: number): boolean {
    this.#forget(now);
    return this.#taken.has(id);
  }

  hasRoom(now: number): boolean {
    this.#forget(now);
    return this.#taken.size < most;
  }

  take(id: string, now: number): void {
    this.#taken.delete(id);
    this.#taken.set(id, now);
  }

  #forget(now: number): void {
    for (const [id, at] of this.#taken) {
      if (now - at < life) break;
      this.#taken.delete(id);
    }
  }
}
