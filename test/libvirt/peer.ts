import { type Duplex, duplexPair } from 'node:stream';
import type { CallOptions } from '../../src/libvirt/calls.ts';
import { Connection, type ConnectionOptions } from '../../src/libvirt/connection.ts';
import {
  encodeFrame,
  type Frame,
  FrameDecoder,
  frameStatus,
  frameType,
  type Header,
  keepaliveProgram,
  remoteProgram,
} from '../../src/libvirt/frame.ts';
import { type Procedure, procedures } from '../../src/libvirt/procedures.ts';
import { type CallStream, streamHole, type Wire } from '../../src/libvirt/stream.ts';
import { remoteError } from '../../src/libvirt/structs.ts';
import { type Codec, none, XdrWriter } from '../../src/libvirt/xdr.ts';
import { rawFrame } from '../fakes/libvirtd/stream.ts';

/** The daemon's end of one connection, played by hand. */
export class Peer {
  /** Frames that came, in order. */
  readonly frames: Frame[] = [];
  readonly stream: Duplex;
  readonly #decoder = new FrameDecoder();
  readonly #waiting = new Set<() => void>();

  constructor(stream: Duplex) {
    this.stream = stream;
    stream.on('data', chunk => {
      this.frames.push(...this.#decoder.push(chunk));
      for (const notify of this.#waiting) notify();
    });
    stream.on('error', () => {});
  }

  /** The `nth` frame that comes, from 1. */
  async frame(nth: number): Promise<Frame> {
    for (;;) {
      const frame = this.frames[nth - 1];
      if (frame) return frame;
      await new Promise<void>(resolve => this.#waiting.add(resolve));
    }
  }

  send<T>(header: Partial<Header>, codec: Codec<T>, payload: T): void {
    this.stream.write(frameOf(header, codec, payload));
  }

  reply<R>({ serial }: { serial: number }, procedure: { number: number; reply: Codec<R> }, reply: R): void {
    this.send({ type: frameType.reply, procedure: procedure.number, serial }, procedure.reply, reply);
  }

  refuse({ serial, procedure }: { serial: number; procedure: number }, code: number): void {
    this.send({ type: frameType.reply, status: frameStatus.error, procedure, serial }, remoteError, errorOf(code));
  }

  /** A stream's error. */
  fail({ serial, procedure }: { serial: number; procedure: number }, code: number): void {
    this.send({ type: frameType.stream, status: frameStatus.error, procedure, serial }, remoteError, errorOf(code));
  }

  keepalive(procedure: number): void {
    const { number: program, version } = keepaliveProgram;
    this.send({ program, version, procedure, type: frameType.message }, none, undefined);
  }
}

/** A connection and whoever is at its other end. */
export function connected(options: ConnectionOptions = {}): { connection: Connection; peer: Peer } {
  const [ours, theirs] = duplexPair();
  return { connection: new Connection(ours, options).start(), peer: new Peer(theirs) };
}

const { connectGetHostname: hostname } = procedures;

/** A call that has left with a stream behind it, and the daemon's side of that stream, played by hand. */
export async function streaming<Args, Reply>(
  procedure: Procedure<Args, Reply>,
  args: Args,
  stream: (wire: Wire) => CallStream,
  { maxInFlight = 4, ...options }: CallOptions & ConnectionOptions = {},
) {
  const { connection, peer } = connected({ maxInFlight });
  const done = connection.call(procedure, args, options, stream);
  // Whoever looks at it looks later.
  done.catch(() => {});
  const call = await peer.frame(1);
  const say = (
    status: number,
    payload: Buffer | string = '',
    type: number = frameType.stream,
    serial = call.serial,
  ) => {
    const { number: program, version } = remoteProgram;
    const header = { program, version, procedure: procedure.number, type, serial, status };
    peer.stream.write(rawFrame(header, Buffer.from(payload)));
  };
  /** What we said of the stream. */
  const sent = () => peer.frames.filter(({ type }) => type === frameType.stream);
  const answered = new Set<Frame>();
  return {
    ...{ connection, peer, done, call, say, sent },
    said: () => sent().map(({ status }) => status),
    reply: (value: Reply) => peer.reply(call, procedure, value),
    fail: (code: number) => peer.fail(call, code),
    hole: (length: number) => {
      const writer = new XdrWriter();
      streamHole.encode(writer, { length, flags: 0 });
      say(frameStatus.continue, writer.finish(), frameType.streamHole);
    },
    /** Another call is answered: all that was sent before has been dealt with. */
    roundTrip: async () => {
      const answer = connection.call(hostname, undefined);
      let asked: Frame | undefined;
      for (let nth = 1; asked === undefined; nth++) {
        const frame = await peer.frame(nth);
        if (frame.procedure === hostname.number && !answered.has(frame)) asked = frame;
      }
      answered.add(asked);
      peer.reply(asked, hostname, { hostname: 'nas' });
      await answer;
    },
    [Symbol.dispose]: () => connection.close(),
  };
}

export function frameOf<T>(header: Partial<Header>, codec: Codec<T>, payload: T): Buffer {
  const { number: program, version } = remoteProgram;
  const defaults = { program, version, procedure: 0, type: frameType.call, serial: 0, status: frameStatus.ok };
  return encodeFrame({ ...defaults, ...header }, codec, payload);
}

function errorOf(code: number) {
  const rest = { str1: null, str2: null, str3: null, int1: -1, int2: -1, network: null };
  return { code, domain: 10, message: `error ${code}`, level: 2, subject: null, ...rest };
}
