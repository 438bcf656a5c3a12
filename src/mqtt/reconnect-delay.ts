/** How long to wait before the next session, by why the last one failed. */
import { type BackoffOptions, backoff } from '../util/backoff.ts';
import type { FailureCode } from './failure.ts';

export interface ReconnectDelayOptions {
  /** After an ordinary failure; default 100 ms to 2 s. */
  lost?: BackoffOptions;
  /** After refused credentials: they seldom mend themselves, and some brokers ban who insists; default 2 s to 30 s. */
  refused?: BackoffOptions;
  /** After another client took the session, which takes it back as fast as we do, or a message too large; default 30 s. */
  takenOver?: BackoffOptions;
}

export class ReconnectDelay {
  readonly #options: ReconnectDelayOptions;
  #delays: Record<keyof ReconnectDelayOptions, Generator<number, never>> | undefined;

  constructor(options: ReconnectDelayOptions = {}) {
    this.#options = options;
  }

  /** Milliseconds; longer each time. */
  after(code: FailureCode): number {
    const { lost = {}, refused, takenOver } = this.#options;
    this.#delays ??= {
      lost: backoff(lost),
      refused: backoff({ first: 2_000, cap: 30_000, ...refused }),
      takenOver: backoff({ first: 30_000, cap: 30_000, ...takenOver }),
    };
    const delays = this.#delays;
    if (code === 'taken_over' || code === 'too_large') return delays.takenOver.next().value;
    return code === 'credentials' ? delays.refused.next().value : delays.lost.next().value;
  }

  /** All is well: the next failure is a first one. */
  reset(): void {
    this.#delays = undefined;
  }
}
