/** How many may be at something at once. */
export class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Runs a task when there is a place for it; the place is free again when the task has ended. */
  async take<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>(resolve => this.#waiting.push(resolve));
    return task().finally(() => {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    });
  }
}
