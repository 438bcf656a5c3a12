import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { Moments } from './moments.ts';

export interface Published {
  topic: string;
  payload: Buffer;
  /** The packet as it came, so that a bare program can send the same. */
  packet: Buffer;
  /** When its last byte was read here, `performance.now()`. */
  at: number;
}

const CONNECT = 1;
const PUBLISH = 3;
const SUBSCRIBE = 8;
const PINGREQ = 12;
const DISCONNECT = 14;

/**
 * The least that an MQTT 5 client takes for a broker: acknowledges, and notes when what arrived. Runs in the
 * benchmark's own process, so that its time is not the bridge's.
 */
export class SinkBroker implements AsyncDisposable {
  readonly published = new Moments<Published>();
  /** CONNECT and SUBSCRIBE of the client. */
  hello: Buffer[] = [];
  readonly #server: Server;
  /** The first that is here: a bridge opens a second session for a moment, ten seconds after its start. */
  #client: Socket | undefined;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async listen(): Promise<SinkBroker> {
    const server = createServer();
    const broker = new SinkBroker(server);
    server.on('connection', socket => broker.#accept(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return broker;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** To the client, QoS 1; returns when it was handed to the socket, `performance.now()`. */
  send(topic: string, payload: string): number {
    const name = Buffer.from(topic);
    const body = Buffer.concat([words(name.length), name, words(1), Buffer.from([0]), Buffer.from(payload)]);
    const at = performance.now();
    this.#client?.write(Buffer.concat([Buffer.from([(PUBLISH << 4) | 2, ...varint(body.length)]), body]));
    return at;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client?.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(socket: Socket): void {
    if (this.#client?.destroyed ?? true) {
      this.#client = socket;
      this.hello = [];
    }
    socket.setNoDelay(true);
    socket.on('error', () => {});
    let bytes: Buffer = Buffer.alloc(0);
    socket.on('data', chunk => {
      const at = performance.now();
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      for (let packet = wholePacket(bytes); packet; packet = wholePacket(bytes)) {
        bytes = bytes.subarray(packet.bytes.length);
        this.#answer(socket, packet, at);
      }
    });
  }

  #answer(socket: Socket, { bytes, start }: Packet, at: number): void {
    const first = bytes.readUInt8(0);
    switch (first >> 4) {
      case CONNECT:
        if (socket === this.#client) this.hello.push(Buffer.from(bytes));
        socket.write(Buffer.from([0x20, 3, 0, 0, 0]));
        break;
      case SUBSCRIBE: {
        if (socket === this.#client) this.hello.push(Buffer.from(bytes));
        const codes = subscriptions(bytes, start).map(() => 1);
        socket.write(Buffer.from([0x90, 3 + codes.length, ...bytes.subarray(start, start + 2), 0, ...codes]));
        break;
      }
      case PINGREQ:
        socket.write(Buffer.from([0xd0, 0]));
        break;
      case DISCONNECT:
        socket.end();
        break;
      case PUBLISH:
        this.#take(socket, bytes, start, at);
    }
  }

  #take(socket: Socket, packet: Buffer, start: number, at: number): void {
    let end = start + 2 + packet.readUInt16BE(start);
    const topic = packet.toString('utf8', start + 2, end);
    if ((packet.readUInt8(0) & 6) !== 0) {
      socket.write(Buffer.from([0x40, 2, ...packet.subarray(end, end + 2)]));
      end += 2;
    }
    // Publications here carry no properties.
    this.published.note({ topic, payload: packet.subarray(end + 1), packet, at });
  }
}

interface Packet {
  bytes: Buffer;
  /** Where the fixed header ends. */
  start: number;
}

function wholePacket(bytes: Buffer): Packet | undefined {
  let length = 0;
  for (let start = 1, shift = 0; start < bytes.length; shift += 7) {
    const byte = bytes.readUInt8(start++);
    length |= (byte & 127) << shift;
    if (byte < 128)
      return bytes.length < start + length ? undefined : { bytes: bytes.subarray(0, start + length), start };
  }
  return undefined;
}

/** The filters of a SUBSCRIBE without properties. */
function subscriptions(packet: Buffer, start: number): string[] {
  const filters: string[] = [];
  for (let at = start + 3; at < packet.length; ) {
    const end = at + 2 + packet.readUInt16BE(at);
    filters.push(packet.toString('utf8', at + 2, end));
    at = end + 1;
  }
  return filters;
}

function words(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255]);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)];
}
