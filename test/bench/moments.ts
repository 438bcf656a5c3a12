/** Things that happen, for whoever listens or waits for one of them; nothing is kept. */
export class Moments<T> {
  readonly #waiting = new Set<(value: T) => void>();

  note(value: T): void {
    for (const take of this.#waiting) take(value);
  }

  each(take: (value: T) => void): Disposable {
    this.#waiting.add(take);
    return { [Symbol.dispose]: () => this.#waiting.delete(take) };
  }

  /** The first that matches from now on. Rejects at the deadline (milliseconds), saying what was awaited. */
  next(match: (value: T) => boolean, what: string, deadline = 10_000): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(take);
        reject(new Error(`${what} did not come within ${deadline} ms`));
      }, deadline);
      const take = (value: T) => {
        if (!match(value)) return;
        clearTimeout(timer);
        this.#waiting.delete(take);
        resolve(value);
      };
      this.#waiting.add(take);
    });
  }
}
