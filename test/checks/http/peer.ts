import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, createServer as createRawServer, type Server as RawServer, type Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';

/** Servers on loopback that answer as they are told to. */

export const address = '127.0.0.1';

export interface Peer extends AsyncDisposable {
  port: number;
  /** Paths, in order. */
  asked: string[];
  requests: IncomingMessage[];
  /** Connections, in order, gone ones as well. */
  sockets: Socket[];
  /** When all connections so far are gone. */
  quiet(): Promise<void>;
}

/** Signed by itself, for localhost. */
export const ownCertificate: TlsOptions = {
  cert: readFileSync(new URL('../../mqtt/tls/cert.pem', import.meta.url)),
  key: readFileSync(new URL('../../mqtt/tls/key.pem', import.meta.url)),
};

/** Of a NAS that nobody has updated for years: expired, 1024 bits, SHA-1, TLS 1.0 at most. */
export const oldCertificate: TlsOptions = {
  cert: readFileSync(new URL('tls/expired.pem', import.meta.url)),
  key: readFileSync(new URL('tls/expired-key.pem', import.meta.url)),
  ciphers: 'DEFAULT@SECLEVEL=0',
  minVersion: 'TLSv1',
  maxVersion: 'TLSv1',
};

/** Pages by path, without their query; anything else is not found. */
export type Pages = Readonly<Record<string, string | ((request: IncomingMessage, response: ServerResponse) => void)>>;

export function startPages(pages: Pages, tls?: TlsOptions): Promise<Peer> {
  return startHttp((request, response) => {
    const path = request.url?.split('?')[0] ?? '';
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
    if (typeof page === 'function') page(request, response);
    else
      response.writeHead(page === undefined ? 404 : 200, { 'content-type': 'text/html' }).end(page ?? '<h1>404</h1>');
  }, tls);
}

export function startHttp(answer: RequestListener, tls?: TlsOptions): Promise<Peer> {
  const server = tls ? createSecureServer(tls) : createServer();
  const peer = listen(server);
  server.on('request', async (request, response) => {
    const { asked, requests } = await peer;
    asked.push(request.url ?? '');
    requests.push(request);
    answer(request, response);
  });
  return peer;
}

/** Speaks TCP only. */
export function startRaw(talk: (socket: Socket) => void): Promise<Peer> {
  const server = createRawServer(talk);
  return listen(server);
}

/** A port that nobody listens on. */
export async function closedPort(): Promise<number> {
  const { port, ...peer } = await startRaw(() => {});
  await peer[Symbol.asyncDispose]();
  return port;
}

export function redirect(location: string, status = 302): (_: IncomingMessage, response: ServerResponse) => void {
  return (_, response) => response.writeHead(status, { location }).end();
}

export function status(code: number, body = `<h1>${code}</h1>`) {
  return (_: IncomingMessage, response: ServerResponse) => void response.writeHead(code).end(body);
}

/** `once` would take its error for ours. */
function gone(socket: Socket): Promise<void> {
  return new Promise(resolve => (socket.closed ? resolve() : socket.once('close', () => resolve())));
}

async function listen(server: Server | RawServer): Promise<Peer> {
  const sockets: Socket[] = [];
  server.on('connection', (socket: Socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
  });
  server.listen(0, address);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    asked: [],
    requests: [],
    sockets,
    async quiet() {
      await Promise.all(sockets.map(gone));
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
