import type { Notification, NotificationType } from '../model/notification.ts';
import type { VmKey } from '../model/snapshot.ts';
import type { Topics } from '../model/topics.ts';
import type { Logger } from '../util/logger.ts';

export interface EventPublisherOptions {
  topics: Topics;
  /** Not retained: what happens while the broker is away is in the log alone. */
  send: (publication: { topic: string; payload: string; qos: 1; retain: false }) => boolean;
  logger: Logger;
  /** Monotonic, milliseconds. */
  now?: () => number;
}

const troubles: ReadonlySet<NotificationType> = new Set(['crashed', 'paused_on_io_error', 'power_cut', 'interrupted']);

const mostEarly = 100;

/** Milliseconds: libvirt was seen to tell of one reset three times. */
const sameReboot = 1_000;

/** Tells what happened to a VM: on `B/V/event` and in the log. */
export class EventPublisher {
  readonly #options: EventPublisherOptions;
  readonly #rebootedAt = new Map<VmKey, number>();
  /** What is found out at the start is told to the first session; null: it has begun. */
  #early: [topic: string, payload: string][] | null = [];

  constructor(options: EventPublisherOptions) {
    this.#options = options;
  }

  readonly publish = (key: VmKey, notification: Notification): void => {
    const { topics, send, logger } = this.#options;
    const { event_type, command, ...fields } = notification;
    if (event_type === 'rebooted' && this.#isPublished(key)) return;
    // Commands have their own lines already.
    if (command === undefined || event_type === 'interrupted') {
      logger[troubles.has(event_type) ? 'warn' : 'info']({ ...fields, event: `vm.${event_type}`, vm: key }, 'VM');
    }
    const [topic, payload] = [topics.vm(key).event, JSON.stringify(notification)];
    if (!this.#early) send({ topic, payload, qos: 1, retain: false });
    else if (this.#early.length < mostEarly) this.#early.push([topic, payload]);
  };

  /** The first session has begun; of later outages only the log tells. */
  begin(): void {
    const early = this.#early ?? [];
    this.#early = null;
    for (const [topic, payload] of early) this.#options.send({ topic, payload, qos: 1, retain: false });
  }

  #isPublished(key: VmKey): boolean {
    const now = this.#options.now?.() ?? performance.now();
    const before = this.#rebootedAt.get(key) ?? Number.NEGATIVE_INFINITY;
    this.#rebootedAt.set(key, now);
    return now - before < sameReboot;
  }
}
