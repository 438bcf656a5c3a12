export interface BackoffOptions {
  /** First delay, milliseconds. */
  first?: number;
  /** Longest delay, milliseconds. */
  cap?: number;
  /** 0 to 1, injected for tests. */
  random?: () => number;
}

/**
 * Delays between attempts, milliseconds: doubling up to the cap, each spread over its upper half so that
 * many bridges do not return in step. Endless.
 */
export function* backoff({
  first = 100,
  cap = 2_000,
  random = Math.random,
}: BackoffOptions = {}): Generator<number, never> {
  for (let delay = first; ; delay = Math.min(cap, delay * 2)) {
    yield delay / 2 + (random() * delay) / 2;
  }
}
