/** The broker's end of MQTT by hand, byte by byte: for MQTT 5, and for brokers that misbehave. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Inbox } from './inbox.ts';

export const CONNECT = 1;
export const PUBLISH = 3;
export const PUBACK = 4;
export const SUBSCRIBE = 8;
const PINGREQ = 12;
export const DISCONNECT = 14;

export interface Packet {
  type: number;
  flags: number;
  body: Buffer;
}

/** What to do with a packet of this type instead of answering as a broker should. */
export type Rules = Partial<Record<number, (packet: Packet, connection: Connection) => void>>;

export interface Peer extends AsyncDisposable {
  url: string;
  /** Each from its CONNECT on; not those without a client id, which only look what listens here. */
  connections: Inbox<Connection>;
}

export async function startPeer(rules: Rules = {}): Promise<Peer> {
  const connections = new Inbox<Connection>();
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket);
    const connection: Connection = new Connection(socket, rules, () => connections.push(connection));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

class Connection {
  readonly packets = new Inbox<Packet>();
  readonly socket: Socket;
  version = 0;
  #bytes: Buffer = Buffer.alloc(0);
  readonly #rules: Rules;
  readonly #named: () => void;

  constructor(socket: Socket, rules: Rules, named: () => void) {
    this.socket = socket;
    this.#rules = rules;
    this.#named = named;
    socket.on('error', () => {});
    socket.on('data', chunk => {
      // Anything else than a CONNECT is somebody's TLS.
      if (this.packets.all.length === 0 && chunk[0] !== 0x10) {
        socket.destroy();
        return;
      }
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      for (let packet = this.#next(); packet; packet = this.#next()) this.#receive(packet);
    });
  }

  take(type: number): Promise<Packet> {
    return this.packets.take(packet => packet.type === type);
  }

  published(): string[] {
    return this.packets.all
      .filter(({ type }) => type === PUBLISH)
      .map(packet => readPublish(packet, this.version).topic);
  }

  send(type: number, flags: number, ...parts: (Buffer | number[] | string)[]): void {
    const body = Buffer.concat(parts.map(part => Buffer.from(part as Buffer)));
    this.socket.write(Buffer.concat([Buffer.from([(type << 4) | flags, ...varint(body.length)]), body]));
  }

  /** MQTT 5 properties follow the reason. */
  connack(reason: number, properties: number[] = []): void {
    this.send(2, 0, this.version === 5 ? [0, reason, properties.length, ...properties] : [0, reason]);
  }

  suback({ body }: Packet, ...codes: number[]): void {
    const id = [...body.subarray(0, 2)];
    this.send(9, 0, this.version === 5 ? [...id, 0, ...codes] : [...id, ...codes]);
  }

  puback(id: number): void {
    this.send(PUBACK, 0, [id >> 8, id & 255]);
  }

  /** MQTT 5, QoS 0. */
  publish(topic: string, payload: string, properties: number[] = []): void {
    this.send(PUBLISH, 0, text(topic), [properties.length, ...properties], payload);
  }

  /** Replies as a broker should. */
  answer(packet: Packet): void {
    if (packet.type === CONNECT) this.connack(0);
    if (packet.type === SUBSCRIBE) this.suback(packet, 1);
    if (packet.type === PINGREQ) this.send(13, 0);
    if (packet.type === DISCONNECT) this.socket.end();
    if (packet.type !== PUBLISH) return;
    const { id } = readPublish(packet, this.version);
    if (id !== null) this.puback(id);
  }

  #receive(packet: Packet): void {
    if (packet.type === CONNECT) {
      this.version = packet.body[6] ?? 0;
      if (this.version === 5 || packet.body.readUInt16BE(10) > 0) this.#named();
    }
    const rule = this.#rules[packet.type];
    if (rule) rule(packet, this);
    else this.answer(packet);
    this.packets.push(packet);
  }

  #next(): Packet | undefined {
    let length = 0;
    let at = 1;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes[at++];
      if (byte === undefined) return undefined;
      length |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    if (this.#bytes.length < at + length) return undefined;
    const first = this.#bytes.readUInt8(0);
    const body = this.#bytes.subarray(at, at + length);
    this.#bytes = this.#bytes.subarray(at + length);
    return { type: first >> 4, flags: first & 15, body };
  }
}

export function readPublish({ flags, body }: Packet, version: number) {
  const qos = (flags >> 1) & 3;
  let at = 2 + body.readUInt16BE(0);
  const topic = body.toString('utf8', 2, at);
  const id = qos ? body.readUInt16BE(at) : null;
  if (qos) at += 2;
  // Properties of the tests are shorter than 128 bytes.
  const properties = version === 5 ? body.subarray(at + 1, at + 1 + body.readUInt8(at)) : Buffer.alloc(0);
  if (version === 5) at += 1 + properties.length;
  return { topic, id, qos, retain: (flags & 1) === 1, properties, payload: body.toString('utf8', at) };
}

/** A string or bytes with its length in front. */
export function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)];
}
