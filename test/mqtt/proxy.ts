import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { pipeline } from 'node:stream';

export interface Line extends AsyncDisposable {
  url: string;
  /** Connections accepted so far. */
  count(): number;
  /** Every connection breaks without a word on either side; new ones are welcome. */
  cut(): void;
  /** Nothing passes either way, and nothing closes. */
  freeze(): void;
  thaw(): void;
}

/** Stands between a client and its broker on loopback. */
export async function startProxy(port: number): Promise<Line> {
  const sockets = new Set<Socket>();
  let count = 0;
  let frozen = false;
  const server = createServer(inner => {
    count += 1;
    const outer = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(from);
      from.on('close', () => sockets.delete(from));
      pipeline(from, to, () => {});
      if (frozen) from.pause();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    count: () => count,
    cut,
    freeze() {
      frozen = true;
      for (const socket of sockets) socket.pause();
    },
    thaw() {
      frozen = false;
      for (const socket of sockets) socket.resume();
    },
    async [Symbol.asyncDispose]() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
