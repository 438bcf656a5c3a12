import { addAbortListener } from 'node:events';

/** Milliseconds in which a task may clean up after its signal. */
const grace = 1_000;

/**
 * The result of `promise`, or `late` when so many milliseconds pass first. Rejects as `promise` does, or with the
 * signal's reason. Leaves no timer and no listener behind.
 */
export async function inTime<T, L>(
  promise: Promise<T>,
  milliseconds: number,
  late: L,
  signal?: AbortSignal,
): Promise<T | L> {
  const { promise: first, resolve, reject } = Promise.withResolvers<T | L>();
  promise.then(resolve, reject);
  const timer = setTimeout(resolve, milliseconds, late);
  using _ = signal && addAbortListener(signal, () => reject(signal.reason));
  try {
    return await first;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * `inTime` for a task with a signal, which aborts at the deadline. The task may then clean up for a moment, but not
 * longer: a file system that hangs ignores the signal.
 */
export async function within<T>(
  milliseconds: number,
  signal: AbortSignal,
  act: (signal: AbortSignal) => Promise<T>,
  late: T,
): Promise<T> {
  signal.throwIfAborted();
  const end = new AbortController();
  const acting = act(AbortSignal.any([signal, end.signal]));
  try {
    return await inTime(acting, milliseconds, late, signal);
  } finally {
    end.abort();
    await inTime(Promise.allSettled([acting]), grace, null);
  }
}
