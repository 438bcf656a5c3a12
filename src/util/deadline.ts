/** Milliseconds for what heeds its signal to clean up behind itself. */
const grace = 1_000;

/**
 * The result of `act`, or `late` when so many milliseconds have passed: then its signal is raised, and it is waited for
 * a moment longer, but no more; a file system that hangs heeds no signal. Rejects as `act` does, or with the signal's
 * reason.
 */
export async function within<T>(
  milliseconds: number,
  signal: AbortSignal,
  act: (signal: AbortSignal) => Promise<T>,
  late: T,
): Promise<T> {
  signal.throwIfAborted();
  const limit = new AbortController();
  const { promise: ended, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => {
    resolve(late);
    limit.abort();
  }, milliseconds);
  const abort = () => {
    reject(signal.reason);
    limit.abort(signal.reason);
  };
  signal.addEventListener('abort', abort, { once: true });
  const acting = act(limit.signal);
  try {
    return await Promise.race([acting, ended]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    await settled(acting);
  }
}

async function settled(promise: Promise<unknown>): Promise<void> {
  const { promise: enough, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, grace);
  const done = promise.then(
    () => {},
    () => {},
  );
  await Promise.race([done, enough]);
  clearTimeout(timer);
}
