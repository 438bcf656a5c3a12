import { addAbortListener } from 'node:events';
import { connect } from 'node:net';

/** Whether a TCP port accepts connections. */

export interface TcpProbe {
  /** `refused`: a machine is there, and nothing of it listens; `silent`: nothing came back, of whatever cause. */
  answer: 'open' | 'refused' | 'silent';
  /** Milliseconds until it was known. */
  ms: number;
  /** The system's word for a connection that failed: `EHOSTUNREACH`; null: none was said. */
  code: string | null;
}

/** Connects, and closes the connection without sending anything. A signal that aborts counts as silence. Never rejects. */
export async function probeTcp(
  host: string,
  port: number,
  { timeout, signal }: { timeout: number; signal?: AbortSignal },
): Promise<TcpProbe> {
  const started = performance.now();
  const { promise, resolve } = Promise.withResolvers<TcpProbe>();
  const found = (answer: TcpProbe['answer'], code: string | null = null) => {
    resolve({ answer, ms: performance.now() - started, code });
  };
  const socket = connect({ host, port });
  socket.once('connect', () => found('open'));
  socket.on('error', ({ code = null }: { code?: string | null }) => {
    found(code === 'ECONNREFUSED' || code === 'ECONNRESET' ? 'refused' : 'silent', code);
  });
  const timer = setTimeout(found, Math.ceil(timeout), 'silent');
  using _ = signal && addAbortListener(signal, () => found('silent'));
  const probe = await promise;
  clearTimeout(timer);
  socket.destroy();
  return probe;
}

/** Whether anything listens on one of these ports. */
export async function anyPortOpen(host: string, ports: readonly number[], timeout: number): Promise<boolean> {
  const knocks = await Promise.all(ports.map(port => probeTcp(host, port, { timeout })));
  return knocks.some(({ answer }) => answer === 'open');
}
