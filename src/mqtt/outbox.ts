/**
 * Publications of one session on their way out, bounded whatever the broker does.
 *
 * What the broker would hang up on is refused. A publication is handed to the wire at once. While too much is
 * unacknowledged, QoS 1 waits in line: of a retained topic the newest only, of the others the last thousand. While the
 * wire does not drain, QoS 0 is dropped.
 */
import type { Publication } from '../model/message.ts';
import type { Logger } from '../util/logger.ts';
import { isTopic, sizeOf } from './packets.ts';

export interface Wire {
  /** QoS 1: `done` is called when the broker has acknowledged or refused it; perhaps never, if the connection breaks. */
  send(publication: Publication, done: (error?: Error) => void): void;
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

/** Bytes unacknowledged, or not yet taken by the socket, at which the way is full. One message may exceed it. */
const full = 1 << 20;
const widest = 64;
const longestLine = 1_000;
/** Topics whose refusal is remembered, so that each is logged once. */
const mostLogged = 1_000;

export class Outbox {
  readonly #wire: Wire;
  readonly #limits: Limits;
  readonly #window: number;
  readonly #logger: Logger;
  /** By topic, if a newer publication replaces the older one. */
  readonly #line = new Map<string | symbol, Publication>();
  readonly #inFlight = new Set<Publication>();
  readonly #logged = new Set<string>();
  /** In flight. */
  #bytes = 0;
  #dropped = 0;
  #closed = false;

  constructor(wire: Wire, limits: Limits, logger: Logger) {
    this.#wire = wire;
    this.#limits = limits;
    this.#window = Math.min(limits.receiveMaximum ?? widest, widest);
    this.#logger = logger;
  }

  /** False: dropped. True: written, or in line. */
  push(publication: Publication): boolean {
    const problem = this.#problem(publication);
    if (problem) this.#logRefused(publication.topic, problem);
    if (problem || this.#closed) {
      publication.settled?.(false);
      return false;
    }
    if (publication.qos === 0) return this.#sendUnacknowledged(publication);
    if (this.#limits.maximumQoS === 0) return this.#sendUnacknowledged({ ...publication, qos: 0 });
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

  #sendUnacknowledged(publication: Publication): boolean {
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
    this.#wire.send(publication, () => {});
    publication.settled?.(true);
    return true;
  }

  #hasRoom(): boolean {
    return this.#inFlight.size < this.#window && this.#bytes < full;
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
      if (error) this.#logRefused(flight.topic, error.message);
      flight.settled?.(!error);
      this.#drain();
    });
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

  #problem({ topic, ...rest }: Publication): string | undefined {
    if (!isTopic(topic)) return 'it is not the name of a topic';
    const bytes = sizeOf({ topic, ...rest });
    const { maximumPacketSize: most = Number.POSITIVE_INFINITY } = this.#limits;
    if (bytes <= most) return undefined;
    return `it is larger than the broker takes: about ${bytes} bytes, and the broker's limit is ${most}`;
  }

  #logRefused(topic: string, reason: string): void {
    if (this.#logged.has(topic) || this.#logged.size >= mostLogged) return;
    this.#logged.add(topic);
    this.#logger.error({ event: 'mqtt.publish_refused', topic, reason }, 'A message was not published');
  }
}
