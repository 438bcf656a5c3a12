/**
 * One MQTT.js connection, used once: opens, subscribes, serves, ends, and takes everything unfinished with it.
 *
 * `opened` at most once, when the broker has answered the subscription; messages that came earlier follow it. `ended`
 * exactly once. Nothing is kept for the next session: clean start, no session expiry, stores of its own.
 */
import { EventEmitter } from 'node:events';
import { Socket } from 'node:net';
import { connect, type IConnackPacket, type IPublishPacket, type MqttClient } from 'mqtt';
import type { Message, Publication } from '../model/topics.ts';
import { inTime } from '../util/deadline.ts';
import type { Logger } from '../util/logger.ts';
import { isSecure } from './address.ts';
import { cutPackets } from './cut.ts';
import { type Circumstances, closed, fromError, fromReason, MqttFailure } from './failure.ts';
import { type Flight, full, type Limits, type Memory, Outbox } from './outbox.ts';
import {
  type ConnectOptions,
  connectOptions,
  largestIncoming,
  type Made,
  publishOptions,
  readMessage,
  unacknowledged,
} from './packets.ts';
import type { ProtocolVersion, Version } from './protocol-version.ts';

export interface SessionOptions extends ConnectOptions {
  subscriptions: readonly string[];
  /** Those subscriptions whose messages keep the sender's retain flag: MQTT 5 only. */
  asPublished?: readonly string[];
  /** A trial ends with `done` as soon as the broker takes the version. */
  protocol: ProtocolVersion;
  memory: Memory;
  logger: Logger;
}

export interface Opened {
  readonly version: '5.0' | '3.1.1';
  /** Subscriptions that the broker does not allow. */
  readonly refused: readonly string[];
}

/** Milliseconds for the last message's acknowledgement, then for the broker to hang up. */
const parting = 1_000;
const goodbye = 300;

export class Session extends EventEmitter<{
  opened: [Opened];
  message: [Message];
  /** With the largest publication that was unacknowledged. */
  ended: [MqttFailure, Flight | undefined];
}> {
  readonly #options: SessionOptions;
  readonly #circumstances: Circumstances;
  #mqtt: MqttClient | undefined;
  #deadline: NodeJS.Timeout | undefined;
  /** From the answered subscription on. */
  #outbox: Outbox | undefined;
  /** Messages from before that. */
  #early: Message[] = [];
  #leaving = false;
  #ended = false;

  constructor(options: SessionOptions) {
    super();
    this.#options = options;
    this.#circumstances = { secure: isSecure(options.url), answered: false, ca: Boolean(options.tls?.ca) };
  }

  /** Throws a TypeError for an address that can never work. */
  open(): void {
    const { protocol, connectTimeout } = this.#options;
    const mqtt = connect(connectOptions(this.#options, protocol.version, protocol.trial));
    this.#mqtt = mqtt;
    mqtt.on('connect', connack => this.#answered(mqtt, connack));
    mqtt.on('message', (_topic, _payload, packet) => this.#receive(packet));
    mqtt.on('disconnect', packet => this.#end(fromReason(packet.reasonCode ?? 0)));
    mqtt.on('close', () => this.#end(closed(this.#circumstances.answered)));
    mqtt.on('error', error => this.#fail(error));
    // MQTT.js would report it as an error that differs from others only in its text.
    mqtt.onKeepaliveTimeout = () => this.#end(new MqttFailure('silent', 'the broker does not answer any more'));
    const late = new MqttFailure('timed_out', 'the broker did not answer in time');
    this.#deadline = setTimeout(() => this.#end(late), connectTimeout);
    try {
      mqtt.connect();
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    cutPackets(mqtt.stream, largestIncoming);
    // MQTT.js swallows a stream's errors that have no code.
    mqtt.stream.on('error', (error: Error) => this.#fail(error));
    // Otherwise a publication may wait 40 ms for the acknowledgement of the segment before it.
    if (mqtt.stream instanceof Socket) mqtt.stream.setNoDelay(true);
  }

  /** Hands the packet to the socket before it returns, unless the way is full. False: dropped. */
  publish(publication: Publication): boolean {
    if (this.#outbox) return this.#outbox.push(publication);
    publication.settled?.(false);
    return false;
  }

  /** Publishes `final`, waits for its acknowledgement and says goodbye; 1.3 s at most. */
  async close(final?: Publication): Promise<void> {
    if (this.#ended || this.#leaving) return;
    this.#leaving = true;
    const mqtt = this.#mqtt;
    // A broker that did not take it must publish the will, so it gets no goodbye.
    if (mqtt && this.#outbox && (await this.#delivered(final)) && !this.#ended) {
      const gone = new Promise<void>(resolve => mqtt.once('close', resolve));
      mqtt.end();
      await inTime(gone, goodbye, undefined);
    }
    this.#end(new MqttFailure('done', 'closed'));
  }

  #delivered(final: Publication | undefined): boolean | Promise<boolean> {
    if (!final) return true;
    const acknowledged = new Promise<boolean>(settled => this.publish({ ...final, settled }));
    return inTime(acknowledged, parting, false);
  }

  #answered(mqtt: MqttClient, { properties = {} }: IConnackPacket): void {
    this.#circumstances.answered = true;
    if (this.#options.protocol.trial) {
      this.#end(new MqttFailure('done', 'the broker takes this version'));
      return;
    }
    const { subscriptions, asPublished = [] } = this.#options;
    const filters = [...new Set(subscriptions)];
    if (filters.length === 0) {
      this.#open(mqtt, properties, []);
      return;
    }
    // Retain handling 0: stored messages arrive too.
    const wanted = Object.fromEntries(
      filters.map(filter => [filter, { qos: 1, nl: true, rap: asPublished.includes(filter), rh: 0 } as const]),
    );
    mqtt.subscribe(wanted, (error, _subscriptions, suback) => {
      const granted = suback?.granted ?? [];
      const refused = filters.filter((_, index) => Number(granted[index]) >= 0x80);
      if (granted.length === filters.length) this.#open(mqtt, properties, refused);
      else this.#fail(error ?? new Error('its answer to the subscription is broken'));
    });
  }

  #open(mqtt: MqttClient, limits: Limits, refused: readonly string[]): void {
    if (this.#ended || this.#leaving) return;
    clearTimeout(this.#deadline);
    const { version } = this.#options.protocol;
    const wire = {
      send: (packet: Made, done: (error?: Error) => void) => send(mqtt, version, packet, done),
      buffered: () => buffered(mqtt),
    };
    this.#outbox = new Outbox(wire, limits, this.#options.memory, this.#options.logger);
    this.emit('opened', { version: version === 5 ? '5.0' : '3.1.1', refused });
    for (const message of this.#early.splice(0)) this.emit('message', message);
  }

  #receive(packet: IPublishPacket): void {
    if (this.#ended || this.#leaving) return;
    if (this.#outbox) this.emit('message', readMessage(packet));
    else this.#early.push(readMessage(packet));
  }

  #fail(error: Error): void {
    this.#end(fromError(error, this.#circumstances));
  }

  #end(failure: MqttFailure): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#deadline);
    const heaviest = this.#outbox?.heaviest;
    this.#outbox?.close();
    if (this.#mqtt?.stream) {
      this.#mqtt.end(true);
      // Once it is ending, MQTT.js ignores a forced end.
      this.#mqtt.stream.destroy();
    }
    this.emit('ended', failure, heaviest);
  }
}

function send(mqtt: MqttClient, version: Version, publication: Made, done: (error?: Error) => void): void {
  const { topic, payload, qos } = publication;
  const options = publishOptions(publication);
  const { stream } = mqtt;
  if (qos === 0 && !options.properties) {
    // The samples of one poll leave together.
    if (stream.writableCorked === 0) {
      stream.cork();
      process.nextTick(() => stream.uncork());
    }
    if (stream.writable) stream.write(unacknowledged(publication, version));
    return;
  }
  // With a callback, MQTT.js would add a drain listener to a slow socket for every QoS 0 message.
  mqtt.publish(topic, payload, options, qos === 0 ? undefined : done);
  // MQTT.js would hold it back until all listeners have been called.
  stream.uncork();
}

/** MQTT.js corks the socket until the end of the turn: what only waits for that is not what the socket does not take. */
function buffered({ stream }: MqttClient): number {
  if (stream.writableLength >= full) while (stream.writableCorked > 0) stream.uncork();
  return stream.writableLength;
}
