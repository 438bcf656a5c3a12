/** The next look that no schedule knows of: one at a time, the sooner one wins. */
export class Follow {
  readonly #act: () => void;
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;
  #at: number | null = null;

  /** `now`: milliseconds since 1970. */
  constructor(act: () => void, now: () => number) {
    this.#act = act;
    this.#now = now;
  }

  /** When it will be; null: never. */
  get at(): number | null {
    return this.#at;
  }

  in(milliseconds: number): void {
    const at = this.#now() + milliseconds;
    if (this.#at !== null && this.#at <= at) return;
    clearTimeout(this.#timer);
    this.#at = at;
    this.#timer = setTimeout(() => {
      this.#at = null;
      this.#act();
    }, milliseconds).unref();
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#at = null;
  }
}
