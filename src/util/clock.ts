/** Two clocks: what is shown to people, and what times are measured by. The first may be set, the second only goes on. */
export interface Clock {
  /** Milliseconds since 1970. */
  date(): number;
  /** Milliseconds, of any beginning. */
  now(): number;
}

export const systemClock: Clock = { date: () => Date.now(), now: () => performance.now() };
