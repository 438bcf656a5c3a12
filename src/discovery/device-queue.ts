import type { Send } from '../model/topics.ts';

export interface DeviceQueueOptions {
  send: Send;
  /**
   * Milliseconds between two messages of one device: Home Assistant drops parts of a payload that arrives while it
   * still processes an earlier one.
   */
  spacing?: number;
  /** Milliseconds until Home Assistant has processed a device; default `settleTime`. */
  settle?: number;
}

export const settleTime = 2_000;

export interface Aim {
  /** What it is made of: an aim of the same parts is the same. */
  of: readonly unknown[];
  /** The messages for this aim, in order; each is made when it is sent. */
  messages: readonly (() => string)[];
  delivered: () => void;
  settled?: () => void;
}

/** The discovery messages of one device, in order and with pauses; a new aim replaces the one before. */
export class DeviceQueue {
  readonly #topic: string;
  readonly #options: DeviceQueueOptions;
  readonly #spacing: number;
  #left: Aim['messages'] = [];
  #sentAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  /** Home Assistant has this aim, or will have it when the queue is empty. */
  #aim: Aim | null = null;

  constructor(topic: string, options: DeviceQueueOptions) {
    this.#topic = topic;
    this.#options = options;
    this.#spacing = options.spacing ?? 5_000;
  }

  /** When its last message was sent, or will be; monotonic, milliseconds. */
  get lastAt(): number {
    if (this.#left.length === 0) return this.#sentAt;
    return Math.max(performance.now(), this.#sentAt + this.#left.length * this.#spacing);
  }

  /** Counts as a message that was sent at that time. */
  notBefore(time: number): void {
    this.#sentAt = Math.max(this.#sentAt, time);
  }

  hasAim(of: Aim['of']): boolean {
    return this.#aim?.of.every((part, at) => part === of[at]) ?? false;
  }

  /** Sends these messages instead of those that it has not sent, unless it has this aim. */
  lead(aim: Aim): void {
    if (this.hasAim(aim.of)) return;
    this.clear();
    this.#aim = aim;
    this.#left = aim.messages;
    this.#advance(aim);
  }

  /** Sends nothing more, and forgets what Home Assistant has received. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#left = [];
    this.#aim = null;
  }

  #advance(aim: Aim): void {
    const [payload, ...left] = this.#left;
    if (payload === undefined) return;
    const wait = this.#sentAt + this.#spacing - performance.now();
    if (wait > 0) {
      this.#timer = setTimeout(() => this.#advance(aim), wait);
      return;
    }
    const settled = (delivered: boolean) => {
      if (delivered && left.length === 0 && this.#aim === aim) this.#delivered(aim);
    };
    if (!this.#options.send({ topic: this.#topic, payload, qos: 1, retain: true, settled })) return;
    this.#sentAt = performance.now();
    this.#left = left;
    this.#advance(aim);
  }

  #delivered({ delivered, settled }: Aim): void {
    delivered();
    if (settled) this.#timer = setTimeout(settled, this.#options.settle ?? settleTime);
  }
}
