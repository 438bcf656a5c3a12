import type { Clock } from '../../util/clock.ts';

/** When something is due, by both clocks. */
export interface Due {
  date: number;
  now: number;
}

/** The next look that no schedule knows of: one at a time, the sooner one wins. */
export class NextCheck {
  readonly #act: () => void;
  readonly #clock: Clock;
  readonly #automatic: boolean;
  #timer: NodeJS.Timeout | undefined;
  #due: Due | null = null;

  /** Nothing follows by itself unless it is `automatic`. */
  constructor(act: () => void, { clock, automatic }: { clock: Clock; automatic: boolean }) {
    this.#act = act;
    this.#clock = clock;
    this.#automatic = automatic;
  }

  /** Null: never. */
  get due(): Due | null {
    return this.#due;
  }

  in(milliseconds: number): void {
    if (!this.#automatic) return;
    const now = this.#clock.now() + milliseconds;
    if (this.#due !== null && this.#due.now <= now) return;
    clearTimeout(this.#timer);
    this.#due = { date: this.#clock.date() + milliseconds, now };
    this.#timer = setTimeout(() => {
      this.#due = null;
      this.#act();
    }, milliseconds).unref();
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#due = null;
  }
}
