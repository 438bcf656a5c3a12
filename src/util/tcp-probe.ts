import { connect } from 'node:net';

/** What a TCP port says to whoever wants in. */

export interface TcpProbe {
  /** `refused`: a machine is there, and nothing of it listens; `silent`: nothing came back, of whatever cause. */
  answer: 'open' | 'refused' | 'silent';
  /** Milliseconds until it was known. */
  ms: number;
  /** The system's word for a connection that failed: `EHOSTUNREACH`; null: none was said. */
  code: string | null;
}

export interface TcpProbeOptions {
  /** Milliseconds. */
  timeout: number;
  /** Gives it up, which counts as silent. */
  signal?: AbortSignal;
}

/** Connects, and hangs up without a word. Never rejects. */
export function probeTcp(host: string, port: number, { timeout, signal }: TcpProbeOptions): Promise<TcpProbe> {
  const { promise, resolve } = Promise.withResolvers<TcpProbe>();
  const started = performance.now();
  const socket = connect({ host, port });
  const settle = (answer: TcpProbe['answer'], code: string | null = null) => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
    socket.destroy();
    resolve({ answer, ms: performance.now() - started, code });
  };
  const giveUp = () => settle('silent');
  const timer = setTimeout(giveUp, timeout);
  socket.once('connect', () => settle('open'));
  socket.on('error', ({ code }: NodeJS.ErrnoException) => {
    settle(code === 'ECONNREFUSED' || code === 'ECONNRESET' ? 'refused' : 'silent', code ?? null);
  });
  if (signal?.aborted) giveUp();
  else signal?.addEventListener('abort', giveUp, { once: true });
  return promise;
}
