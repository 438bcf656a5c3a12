import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** One connection: the first piece of what was said to the port, and how many bytes came back. */
export interface Overheard {
  port: number;
  first: Buffer;
  bytes: number;
}

/** Where a port's connections go on to. */
type Passage = (port: number) => { host: string; port: number };

/** Stands where somebody else is asked, passes everything on, and listens. */
export class Relay implements AsyncDisposable {
  /** In the order in which they were accepted. */
  readonly overheard: Overheard[] = [];
  readonly #to: Passage;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();

  private constructor(to: Passage) {
    this.#to = to;
  }

  static async listen(address: string, ports: readonly number[], to: Passage): Promise<Relay> {
    const relay = new Relay(to);
    for (const port of ports) {
      const server = createServer(socket => relay.#pass(socket, port));
      relay.#servers.push(server);
      server.listen(port, address);
      await once(server, 'listening');
    }
    return relay;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#servers.map(server => server[Symbol.asyncDispose]()));
  }

  #pass(here: Socket, port: number): void {
    const there = connect(this.#to(port));
    const heard: Overheard = { port, first: Buffer.alloc(0), bytes: 0 };
    this.overheard.push(heard);
    here.once('data', (chunk: Buffer) => {
      heard.first = Buffer.from(chunk);
    });
    there.on('data', (chunk: Buffer) => {
      heard.bytes += chunk.length;
    });
    this.#lead(here, there);
    this.#lead(there, here);
  }

  #lead(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on('error', () => to.destroy()).on('close', () => to.destroy());
    from.pipe(to);
  }
}
