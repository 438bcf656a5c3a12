export type BackoffOptions = NonNullable<Parameters<typeof backoff>[0]>;

/**
 * Delays between attempts, milliseconds: doubling up to the cap, each spread over its upper half so that
 * many bridges do not return in step. Endless. `random`: from 0 to 1.
 */
export function* backoff({ first = 100, cap = 2_000, random = Math.random } = {}): Generator<number, never> {
  for (let delay = first; ; delay = Math.min(cap, delay * 2)) {
    yield delay / 2 + (random() * delay) / 2;
  }
}
