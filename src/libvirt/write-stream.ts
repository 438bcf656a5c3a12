import { LibvirtError, ProtocolError } from './errors.ts';
import { type Frame, frameStatus } from './frame.ts';
import type { CallStream, Wire } from './stream.ts';
import { remoteError } from './structs.ts';
import { XdrReader } from './xdr.ts';

/** Where a stream's bytes come from, in order. What it throws ends the stream and is the caller's error. */
export type Source = Iterable<Buffer> | AsyncIterable<Buffer>;

/**
 * Bytes to a packet; libvirt's own limit is 262 120. Another call waits for no more than one packet of ours: the next is
 * made only when the socket has taken the last.
 */
const packetBytes = 65_536;

/**
 * One stream from a source to the daemon: packets that carry the call's serial, then OK, which the daemon confirms when
 * it has taken all of it; ERROR from either side ends it early. Nobody confirms single packets: a daemon that cannot
 * keep up stops reading, pings included, and so holds up the connection (`max_client_requests`).
 *
 * That it is confirmed does not prove that all of it was written: 9.0 loses an error of its last writes
 * (virFDStreamCloseInt), and none syncs. Whoever has to know reads it again.
 */
export class WriteStream implements CallStream {
  readonly #source: Source;
  readonly #wire: Wire;
  #replied = false;
  /** How we end it: OK or ERROR; null while we send. */
  #ending: number | null = null;
  #over = false;

  constructor(source: Source, wire: Wire) {
    this.#source = source;
    this.#wire = wire;
  }

  get over(): boolean {
    return this.#over;
  }

  opened(): void {
    this.#replied = true;
    if (this.#ending !== null) this.#wire.say(this.#ending);
    else void this.#send();
  }

  abort(): void {
    this.#end(frameStatus.error);
  }

  lost(): void {
    this.#over = true;
  }

  /** An empty packet, by which a daemon tells that nobody reads any more, is followed by the error itself. */
  take({ status, payload }: Frame): void {
    if (status === frameStatus.error) {
      this.#over = true;
      this.abort();
      this.#wire.fail(new LibvirtError(remoteError.decode(new XdrReader(payload)), this.#wire.name));
    } else if (status === frameStatus.ok) {
      if (this.#ending === null) throw new ProtocolError(`${this.#wire.name}: the stream was confirmed before its end`);
      this.#over = true;
    }
  }

  /** Never rejects. */
  async #send(): Promise<void> {
    try {
      for await (const bytes of this.#source) {
        for (let at = 0; at < bytes.length; at += packetBytes) {
          if (this.#done) return;
          this.#wire.say(frameStatus.continue, bytes.subarray(at, at + packetBytes));
          await this.#wire.flushed();
        }
        if (this.#done) return;
      }
      this.#end(frameStatus.ok);
    } catch (error) {
      this.abort();
      this.#wire.fail(error as Error);
    }
  }

  get #done(): boolean {
    return this.#over || this.#ending !== null;
  }

  #end(status: number): void {
    if (this.#ending !== null) return;
    this.#ending = status;
    if (this.#replied) this.#wire.say(status);
  }
}
