import { setTimeout as delay } from 'node:timers/promises';
import type { Checks } from '../checks/checks.ts';
import type { Jobs } from '../commands/dispatcher.ts';
import { type Intake, takeIn, takeLocal } from '../commands/reader.ts';
import type { Request, Responder } from '../commands/responder.ts';
import type { Announcer } from '../discovery/announcer.ts';
import type { Rebuilds } from '../loader/rebuilds.ts';
import type { Event } from '../model/event.ts';
import { happeningsOf } from '../model/notification.ts';
import { reduce } from '../model/reduce.ts';
import type { Snapshot, VmKey } from '../model/snapshot.ts';
import type { Topics } from '../model/topics.ts';
import type { MqttClient } from '../mqtt/client.ts';
import type { Message } from '../mqtt/message.ts';
import type { Chronicle } from './event-publisher.ts';
import type { Claim } from './ownership.ts';
import type { Publisher } from './publisher.ts';
import type { Memory } from './vm-store.ts';

export interface BridgeParts {
  topics: Topics;
  /** Home Assistant's birth topic. */
  statusTopic: string;
  /** No answer to a command goes there. */
  reserved: readonly string[];
  mqtt: MqttClient;
  claim: Claim;
  publisher: Publisher;
  announcer: Announcer;
  responder: Responder;
  chronicle: Chronicle;
  memory: Memory;
  jobs: Jobs;
  checks: Pick<Checks, 'hear' | 'close'>;
  rebuilds: Pick<Rebuilds, 'hear'>;
  /** Milliseconds after Home Assistant's birth until it is told everything, and until it has taken a device in. */
  birth?: { jitter: number; settle: number };
}

const usualBirth = { jitter: 1_000, settle: 2_000 };

/** Events after which there may be something new to remember. */
const remembered: ReadonlySet<Event['type']> = new Set(['domain', 'asked', 'wished']);

/** Events after which there may be something new to announce. */
const announced: ReadonlySet<Event['type']> = new Set(['domain', 'hypervisor_up', 'checked']);

/** More would be a flood. */
const mostEarly = 100;
/** Seconds that a command may wait for the base topic to be ours. */
const earlyLife = 5;

/** Monotonic milliseconds, and milliseconds since 1970. */
interface Arrival {
  now: number;
  date: number;
}

function shortLived(message: Message): Message {
  return { ...message, expirySeconds: Math.min(message.expirySeconds ?? earlyLife, earlyLife) };
}

/**
 * The join: one snapshot, changed by events alone, and everyone who has to know of it. What happens to it is decided
 * in `model`, what is said of it in the parts.
 */
export class Bridge {
  readonly #abort = new AbortController();
  /** Samples that are published once more. */
  readonly #again = new Map<VmKey, NodeJS.Timeout>();
  #parts: BridgeParts | null = null;
  #snapshot: Snapshot;
  /** Messages from before it is certain that no other bridge is meant. */
  #early: { message: Message; arrival: Arrival }[] = [];

  constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot;
  }

  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** Takes the parts, which were built around this bridge's snapshot and `dispatch`. */
  start(parts: BridgeParts): void {
    const { mqtt, claim, publisher, announcer, chronicle } = parts;
    this.#parts = parts;
    mqtt.on('connected', () => claim.begin());
    mqtt.on('disconnected', () => {
      claim.lost();
      this.#early = [];
      announcer.disconnected();
    });
    mqtt.on('message', message => {
      if (claim.hear(message)) return;
      const arrival = { now: performance.now(), date: Date.now() };
      if (claim.holding) this.#receive(parts, message, arrival);
      else if (this.#early.length < mostEarly) this.#early.push({ message: shortLived(message), arrival });
    });
    claim.on('granted', () => {
      announcer.update(this.#snapshot);
      publisher.all(this.#snapshot);
      announcer.connected();
      chronicle.begin();
      for (const { message, arrival } of this.#early.splice(0)) this.#receive(parts, message, arrival);
    });
    claim.on('restate', () => publisher.all(this.#snapshot));
  }

  close(): void {
    this.#abort.abort();
    for (const timer of this.#again.values()) clearTimeout(timer);
    this.#parts?.jobs.close();
    this.#parts?.checks.close();
    this.#parts?.announcer.close();
  }

  /** The one way in for all that happens. */
  readonly dispatch = (event: Event): void => {
    const before = this.#snapshot;
    this.#snapshot = reduce(before, event);
    const keys = 'key' in event ? [event.key] : undefined;
    this.#parts?.publisher.update(this.#snapshot, before, keys);
    // No other event changes what is announced, and comparing that costs more than taking a sample.
    if (announced.has(event.type)) this.#parts?.announcer.update(this.#snapshot, keys);
    if (remembered.has(event.type)) this.#parts?.memory.update(this.#snapshot, keys);
    if ('key' in event) this.#chronicle(before, event.key, event);
    this.#parts?.jobs.hear(event);
    this.#parts?.rebuilds.hear(event);
    this.#parts?.checks.hear(event);
  };

  #chronicle(before: Snapshot, key: string, event: Event): void {
    const [was, is] = [before.vms[key], this.#snapshot.vms[key]];
    if (!was || !is) return;
    for (const happening of happeningsOf(was, is, event)) this.#parts?.chronicle.tell(key, happening);
  }

  #receive(parts: BridgeParts, message: Message, arrival: Arrival): void {
    if (message.topic === parts.statusTopic) {
      if (message.payload.toString() === 'online' && !message.retain) void this.#greet(parts);
      return;
    }
    const { topics, reserved } = parts;
    this.#carryOut(parts, takeIn(message, { topics, reserved, known: this.#known, ...arrival }));
  }

  /** A command from this machine, as JSON or a word; the broker need not be there. */
  readonly submit = (key: string, payload: string, reply: NonNullable<Request['reply']>): void => {
    if (this.#parts)
      this.#carryOut(this.#parts, takeLocal(key, payload, { known: this.#known, now: performance.now() }, reply));
  };

  readonly #known = (key: string): boolean => Object.hasOwn(this.#snapshot.vms, key);

  #carryOut({ responder, jobs }: BridgeParts, taken: Intake): void {
    if (!taken) return;
    if ('rejection' in taken) responder.rejected(taken.request, taken.rejection);
    else jobs.submit(taken.request, taken.command);
  }

  /**
   * A VM's device was announced. Home Assistant shows values that expire as unavailable until the next sample, which no
   * broker keeps, so it is published once more.
   */
  readonly announced = (key: VmKey): void => {
    const { birth = usualBirth, publisher } = this.#parts ?? {};
    if (this.#abort.signal.aborted) return;
    clearTimeout(this.#again.get(key));
    this.#again.set(
      key,
      setTimeout(() => publisher?.stats(this.#snapshot, key), birth.settle),
    );
  };

  /** Home Assistant starts: the devices again, and the samples. */
  async #greet({ announcer, birth = usualBirth }: BridgeParts): Promise<void> {
    const { signal } = this.#abort;
    try {
      await delay(Math.random() * birth.jitter, undefined, { signal });
      announcer.again();
      for (const key of Object.keys(this.#snapshot.vms)) this.announced(key);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
