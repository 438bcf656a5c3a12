/**
 * Publications of one session on their way out, bounded whatever the broker does.
 *
 * What the broker would hang up on is refused. A publication is handed to the wire at once. While too much is
 * unacknowledged, QoS 1 waits in line: of a retained topic the newest only, of the others the last thousand. While the
 * wire does not drain, QoS 0 is dropped.
 */
import type { Publication } from '../model/topics.ts';
import type { Logger } from '../util/logger.ts';
import { isTopic, type Made, made, sizeOf } from './packets.ts';

export interface Wire {
  /** QoS 1: `done` is called when the broker has acknowledged or refused it; perhaps never, if the connection breaks. */
  send(publication: Made, done: (error?: Error) => void): void;
  /** Bytes that the socket has not taken yet. */
  buffered(): number;
}

/** The broker's, as its CONNACK gives them: MQTT 5 §3.2.2.3. */
export interface Limits {
  /** Publications unacknowledged. */
  readonly receiveMaximum?: number;
  /** Bytes. */
  readonly maximumPacketSize?: number;
  readonly maximumQoS?: number;
}

/** A publication that is not acknowledged; its payload is the wire's. */
export type Flight = Pick<Publication, 'topic' | 'settled'> & { readonly bytes: number };

/** Bytes unacknowledged, or not yet taken by the socket, at which the way is full. One message may exceed it. */
export const full = 1 << 20;
const widest = 64;
const longestLine = 1_000;
/** Topics whose refusal is remembered. */
const mostLogged = 1_000;
/** The reason code "packet too large": MQTT 5 §2.4. */
const packetTooLarge = 149;

/** What is known of the broker from one session to the next. */
export interface Memory {
  /** Topics whose refusal is logged, each once. */
  readonly logged: Set<string>;
  /** Topics on which sessions have ended again and again: nothing is published there until then, `performance.now()`. */
  readonly avoided: Map<string, number>;
}

export class Outbox {
  readonly #wire: Wire;
  readonly #limits: Limits;
  readonly #window: number;
  readonly #logger: Logger;
  /** By topic, if a newer publication replaces the older one. */
  readonly #line = new Map<string | symbol, Publication>();
  readonly #inFlight = new Set<Flight>();
  readonly #memory: Memory;
  /** In flight. */
  #bytes = 0;
  #dropped = 0;
  #closed = false;

  constructor(wire: Wire, limits: Limits, memory: Memory, logger: Logger) {
    this.#wire = wire;
    this.#limits = limits;
    this.#window = Math.min(limits.receiveMaximum ?? widest, widest);
    this.#memory = memory;
    this.#logger = logger;
  }

  /** False: dropped. True: written, or in line. */
  push(publication: Publication): boolean {
    if (this.#closed) {
      publication.settled?.(false);
      return false;
    }
    if (publication.qos === 0 || this.#limits.maximumQoS === 0) return this.#sendUnacknowledged(publication);
    if (this.#line.size === 0 && this.#hasRoom()) return this.#send(publication);
    this.#enqueue(publication);
    return true;
  }

  /** The largest one that the broker has not acknowledged. */
  get heaviest(): Flight | undefined {
    return [...this.#inFlight].toSorted((a, b) => b.bytes - a.bytes)[0];
  }

  close(): void {
    this.#closed = true;
    const lost = [...this.#inFlight, ...this.#line.values()];
    this.#inFlight.clear();
    this.#line.clear();
    for (const publication of lost) publication.settled?.(false);
  }

  #sendUnacknowledged(publication: Publication): boolean {
    const packet = made(publication);
    if (this.#isRefused(packet, sizeOf(packet))) return false;
    const buffered = this.#wire.buffered();
    if (buffered >= full) {
      this.#drop(publication);
      return false;
    }
    // The system's own buffers empty ours for a while; only acknowledgements show that the broker reads.
    if (this.#dropped > 0 && buffered === 0 && this.#inFlight.size === 0) {
      this.#logger.info({ event: 'mqtt.uncongested', dropped: this.#dropped }, 'The broker reads again');
      this.#dropped = 0;
    }
    this.#wire.send(packet.qos === 0 ? packet : { ...packet, qos: 0 }, () => {});
    publication.settled?.(true);
    return true;
  }

  #hasRoom(): boolean {
    return this.#inFlight.size < this.#window && this.#bytes < full;
  }

  #send(publication: Publication): boolean {
    const packet = made(publication);
    const { topic, settled } = packet;
    const bytes = sizeOf(packet);
    if (this.#isRefused(packet, bytes)) return false;
    const flight: Flight = { topic, bytes, ...(settled && { settled }) };
    this.#inFlight.add(flight);
    this.#bytes += bytes;
    this.#wire.send(packet, error => {
      if (!this.#inFlight.delete(flight)) return;
      this.#bytes -= bytes;
      if (error) this.#logRefused(topic, Object(error).code === packetTooLarge ? tooLarge(bytes) : error.message);
      settled?.(!error);
      this.#drain();
    });
    return true;
  }

  /** A newer state takes the place in the queue of the one it replaces, so that a busy topic cannot starve itself. */
  #enqueue(publication: Publication): void {
    if (publication.retain) {
      const older = this.#line.get(publication.topic);
      this.#line.set(publication.topic, publication);
      older?.settled?.(false);
      return;
    }
    const others = [...this.#line].filter(([, { retain }]) => !retain);
    const [oldest] = others;
    if (oldest && others.length >= longestLine) {
      this.#line.delete(oldest[0]);
      this.#drop(oldest[1]);
    }
    this.#line.set(Symbol(), publication);
  }

  #drain(): void {
    for (const [key, publication] of this.#line) {
      if (this.#closed || !this.#hasRoom()) return;
      this.#line.delete(key);
      this.#send(publication);
    }
  }

  #drop(publication: Publication): void {
    this.#dropped += 1;
    if (this.#dropped === 1) {
      this.#logger.warn({ event: 'mqtt.congested' }, 'The broker does not read: samples and old events are dropped');
    }
    publication.settled?.(false);
  }

  #isRefused({ topic, settled }: Publication, bytes: number): boolean {
    const { maximumPacketSize: most = Number.POSITIVE_INFINITY } = this.#limits;
    const problem =
      (!isTopic(topic) && 'it is not the name of a topic') ||
      (bytes > most && tooLarge(bytes, most)) ||
      ((this.#memory.avoided.get(topic) ?? 0) > performance.now() && 'the broker hung up on it again and again');
    if (!problem) return false;
    this.#logRefused(topic, problem);
    settled?.(false);
    return true;
  }

  #logRefused(topic: string, reason: string): void {
    const { logged } = this.#memory;
    if (logged.has(topic) || logged.size >= mostLogged) return;
    logged.add(topic);
    this.#logger.error({ event: 'mqtt.publish_refused', topic, reason }, 'A message was not published');
  }
}

function tooLarge(bytes: number, most?: number): string {
  const limit = most === undefined ? '' : `, and the broker’s limit is ${most}`;
  return `it is larger than the broker takes: about ${bytes} bytes${limit}; ${remedy}`;
}

/** What a person can do. */
export const remedy = 'raise the broker’s limit above that (Mosquitto: max_packet_size, message_size_limit)';
