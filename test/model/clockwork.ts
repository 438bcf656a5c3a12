/** Both clocks and every timer of a story, and the first promise that was broken in it. */

interface Timer {
  at: number;
  run: () => void;
  unref: () => Timer;
}

export abstract class Clockwork {
  /** Monotonic milliseconds. */
  now = 1_000;
  /** Milliseconds since 1970, at `now` 0. */
  wall = Date.UTC(2026, 10, 22, 8);
  readonly timers = new Set<Timer>();
  /** Told when all is settled, because whoever breaks it would swallow it. */
  #fault: string | null = null;

  /** Milliseconds since 1970. */
  get date(): number {
    return this.wall + this.now;
  }

  get iso(): string {
    return new Date(this.date).toISOString();
  }

  setTimeout(run: () => void, delay: number): Timer {
    if (!(delay >= 0 && delay < 2 ** 31)) this.broken(`a timer of ${delay} ms`);
    const timer: Timer = { at: this.now + delay, run, unref: () => timer };
    this.timers.add(timer);
    return timer;
  }

  /** Lets time pass, timer by timer. */
  async pass(duration: number): Promise<void> {
    const end = this.now + duration;
    for (let fired = 0; ; ) {
      const [next] = [...this.timers].sort((a, b) => a.at - b.at);
      if (!next || next.at > end) break;
      fired = next.at > this.now ? 0 : fired + 1;
      if (fired > 100) throw new Error('a busy loop');
      this.timers.delete(next);
      this.now = Math.max(this.now, next.at);
      next.run();
      await this.settle();
    }
    this.now = end;
  }

  /** Whatever was promised and is decided has been heard; and all is as it should be. */
  async settle(turns = 16): Promise<void> {
    for (let turn = 0; turn < turns; turn += 1) await null;
    this.inspect();
    if (this.#fault !== null) throw new Error(this.#fault);
  }

  broken(message: string): void {
    this.#fault ??= message;
  }

  /** At what must be so whenever nothing is about to happen. */
  protected abstract inspect(): void;
}

/** A promise's two ends as one. */
export function settler<T>(resolve: (value: T) => void, reject: (error: Error) => void): (value: T | Error) => void {
  return value => (value instanceof Error ? reject(value) : resolve(value));
}
