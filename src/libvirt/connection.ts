import { EventEmitter, once } from 'node:events';
import type { Duplex } from 'node:stream';
import { type CallOptions, Calls } from './calls.ts';
import { ConnectionLost, ProtocolError } from './errors.ts';
import { type DomainEvent, eventByProcedure } from './events.ts';
import {
  encodeFrame,
  type Frame,
  FrameDecoder,
  frameStatus,
  frameType,
  keepaliveProgram,
  remoteProgram,
} from './frame.ts';
import type { Callable } from './procedures.ts';
import type { CallStream, Wire } from './stream.ts';
import { none, XdrReader } from './xdr.ts';

export interface ConnectionOptions {
  /** A silent daemon is given up after `count` unanswered pings, `interval` milliseconds apart. */
  keepalive?: { interval: number; count: number };
  /** Calls under way at once; the daemon's own limit is 5 by default. */
  maxInFlight?: number;
  /** Milliseconds a call may take unless it says otherwise. */
  timeout?: number;
}

interface ConnectionEvents {
  event: [DomainEvent];
  /** Once, when the stream has ended for whatever reason; `null` after `close()`. */
  closed: [Error | null];
}

const pingProcedure = 1;
const pongProcedure = 2;

/**
 * One RPC conversation over one stream, used once: it does not reconnect. Knows frames, serials, keepalive and events;
 * not what the calls mean.
 */
export class Connection extends EventEmitter<ConnectionEvents> {
  readonly #stream: Duplex;
  readonly #decoder = new FrameDecoder();
  readonly #calls: Calls;
  readonly #keepalive: { interval: number; count: number };
  readonly #timeout: number;
  #timer: NodeJS.Timeout | undefined;
  #heard = true;
  #unanswered = 0;
  /** Aborted when the stream has ended. */
  readonly #over = new AbortController();
  #cause: Error | null = null;
  /** Resolved when the stream has been let go of. */
  readonly #gone = Promise.withResolvers<void>();

  constructor(stream: Duplex, { keepalive, maxInFlight = 4, timeout = 10_000 }: ConnectionOptions = {}) {
    super();
    this.#stream = stream;
    this.#keepalive = keepalive ?? { interval: 3_000, count: 2 };
    this.#timeout = timeout;
    this.#calls = new Calls(
      frame => stream.write(frame),
      maxInFlight,
      () => this.#flushed(),
    );
  }

  start(): this {
    this.#stream.on('data', chunk => this.#receive(chunk));
    this.#stream.on('error', error =>
      this.#break(new ConnectionLost(`libvirt connection: ${error.message}`, { cause: error })),
    );
    this.#stream.on('close', () => this.#break(new ConnectionLost('libvirt closed the connection')));
    this.#stream.on('end', () => this.#break(new ConnectionLost('libvirt closed the connection')));
    this.#timer = setInterval(() => this.#beat(), this.#keepalive.interval);
    return this;
  }

  /**
   * Rejects with `LibvirtError`, `TimeoutError`, `ConnectionLost`, `ProtocolError`, or the signal's reason. With a
   * stream, it resolves when the daemon has confirmed all of it too, and rejects also with what its source or collector
   * throws; the time-out is for the whole, and giving up makes the daemon stop.
   */
  call<Args, Reply>(
    procedure: Callable<Args, Reply>,
    args: Args,
    options: CallOptions = {},
    stream: ((wire: Wire) => CallStream) | null = null,
  ): Promise<Reply> {
    return this.#calls.submit(procedure, args, { ...options, timeout: options.timeout ?? this.#timeout }, stream);
  }

  /**
   * Ends it now. Calls under way fail as `ConnectionLost`: their outcome is unknown. It hangs up, and resolves, when the
   * daemon has answered them, a second later at most: two threads of libvirtd 9.0 let go of a client that is gone before
   * its reply, and free its event callbacks twice.
   */
  async close(): Promise<void> {
    this.#end(null);
    await this.#gone.promise;
  }

  /** Called once, and at once if it has ended already. */
  onceClosed(listener: (cause: Error | null) => void): void {
    if (this.#ended) listener(this.#cause);
    else this.once('closed', listener);
  }

  /** Ends it, and hangs up without waiting: for one that has no event callbacks. */
  [Symbol.dispose](): void {
    this.#end(null);
    this.#hangUp();
  }

  async #flushed(): Promise<void> {
    if (this.#ended || !this.#stream.writableNeedDrain) return;
    await once(this.#stream, 'drain', { signal: this.#over.signal }).catch(() => {});
  }

  get #ended(): boolean {
    return this.#over.signal.aborted;
  }

  #receive(chunk: Buffer): void {
    this.#heard = true;
    try {
      for (const frame of this.#decoder.push(chunk)) this.#dispatch(frame);
      if (this.#ended && this.#calls.inFlight === 0) this.#hangUp();
    } catch (error) {
      this.#break(
        error instanceof ProtocolError ? error : new ProtocolError(`libvirt connection: ${error}`, { cause: error }),
      );
    }
  }

  #dispatch(frame: Frame): void {
    if (frame.program === keepaliveProgram.number) {
      if (frame.procedure === pingProcedure) this.#sendKeepalive(pongProcedure);
    } else if (frame.program !== remoteProgram.number || frame.version !== remoteProgram.version) {
      throw new ProtocolError(`program ${frame.program.toString(16)} version ${frame.version} is not libvirt's`);
    } else if (frame.type === frameType.reply) {
      this.#calls.answer(frame);
    } else if (frame.type === frameType.message) {
      this.#announce(frame);
    } else if (frame.type === frameType.stream || frame.type === frameType.streamHole) {
      this.#calls.packet(frame);
    }
  }

  #announce(frame: Frame): void {
    const row = eventByProcedure.get(frame.procedure);
    // A newer daemon may send unknown messages: the stream is still good.
    if (!row || this.#ended) return;
    const body = row.codec.decode(new XdrReader(frame.payload)) as object;
    this.emit('event', { name: row.name, ...body } as DomainEvent);
  }

  #beat(): void {
    if (this.#heard) {
      this.#heard = false;
      this.#unanswered = 0;
    } else if (this.#unanswered < this.#keepalive.count) {
      this.#unanswered += 1;
      this.#sendKeepalive(pingProcedure);
    } else {
      this.#end(new ConnectionLost(`libvirt has not answered ${this.#keepalive.count} keepalive pings`));
    }
  }

  #sendKeepalive(procedure: number): void {
    const { number: program, version } = keepaliveProgram;
    const header = { program, version, procedure, type: frameType.message, serial: 0, status: frameStatus.ok };
    this.#stream.write(encodeFrame(header, none, undefined));
  }

  /** Nothing more comes. */
  #break(error: Error): void {
    this.#end(error);
    this.#hangUp();
  }

  #end(error: Error | null): void {
    if (this.#ended) return;
    this.#over.abort();
    this.#cause = error;
    clearInterval(this.#timer);
    if (error === null) this.#calls.leave(new ConnectionLost('the connection was closed here'));
    else
      this.#calls.fail(error instanceof ConnectionLost ? error : new ConnectionLost(error.message, { cause: error }));
    if (this.#calls.inFlight === 0) this.#hangUp();
    else {
      const late = setTimeout(() => this.#hangUp(), 1_000);
      this.#gone.promise.finally(() => clearTimeout(late));
    }
    this.emit('closed', error);
  }

  #hangUp(): void {
    this.#stream.destroy();
    this.#gone.resolve();
  }
}
