import { ProtocolError } from './errors.ts';

/**
 * XDR (RFC 4506) as codecs that compose: bytes in, plain data out, and back. Pure; opens no socket.
 * Every length is checked against its bound and against the bytes that are there before anything is allocated.
 *
 * 64-bit integers are JavaScript numbers: exact up to 2^53, rounded above. They are counters and sizes here,
 * never identities, so a relative error of 2^-53 is harmless where a BigInt would cost every caller a conversion.
 */
export interface Codec<T> {
  encode(writer: XdrWriter, value: T): void;
  decode(reader: XdrReader): T;
}

/** The type of the values that a codec carries. */
export type Value<C> = C extends Codec<infer T> ? T : never;

const two32 = 0x1_0000_0000;

export class XdrReader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  int(): number {
    return this.#bytes.readInt32BE(this.#take(4));
  }

  uint(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
  }

  hyper(): number {
    const at = this.#take(8);
    return this.#bytes.readInt32BE(at) * two32 + this.#bytes.readUInt32BE(at + 4);
  }

  uhyper(): number {
    const at = this.#take(8);
    return this.#bytes.readUInt32BE(at) * two32 + this.#bytes.readUInt32BE(at + 4);
  }

  double(): number {
    return this.#bytes.readDoubleBE(this.#take(8));
  }

  /** A view of the next `length` bytes; their padding to a multiple of four is consumed too. */
  opaque(length: number): Buffer {
    const at = this.#take(length + padding(length));
    return this.#bytes.subarray(at, at + length);
  }

  /** The next `length` bytes as UTF-8; their padding is consumed too. */
  utf8(length: number): string {
    const at = this.#take(length + padding(length));
    return this.#bytes.toString('utf8', at, at + length);
  }

  /** A length word, refused above `max`. */
  length(max: number): number {
    const length = this.uint();
    if (length > max) throw new ProtocolError(`length ${length} exceeds its bound of ${max}`);
    return length;
  }

  #take(length: number): number {
    if (length > this.remaining) {
      throw new ProtocolError(`${length} bytes expected, ${this.remaining} left`);
    }
    const at = this.#offset;
    this.#offset += length;
    return at;
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

  int(value: number): void {
    const at = this.#grow(4);
    this.#bytes.writeInt32BE(value, at);
  }

  uint(value: number): void {
    const at = this.#grow(4);
    this.#bytes.writeUInt32BE(value, at);
  }

  hyper(value: number): void {
    this.#words(value, high => high | 0);
  }

  uhyper(value: number): void {
    if (value < 0) throw new RangeError(`${value} is negative`);
    this.#words(value, high => high);
  }

  double(value: number): void {
    const at = this.#grow(8);
    this.#bytes.writeDoubleBE(value, at);
  }

  opaque(bytes: Uint8Array): void {
    const at = this.#grow(bytes.length + padding(bytes.length));
    this.#bytes.set(bytes, at);
  }

  /** What was written, the reserved bytes first; the writer is not to be used afterwards. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #words(value: number, signed: (high: number) => number): void {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not a safe integer`);
    const at = this.#grow(8);
    const high = Math.floor(value / two32);
    this.#bytes.writeInt32BE(signed(high), at);
    this.#bytes.writeUInt32BE(value - high * two32, at + 4);
  }

  /** Where the next `length` bytes go. May replace `#bytes`: call it before touching them. */
  #grow(length: number): number {
    const at = this.#length;
    this.#length += length;
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(this.#length, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    return at;
  }
}

export const int: Codec<number> = { encode: (w, v) => w.int(v), decode: r => r.int() };
export const uint: Codec<number> = { encode: (w, v) => w.uint(v), decode: r => r.uint() };
export const hyper: Codec<number> = { encode: (w, v) => w.hyper(v), decode: r => r.hyper() };
export const uhyper: Codec<number> = { encode: (w, v) => w.uhyper(v), decode: r => r.uhyper() };
export const double: Codec<number> = { encode: (w, v) => w.double(v), decode: r => r.double() };
export const none: Codec<void> = { encode: () => {}, decode: () => {} };

/** libvirt sends booleans as ints. */
export const bool: Codec<boolean> = { encode: (w, v) => w.int(v ? 1 : 0), decode: r => r.int() !== 0 };

/** UTF-8, at most `max` bytes. */
export function string(max: number): Codec<string> {
  return {
    encode: (writer, value) => {
      const bytes = Buffer.from(value, 'utf8');
      if (bytes.length > max) throw new RangeError(`a string of ${bytes.length} bytes exceeds its bound of ${max}`);
      writer.uint(bytes.length);
      writer.opaque(bytes);
    },
    decode: reader => reader.utf8(reader.length(max)),
  };
}

export function fixedOpaque(length: number): Codec<Buffer> {
  return {
    encode: (writer, value) => {
      if (value.length !== length) throw new RangeError(`${value.length} bytes where ${length} are due`);
      writer.opaque(value);
    },
    decode: reader => reader.opaque(length),
  };
}

/** XDR's optional-data: a word 0 or 1, then the value. */
export function optional<T>(codec: Codec<T>): Codec<T | null> {
  return {
    encode: (writer, value) => {
      writer.uint(value === null ? 0 : 1);
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
      writer.uint(values.length);
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

function padding(length: number): number {
  return (4 - (length % 4)) % 4;
}
