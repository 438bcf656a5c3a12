import { LibvirtError, LimitError, ProtocolError } from './errors.ts';
import { type Frame, frameStatus, frameType } from './frame.ts';
import { remoteError } from './structs.ts';
import { hyper, struct, uint, XdrReader } from './xdr.ts';

/**
 * What a call may bring beside its reply: raw bytes in packets that carry the call's serial, the last one empty
 * (virnetprotocol.x). The client then says OK and the daemon confirms it; ERROR from either side ends it early.
 */

export interface Wire {
  readonly name: string;
  /** Sends a packet of this status, empty unless there are bytes. */
  say(status: number, bytes?: Buffer): void;
  /** Resolves when everything was sent, or never will be. */
  flushed(): Promise<void>;
  /** Tells the caller. */
  fail(error: Error): void;
}

/** `virNetStreamHole` */
export const streamHole = struct({ length: hyper, flags: uint });

/**
 * A call's stream, to its caller or from it. We send OK or ERROR once, and the daemon confirms it. The call keeps its
 * place until then.
 */
export abstract class CallStream {
  protected readonly wire: Wire;
  #replied = false;
  /** How we end it: OK or ERROR; null while it goes on. */
  #ending: number | null = null;
  #over = false;

  constructor(wire: Wire) {
    this.wire = wire;
  }

  /** Nothing more of it concerns us. */
  get over(): boolean {
    return this.#over;
  }

  /** Nothing more goes through it. */
  protected get ended(): boolean {
    return this.#over || this.#ending !== null;
  }

  /** The call's reply has come, perhaps after packets. Before it, the daemon ignores messages about the stream. */
  opened(): void {
    this.#replied = true;
    if (this.#ending !== null) this.wire.say(this.#ending);
  }

  /** Gives the stream up. It is over when the daemon has confirmed that; packets until then are ignored. */
  abort(): void {
    this.end(frameStatus.error);
  }

  /** The connection is gone: nothing more is sent. */
  lost(): void {
    this.#over = true;
  }

  /** Takes a packet. Throws `ProtocolError` when it is none. */
  take(frame: Frame): void {
    if (frame.status === frameStatus.error) {
      this.#over = true;
      // A stream that failed may stay with the daemon until the client ends it. If it is gone, no answer comes.
      this.fail(new LibvirtError(remoteError.decode(new XdrReader(frame.payload)), this.wire.name));
    } else if (frame.status !== frameStatus.ok) {
      if (!this.ended) this.takePacket(frame);
    } else if (this.#ending !== null) {
      this.#over = true;
    } else throw new ProtocolError(`${this.wire.name}: the stream was confirmed before its end`);
  }

  protected abstract takePacket(frame: Frame): void;

  protected end(status: number): void {
    if (this.#ending !== null) return;
    this.#ending = status;
    if (this.#replied) this.wire.say(status);
  }

  protected fail(error: Error): void {
    this.abort();
    this.wire.fail(error);
  }
}

/** Takes a stream. What it throws ends the stream and is the caller's error. */
interface Sink {
  data(bytes: Buffer): void;
  /** So many zeros instead of bytes; the daemon sends them only in sparse streams. */
  hole(length: number): void;
}

/**
 * One stream from the daemon. libvirtd itself stops counting a call at its reply, but it counts our OK or
 * ERROR, which must find a place too.
 */
export class ReadStream extends CallStream {
  readonly #sink: Sink;

  constructor(sink: Sink, wire: Wire) {
    super(wire);
    this.#sink = sink;
  }

  protected override takePacket({ type, payload }: Frame): void {
    const hole = type === frameType.streamHole ? streamHole.decode(new XdrReader(payload)).length : null;
    if (hole !== null && hole < 0) throw new ProtocolError(`${this.wire.name}: a hole of ${hole} bytes`);
    try {
      if (hole !== null) this.#sink.hole(hole);
      else if (payload.length === 0) this.end(frameStatus.ok);
      else this.#sink.data(payload);
    } catch (error) {
      this.fail(error as Error);
    }
  }
}

/** Gathers a stream in memory, and throws `LimitError` instead of holding more than `limit` bytes. */
export class Collector implements Sink {
  readonly #limit: number;
  #bytes = Buffer.alloc(0);
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  data(bytes: Buffer): void {
    const at = this.#grow(bytes.length);
    bytes.copy(this.#bytes, at);
  }

  hole(length: number): void {
    this.#grow(length);
  }

  /**
   * Where the next `length` bytes go, zeros so far; may replace `#bytes`. Doubles them, so that many small packets cost
   * linear time and no more memory than they bring.
   */
  #grow(length: number): number {
    const at = this.#length;
    if (length > this.#limit - at) throw new LimitError(`more than ${this.#limit} bytes`);
    this.#length += length;
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.alloc(Math.min(this.#limit, Math.max(this.#length, this.#bytes.length * 2)));
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    return at;
  }
}
