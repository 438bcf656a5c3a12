import { once } from 'node:events';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { ConnectError } from './errors.ts';

/** Opens one byte stream to a daemon; throws `ConnectError`. An option of a connection, so that any Duplex will do. */
export type Dialer = (signal: AbortSignal) => Promise<Duplex>;

export function unixDialer(sockets: readonly string[]): Dialer {
  return async signal => {
    for (const path of sockets) {
      const stream = await dialUnix(path, signal);
      if (stream) return stream;
    }
    throw new ConnectError(
      `no libvirt socket at ${sockets.join(' or ')}: is libvirtd running, and its directory mounted into the container?`,
    );
  };
}

/** Null when there is no such socket. */
async function dialUnix(path: string, signal: AbortSignal): Promise<Duplex | null> {
  signal.throwIfAborted();
  const socket = connect(path);
  try {
    await once(socket, 'connect', { signal });
    return socket;
  } catch (error) {
    socket.on('error', () => {}).destroy();
    signal.throwIfAborted();
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    const { code = '', message } = error as NodeJS.ErrnoException;
    throw new ConnectError(`${path}: ${explanations[code] ?? message}`, { cause: error });
  }
}

const denied = 'permission denied: the bridge needs the socket’s group (often libvirt)';
const explanations: Readonly<Record<string, string>> = {
  EACCES: denied,
  EPERM: denied,
  ECONNREFUSED:
    'nobody listens: libvirtd is not running, or the socket file is a stale bind mount (mount its directory)',
};
