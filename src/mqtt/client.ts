/**
 * The connection to the broker: sessions, one after the other, for as long as the bridge runs.
 *
 * Nothing is queued while there is none: a publication is dropped, and its sender must publish everything again at
 * `connected`. The log has an outage once, again if its reason becomes one that only a person can mend, and its end once.
 */
import { EventEmitter } from 'node:events';
import type { Message, Publication } from '../model/message.ts';
import { type FailureCode, MqttFailure } from './failure.ts';
import { type Flight, type Memory, remedy } from './outbox.ts';
import { afterwards, newest, type ProtocolVersion } from './protocol-version.ts';
import { type ReconnectDelayOptions, reconnectDelays } from './reconnect-delay.ts';
import { otherScheme } from './scheme.ts';
import { type Opened, Session, type SessionOptions } from './session.ts';

export interface MqttClientOptions
  extends Omit<SessionOptions, 'protocol' | 'memory' | 'connectTimeout' | 'keepalive'> {
  /** Milliseconds; default 5 000. */
  connectTimeout?: number;
  /** For each connection that only looks at what listens at the address, milliseconds; default 800. */
  lookTimeout?: number;
  /** Seconds; default 15: a broker that dies silently is noticed after at most 22.5. */
  keepalive?: number;
  pace?: ReconnectDelayOptions;
}

/** Consecutive hang-ups, each soon after the broker had answered, that are no accident. */
const suspicious = 5;
/** Bytes: a message that is not larger is hardly too large. */
const ordinary = 10_240;
/** Milliseconds: a session that lasts this long resets the delay. */
const stable = 10_000;
/** Milliseconds until a message that the broker hung up on is tried again. */
const avoidance = 3_600_000;
/** Milliseconds between two looks at what listens at the address. */
const lookAgain = 60_000;

export class MqttClient extends EventEmitter<{
  connected: [Opened];
  disconnected: [MqttFailure];
  message: [Message];
}> {
  readonly #options: MqttClientOptions;
  readonly #abort = new AbortController();
  #nextDelay: ReturnType<typeof reconnectDelays>;
  #protocol: ProtocolVersion = newest;
  #session: Session | undefined;
  #connected = false;
  #retry: NodeJS.Timeout | undefined;
  /** When it last looked at what listens at the address. */
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** Why the broker is away, as last logged. */
  #outage: FailureCode | undefined;
  #reason: string | null = null;
  #refused = '';
  #hangUps = 0;
  /** What was on its way at every one of them. */
  #suspect: Flight | undefined;
  readonly #memory: Memory = { logged: new Set(), avoided: new Map() };
  #closing: Promise<void> | undefined;

  constructor(options: MqttClientOptions) {
    super();
    this.#options = options;
    this.#nextDelay = reconnectDelays(options.pace);
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Why the last session failed, or ended; null while there is one, and before the first. */
  get reason(): string | null {
    return this.#reason;
  }

  /** Call it once. Throws a TypeError for an address that can never work. */
  start(): void {
    if (this.#closing === undefined) this.#renew();
  }

  /** Hands the packet to the socket before it returns. False: dropped, because there is no session or it is congested. */
  publish(publication: Publication): boolean {
    if (this.#connected && this.#session) return this.#session.publish(publication);
    publication.settled?.(false);
    return false;
  }

  /** Publishes `final` if there is a session, and ends it without the will; within 1.5 s, whatever the broker does. */
  close(final?: Publication): Promise<void> {
    clearTimeout(this.#retry);
    this.#abort.abort();
    this.#connected = false;
    this.#closing ??= Promise.resolve(this.#session?.close(final));
    return this.#closing;
  }

  #renew(): void {
    const defaults = { connectTimeout: 5_000, keepalive: 15 };
    const session = new Session({ ...defaults, ...this.#options, protocol: this.#protocol, memory: this.#memory });
    this.#session = session;
    let openedAt: number | undefined;
    session.on('opened', opened => {
      openedAt = performance.now();
      this.#opened(opened);
    });
    session.on('message', message => this.emit('message', message));
    session.on('ended', (failure, heaviest) => {
      this.#session = undefined;
      this.#connected = false;
      const lived = openedAt === undefined ? null : performance.now() - openedAt;
      const due = performance.now() - this.#lookedAt > lookAgain;
      if (lived === null && failure.isPuzzling && due) void this.#look(failure);
      else this.#ended(this.#judge(failure, lived ?? 0, heaviest));
    });
    session.open();
  }

  #opened(opened: Opened): void {
    const { logger } = this.#options;
    this.#outage = undefined;
    this.#reason = null;
    this.#connected = true;
    this.#protocol = afterwards(this.#protocol, 'opened');
    logger.info({ event: 'mqtt.connected', version: opened.version }, 'connected to the broker');
    const refused = opened.refused.join(' ');
    if (refused && refused !== this.#refused) {
      const fields = { event: 'mqtt.subscription_refused', topics: opened.refused };
      logger.error(fields, 'The broker refuses a subscription: give this user the right to read these topics');
    }
    this.#refused = refused;
    this.emit('connected', opened);
  }

  /** Before the failure is logged: does the broker's answer show the right scheme? */
  async #look(failure: MqttFailure): Promise<void> {
    this.#lookedAt = performance.now();
    const { url, lookTimeout = 800 } = this.#options;
    const words = await otherScheme(url, lookTimeout, this.#abort.signal);
    this.#ended(words === null ? failure : new MqttFailure('scheme', words, failure));
  }

  #ended(failure: MqttFailure): void {
    if (this.#closing !== undefined) return;
    const before = this.#protocol.version;
    this.#protocol = afterwards(this.#protocol, failure.code);
    // Neither is an outage: this is how the version is found.
    const negotiating = failure.code === 'done' || (failure.code === 'version' && this.#protocol.version < before);
    this.#retry = setTimeout(() => this.#renew(), negotiating ? 0 : this.#nextDelay(failure.code));
    if (!negotiating) this.#log(failure);
    else this.#options.logger.debug({ event: 'mqtt.version', next: this.#protocol.version }, 'trying another version');
  }

  /**
   * MQTT 3.1.1 brokers, and Mosquitto 2.0, do not say why: another one takes the session, or a message is too large. A large
   * one is left out then, so that the rest gets through, until a session that lasted has ended.
   */
  #judge(failure: MqttFailure, lived: number, heaviest: Flight | undefined): MqttFailure {
    const isStable = lived >= stable;
    if (isStable) {
      this.#nextDelay = reconnectDelays(this.#options.pace);
      this.#memory.avoided.clear();
    }
    this.#hangUps = failure.code === 'closed' && !isStable ? this.#hangUps + 1 : 0;
    const same = this.#hangUps === 1 || this.#suspect?.topic === heaviest?.topic;
    this.#suspect = same ? heaviest : undefined;
    if (this.#hangUps < suspicious) return failure;
    if (!this.#suspect) {
      const words = 'the broker hangs up again and again: does another client use the same client id?';
      return new MqttFailure('taken_over', words, failure);
    }
    const { topic, bytes } = this.#suspect;
    if (bytes > ordinary) {
      this.#memory.avoided.set(topic, performance.now() + avoidance);
      this.#hangUps = 0;
    }
    const words = `the broker hangs up each time while ${topic} is on its way, about ${bytes} bytes: ${remedy}, or does another client use the same client id?`;
    return new MqttFailure('too_large', words, failure);
  }

  #log(failure: MqttFailure): void {
    const { code, message: reason, needsPerson } = failure;
    const { logger, url } = this.#options;
    this.#reason = reason;
    const fields = { broker: new URL(url).host, code, reason };
    if (this.#outage !== undefined && !(needsPerson && this.#outage !== code)) {
      logger.debug({ event: 'mqtt.retry', ...fields }, 'the broker is still away');
      return;
    }
    this.#outage = code;
    logger[needsPerson ? 'error' : 'warn']({ event: 'mqtt.disconnected', ...fields }, 'no connection to the broker');
    this.emit('disconnected', failure);
  }
}
