import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server as NodeServer, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * A small HTTP server on a unix socket, which only its owner may use, or on a TCP port. It answers in lines of JSON, or
 * with what a route makes. It cuts off every client that sends nothing, sends only half a request, or does not read.
 */
export interface ServerOptions {
  /** The path of a socket has at most 107 bytes; a file in its place is removed. */
  at: { path: string } | { host: string; port: number };
  /** By method and path: `GET /health`. */
  routes: Readonly<Record<string, Route>>;
  /** Connections that have not sent a request yet; beyond that, the oldest one is closed. */
  mostSilent: number;
  /** Milliseconds for a request to come; default 5 000. */
  patience?: number | undefined;
  /** Milliseconds in which a client may take its final answer; default 1 000. */
  farewell?: number;
  /** Bytes of answers that a client has not read; default 64 KiB. */
  mostUnread?: number;
  /** Of every answer. */
  headers?: Readonly<Record<string, string>>;
  /** Is told why it does not listen. */
  unavailable: (reason: string) => void;
}

export interface Asked {
  query: URLSearchParams;
  /** Null when it is longer than 8 KiB. */
  body: string | null;
  /** How many clients already wait for an answer. */
  others: number;
  /** Calls this when the client is gone, or has its final reply. */
  gone: (act: () => void) => void;
  /** The client's address; empty over a unix socket. */
  from: string;
  header: (name: string) => string;
}

export type Route = (request: Asked, reply: Reply) => void;

/** May be called at once or later, until the final reply, which is the default. A client that is gone gets nothing. */
export type Reply = (content: object | string | Buffer, options?: ReplyOptions) => void;

interface ReplyOptions {
  status?: number;
  final?: boolean;
  headers?: Readonly<Record<string, string>>;
}

/** Bytes: `sun_path` without its end mark, see unix(7). The system cuts off a longer one, and may use another socket. */
export const longestPath = 107;
const longestBody = 8_192;
export class Server {
  readonly #options: ServerOptions;
  readonly #silent = new Set<Socket>();
  /** That have sent a request. */
  readonly #served = new WeakSet<Socket>();
  #waiting = 0;
  #server: NodeServer | undefined;
  #closed = false;

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  /** Resolves when it listens, or when `unavailable` was told why not; never rejects. */
  async start(): Promise<void> {
    const { at, unavailable } = this.#options;
    try {
      if ('path' in at) await makeWay(at.path);
      if (!this.#closed) await this.#listen();
    } catch (error) {
      this.#server?.close();
      unavailable((error as Error).message);
    }
  }

  /** Idempotent. Clients lose the connection, but their commands go on. */
  close(): void {
    this.#closed = true;
    this.#server?.close();
    this.#server?.closeAllConnections();
  }

  async #listen(): Promise<void> {
    const { at, patience = 5_000 } = this.#options;
    const times = { requestTimeout: patience, headersTimeout: patience };
    const server = createServer({ ...times, keepAlive: true, connectionsCheckingInterval: Math.min(patience, 1_000) });
    this.#server = server;
    server.on('connection', socket => this.#welcome(socket));
    server.on('request', (request, response) => void this.#serve(request, response));
    // Bound within the call: at no moment may another user connect.
    const mask = process.umask(0o077);
    try {
      server.listen(at);
      if ('path' in at && server.listening) chmodSync(at.path, 0o600);
    } finally {
      process.umask(mask);
    }
    await once(server, 'listening');
    server.on('error', () => {});
  }

  /** Silent clients must not keep others out. */
  #welcome(socket: Socket): void {
    this.#silent.add(socket);
    socket.once('close', () => this.#silent.delete(socket));
    const [oldest] = this.#silent;
    if (!oldest || this.#silent.size <= this.#options.mostSilent) return;
    this.#silent.delete(oldest);
    oldest.destroy();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Each answer closes its connection: the response to a second request would never end.
    if (this.#served.has(request.socket)) {
      request.socket.destroy();
      return;
    }
    this.#served.add(request.socket);
    const body = await read(request).catch(() => undefined);
    // The client went away in the middle of its request.
    if (body === undefined) return;
    this.#silent.delete(request.socket);
    const { routes } = this.#options;
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const [path = '', query] = (request.url ?? '').split('?');
    const route = routes[`${method} ${path}`];
    const paths = Object.keys(routes).map(known => known.replace(/^\S+ /, ''));
    const reply = replyTo(response, this.#options);
    if (route) {
      response.once('close', () => this.#waiting--);
      const asked: Asked = {
        ...{ query: new URLSearchParams(query), body, others: this.#waiting++ },
        gone: act => void response.once('close', act),
        from: request.socket.remoteAddress ?? '',
        header: name => String(request.headers[name] ?? ''),
      };
      route(asked, reply);
    } else if (paths.includes(path)) reply({ error: `this is not for ${method}` }, { status: 405 });
    else reply({ error: `there are ${paths.join(' and ')}` }, { status: 404 });
  }
}

async function makeWay(path: string): Promise<void> {
  const length = Buffer.byteLength(path);
  if (length > longestPath) throw new Error(`the path has ${length} bytes, a socket's at most ${longestPath}`);
  await rm(path, { force: true });
}

/** Reads the whole request: closing earlier could lose the answer. */
async function read(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= longestBody) chunks.push(chunk);
  }
  return length > longestBody ? null : Buffer.concat(chunks).toString();
}

function replyTo(
  response: ServerResponse,
  { farewell = 1_000, mostUnread = 65_536, headers: all }: ServerOptions,
): Reply {
  return (content, { status = 200, final = true, headers } = {}) => {
    if (response.writableEnded || response.destroyed) return;
    const isReady = typeof content === 'string' || Buffer.isBuffer(content);
    if (!response.headersSent) {
      const type = isReady ? 'text/plain; charset=utf-8' : 'application/json';
      response.writeHead(status, {
        ...{ 'content-type': type, 'cache-control': 'no-store', connection: 'close' },
        ...{ ...all, ...headers },
      });
    }
    const bytes = isReady ? content : `${JSON.stringify(content)}\n`;
    if (response.writableLength > mostUnread) response.destroy();
    else if (!final) response.write(bytes);
    else {
      response.end(bytes);
      const timer = setTimeout(() => response.destroy(), farewell).unref();
      response.once('close', () => clearTimeout(timer));
    }
  };
}
