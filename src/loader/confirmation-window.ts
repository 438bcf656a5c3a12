import type { Clock } from '../util/clock.ts';

/** Milliseconds that it lasts. */
const armedFor = 10 * 60_000;

/** Whether a rebuild or rollback needs no confirmation, for a while. */
export class ConfirmationWindow {
  readonly #clock: Clock;
  readonly #changed: (until: string | null) => void;
  #until: string | null = null;
  #timer: NodeJS.Timeout | undefined;

  /** `changed` is told of each change: until when, ISO 8601; null: no more. */
  constructor(clock: Clock, changed: (until: string | null) => void) {
    this.#clock = clock;
    this.#changed = changed;
  }

  /** Until when; null: it is not. */
  get until(): string | null {
    return this.#until;
  }

  begin(): string {
    const until = new Date(this.#clock.date() + armedFor).toISOString();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.end(), armedFor).unref();
    this.#change(until);
    return until;
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#change(null);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #change(until: string | null): void {
    if (until === this.#until) return;
    this.#until = until;
    this.#changed(until);
  }
}
