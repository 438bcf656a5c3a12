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

/** Milliseconds before the next session, by the reasons of the failures since the last pause; longer each time. */
export function reconnectDelays({ lost, refused, takenOver }: ReconnectDelayOptions = {}) {
  const delays = {
    lost: backoff(lost),
    refused: backoff({ first: 2_000, cap: 30_000, ...refused }),
    takenOver: backoff({ first: 30_000, cap: 30_000, ...takenOver }),
  };
  return (codes: readonly FailureCode[]): number =>
    Math.max(...[...new Set(codes.map(paceOf))].map(pace => delays[pace].next().value));
}
