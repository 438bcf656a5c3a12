import { vi } from 'vitest';

/** Waits until this does not throw. `vi.waitFor` gives up after a second, which is too soon on a loaded machine. */
export function eventually<T>(check: () => T | Promise<T>, { interval = 10, timeout = 60_000 } = {}): Promise<T> {
  return vi.waitFor(check, { interval, timeout });
}

/** Milliseconds: more than anything takes that does not hang, on a machine that is busy with something else too. */
export const slow = 30_000;
