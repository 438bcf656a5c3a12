import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

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
  /** Whose other end closed while nothing may pass. */
  const withheld: Socket[] = [];
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
      from.on('error', () => {});
      from.on('close', () => {
        sockets.delete(from);
        if (frozen) withheld.push(to);
        else to.destroy();
      });
      // A paused socket ends all the same.
      from.on('end', () => {
        if (frozen) withheld.push(to);
        else to.end();
      });
      from.pipe(to, { end: false });
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
      for (const socket of withheld.splice(0)) socket.destroy();
      for (const socket of sockets) socket.resume();
    },
    async [Symbol.asyncDispose]() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
