import { connect } from 'node:net';
import type { Limits } from '../../finding.ts';

/**
 * Whether SSH answers, told by its greeting alone (RFC 4253, 4.2): nothing is sent, no login begins, and the
 * connection is closed at once.
 */

/** Bytes; a server may say other lines first. */
const most = 1_024;

/** Milliseconds until the greeting; null: none came. Rejects only with the reason of `limits.signal`. */
export function sshBanner(address: string, port: number, { timeout, signal }: Limits): Promise<number | null> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = connect({ host: address, port });
    const end = () => {
      clearTimeout(deadline);
      signal.removeEventListener('abort', abort);
      socket.destroy();
    };
    const settle = (greeted: boolean) => {
      end();
      resolve(greeted ? Math.round(performance.now() - began) : null);
    };
    const abort = () => {
      end();
      reject(signal.reason);
    };
    const deadline = setTimeout(settle, timeout, false);
    signal.addEventListener('abort', abort);
    let said = '';
    socket.on('data', chunk => {
      said += chunk.toString('latin1', 0, most);
      if (/^SSH-/m.test(said)) settle(true);
      else if (said.length >= most) settle(false);
    });
    socket.on('error', () => settle(false));
    socket.on('close', () => settle(false));
  });
}
