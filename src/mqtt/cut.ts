import type { Readable } from 'node:stream';

/** Bytes of a length (MQTT 3.1.1, 2.2.3); more of them are malformed. */
const longestLength = 4;

/**
 * MQTT 3.1.1 cannot limit the packets that a client receives, and MQTT.js keeps a packet in memory until it is
 * complete. This cuts off the end of a longer packet as it arrives. In a publication that is the end of the payload, so
 * it arrives and can be refused for its length; any other packet becomes malformed. Call it before the stream has read
 * anything. `most`: bytes after the fixed header.
 */
export function cutPackets(stream: Pick<Readable, 'push'>, most: number): void {
  const push = stream.push.bind(stream);
  /** The packet's fixed header: its first byte, and as much of its length as has arrived. */
  let header: number[] = [];
  let keep = 0;
  let drop = 0;

  /** The packet's fixed header as it is passed on, once it is whole. */
  const begin = (byte: number): number[] => {
    header.push(byte);
    const [first = 0, ...length] = header;
    const last = length.at(-1);
    if (last === undefined || (last >= 128 && length.length < longestLength)) return [];
    header = [];
    const bytes = length.reduceRight((sum, part) => sum * 128 + (part % 128), 0);
    keep = Math.min(bytes, most);
    drop = bytes - keep;
    return [first, ...(drop > 0 ? varint(keep) : length)];
  };

  stream.push = (chunk: unknown, encoding) => {
    if (!Buffer.isBuffer(chunk)) return push(chunk, encoding);
    const kept: Buffer[] = [];
    for (let rest = chunk; rest.length > 0; ) {
      const inHeader = keep + drop === 0;
      const taken = rest.subarray(0, keep || drop || 1);
      rest = rest.subarray(taken.length);
      if (inHeader) kept.push(Buffer.from(begin(taken.readUInt8())));
      else if (keep > 0) {
        kept.push(taken);
        keep -= taken.length;
      } else drop -= taken.length;
    }
    const whole = Buffer.concat(kept);
    // To push nothing would end the reading.
    return whole.length === 0 || push(whole);
  };
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}
