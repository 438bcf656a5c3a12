/** The next look that no schedule knows of: one at a time, the sooner one wins. */
export class Follow {
  readonly #act: () => void;
  readonly #now: () => number;
  readonly #automatic: boolean;
  #timer: NodeJS.Timeout | undefined;
  #at: number | null = null;

  /** `now`: milliseconds since 1970. Nothing follows by itself unless it is `automatic`. */
  constructor(act: () => void, { now, automatic }: { now: () => number; automatic: boolean }) {
    this.#act = act;
    this.#now = now;
    this.#automatic = automatic;
  }

  /** When it will be; null: never. */
  get at(): number | null {
    return this.#at;
  }

  in(milliseconds: number): void {
    if (!this.#automatic) return;
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
