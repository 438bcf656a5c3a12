import { ProtocolError } from './errors.ts';
import { type Codec, XdrWriter } from './xdr.ts';

/**
 * libvirt's message framing (rpc.rst in libvirt's docs; virnetprotocol.x): a length word that counts itself, six header
 * words, a payload. Pure: chunks in, whole frames out.
 */

export const remoteProgram = { number: 0x20008086, version: 1 } as const;
export const keepaliveProgram = { number: 0x6b656570, version: 1 } as const;

export const frameType = { call: 0, reply: 1, message: 2, stream: 3, streamHole: 6 } as const;
export const frameStatus = { ok: 0, error: 1, continue: 2 } as const;

export interface Header {
  program: number;
  version: number;
  procedure: number;
  type: number;
  serial: number;
  status: number;
}

export interface Frame extends Header {
  payload: Buffer;
}

/** Length word and header. */
export const headerBytes = 28;
/** VIR_NET_MESSAGE_MAX, 32 MiB, and the length word itself. */
export const maxFrameBytes = 33_554_432 + 4;

export function encodeFrame<T>(header: Header, codec: Codec<T>, payload: T): Buffer {
  const writer = new XdrWriter(headerBytes);
  codec.encode(writer, payload);
  return headed(header, writer.finish());
}

/** A stream's packet: bytes as they are, with neither length nor padding. */
export function encodePacket(header: Header, bytes: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(headerBytes + bytes.length);
  bytes.copy(frame, headerBytes);
  return headed(header, frame);
}

/**
 * Cuts a byte stream into frames. Chunks are kept in a list and joined once a frame, so that a large frame in
 * many small chunks costs linear time. Throws `ProtocolError` on an impossible length and is useless afterwards:
 * a length-prefixed stream cannot be resynchronised.
 */
export class FrameDecoder {
  #chunks: Buffer[] = [];
  #buffered = 0;
  /** Bytes needed before anything can be done: the length word, then the frame that it announces. */
  #needed = 4;
  #lengthKnown = false;

  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    const frames: Frame[] = [];
    while (this.#buffered >= this.#needed) {
      if (!this.#lengthKnown) {
        this.#needed = this.#peekLength();
        this.#lengthKnown = true;
      } else {
        frames.push(parseFrame(this.#take(this.#needed)));
        this.#needed = 4;
        this.#lengthKnown = false;
      }
    }
    return frames;
  }

  #peekLength(): number {
    const length = this.#joined(4).readUInt32BE(0);
    if (length < headerBytes || length > maxFrameBytes) {
      throw new ProtocolError(`a frame of ${length} bytes is outside ${headerBytes} to ${maxFrameBytes}`);
    }
    return length;
  }

  /** The first chunk, after making sure that it holds at least `length` bytes. */
  #joined(length: number): Buffer {
    const [first] = this.#chunks;
    if (first && first.length >= length) return first;
    const joined = Buffer.concat(this.#chunks, this.#buffered);
    this.#chunks = [joined];
    return joined;
  }

  #take(length: number): Buffer {
    const joined = this.#joined(length);
    this.#chunks[0] = joined.subarray(length);
    if (joined.length === length) this.#chunks.shift();
    this.#buffered -= length;
    return joined.subarray(0, length);
  }
}

function parseFrame(bytes: Buffer): Frame {
  return {
    program: bytes.readUInt32BE(4),
    version: bytes.readUInt32BE(8),
    procedure: bytes.readInt32BE(12),
    type: bytes.readInt32BE(16),
    serial: bytes.readUInt32BE(20),
    status: bytes.readInt32BE(24),
    payload: bytes.subarray(headerBytes),
  };
}

function headed(header: Header, frame: Buffer): Buffer {
  if (frame.length > maxFrameBytes) throw new RangeError(`a message of ${frame.length} bytes exceeds ${maxFrameBytes}`);
  frame.writeUInt32BE(frame.length, 0);
  frame.writeUInt32BE(header.program, 4);
  frame.writeUInt32BE(header.version, 8);
  frame.writeInt32BE(header.procedure, 12);
  frame.writeInt32BE(header.type, 16);
  frame.writeUInt32BE(header.serial, 20);
  frame.writeInt32BE(header.status, 24);
  return frame;
}
