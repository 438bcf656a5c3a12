import { connect } from 'node:net';
import { inTime } from '../../util/deadline.ts';
import { bare, type Findings, type Limits } from '../finding.ts';

interface SshTarget {
  /** IPv4. */
  address: string;
  port: number;
}

/** Characters of the greeting; a server may say other lines first. */
const longestGreeting = 1_024;

/** Whether an SSH server greets (RFC 4253, 4.2). Sends nothing. Rejects only with the reason of `signal`. */
export async function ssh({ address, port }: SshTarget, { timeout, signal }: Limits): Promise<Findings['ssh']> {
  const began = performance.now();
  const socket = connect({ host: address, port });
  let said: string | null = null;
  let refused = false;
  socket.once('connect', () => {
    said = '';
  });
  const isGreeted = async () => {
    for await (const chunk of socket) {
      said += chunk.toString('latin1');
      if (/^SSH-/m.test(said ?? '')) return true;
      if ((said ?? '').length >= longestGreeting) break;
    }
    return false;
  };
  const greeted = await inTime(isGreeted(), timeout, false, signal)
    .catch(({ code }: NodeJS.ErrnoException) => {
      refused = code === 'ECONNREFUSED';
      return false;
    })
    .finally(() => socket.destroy());
  signal.throwIfAborted();
  const ms = Math.round(performance.now() - began);
  if (greeted) return { ...bare('ssh', 'ok', `SSH answers on port ${port}.`), ms };
  if (said === null) return bare('ssh', refused ? 'refused' : 'silent', `Port ${port} does not accept connections.`);
  const why = said === '' ? 'says nothing' : 'what answers is no SSH server';
  return bare('ssh', said === '' ? 'mute' : 'other', `Port ${port} accepts connections, but ${why}.`);
}
