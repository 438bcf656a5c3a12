import type { Readable } from 'node:stream';

/**
 * MQTT 3.1.1 has no word for the largest packet that a client takes, and MQTT.js keeps a packet in memory until it is
 * whole. Here a longer one is cut as it comes in: its end is thrown away. Of a publication that is the end of the
 * payload, so it arrives and can be refused for its length; any other packet becomes one that is malformed.
 */

/** To be called before the stream has read anything. */
export function cutPackets(stream: Pick<Readable, 'push'>, most: number): void {
  const cutter = new Cutter(most);
  const push = stream.push.bind(stream);
  stream.push = (chunk: unknown, encoding) => {
    if (!Buffer.isBuffer(chunk)) return push(chunk, encoding);
    const kept = cutter.cut(chunk);
    // To push nothing would end the reading.
    return kept.length === 0 || push(kept);
  };
}

/** Bytes of a length (MQTT 3.1.1, 2.2.3); more of them are malformed. */
const longestLength = 4;

class Cutter {
  readonly #most: number;
  /** Of the packet's fixed header: its first byte, and its length as far as it is here. */
  #header: number[] = [];
  #keep = 0;
  #drop = 0;

  constructor(most: number) {
    this.#most = most;
  }

  cut(chunk: Buffer): Buffer {
    const kept: Buffer[] = [];
    for (let at = 0; at < chunk.length; ) {
      const rest = chunk.subarray(at);
      if (this.#keep > 0) {
        kept.push(rest.subarray(0, this.#keep));
        at += this.#keep;
        this.#keep -= Math.min(this.#keep, rest.length);
      } else if (this.#drop > 0) {
        at += this.#drop;
        this.#drop -= Math.min(this.#drop, rest.length);
      } else {
        this.#header.push(rest.readUInt8());
        at += 1;
        kept.push(Buffer.from(this.#begin()));
      }
    }
    return Buffer.concat(kept);
  }

  /** The packet's fixed header as it is passed on, once it is whole. */
  #begin(): number[] {
    const [first = 0, ...length] = this.#header;
    const last = length.at(-1);
    if (last === undefined || (last >= 128 && length.length < longestLength)) return [];
    this.#header = [];
    const bytes = length.reduceRight((sum, byte) => sum * 128 + (byte % 128), 0);
    this.#keep = Math.min(bytes, this.#most);
    this.#drop = bytes - this.#keep;
    return [first, ...(this.#drop > 0 ? varint(this.#keep) : length)];
  }
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}
