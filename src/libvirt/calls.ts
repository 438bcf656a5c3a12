import { ConnectionLost, LibvirtError, ProtocolError, TimeoutError } from './errors.ts';
import { encodeFrame, encodePacket, type Frame, frameStatus, frameType, remoteProgram } from './frame.ts';
import type { Callable } from './procedures.ts';
import type { CallStream, Wire } from './stream.ts';
import { remoteError } from './structs.ts';
import { type Decoder, XdrReader } from './xdr.ts';

export interface CallOptions {
  /** Milliseconds until `TimeoutError`. */
  timeout?: number;
  signal?: AbortSignal | undefined;
}

type Outcome = { reply: unknown } | { error: Error };
/** Of a call whose caller has gone. */
const abandoned: Outcome = { reply: undefined };
const nothing = Buffer.alloc(0);

interface Call {
  name: string;
  reply: Decoder<unknown>;
  /** Encodes it, and readies its stream. */
  begin: (serial: number) => Buffer;
  /** Called exactly once, with the reply or the error; null from then on. */
  settle: ((outcome: Outcome) => void) | null;
  /** What the reply contained, while its stream goes on. */
  outcome: Outcome | null;
  stream: CallStream | null;
}

/**
 * The calls of one connection: serial numbers, replies, and the cap on what is in flight.
 *
 * The daemon stops reading a connection that has `max_client_requests` (5 by default) calls open, pings included, so
 * we stay below. A call that timed out keeps its place until its late reply comes: the daemon is still at it. A call
 * with a stream keeps it until the stream is over too.
 */
export class Calls {
  readonly #write: (frame: Buffer) => void;
  readonly #flushed: () => Promise<void>;
  readonly #limit: number;
  readonly #inFlight = new Map<number, Call>();
  readonly #queue: Call[] = [];
  #serial = 0;
  #lost: ConnectionLost | null = null;

  /** `flushed` resolves when the socket has taken what was written, or has ended. */
  constructor(write: (frame: Buffer) => void, limit: number, flushed: () => Promise<void> = async () => {}) {
    this.#write = write;
    this.#limit = limit;
    this.#flushed = flushed;
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** With a stream, the promise is for the reply and all of the stream. */
  submit<Args, Reply>(
    procedure: Callable<Args, Reply>,
    args: Args,
    options: CallOptions,
    stream: ((wire: Wire) => CallStream) | null = null,
  ): Promise<Reply> {
    const caller: { stack?: string } = {};
    Error.captureStackTrace(caller, this.submit);
    return new Promise((resolve, reject) => {
      if (this.#lost) throw unsent(this.#lost);
      options.signal?.throwIfAborted();
      const giveUp = (error: (sent: boolean) => Error) => {
        const place = this.#queue.indexOf(call);
        const sent = place === -1;
        if (!sent) this.#queue.splice(place, 1);
        call.settle?.({ error: error(sent) });
        call.stream?.abort();
      };
      const abort = () => giveUp(() => options.signal?.reason);
      const timer =
        options.timeout === undefined
          ? undefined
          : setTimeout(() => giveUp(sent => timedOut(procedure.name, options.timeout ?? 0, sent)), options.timeout);
      options.signal?.addEventListener('abort', abort, { once: true });
      const settle = (outcome: Outcome) => {
        call.settle = null;
        clearTimeout(timer);
        options.signal?.removeEventListener('abort', abort);
        if ('reply' in outcome) resolve(outcome.reply as Reply);
        else reject(withCaller(outcome.error, caller.stack));
      };
      const begin = (serial: number) => {
        const { number: program, version } = remoteProgram;
        const header = { program, version, procedure: procedure.number, serial };
        call.stream =
          stream?.({
            name: procedure.name,
            say: (status, bytes = nothing) =>
              this.#write(encodePacket({ ...header, type: frameType.stream, status }, bytes)),
            flushed: this.#flushed,
            fail: error => call.settle?.({ error }),
          }) ?? null;
        return encodeFrame({ ...header, type: frameType.call, status: frameStatus.ok }, procedure.args, args);
      };
      const { name, reply } = procedure;
      const call: Call = { name, reply, begin, settle, outcome: null, stream: null };
      this.#queue.push(call);
      this.#pump();
    });
  }

  /** Takes a reply frame. Throws `ProtocolError` when it belongs to no call. */
  answer(frame: Frame): void {
    const call = this.#inFlight.get(frame.serial);
    if (!call || call.outcome)
      throw new ProtocolError(`a reply with serial ${frame.serial}, which belongs to no open call`);
    try {
      call.outcome = call.settle ? decodeOutcome(call, frame) : abandoned;
    } catch (error) {
      call.settle?.({ error: error as Error });
      throw error;
    }
    // A call that is refused opens no stream.
    if (frame.status === frameStatus.error) call.stream = null;
    call.stream?.opened();
    this.#conclude(frame.serial, call);
  }

  /**
   * Takes a packet of a stream. Ignores one of a stream that is over or was never opened, as libvirt's own client does:
   * the daemon's last packets may cross our end of the stream. Throws `ProtocolError` when it is no stream packet.
   */
  packet(frame: Frame): void {
    const call = this.#inFlight.get(frame.serial);
    if (!call?.stream) return;
    try {
      call.stream.take(frame);
    } catch (error) {
      call.settle?.({ error: error as Error });
      throw error;
    }
    this.#conclude(frame.serial, call);
  }

  /** Fails running calls, whose outcome is unknown, and queued and later calls, which were never sent. */
  fail(lost: ConnectionLost): void {
    this.#refuse(lost, stream => stream.lost());
    this.#inFlight.clear();
  }

  /** As `fail`, while the connection is still there: what was sent keeps its place until the daemon has answered. */
  leave(lost: ConnectionLost): void {
    this.#refuse(lost, stream => stream.abort());
  }

  #refuse(lost: ConnectionLost, end: (stream: CallStream) => void): void {
    this.#lost ??= lost;
    for (const call of this.#inFlight.values()) {
      if (call.stream) end(call.stream);
      call.settle?.({ error: new ConnectionLost(`${call.name}: ${lost.message}`, { cause: lost }) });
    }
    for (const call of this.#queue.splice(0)) call.settle?.({ error: unsent(lost) });
  }

  #conclude(serial: number, call: Call): void {
    if (!call.outcome || call.stream?.over === false) return;
    this.#inFlight.delete(serial);
    call.settle?.(call.outcome);
    this.#pump();
  }

  #pump(): void {
    while (this.#inFlight.size < this.#limit) {
      const next = this.#queue.shift();
      if (!next) return;
      const serial = this.#serial;
      try {
        const frame = next.begin(serial);
        this.#serial = (this.#serial + 1) >>> 0;
        this.#inFlight.set(serial, next);
        this.#write(frame);
      } catch (error) {
        // Arguments that cannot be encoded never reached the wire.
        next.settle?.({ error: error as Error });
      }
    }
  }
}

function decodeOutcome({ name, reply }: Call, { status, payload }: Frame): Outcome {
  const reader = new XdrReader(payload);
  if (status === frameStatus.error) return { error: new LibvirtError(remoteError.decode(reader), name) };
  return { reply: reply.decode(reader) };
}

function timedOut(name: string, timeout: number, sent: boolean): TimeoutError {
  const why = sent ? `no reply within ${timeout} ms` : `not sent within ${timeout} ms, earlier calls are stuck`;
  return new TimeoutError(`${name}: ${why}`, { sent });
}

function unsent(lost: ConnectionLost): ConnectionLost {
  return new ConnectionLost(lost.message, { sent: false, cause: lost });
}

/** Shows the caller in the stack, instead of the socket handler that received the answer. */
function withCaller(error: Error, stack: string | undefined): Error {
  if (error instanceof LibvirtError || error instanceof TimeoutError || error instanceof ConnectionLost) {
    const frames = stack?.slice(stack.indexOf('\n')) ?? '';
    error.stack = `${error.name}: ${error.message}${frames}`;
  }
  return error;
}
