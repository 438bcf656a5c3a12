/**
 * The way in for this machine's own command line, which needs no broker: a socket in the data folder, for its owner.
 *
 * A client sends one line, `{"vm":"DSM","payload":…}`, the payload being what would go on the VM's command topic: text,
 * or a JSON object. Each answer is a line `{"final":false,"response":{…}}`; the final one ends the connection. Only the
 * holder of the folder's lock may start it: it takes away whatever is in its place.
 */
import { chmodSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import type { Logger } from '../util/logger.ts';

export interface ControlOptions {
  /** Of the socket: at most 107 bytes, or it is done without. */
  path: string;
  /** Replies may come at once or later, until a final one. A client that is gone takes nothing back. */
  submit: (vm: string, payload: string, reply: (response: object, final: boolean) => void) => void;
  logger: Logger;
  /** Within which a client must have said what it wants, milliseconds; default 5 000. */
  patience?: number;
}

/** Bytes: `sun_path` without its end mark, see unix(7). */
const LONGEST_PATH = 107;
const LONGEST_LINE = 8_192;
const MOST_CLIENTS = 8;
/** Bytes of answers that a client has not read. */
const MOST_UNREAD = 65_536;
/** Milliseconds in which a client may take its final answer. */
const FAREWELL = 1_000;

export class Control {
  readonly #options: ControlOptions;
  readonly #clients = new Set<Socket>();
  /** Those of them that have not said what they want, the oldest first. */
  readonly #silent = new Set<Socket>();
  #server: Server | undefined;
  #closed = false;

  constructor(options: ControlOptions) {
    this.#options = options;
  }

  /** Resolves when it listens, or when it was told why it cannot; never rejects. */
  async start(): Promise<void> {
    const { path, logger } = this.#options;
    try {
      const length = Buffer.byteLength(path);
      if (length > LONGEST_PATH) throw new Error(`the path has ${length} bytes, a socket's at most ${LONGEST_PATH}`);
      await rm(path, { force: true });
      if (!this.#closed) await this.#listen(path);
    } catch (error) {
      this.#server?.close();
      const { message: reason } = error as Error;
      logger.warn(
        { event: 'control.unavailable', path, reason },
        'no control socket: the command line on this machine reaches this bridge through the broker only',
      );
    }
  }

  /** Idempotent. Clients lose the connection, their commands go on. */
  close(): void {
    this.#closed = true;
    this.#server?.close();
    for (const socket of this.#clients) socket.destroy();
  }

  #listen(path: string): Promise<void> {
    const server = createServer(socket => this.#welcome(socket));
    this.#server = server;
    // Those beyond the limit are told so, if they are not too many themselves.
    server.maxConnections = 2 * MOST_CLIENTS;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.once('listening', () => {
        server.removeListener('error', reject);
        server.on('error', () => {});
        resolve();
      });
      // Bound within the call: there is no moment at which somebody else may connect.
      const mask = process.umask(0o077);
      try {
        server.listen(path);
        if (server.listening) chmodSync(path, 0o600);
      } finally {
        process.umask(mask);
      }
    });
  }

  #welcome(socket: Socket): void {
    const { patience = 5_000 } = this.#options;
    const client = new Client(socket, (vm, payload) => {
      clearTimeout(deadline);
      this.#silent.delete(socket);
      this.#options.submit(vm, payload, (response, final) => client.tell(response, final));
    });
    const deadline = setTimeout(() => socket.destroy(), patience);
    this.#clients.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(deadline);
      this.#forget(socket);
    });
    if (this.#clients.size > MOST_CLIENTS && !this.#makeRoom()) {
      client.refuse('busy', 'too many others wait for an answer here');
      return;
    }
    this.#silent.add(socket);
    client.listen();
  }

  /** Whoever says nothing keeps nobody away who does. */
  #makeRoom(): boolean {
    const [oldest] = this.#silent;
    if (!oldest) return false;
    this.#forget(oldest);
    oldest.destroy();
    return true;
  }

  #forget(socket: Socket): void {
    this.#clients.delete(socket);
    this.#silent.delete(socket);
  }
}

/** One connection: a line in, answers out. */
class Client {
  readonly #socket: Socket;
  readonly #asked: (vm: string, payload: string) => void;
  #over = false;

  constructor(socket: Socket, asked: (vm: string, payload: string) => void) {
    this.#socket = socket;
    this.#asked = asked;
  }

  listen(): void {
    const socket = this.#socket;
    let heard = Buffer.alloc(0);
    const take = (chunk: Buffer): void => {
      heard = Buffer.concat([heard, chunk]);
      const end = heard.indexOf('\n');
      if (end < 0 && heard.length <= LONGEST_LINE) return;
      socket.removeListener('data', take);
      // What else comes is thrown away, so that the answer is not lost with it.
      socket.resume();
      if (end < 0 || end > LONGEST_LINE) this.refuse('invalid_payload', `a line has at most ${LONGEST_LINE} bytes`);
      else this.#ask(heard.subarray(0, end));
    };
    socket.on('data', take);
  }

  /** In the words of an answer to a command. */
  refuse(code: 'busy' | 'invalid_payload', message: string): void {
    this.#socket.resume();
    this.tell({ id: null, command: null, status: 'rejected', code, message }, true);
  }

  tell(response: object, final: boolean): void {
    const socket = this.#socket;
    if (this.#over || !socket.writable) return;
    this.#over = final;
    const line = `${JSON.stringify({ final, response })}\n`;
    if (socket.writableLength > MOST_UNREAD) socket.destroy();
    else if (!final) socket.write(line);
    else {
      socket.end(line);
      setTimeout(() => socket.destroy(), FAREWELL).unref();
    }
  }

  #ask(line: Buffer): void {
    const wish = readWish(line.toString('utf8'));
    if (wish) this.#asked(wish.vm, wish.payload);
    else this.refuse('invalid_payload', 'a line is {"vm":"…","payload":…}, the payload text or an object');
  }
}

function readWish(line: string): { vm: string; payload: string } | null {
  try {
    const { vm, payload } = JSON.parse(line) as { vm?: unknown; payload?: unknown };
    if (typeof vm !== 'string') return null;
    if (typeof payload === 'string') return { vm, payload };
    const isObject = typeof payload === 'object' && payload !== null && !Array.isArray(payload);
    return isObject ? { vm, payload: JSON.stringify(payload) } : null;
  } catch {
    return null;
  }
}
