import { ProtocolError } from './errors.ts';

/**
 * XDR (RFC 4506) as codecs that compose: bytes in, plain data out, and back. Pure; opens no socket.
 * Every length is checked against its bound and against the bytes that are there before anything is allocated.
 *
 * 64-bit integers are JavaScript numbers: exact up to 2^53, rounded above. They are counters and sizes here,
 * never identities, so a relative error of 2^-53 is harmless where a BigInt would cost every caller a conversion.
 */
export interface Codec<T> extends Decoder<T> {
  encode(writer: XdrWriter, value: T): void;
}

export interface Decoder<T> {
  decode(reader: XdrReader): T;
}

export type Value<C> = C extends Codec<infer T> ? T : never;

const two32 = 0x1_0000_0000;

export class XdrReader {
  readonly bytes: Buffer;
  readonly view: DataView;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Where the next bytes are. */
  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.bytes.length - this.#offset;
  }

  /** Where the next `length` bytes are; their padding to a multiple of four is consumed too. */
  take(length: number): number {
    const padded = length + padding(length);
    if (padded > this.remaining) throw new ProtocolError(`${padded} bytes expected, ${this.remaining} left`);
    const at = this.#offset;
    this.#offset += padded;
    return at;
  }

  /** Takes these words if they come next. */
  skip(words: Int32Array): boolean {
    const { length } = words;
    if (4 * length > this.remaining) return false;
    for (let i = 0; i < length; i++) if (words[i] !== this.view.getInt32(this.#offset + 4 * i)) return false;
    this.#offset += 4 * length;
    return true;
  }

  /** A length word, refused above `max`. */
  length(max: number): number {
    const length = uint.decode(this);
    if (length > max) throw new ProtocolError(`length ${length} exceeds its bound of ${max}`);
    return length;
  }
}

export class XdrWriter {
  #bytes: Buffer;
  #length: number;

  /** Starts with `reserved` zero bytes, for a header that is written last. */
  constructor(reserved = 0) {
    this.#bytes = Buffer.alloc(Math.max(256, reserved));
    this.#length = reserved;
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Where the next `length` bytes go, and zeros up to a multiple of four. May replace `bytes`: call it before. */
  grow(length: number): number {
    const at = this.#length;
    this.#length += length + padding(length);
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(this.#length, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    return at;
  }

  /** What was written, the reserved bytes first; the writer is not to be used afterwards. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }
}

function fixed(
  size: number,
  read: (view: DataView, at: number) => number,
  write: (bytes: Buffer, at: number, value: number) => void,
): Codec<number> {
  return {
    encode: (writer, value) => {
      const at = writer.grow(size);
      write(writer.bytes, at, value);
    },
    decode: reader => read(reader.view, reader.take(size)),
  };
}

function words(bytes: Buffer, at: number, value: number): void {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not a safe integer`);
  const high = Math.floor(value / two32);
  bytes.writeUInt32BE(high >>> 0, at);
  bytes.writeUInt32BE(value - high * two32, at + 4);
}

export const int = fixed(
  4,
  (view, at) => view.getInt32(at),
  (bytes, at, value) => bytes.writeInt32BE(value, at),
);
export const uint = fixed(
  4,
  (view, at) => view.getUint32(at),
  (bytes, at, value) => bytes.writeUInt32BE(value, at),
);
export const hyper = fixed(
  8,
  (view, at) => view.getInt32(at) * two32 + view.getUint32(at + 4),
  (bytes, at, value) => words(bytes, at, value),
);
export const uhyper = fixed(
  8,
  (view, at) => view.getUint32(at) * two32 + view.getUint32(at + 4),
  (bytes, at, value) => {
    if (value < 0) throw new RangeError(`${value} is negative`);
    words(bytes, at, value);
  },
);
export const double = fixed(
  8,
  (view, at) => view.getFloat64(at),
  (bytes, at, value) => bytes.writeDoubleBE(value, at),
);
export const none: Codec<void> = { encode: () => {}, decode: () => {} };

/** libvirt sends booleans as ints. */
export const bool: Codec<boolean> = mapped(int, Boolean, value => (value ? 1 : 0));

/** UTF-8, at most `max` bytes. */
export function string(max: number): Codec<string> {
  return {
    encode: (writer, value) => {
      const length = Buffer.byteLength(value);
      if (length > max) throw new RangeError(`a string of ${length} bytes exceeds its bound of ${max}`);
      uint.encode(writer, length);
      const at = writer.grow(length);
      writer.bytes.write(value, at);
    },
    decode: reader => {
      const length = reader.length(max);
      const at = reader.take(length);
      return reader.bytes.toString('utf8', at, at + length);
    },
  };
}

/** Read as a view. */
export function fixedOpaque(length: number): Codec<Buffer> {
  return {
    encode: (writer, value) => {
      if (value.length !== length) throw new RangeError(`${value.length} bytes where ${length} are due`);
      const at = writer.grow(length);
      writer.bytes.set(value, at);
    },
    decode: reader => {
      const at = reader.take(length);
      return reader.bytes.subarray(at, at + length);
    },
  };
}

/** XDR's optional-data: a word 0 or 1, then the value. */
export function optional<T>(codec: Codec<T>): Codec<T | null> {
  return {
    encode: (writer, value) => {
      uint.encode(writer, value === null ? 0 : 1);
      if (value !== null) codec.encode(writer, value);
    },
    decode: reader => (reader.length(1) === 0 ? null : codec.decode(reader)),
  };
}

/** A length word, then that many elements, at most `max`. */
export function array<T>(codec: Codec<T>, max: number): Codec<T[]> {
  return {
    encode: (writer, values) => {
      if (values.length > max) throw new RangeError(`${values.length} elements exceed their bound of ${max}`);
      uint.encode(writer, values.length);
      for (const value of values) codec.encode(writer, value);
    },
    decode: reader => {
      const count = reader.length(max);
      const values: T[] = [];
      // Grown as decoded, so that a lying count costs nothing before the bytes run out.
      for (let i = 0; i < count; i++) values.push(codec.decode(reader));
      return values;
    },
  };
}

type Fields = Record<string, Codec<unknown>>;
type StructValue<F extends Fields> = { [K in keyof F]: Value<F[K]> };

/** Fields in the order they are written down. */
export function struct<F extends Fields>(fields: F): Codec<StructValue<F>> {
  const entries = Object.entries(fields);
  return {
    encode: (writer, value) => {
      for (const [name, codec] of entries) codec.encode(writer, value[name]);
    },
    decode: reader => {
      const value: Record<string, unknown> = {};
      for (const [name, codec] of entries) value[name] = codec.decode(reader);
      return value as StructValue<F>;
    },
  };
}

/** The same bytes seen as another type. */
export function mapped<T, U>(codec: Codec<T>, decode: (value: T) => U, encode: (value: U) => T): Codec<U> {
  return {
    encode: (writer, value) => codec.encode(writer, encode(value)),
    decode: reader => decode(codec.decode(reader)),
  };
}

/** Values that are remembered, and the longest of them in bytes. */
const mostRecurring = 16_384;
const longestRecurring = 64;

/** `next`: what followed it the last time. */
type Recurring<T> = { words: Int32Array; value: T; next: Recurring<T> | null };

/**
 * Values of which the same few come again and again, most often in the same order: each is decoded once, and known by
 * its bytes from then on. `size`: its bytes on the wire; null: a length word tells.
 */
export function recurring<T>(codec: Codec<T>, size: number | null): Codec<T> {
  const known = new Map<string, Recurring<T>>();
  let latest: Recurring<T> | null = null;
  const find = (reader: XdrReader): T => {
    const { bytes, view, offset, remaining } = reader;
    const length = size ?? (remaining < 4 ? remaining + 1 : 4 + view.getUint32(offset));
    const padded = length + padding(length);
    if (padded > remaining || padded > longestRecurring) return codec.decode(reader);
    const key = bytes.toString('latin1', offset, offset + padded);
    const words = Int32Array.from({ length: padded / 4 }, (_, i) => view.getInt32(offset + 4 * i));
    const one = known.get(key) ?? { words, value: codec.decode(reader), next: null };
    if (reader.offset === offset) reader.take(padded);
    else if (known.size < mostRecurring) known.set(key, one);
    else return one.value;
    if (latest) latest.next = one;
    latest = one;
    return one.value;
  };
  return {
    ...codec,
    decode: reader => {
      const guess = latest?.next;
      if (!guess || !reader.skip(guess.words)) return find(reader);
      latest = guess;
      return guess.value;
    },
  };
}

function padding(length: number): number {
  return (4 - (length % 4)) % 4;
}
