import { setTimeout as delay } from 'node:timers/promises';
import type { Event } from '../model/event.ts';
import { reduce } from '../model/reduce.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Topics } from '../model/topics.ts';
import type { MqttClient } from '../mqtt/client.ts';
import type { Message } from '../mqtt/message.ts';
import type { Announcer } from './announce.ts';
import { takeIn } from './intake.ts';
import type { Jobs } from './jobs.ts';
import type { Publisher } from './publish.ts';
import type { Responder } from './respond.ts';

export interface BridgeParts {
  topics: Topics;
  /** Home Assistant's birth topic. */
  statusTopic: string;
  mqtt: MqttClient;
  publisher: Publisher;
  announcer: Announcer;
  responder: Responder;
  jobs: Jobs;
  /** Milliseconds after Home Assistant's birth until it is told everything, and until it has taken that in. */
  birth?: { jitter: number; settle: number };
}

/**
 * The join: one snapshot, changed by events alone, and everyone who has to know of it. What happens to it is decided
 * in `model`, what is said of it in the parts.
 */
export class Bridge {
  readonly #abort = new AbortController();
  #parts: BridgeParts | null = null;
  #snapshot: Snapshot;

  constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot;
  }

  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** Takes the parts, which were built around this bridge's snapshot and `dispatch`. */
  start(parts: BridgeParts): void {
    const { mqtt, publisher, announcer } = parts;
    this.#parts = parts;
    mqtt.on('connected', () => {
      announcer.update(this.#snapshot);
      publisher.all(this.#snapshot);
      announcer.connected();
    });
    mqtt.on('disconnected', () => announcer.disconnected());
    mqtt.on('message', message => this.#receive(parts, message));
  }

  close(): void {
    this.#abort.abort();
    this.#parts?.jobs.close();
    this.#parts?.announcer.close();
  }

  /** The one way in for all that happens. */
  readonly dispatch = (event: Event): void => {
    const before = this.#snapshot;
    this.#snapshot = reduce(before, event);
    this.#parts?.publisher.update(this.#snapshot, before, 'key' in event ? [event.key] : undefined);
    // No other event changes what is announced, and comparing that costs more than taking a sample.
    if (event.type === 'domain' || event.type === 'hypervisor_up') this.#parts?.announcer.update(this.#snapshot);
    this.#parts?.jobs.hear(event);
  };

  #receive(parts: BridgeParts, message: Message): void {
    if (message.topic === parts.statusTopic) {
      if (message.payload.toString() === 'online' && !message.retain) void this.#greet(parts);
      return;
    }
    const taken = takeIn(parts.topics, key => Object.hasOwn(this.#snapshot.vms, key), message, performance.now());
    if (!taken) return;
    if ('rejection' in taken) parts.responder.rejected(taken.request, taken.rejection);
    else parts.jobs.submit(taken.request, taken.command);
  }

  /** Home Assistant starts: the devices again, and, when it knows them, the samples that no broker keeps. */
  async #greet({ announcer, publisher, birth = { jitter: 1_000, settle: 2_000 } }: BridgeParts): Promise<void> {
    const { signal } = this.#abort;
    try {
      await delay(Math.random() * birth.jitter, undefined, { signal });
      announcer.again();
      await delay(birth.settle, undefined, { signal });
      for (const key of Object.keys(this.#snapshot.vms)) publisher.stats(this.#snapshot, key);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
