import { frameStatus } from './frame.ts';
import { CallStream, type Wire } from './stream.ts';

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
 * (virFDStreamCloseInt), and none syncs. To be sure, read it again.
 */
export class WriteStream extends CallStream {
  readonly #source: Source;

  constructor(source: Source, wire: Wire) {
    super(wire);
    this.#source = source;
  }

  override opened(): void {
    super.opened();
    if (!this.ended) void this.#send();
  }

  /** An empty packet means that the daemon reads no more; the error itself follows. */
  protected override takePacket(): void {}

  /** Never rejects. */
  async #send(): Promise<void> {
    try {
      for await (const bytes of this.#source) {
        for (let at = 0; at < bytes.length; at += packetBytes) {
          if (this.ended) return;
          this.wire.say(frameStatus.continue, bytes.subarray(at, at + packetBytes));
          await this.wire.flushed();
        }
        if (this.ended) return;
      }
      this.end(frameStatus.ok);
    } catch (error) {
      this.fail(error as Error);
    }
  }
}
