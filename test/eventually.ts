import { vi } from 'vitest';

/** Waits until this does not throw. `vi.waitFor` gives up after a second, which is too soon on a loaded machine. */
export function eventually<T>(check: () => T | Promise<T>, { interval = 10, timeout = 60_000 } = {}): Promise<T> {
  return vi.waitFor(check, { interval, timeout });
}
