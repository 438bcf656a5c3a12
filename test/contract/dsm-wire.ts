import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Inbox } from '../mqtt/inbox.ts';

/** Bytes to and from a DSM, with nothing of the code under test. */

/** Milliseconds. */
const patience = 10_000;

/** Synology's question: its magic, its protocol, packet type 1. */
export const query = Buffer.from('1234567853594e4fa40400000201010401000000', 'hex');

/** Whether a port accepts. */
export function touch(host: string, port: number): Promise<'open' | 'refused'> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: patience }, () => {
      socket.destroy();
      resolve('open');
    });
    socket.once('timeout', () => socket.destroy(new Error(`port ${port} says nothing`)));
    socket.once('error', error =>
      'code' in error && error.code === 'ECONNREFUSED' ? resolve('refused') : reject(error),
    );
  });
}

export interface Answer {
  raw: string;
  status: number | null;
  /** With plain line feeds. */
  headers: string;
  body: string;
}

/** All that comes until the other side is through. A target of null: it speaks first, and one packet is enough. */
export function exchange(host: string, port: number, target: string | null): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let raw = '';
    const socket = connect({ host, port, timeout: patience });
    socket.setEncoding('latin1').on('data', chunk => {
      raw += chunk;
      if (target === null) socket.destroy();
    });
    socket.once('timeout', () => socket.destroy(new Error(`port ${port} is not through`)));
    socket.once('error', error => ('code' in error && error.code === 'ECONNRESET' ? undefined : reject(error)));
    socket.once('close', () => {
      const [head = '', ...rest] = raw.split('\r\n\r\n');
      const status = /^HTTP\/1\.1 (\d{3}) /.exec(raw)?.[1];
      resolve({
        ...{ raw, status: status === undefined ? null : Number(status) },
        ...{ headers: head.replaceAll('\r\n', '\n'), body: rest.join('\r\n\r\n') },
      });
    });
    // In two pieces.
    if (target !== null) socket.write(`GET ${target} HT`, () => socket.write(`TP/1.1\r\nHost: ${host}\r\n\r\n`));
  });
}

/** What comes through TLS, whoever signed for it, or the error's code. */
export function handshake(host: string, port: number, target: string): Promise<string> {
  return new Promise(resolve => {
    let raw = '';
    const socket = connectTls({ host, port, rejectUnauthorized: false, timeout: patience }, () => {
      socket.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    });
    socket.setEncoding('latin1').on('data', chunk => {
      raw += chunk;
    });
    socket.once('timeout', () => socket.destroy(new Error('TIMEOUT')));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.once('close', () => resolve(raw));
  });
}

/** Sends a packet from an address of ours; resolves when it is on its way. */
export async function say(packet: Buffer, from: string, to: { address: string; port: number }): Promise<void> {
  const socket = createSocket('udp4');
  try {
    socket.bind(0, from);
    await once(socket, 'listening');
    await new Promise<void>((resolve, reject) => {
      socket.send(packet, to.port, to.address, error => (error ? reject(error) : resolve()));
    });
  } finally {
    socket.close();
  }
}

/** Resolves when the machine there says that nothing listens at this UDP port. */
export async function refusal(address: string, port: number): Promise<void> {
  const socket = createSocket('udp4');
  try {
    socket.connect(port, address);
    await once(socket, 'connect');
    socket.send(query);
    await once(socket, 'message', { signal: AbortSignal.timeout(patience) });
    throw new Error(`UDP port ${port} answers`);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED')) throw error;
  } finally {
    socket.close();
  }
}

export interface Heard {
  from: { address: string; port: number };
  /** By number. */
  fields: ReadonlyMap<number, Buffer>;
}

/** An address of ours at the discovery port. */
export class Ear implements AsyncDisposable {
  readonly heard = new Inbox<Heard>();
  readonly #socket: UdpSocket;

  private constructor(socket: UdpSocket) {
    this.#socket = socket;
    socket.on('message', (bytes, { address, port }) =>
      this.heard.push({ from: { address, port }, fields: read(bytes) }),
    );
  }

  static async open(address: string, port: number): Promise<Ear> {
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    socket.bind(port, address);
    await once(socket, 'listening');
    return new Ear(socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>(resolve => this.#socket.close(resolve));
  }
}

function read(bytes: Buffer): Map<number, Buffer> {
  if (!bytes.subarray(0, 8).equals(query.subarray(0, 8))) throw new Error(`not of discovery: ${bytes.toString('hex')}`);
  const fields = new Map<number, Buffer>();
  for (let at = 8; at < bytes.length; ) {
    const [id = 0, length = 0] = bytes.subarray(at, at + 2);
    fields.set(id, bytes.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return fields;
}
