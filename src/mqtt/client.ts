/**
 * The connection to the broker: sessions, one after the other, for as long as the bridge runs. Of several brokers, the
 * nodes of one cluster, the next one has its turn when a session failed; a pause follows when each had its turn.
 *
 * Nothing is queued while there is none: a publication is dropped, and its sender must publish everything again at
 * `connected`. The log has an outage once, again if its reason becomes one that only a person can mend, and its end once.
 */
import { EventEmitter } from 'node:events';
import type { Message, Publication } from '../model/topics.ts';
import { address } from './address.ts';
import { type FailureCode, MqttFailure } from './failure.ts';
import { type Flight, type Memory, remedy } from './outbox.ts';
import { afterwards, newest, type ProtocolVersion, type Version } from './protocol-version.ts';
import { type ReconnectDelayOptions, reconnectDelays } from './reconnect-delay.ts';
import { otherScheme } from './scheme.ts';
import { type Opened, Session, type SessionOptions } from './session.ts';

export interface MqttClientOptions
  extends Omit<SessionOptions, 'url' | 'protocol' | 'memory' | 'connectTimeout' | 'keepalive'> {
  /** Several: tried in turn. */
  url: string | readonly string[];
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

/** What is known of one broker. */
interface Known {
  readonly url: string;
  protocol: ProtocolVersion;
  /** Why it is away, as last logged. */
  outage: FailureCode | undefined;
  reason: string | null;
  hangUps: number;
  /** What was on its way at every one of them. */
  suspect: Flight | undefined;
}

export class MqttClient extends EventEmitter<{
  connected: [Opened];
  /** Once an outage: a session ended, or no broker could be reached. Again if only a person can mend it. */
  disconnected: [MqttFailure];
  message: [Message];
}> {
  readonly #options: MqttClientOptions;
  readonly #abort = new AbortController();
  #nextDelay: ReturnType<typeof reconnectDelays>;
  /** The first one is in use, or has its turn. */
  #brokers: readonly Known[];
  /** How each turn ended since the last pause. */
  #round: FailureCode[] = [];
  #session: Session | undefined;
  #connected = false;
  #retry: NodeJS.Timeout | undefined;
  /** When it last looked at what listens at the address. */
  #lookedAt = Number.NEGATIVE_INFINITY;
  #refused = '';
  readonly #memory: Memory = { logged: new Set(), avoided: new Map() };
  #closing: Promise<void> | undefined;

  constructor(options: MqttClientOptions) {
    super();
    this.#options = options;
    this.#nextDelay = reconnectDelays(options.pace);
    const unknown = { protocol: newest, outage: undefined, reason: null, hangUps: 0, suspect: undefined };
    this.#brokers = [options.url].flat().map(url => ({ url, ...unknown }));
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Of MQTT, 4 for 3.1.1: as it is spoken, or tried next. */
  get version(): Version | undefined {
    return this.#brokers[0]?.protocol.version;
  }

  /** Why the last session failed, or ended, of several brokers each one's; null while there is one, and before the first. */
  get reason(): string | null {
    const reasons = this.#brokers.flatMap(({ url, reason }) => {
      if (reason === null) return [];
      return this.#brokers.length > 1 ? `${new URL(url).host}: ${reason}` : reason;
    });
    return reasons.join('; ') || null;
  }

  /** Call it once. Throws a TypeError for an address that can never work. */
  start(): void {
    for (const { url } of this.#brokers) address(url, this.#options.tls);
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
    const [broker] = this.#brokers;
    if (!broker) throw new TypeError('there is no address of a broker');
    const { url, protocol } = broker;
    const defaults = { connectTimeout: 5_000, keepalive: 15 };
    const session = new Session({ ...defaults, ...this.#options, url, protocol, memory: this.#memory });
    this.#session = session;
    let openedAt: number | undefined;
    session.on('opened', opened => {
      openedAt = performance.now();
      this.#opened(broker, opened);
    });
    session.on('message', message => this.emit('message', message));
    session.on('ended', (failure, heaviest) => {
      this.#session = undefined;
      this.#connected = false;
      const lived = openedAt === undefined ? null : performance.now() - openedAt;
      const due = performance.now() - this.#lookedAt > lookAgain;
      // A look would keep the others of the round waiting.
      const isLast = this.#round.length === this.#brokers.length - 1;
      if (lived === null && failure.isPuzzling && due && isLast) void this.#look(broker, failure);
      else this.#ended(broker, this.#judge(broker, failure, lived ?? 0, heaviest), lived !== null);
    });
    session.open();
  }

  #opened(broker: Known, opened: Opened): void {
    const { logger } = this.#options;
    for (const each of this.#brokers) Object.assign(each, { outage: undefined, reason: null });
    this.#round = [];
    this.#connected = true;
    broker.protocol = afterwards(broker.protocol, 'opened');
    const fields = { event: 'mqtt.connected', broker: new URL(broker.url).host, version: opened.version };
    logger.info(fields, 'connected to the broker');
    const refused = opened.refused.join(' ');
    if (refused && refused !== this.#refused) {
      const fields = { event: 'mqtt.subscription_refused', topics: opened.refused };
      logger.error(fields, 'The broker refuses a subscription: give this user the right to read these topics');
    }
    this.#refused = refused;
    this.emit('connected', opened);
  }

  /** Before the failure is logged: does the broker's answer show the right scheme? */
  async #look(broker: Known, failure: MqttFailure): Promise<void> {
    this.#lookedAt = performance.now();
    const words = await otherScheme(broker.url, this.#options.lookTimeout ?? 800, this.#abort.signal);
    this.#ended(broker, words === null ? failure : new MqttFailure('scheme', words, failure), false);
  }

  #ended(broker: Known, failure: MqttFailure, wasOpen: boolean): void {
    if (this.#closing !== undefined) return;
    const before = broker.protocol.version;
    broker.protocol = afterwards(broker.protocol, failure.code);
    // Neither is an outage: this is how the version is found.
    if (failure.code === 'done' || (failure.code === 'version' && broker.protocol.version < before)) {
      this.#options.logger.debug({ event: 'mqtt.version', next: broker.protocol.version }, 'trying another version');
      this.#retry = setTimeout(() => this.#renew(), 0);
      return;
    }
    this.#round.push(failure.code);
    const pauses = wasOpen || this.#round.length >= this.#brokers.length;
    this.#brokers = [...this.#brokers.slice(1), broker];
    this.#retry = setTimeout(() => this.#renew(), pauses ? this.#nextDelay(this.#round.splice(0)) : 0);
    const news = this.#log(broker, failure);
    if (news && pauses) this.emit('disconnected', new MqttFailure(failure.code, this.reason ?? '', failure));
  }

  /**
   * MQTT 3.1.1 brokers, and Mosquitto 2.0, do not say why: another one takes the session, or a message is too large. A large
   * one is left out then, so that the rest gets through, until a session that lasted has ended.
   */
  #judge(broker: Known, failure: MqttFailure, lived: number, heaviest: Flight | undefined): MqttFailure {
    const isStable = lived >= stable;
    if (isStable) {
      this.#nextDelay = reconnectDelays(this.#options.pace);
      this.#memory.avoided.clear();
    }
    // NATS lets nobody in for a second while two clients fight.
    if (failure.code === 'closed_early') return failure;
    broker.hangUps = failure.code === 'closed' && !isStable ? broker.hangUps + 1 : 0;
    const same = broker.hangUps === 1 || broker.suspect?.topic === heaviest?.topic;
    broker.suspect = same ? heaviest : undefined;
    if (broker.hangUps < suspicious) return failure;
    if (!broker.suspect && this.#refused) {
      const words = `the broker hangs up each time after it refused ${this.#refused}: give this user the right to read these topics`;
      return new MqttFailure('credentials', words, failure);
    }
    if (!broker.suspect) {
      const words = 'the broker hangs up again and again: does another client use the same client id?';
      return new MqttFailure('taken_over', words, failure);
    }
    const { topic, bytes } = broker.suspect;
    if (bytes > ordinary) {
      this.#memory.avoided.set(topic, performance.now() + avoidance);
      broker.hangUps = 0;
    }
    const words = `the broker hangs up each time while ${topic} is on its way, about ${bytes} bytes: ${remedy}, or does another client use the same client id?`;
    return new MqttFailure('too_large', words, failure);
  }

  /** Whether it is news, which is not at the level of debugging. */
  #log(broker: Known, failure: MqttFailure): boolean {
    const { code, message: reason, needsPerson } = failure;
    const { logger } = this.#options;
    const fields = { broker: new URL(broker.url).host, code, reason };
    broker.reason = reason;
    if (broker.outage !== undefined && !(needsPerson && broker.outage !== code)) {
      logger.debug({ event: 'mqtt.retry', ...fields }, 'the broker is still away');
      return false;
    }
    broker.outage = code;
    logger[needsPerson ? 'error' : 'warn']({ event: 'mqtt.disconnected', ...fields }, 'no connection to the broker');
    return true;
  }
}
