import { type BackoffOptions, backoff } from '../util/backoff.ts';
import { type FailureCode, paceOf } from './failure.ts';

export interface ReconnectDelayOptions {
  /** After an ordinary failure; default 100 ms to 2 s. */
  lost?: BackoffOptions;
  /**
   * After refused credentials: seldom corrected soon, and some brokers ban clients that insist; default 2 s to 30 s.
   */
  refused?: BackoffOptions;
  /** After another client took the session, which takes it back at once, or a message too large; default 30 s. */
  takenOver?: BackoffOptions;
}

/** Milliseconds before the next session, by the reason for the last one's failure; longer each time. */
export function reconnectDelays({ lost, refused, takenOver }: ReconnectDelayOptions = {}) {
  const delays = {
    lost: backoff(lost),
    refused: backoff({ first: 2_000, cap: 30_000, ...refused }),
    takenOver: backoff({ first: 30_000, cap: 30_000, ...takenOver }),
  };
  return (code: FailureCode): number => delays[paceOf(code)].next().value;
}
