import { connect } from 'node:net';
import { inTime } from '../../../util/deadline.ts';
import type { Limits } from '../../finding.ts';

/**
 * Whether SSH answers, told by its greeting alone (RFC 4253, 4.2): nothing is sent, no login begins, and the
 * connection is closed at once.
 */

/** Bytes; a server may say other lines first. */
const most = 1_024;

/** Milliseconds until the greeting; null: none came. Rejects only with the reason of `limits.signal`. */
export async function sshBanner(address: string, port: number, { timeout, signal }: Limits): Promise<number | null> {
  signal.throwIfAborted();
  const began = performance.now();
  const { promise: greeted, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host: address, port });
  let said = '';
  socket.on('data', chunk => {
    said += chunk.toString('latin1', 0, most);
    if (/^SSH-/m.test(said)) resolve(true);
    else if (said.length >= most) resolve(false);
  });
  socket.on('error', () => resolve(false));
  socket.on('close', () => resolve(false));
  try {
    return (await inTime(greeted, timeout, false, signal)) ? Math.round(performance.now() - began) : null;
  } finally {
    socket.destroy();
  }
}
