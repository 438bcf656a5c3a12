import { once } from 'node:events';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { ConnectError } from './errors.ts';

/** Opens one byte stream to a daemon; throws `ConnectError`. An option of a connection, so that any Duplex will do. */
export type Dialer = (signal: AbortSignal) => Promise<Duplex>;

/** Dials the first of the sockets that exists. */
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
    throw new ConnectError(`${path}: ${explain(error as NodeJS.ErrnoException)}`, { cause: error });
  }
}

function explain(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EACCES':
    case 'EPERM':
      return 'permission denied: the bridge needs the socket’s group (often libvirt)';
    case 'ECONNREFUSED':
      return 'nobody listens: libvirtd is not running, or the socket file is a stale bind mount (mount its directory)';
    default:
      return error.message;
  }
}
