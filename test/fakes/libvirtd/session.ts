import type { Duplex } from 'node:stream';
import { ProtocolError } from '../../../src/libvirt/errors.ts';
import { type DomainEventName, domainEvents } from '../../../src/libvirt/events.ts';
import {
  encodeFrame,
  type Frame,
  FrameDecoder,
  frameStatus,
  frameType,
  keepaliveProgram,
  remoteProgram,
} from '../../../src/libvirt/frame.ts';
import { type Procedure, procedures } from '../../../src/libvirt/procedures.ts';
import { type DomainRef, remoteError } from '../../../src/libvirt/structs.ts';
import { type Codec, none, XdrReader } from '../../../src/libvirt/xdr.ts';
import type { EventBody } from './domain.ts';
import { beforeAuth, beforeOpen, handlers } from './handlers.ts';
import { Refusal, refusals } from './refusal.ts';
import { Accepted, Incoming, Live, Outgoing, rawFrame, Streamed } from './stream.ts';
import type { Client, Daemon, ProcedureName } from './types.ts';

const byNumber = new Map<number, { name: ProcedureName; procedure: Procedure<unknown, unknown> }>(
  Object.entries(procedures).map(([name, procedure]) => [
    procedure.number,
    { name: name as ProcedureName, procedure: procedure as Procedure<unknown, unknown> },
  ]),
);

const ping = 1;
const pong = 2;

interface Registration {
  eventId: number;
  /** One domain's events only. */
  uuid: string | null;
}

/** One client, as the daemon sees it: decodes what it asks, answers with its serials, tells it the events it asked for. */
export class Session implements Client {
  readonly daemon: Daemon;
  readOnly: boolean;
  authenticated = false;
  opened = false;
  /** Answers to the daemon's own pings. */
  pongs = 0;
  /** How the client ended its streams: `frameStatus.ok` or `.error`, in order. */
  readonly streamEnds: number[] = [];
  readonly #socket: Duplex;
  readonly #decoder = new FrameDecoder();
  readonly #registrations = new Map<number, Registration>();
  readonly #streams = new Map<number, Outgoing | Incoming | Live>();
  #inbox: Frame[] = [];
  #outbox: Buffer[] = [];
  #busy = 0;
  #keepalive: NodeJS.Timeout | undefined;
  #unanswered = 0;

  constructor(daemon: Daemon, stream: Duplex, { readOnly }: { readOnly: boolean }) {
    this.daemon = daemon;
    this.readOnly = readOnly;
    this.#socket = stream;
  }

  /** `ended` is called once, when the client is gone. */
  start(ended: () => void): void {
    this.#socket.on('data', chunk => this.#receive(chunk));
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.on('end', () => this.#socket.end());
    this.#socket.on('close', () => {
      clearInterval(this.#keepalive);
      for (const stream of this.#streams.values()) stream.stop();
      ended();
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Writes these bytes, whatever they are. */
  write(bytes: Buffer): void {
    if (this.#socket.destroyed) return;
    if (this.daemon.frozen) this.#outbox.push(bytes);
    else this.#socket.write(bytes);
  }

  /** Goes on with what came while the daemon was frozen. */
  thaw(): void {
    for (const bytes of this.#outbox.splice(0)) this.write(bytes);
    this.#pump();
  }

  announce<N extends DomainEventName>(name: N, body: EventBody<N>): void {
    const { id, procedure, codec } = domainEvents[name];
    const { uuid } = (body as unknown as { domain: DomainRef }).domain;
    for (const [callbackId, registration] of this.#registrations) {
      if (registration.eventId !== id || (registration.uuid !== null && registration.uuid !== uuid)) continue;
      const header = { ...remoteHeader, procedure, type: frameType.message, serial: 0 };
      this.write(encodeFrame(header, codec as Codec<unknown>, { callbackId, ...body }));
    }
  }

  register(eventId: number, domain: DomainRef | null): number {
    if (eventId < 0 || eventId > this.daemon.options.maxEventId) throw refusals.unsupportedEvent(eventId);
    const uuid = domain?.uuid ?? null;
    for (const each of this.#registrations.values()) {
      if (each.eventId === eventId && each.uuid === uuid) throw refusals.tracked();
    }
    const callbackId = this.daemon.nextCallbackId();
    this.#registrations.set(callbackId, { eventId, uuid });
    return callbackId;
  }

  /** libvirtd pings every client that asked about keepalive, and hangs up on one that does not answer. */
  startKeepalive(): void {
    const { interval, count } = this.daemon.options.keepalive;
    this.#keepalive ??= setInterval(() => {
      if (this.daemon.frozen) return;
      if (this.#unanswered >= count) return this.destroy();
      this.#unanswered += 1;
      this.#sendKeepalive(ping);
    }, interval).unref();
  }

  #receive(chunk: Buffer): void {
    try {
      this.#inbox.push(...this.#decoder.push(chunk));
    } catch (error) {
      // An impossible length: libvirtd hangs up without a word.
      if (!(error instanceof ProtocolError)) throw error;
      this.destroy();
    }
    this.#pump();
  }

  /** A client with `max_client_requests` calls open is not read from, pings included. */
  #pump(): void {
    while (!this.daemon.frozen && this.#busy < this.daemon.options.maxClientRequests) {
      const frame = this.#inbox.shift();
      if (!frame) return;
      if (frame.program === keepaliveProgram.number) this.#keepAlive(frame);
      else if (frame.type === frameType.stream) this.#hear(frame);
      else void this.#serve(frame);
    }
  }

  #keepAlive({ procedure }: Frame): void {
    this.#unanswered = 0;
    if (procedure === pong) this.pongs += 1;
    if (procedure === ping) this.#sendKeepalive(pong);
  }

  /** The client ends a stream, or sends of one; of one that is not there libvirtd says nothing. */
  #hear({ serial, status, payload }: Frame): void {
    const stream = this.#streams.get(serial);
    if (status === frameStatus.continue) {
      if (stream instanceof Incoming) void this.#take(stream, payload);
      return;
    }
    this.streamEnds.push(status);
    void stream?.finish();
    this.#streams.delete(serial);
  }

  /** A packet counts as a call until it is dealt with. */
  async #take(stream: Incoming, payload: Buffer): Promise<void> {
    this.#busy += 1;
    await stream.take(payload);
    this.#busy -= 1;
    this.#pump();
  }

  async #serve(frame: Frame): Promise<void> {
    this.#busy += 1;
    const header = { ...remoteHeader, procedure: frame.procedure, type: frameType.reply, serial: frame.serial };
    try {
      const { codec, reply } = await this.#answer(frame);
      const streams = reply instanceof Streamed || reply instanceof Accepted || reply instanceof Live;
      this.write(encodeFrame(header, codec, streams ? reply.reply : reply));
      if (streams) this.#stream(reply, frame);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.write(encodeFrame({ ...header, status: frameStatus.error }, remoteError, error.remote));
    }
    this.#busy -= 1;
    this.#pump();
  }

  #stream(streamed: Streamed<unknown> | Accepted | Live, { procedure, serial }: Frame): void {
    const send = (type: number, status: number, payload?: Buffer) =>
      this.write(rawFrame({ ...remoteHeader, procedure, type, serial, status }, payload));
    if (streamed instanceof Accepted) {
      this.#streams.set(serial, new Incoming(streamed, send));
      return;
    }
    if (streamed instanceof Live) {
      this.#streams.set(serial, streamed);
      streamed.begin(send);
      return;
    }
    const stream = new Outgoing(streamed, send);
    this.#streams.set(serial, stream);
    stream.start();
  }

  async #answer(frame: Frame): Promise<{ codec: Codec<unknown>; reply: unknown }> {
    const known = byNumber.get(frame.procedure);
    if (frame.program !== remoteProgram.number || !known) throw refusals.unknownProcedure(frame.procedure);
    const { name, procedure } = known;
    if (!this.authenticated && !beforeAuth.has(name)) throw refusals.unauthenticated();
    if (!this.opened && !beforeOpen.has(name)) throw refusals.notOpen();
    const args = decodeArgs(procedure, frame.payload);
    const handle = handlers[name] as (client: Client, args: unknown) => unknown;
    const reply = await this.daemon.perform(this, name, args, async () => handle(this, args));
    return { codec: procedure.reply, reply };
  }

  #sendKeepalive(procedure: number): void {
    const { number: program, version } = keepaliveProgram;
    const header = { program, version, procedure, type: frameType.message, serial: 0, status: frameStatus.ok };
    this.write(encodeFrame(header, none, undefined));
  }
}

const remoteHeader = { program: remoteProgram.number, version: remoteProgram.version, status: frameStatus.ok };

/** Bytes left over are accepted in silence, as libvirtd does. */
function decodeArgs(procedure: Procedure<unknown, unknown>, payload: Buffer): unknown {
  try {
    return procedure.args.decode(new XdrReader(payload));
  } catch {
    throw refusals.undecodable();
  }
}
