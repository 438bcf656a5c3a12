/**
 * Publications of one session on their way out, bounded whatever the broker does.
 *
 * What the broker would hang up on is refused. A publication is handed to the wire at once. While too much is
 * unacknowledged, QoS 1 waits in line: of a retained topic the newest only, of the others the last thousand. While the
 * wire does not drain, QoS 0 is dropped.
 */
import type { Logger } from '../util/logger.ts';
import type { Publication } from './message.ts';
import { isTopic, sizeOf } from './packets.ts';

export interface Wire {
  /** QoS 1: `done` is called when the broker has acknowledged or refused it; perhaps never, if the connection breaks. */
  send(publication: Publication, done: (error?: Error) => void): void;
  /** Bytes that the socket has not taken yet. */
  buffered(): number;
}

export interface OutboxOptions {
  wire: Wire;
  limits: Limits;
  logger: Logger;
}

/** The broker's, as its CONNACK gives them: MQTT 5 §3.2.2.3. */
export interface Limits {
  /** Publications unacknowledged. */
  readonly receiveMaximum?: number;
  /** Bytes. */
  readonly maximumPacketSize?: number;
  readonly maximumQoS?: number;
}

/** Bytes unacknowledged, or not yet taken by the socket, from which on the way is full. One message may reach over. */
const FULL = 1 << 20;
const WINDOW = 64;
const LINE = 1_000;
/** Topics whose refusal is remembered, so as to tell it once. */
const TOLD = 1_000;

export class Outbox {
  readonly #wire: Wire;
  readonly #limits: Required<Limits>;
  readonly #logger: Logger;
  readonly #line = new Map<string | symbol, Publication>();
  readonly #inFlight = new Set<Publication>();
  readonly #told = new Set<string>();
  #bytes = 0;
  #passing = 0;
  #dropped = 0;
  #closed = false;

  constructor({ wire, limits, logger }: OutboxOptions) {
    const { receiveMaximum = WINDOW, maximumPacketSize = Number.POSITIVE_INFINITY, maximumQoS = 1 } = limits;
    this.#wire = wire;
    this.#limits = { receiveMaximum: Math.min(receiveMaximum, WINDOW), maximumPacketSize, maximumQoS };
    this.#logger = logger;
  }

  /** False: dropped. True: written, or in line. */
  push(publication: Publication): boolean {
    const problem = this.#problem(publication);
    if (problem) this.#tell(publication.topic, problem);
    if (problem || this.#closed) {
      publication.settled?.(false);
      return false;
    }
    if (publication.qos === 0) return this.#pass(publication);
    if (this.#limits.maximumQoS === 0) return this.#pass({ ...publication, qos: 0 });
    if (this.#line.size === 0 && this.#hasRoom()) this.#send(publication);
    else this.#enqueue(publication);
    return true;
  }

  /** The largest one that the broker has not acknowledged. */
  get heaviest(): Publication | undefined {
    return [...this.#inFlight].toSorted((a, b) => sizeOf(b) - sizeOf(a))[0];
  }

  close(): void {
    this.#closed = true;
    const lost = [...this.#inFlight, ...this.#line.values()];
    this.#inFlight.clear();
    this.#line.clear();
    for (const publication of lost) publication.settled?.(false);
  }

  #pass(publication: Publication): boolean {
    const buffered = this.#wire.buffered();
    if (buffered >= FULL) {
      this.#drop(publication);
      return false;
    }
    // The system's own buffers empty ours for a while; only acknowledgements show that somebody reads.
    if (this.#dropped > 0 && buffered === 0 && this.#inFlight.size === 0) {
      this.#logger.info({ event: 'mqtt.uncongested', dropped: this.#dropped }, 'The broker reads again');
      this.#dropped = 0;
    }
    this.#wire.send(publication, () => {});
    publication.settled?.(true);
    return true;
  }

  #hasRoom(): boolean {
    return this.#inFlight.size < this.#limits.receiveMaximum && this.#bytes < FULL;
  }

  #send(publication: Publication): void {
    const bytes = sizeOf(publication);
    // The caller may hand in the same object twice.
    const flight = { ...publication };
    this.#inFlight.add(flight);
    this.#bytes += bytes;
    this.#wire.send(publication, error => {
      if (!this.#inFlight.delete(flight)) return;
      this.#bytes -= bytes;
      if (error) this.#tell(flight.topic, error.message);
      flight.settled?.(!error);
      this.#drain();
    });
  }

  /** A newer state takes the place in line of the one it replaces, so that a busy topic cannot starve itself. */
  #enqueue(publication: Publication): void {
    if (publication.retain) {
      const older = this.#line.get(publication.topic);
      this.#line.set(publication.topic, publication);
      older?.settled?.(false);
      return;
    }
    if (this.#passing >= LINE) this.#dropOldest();
    this.#passing += 1;
    this.#line.set(Symbol(), publication);
  }

  #dropOldest(): void {
    for (const [key, publication] of this.#line) {
      if (publication.retain) continue;
      this.#take(key, publication);
      this.#drop(publication);
      return;
    }
  }

  #drain(): void {
    for (const [key, publication] of this.#line) {
      if (this.#closed || !this.#hasRoom()) return;
      this.#take(key, publication);
      this.#send(publication);
    }
  }

  #take(key: string | symbol, publication: Publication): void {
    this.#line.delete(key);
    if (!publication.retain) this.#passing -= 1;
  }

  #drop(publication: Publication): void {
    this.#dropped += 1;
    if (this.#dropped === 1) {
      this.#logger.warn({ event: 'mqtt.congested' }, 'The broker does not read: samples and old events are dropped');
    }
    publication.settled?.(false);
  }

  #problem(publication: Publication): string | undefined {
    if (!isTopic(publication.topic)) return 'it is not the name of a topic';
    const [bytes, most] = [sizeOf(publication), this.#limits.maximumPacketSize];
    if (bytes > most)
      return `it is larger than the broker takes: about ${bytes} bytes, and the broker's limit is ${most}`;
    return undefined;
  }

  #tell(topic: string, reason: string): void {
    if (this.#told.has(topic) || this.#told.size >= TOLD) return;
    this.#told.add(topic);
    this.#logger.error({ event: 'mqtt.publish_refused', topic, reason }, 'A message was not published');
  }
}
