import { type ReadRequest, readLocalRequest, readRequest } from '../commands/reader.ts';
import type { Request, Responder } from '../commands/responder.ts';
import type { Announcer } from '../discovery/announcer.ts';
import { rejected } from '../model/codes.ts';
import type { Command } from '../model/command.ts';
import { notificationsOf } from '../model/notice/notification.ts';
import type { Event, Snapshot } from '../model/snapshot.ts';
import type { State, States } from '../model/state.ts';
import type { Message, Topics } from '../model/topics.ts';
import type { MqttClient } from '../mqtt/client.ts';
import type { EventPublisher } from './event-publisher.ts';
import type { Ownership } from './ownership.ts';
import type { Publisher } from './publisher.ts';
import type { VmStore } from './vm-store.ts';

export interface BridgeParts {
  states: States;
  topics: Topics;
  /** Home Assistant's birth topic. */
  statusTopic: string;
  /** No response to a command goes to these topics, or below. */
  reserved: readonly string[];
  mqtt: MqttClient;
  ownership: Ownership;
  publisher: Publisher;
  announcer: Announcer;
  responder: Responder;
  events: EventPublisher;
  vmStore: VmStore;
  submit: (request: Request, command: Command) => void;
  /** Milliseconds after Home Assistant's birth message for publishing again, so that not all bridges do it at once. */
  birthJitter?: number;
}

/** Events after which there may be something new to remember. */
const remembered: ReadonlySet<Event['type']> = new Set(['domain', 'asked', 'wished', 'quiet']);

/** Events after which there may be something new to announce. */
const announced: ReadonlySet<Event['type']> = new Set(['domain', 'hypervisor_up', 'checked', 'host']);

const mostEarly = 100;
/** Seconds that a command may wait for the base topic to be ours. */
const earlyLife = 5;

/** Monotonic milliseconds, and milliseconds since 1970. */
interface Arrival {
  now: number;
  date: number;
}

/** Publishes state, and reads commands. The parts decide what is published, and `model` what it means. */
export class Bridge {
  readonly #parts: BridgeParts;
  /** Messages that came before it was certain that no other bridge serves the base topic. */
  #early: { message: Message; arrival: Arrival }[] = [];
  #birth: NodeJS.Timeout | undefined;

  constructor(parts: BridgeParts) {
    this.#parts = parts;
  }

  start(): void {
    const { states, mqtt, ownership, publisher, announcer, events } = this.#parts;
    mqtt.on('connected', () => ownership.begin());
    mqtt.on('disconnected', () => {
      ownership.lost();
      this.#early = [];
      announcer.disconnected();
    });
    mqtt.on('message', message => {
      if (ownership.hear(message)) return;
      const arrival = { now: performance.now(), date: Date.now() };
      if (ownership.holding) this.#receive(message, arrival);
      else if (this.#early.length < mostEarly) this.#early.push({ message: shortLived(message), arrival });
    });
    ownership.on('granted', () => {
      for (const state of states.all) announcer.update(state.snapshot, states.ownedBy(state));
      publisher.all();
      announcer.connected();
      events.begin();
      for (const { message, arrival } of this.#early.splice(0)) this.#receive(message, arrival);
    });
    ownership.on('restate', () => publisher.all());
  }

  close(): void {
    clearTimeout(this.#birth);
    this.#parts.announcer.close();
  }

  /** Must receive every event, after the host's state has taken it. */
  hear(event: Event, before: Snapshot, state: State): void {
    const { states, publisher, announcer, vmStore, events } = this.#parts;
    const { snapshot } = state;
    const concerned = event.type === 'stats' ? [...event.stats.keys()] : 'key' in event ? [event.key] : undefined;
    const keys = states.ownedBy(state, concerned);
    publisher.update(snapshot, before, keys);
    // Only these events can change what is announced, and a comparison at each sample would cost too much.
    if (announced.has(event.type)) announcer.update(snapshot, keys);
    if (remembered.has(event.type)) vmStore.update(snapshot, keys);
    if (!('key' in event) || keys.length === 0) return;
    const [was, is] = [before.vms[event.key], snapshot.vms[event.key]];
    if (!was || !is) return;
    for (const notification of notificationsOf(was, is, event)) events.publish(event.key, notification);
    if (event.type === 'checked' || event.type === 'quiet') events.judge(is, event.at);
  }

  /** A command from this machine, as JSON or as one word; it needs no broker. */
  readonly submit = (key: string, payload: string, reply: NonNullable<Request['reply']>): void => {
    this.#carryOut(readLocalRequest(key, payload, { known: this.#known, now: performance.now() }, reply));
  };

  #receive(message: Message, arrival: Arrival): void {
    const { topics, reserved, statusTopic } = this.#parts;
    if (message.topic === statusTopic) {
      if (message.payload.toString() === 'online' && !message.retain) this.#greet();
      return;
    }
    this.#carryOut(readRequest(message, { topics, reserved, known: this.#known, ...arrival }));
  }

  readonly #known = (key: string): boolean => this.#parts.states.has(key);

  #carryOut(read: ReadRequest): void {
    if (!read) return;
    const { responder, submit } = this.#parts;
    if ('rejection' in read) responder.ended(read.request, rejected(read.rejection));
    else submit(read.request, read.command);
  }

  #greet(): void {
    const { announcer, birthJitter = 1_000 } = this.#parts;
    clearTimeout(this.#birth);
    this.#birth = setTimeout(() => announcer.again(), Math.random() * birthJitter);
  }
}

function shortLived(message: Message): Message {
  return { ...message, expirySeconds: Math.min(message.expirySeconds ?? earlyLife, earlyLife) };
}
