import { encodeFrame, frameStatus, frameType, type Header } from '../../../src/libvirt/frame.ts';
import { streamHole } from '../../../src/libvirt/stream.ts';
import { remoteError } from '../../../src/libvirt/structs.ts';
import { type Codec, none, XdrWriter } from '../../../src/libvirt/xdr.ts';
import type { Reader } from './console.ts';
import { Refusal, refusals } from './refusal.ts';

/** What libvirtd puts into one packet at most (VIR_NET_MESSAGE_LEGACY_PAYLOAD_MAX). */
const maxPacket = 262_120;

export type Packet = { data: Buffer } | { hole: number } | { error: Refusal } | { act: () => void };

/** A handler's answer that has a stream behind it. */
export class Streamed<T> {
  readonly reply: T;
  readonly packets: readonly Packet[];
  /** False: after the last packet comes nothing more, not even the end. */
  readonly ends: boolean;

  constructor(reply: T, packets: readonly Packet[], { ends = true } = {}) {
    this.reply = reply;
    this.packets = packets;
    this.ends = ends;
  }

  /** These bytes in a few packets. */
  static of<T>(reply: T, bytes: Buffer): Streamed<T> {
    const size = Math.min(maxPacket, Math.max(1, Math.ceil(bytes.length / 4)));
    const count = Math.ceil(bytes.length / size);
    const packets = Array.from({ length: count }, (_, i) => ({ data: bytes.subarray(i * size, (i + 1) * size) }));
    return new Streamed<T>(reply, packets);
  }

  /** The same up to its middle; then these packets, and its end or not. */
  broken(then: readonly Packet[], { ends = true } = {}): Streamed<T> {
    return new Streamed(this.reply, [...this.packets.slice(0, this.packets.length / 2), ...then], { ends });
  }

  /** The same with something between its halves. */
  with(packet: Packet): Streamed<T> {
    const middle = this.packets.length / 2;
    return new Streamed(this.reply, [...this.packets.slice(0, middle), packet, ...this.packets.slice(middle)]);
  }
}

/** Where the bytes go that a client sends. */
export interface Taker {
  /** Throws a `Refusal`; never settling, it is a daemon that does not keep up. */
  data(bytes: Buffer): void | Promise<void>;
  /** Once, however it ends. */
  end(): void;
}

/** A handler's answer that has a stream of the client's behind it. */
export class Accepted {
  readonly reply = undefined;
  readonly taker: Taker;

  constructor(taker: Taker) {
    this.taker = taker;
  }

  /** The same up to its second packet, which does this instead of being taken. */
  broken(instead: () => void | Promise<void>): Accepted {
    let count = 0;
    const { taker } = this;
    const data = (bytes: Buffer) => {
      count += 1;
      return count === 1 ? taker.data(bytes) : instead();
    };
    return new Accepted({ data, end: () => taker.end() });
  }
}

/** A handler's answer that has a stream without a length behind it. */
export class Live {
  readonly reply = undefined;
  #send: Send = () => {};
  /** Opens it, so that a refusal is the call's; returns how to leave it. */
  readonly #leave: () => void;

  constructor(open: (reader: Reader) => () => void) {
    this.#leave = open({
      data: bytes => this.#send(frameType.stream, frameStatus.continue, bytes),
      ended: taken => {
        const error = taken && encoded(remoteError, refusals.streamLost().remote);
        if (error) this.#send(frameType.stream, frameStatus.error, error);
        else this.#send(frameType.stream, frameStatus.continue);
      },
    });
  }

  /** After the reply. */
  begin(send: Send): void {
    this.#send = send;
  }

  /** The client's OK or ERROR, which is confirmed alike. */
  finish(): void {
    this.stop();
    this.#send(frameType.stream, frameStatus.ok);
  }

  /** The client has gone. */
  stop(): void {
    this.#leave();
  }
}

/** Sends one packet: the frame's type and status, and its payload. */
type Send = (type: number, status: number, payload?: Buffer) => void;

/** The daemon's end of one stream: a packet a turn, until the client says that it has enough. */
export class Outgoing {
  readonly #send: Send;
  readonly #packets: Packet[];
  readonly #ends: boolean;
  #said = false;

  constructor({ packets, ends }: Streamed<unknown>, send: Send) {
    this.#packets = [...packets];
    this.#ends = ends;
    this.#send = send;
  }

  start(): void {
    setImmediate(() => this.#next());
  }

  /** The client's OK or ERROR, which is confirmed alike, whatever was not sent yet. */
  finish(): void {
    this.#said = true;
    this.#send(frameType.stream, frameStatus.ok);
  }

  /** The client has gone. */
  stop(): void {
    this.#said = true;
  }

  #next(): void {
    if (this.#said) return;
    const packet = this.#packets.shift();
    if (!packet) {
      if (this.#ends) this.#send(frameType.stream, frameStatus.continue);
    } else if ('error' in packet) {
      // As 9.0: the stream stays until the client ends it.
      this.#send(frameType.stream, frameStatus.error, encoded(remoteError, packet.error.remote));
    } else if ('act' in packet) packet.act();
    else {
      if ('hole' in packet) {
        const hole = encoded(streamHole, { length: packet.hole, flags: 0 });
        this.#send(frameType.streamHole, frameStatus.continue, hole);
      } else this.#send(frameType.stream, frameStatus.continue, packet.data);
      setImmediate(() => this.#next());
    }
  }
}

/** The daemon's end of one stream from the client: a packet after the other, until the client says that it was all. */
export class Incoming {
  readonly #taker: Taker;
  readonly #send: Send;
  #taken: Promise<void> = Promise.resolve();
  #failed = false;
  #ended = false;

  constructor({ taker }: Accepted, send: Send) {
    this.#taker = taker;
    this.#send = send;
  }

  /** Resolves when the packet is dealt with. After an error of ours it is dropped, as the rest will be. */
  take(bytes: Buffer): Promise<void> {
    this.#taken = this.#taken.then(() => this.#deal(bytes));
    return this.#taken;
  }

  /** The client's OK or ERROR, which is confirmed alike; of a stream that has failed nothing is said any more. */
  async finish(): Promise<void> {
    await this.#taken;
    if (!this.#failed) this.#send(frameType.stream, frameStatus.ok);
    this.stop();
  }

  /** The client has gone. */
  stop(): void {
    if (!this.#ended) this.#taker.end();
    this.#ended = true;
  }

  async #deal(bytes: Buffer): Promise<void> {
    if (this.#failed || this.#ended) return;
    try {
      await this.#taker.data(bytes);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#failed = true;
      this.#send(frameType.stream, frameStatus.error, encoded(remoteError, error.remote));
    }
  }
}

/** A stream's bytes have neither length nor padding, so no codec makes their frame. */
export function rawFrame(header: Header, payload: Buffer = Buffer.alloc(0)): Buffer {
  const frame = Buffer.concat([encodeFrame(header, none, undefined), payload]);
  frame.writeUInt32BE(frame.length, 0);
  return frame;
}

function encoded<T>(codec: Codec<T>, value: T): Buffer {
  const writer = new XdrWriter();
  codec.encode(writer, value);
  return writer.finish();
}
