import { once } from 'node:events';
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

export interface TcpProbeOptions {
  /** Milliseconds. */
  timeout: number;
  /** Gives it up, which counts as silent. */
  signal?: AbortSignal;
}

/** Connects, and closes the connection without sending anything. Never rejects. */
export async function probeTcp(host: string, port: number, { timeout, signal }: TcpProbeOptions): Promise<TcpProbe> {
  const started = performance.now();
  const found = (answer: TcpProbe['answer'], code: string | null = null): TcpProbe => {
    return { answer, ms: performance.now() - started, code };
  };
  const deadline = AbortSignal.timeout(Math.ceil(timeout));
  const limit = signal ? AbortSignal.any([signal, deadline]) : deadline;
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect', { signal: limit });
    return found('open');
  } catch (error) {
    if (limit.aborted) return found('silent');
    const { code = null } = error as { code?: string };
    return found(code === 'ECONNREFUSED' || code === 'ECONNRESET' ? 'refused' : 'silent', code);
  } finally {
    socket.on('error', () => {}).destroy();
  }
}

/** Whether anything listens on one of these ports. */
export async function anyPortOpen(host: string, ports: readonly number[], timeout: number): Promise<boolean> {
  const knocks = await Promise.all(ports.map(port => probeTcp(host, port, { timeout })));
  return knocks.some(({ answer }) => answer === 'open');
}
