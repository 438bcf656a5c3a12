/** Two clocks: one to show times to people, which may be set, and a monotonic one to measure times. */
export interface Clock {
  /** Milliseconds since 1970. */
  date(): number;
  /** Milliseconds, of any beginning. */
  now(): number;
}

export const systemClock: Clock = { date: () => Date.now(), now: () => performance.now() };
