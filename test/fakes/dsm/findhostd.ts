import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { Inbox } from '../../mqtt/inbox.ts';

/**
 * A NAS as Synology's discovery sees it: one address that is asked at the discovery port and answers, from another
 * port, to the client's address at that port, wherever the question came from. Written from captures, not from the
 * code under test. Real ones answer after one to three seconds and by broadcast too.
 */

/** What it says of itself; null: it leaves that out. */
export interface Fields {
  /** 2: DSM, 6: the installer, 16: the recovery, 20 and 21: V2 of the former two. */
  type: number | null;
  /** 1: ready, 5: booting, … */
  state: number | null;
  mac: string | null;
  name: string | null;
  model: string | null;
  version: string | null;
  build: number | null;
  update: number | null;
  /** IPv4. */
  address: string | null;
  httpPort: number | null;
  httpsPort: number | null;
}

/** How it answers: `slow` only when `answer()` is called, the others at once, some after what is to be ignored. */
export type Mode = 'prompt' | 'slow' | 'silent' | 'half' | 'garbage' | 'echo';

export interface ListenOptions extends Partial<Fields> {
  /** A loopback address of its own, which it tells as well. */
  address: string;
  /** The discovery port: 9999 of real ones; default: one that is free. */
  port?: number;
  /** Where its answers come from: 1234 of real ones; default: one that is free. */
  replyPort?: number;
  mode?: Mode;
}

/** What every NAS tells, and what nobody may keep. */
export const serials = ['SERIALOFANAS1', 'OLDSERIAL1'] as const;

const defaults: Fields = {
  type: 2,
  state: 1,
  mac: '52:54:00:12:34:56',
  name: 'diskstation',
  model: 'DS918+',
  version: '7.1.1',
  build: 42_962,
  update: 6,
  address: '192.168.1.20',
  httpPort: 5_000,
  httpsPort: 5_001,
};

const magic = Buffer.from('1234567853594e4f', 'hex');

export class Findhostd {
  readonly fields: Fields;
  readonly address: string;
  mode: Mode;
  /** Everything that asked it. */
  readonly asked = new Inbox<RemoteInfo>();
  /** Everything that came, questions or not. */
  readonly received: Buffer[] = [];
  readonly #socket: Socket;
  readonly #mouth: Socket;

  private constructor(fields: Fields, address: string, mode: Mode, [socket, mouth]: [Socket, Socket]) {
    this.fields = fields;
    this.address = address;
    this.mode = mode;
    this.#socket = socket;
    this.#mouth = mouth;
  }

  static async listen({
    address,
    port = 0,
    replyPort = 0,
    mode = 'prompt',
    ...fields
  }: ListenOptions): Promise<Findhostd> {
    const sockets = await Promise.all([bind(address, port), bind(address, replyPort)]);
    const nas = new Findhostd({ ...defaults, address, ...fields }, address, mode, sockets);
    nas.#socket.on('message', (bytes, from) => nas.#take(bytes, from));
    return nas;
  }

  /** The discovery port. */
  get port(): number {
    return this.#socket.address().port;
  }

  /** Answers who asked last, or says it unasked to who listens at `to`. */
  answer(to = this.asked.all.at(-1)?.address ?? '127.0.0.1'): void {
    this.say(encodeReply(this.fields), to);
  }

  /** Sends anything at all. */
  say(bytes: Buffer, to = '127.0.0.1'): void {
    this.#mouth.send(bytes, this.port, to);
  }

  async close(): Promise<void> {
    await Promise.all([this.#socket, this.#mouth].map(socket => new Promise<void>(done => socket.close(done))));
  }

  #take(bytes: Buffer, from: RemoteInfo): void {
    this.received.push(bytes);
    if (!isQuery(bytes)) return;
    this.#reply(bytes, from.address);
    this.asked.push(from);
  }

  #reply(query: Buffer, to: string): void {
    if (this.mode === 'silent' || this.mode === 'slow') return;
    const reply = encodeReply(this.fields);
    if (this.mode === 'half') {
      this.say(reply.subarray(0, reply.indexOf(serials[0]) + 5), to);
      return;
    }
    if (this.mode === 'garbage') {
      const encrypted = Buffer.from(reply);
      encrypted.set([0x55, 0x66], 2);
      for (const bytes of [Buffer.from('hello'), encrypted, reply.subarray(0, -1)]) this.say(bytes, to);
    }
    if (this.mode === 'echo') this.say(query, to);
    this.say(reply, to);
  }
}

/** As a DS918+ orders and sizes it; serial numbers and fields of no length included. */
export function encodeReply(fields: Partial<Fields> = {}): Buffer {
  const { type, state, mac, name, model, version, build, update, address, httpPort, httpsPort } = {
    ...defaults,
    ...fields,
  };
  return Buffer.concat([
    magic,
    ...[text(0x19, mac), ip(0x12, address), u32(0x10, 0), ip(0x13, '255.255.255.0'), u32(0x18, 0)],
    ...[u32(0x01, type), text(0x11, name), text(0xc0, serials[0]), text(0x73, serials[1])],
    ...[u32(0xa4, 0x01020000), u32(0xa6, 0x78), text(0x50, ''), text(0x52, ''), u32(0x54, 0)],
    ...[u32(0xa7, state), u32(0x48, 1), u32(0x49, build), text(0x77, version), u32(0x90, update)],
    ...[text(0x78, model), text(0x70, 'synology_apollolake_918+'), text(0xc1, 'DSM'), u32(0x71, 1)],
    ...[u32(0x75, httpPort), u32(0x76, httpsPort), text(0x7c, '02:00:00:00:00:00')],
    ...[field(0xb0, Buffer.from('bf03000000000000', 'hex')), field(0xb1, Buffer.alloc(8))],
  ]);
}

/** What findhostd answers: its magic, its protocol, and packet type 1. */
function isQuery(bytes: Buffer): boolean {
  const words = bytes.toString('hex');
  return words.startsWith(magic.toString('hex')) && words.includes('a40400000201') && words.includes('010401000000');
}

function text(id: number, value: string | null): Buffer {
  return value === null ? Buffer.alloc(0) : field(id, Buffer.from(value));
}

function u32(id: number, value: number | null): Buffer {
  if (value === null) return Buffer.alloc(0);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return field(id, bytes);
}

function ip(id: number, value: string | null): Buffer {
  return value === null ? Buffer.alloc(0) : field(id, Buffer.from(value.split('.').map(Number)));
}

function field(id: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([id, value.length]), value]);
}

async function bind(address: string, port: number): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  socket.bind({ address, port });
  await once(socket, 'listening');
  return socket;
}
