import { judged, type Notification, type NotificationType } from '../model/notice/notification.ts';
import type { VmKey, VmSnapshot } from '../model/snapshot.ts';
import type { Publication, Send, Topics } from '../model/topics.ts';
import type { Logger } from '../util/logger.ts';

export interface EventPublisherOptions {
  topics: Topics;
  send: Send;
  /** Who is told as well, whether there is a broker or not. */
  tell?: (key: VmKey, notification: Notification) => void;
  logger: Logger;
  /** Monotonic, milliseconds. */
  now?: () => number;
}

const troubles: ReadonlySet<NotificationType> = new Set([
  ...(['problem', 'boot_stuck', 'crashed', 'paused_on_io_error', 'power_cut', 'interrupted'] as const),
]);

const mostEarly = 100;

/** Milliseconds: libvirt has reported one reset three times (seen). */
const sameReboot = 1_000;

/** Reports events of a VM: on `B/V/event`, not retained, and in the log. Without a broker, only in the log. */
export class EventPublisher {
  readonly #options: EventPublisherOptions;
  readonly #rebootedAt = new Map<VmKey, number>();
  /** As last told; a problem that nobody can tell of any more is still one. */
  readonly #problems = new Map<VmKey, boolean>();
  /** Events found at the start wait for the first session; null: it has begun. */
  #early: Publication[] | null = [];

  constructor(options: EventPublisherOptions) {
    this.#options = options;
  }

  readonly publish = (key: VmKey, notification: Notification): void => {
    const { topics, send, logger } = this.#options;
    const { event_type, command, ...fields } = notification;
    if (event_type === 'rebooted' && this.#isRepeated(key)) return;
    // Commands have their own lines already.
    if (command === undefined || event_type === 'interrupted') {
      logger[troubles.has(event_type) ? 'warn' : 'info']({ ...fields, event: `vm.${event_type}`, vm: key }, 'VM');
    }
    this.#options.tell?.(key, notification);
    const payload = JSON.stringify(notification);
    const publication = { topic: topics.vm(key).event, payload, qos: 1, retain: false } as const;
    if (!this.#early) send(publication);
    else if (this.#early.length < mostEarly) this.#early.push(publication);
  };

  /** After every check, and when its quiet time ends; within that, nothing is told. */
  judge({ key, check, quiet }: VmSnapshot, at: string): void {
    const was = this.#problems.get(key) ?? false;
    if (!check || quiet || check.problem === null || check.problem === was) return;
    this.#problems.set(key, check.problem);
    this.publish(key, judged(check, at));
  }

  begin(): void {
    const early = this.#early ?? [];
    this.#early = null;
    for (const publication of early) this.#options.send(publication);
  }

  #isRepeated(key: VmKey): boolean {
    const now = this.#options.now?.() ?? performance.now();
    const before = this.#rebootedAt.get(key) ?? Number.NEGATIVE_INFINITY;
    this.#rebootedAt.set(key, now);
    return now - before < sameReboot;
  }
}
