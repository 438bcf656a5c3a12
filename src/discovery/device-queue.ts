export interface DeviceQueueOptions {
  /** False: the broker is away. `settled` is told whether the broker has it. */
  send: (publication: {
    topic: string;
    payload: string;
    qos: 1;
    retain: true;
    settled: (delivered: boolean) => void;
  }) => boolean;
  /**
   * Milliseconds between two messages of one device: Home Assistant drops parts of a payload that comes while it is at
   * an earlier one.
   */
  spacing?: number;
}

export interface Step {
  payload: string;
  /** From now on Home Assistant may have it. */
  sending?: () => void;
  /** It was the last one, and the broker has it. */
  delivered?: () => void;
}

/** The discovery messages of one device, in order and spaced; a new aim takes the place of the one before. */
export class DeviceQueue {
  readonly #topic: string;
  readonly #options: DeviceQueueOptions;
  readonly #spacing: number;
  #steps: readonly Step[] = [];
  #sentAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  /** The payload that Home Assistant has, or will have when the steps are through. */
  #aim: string | null = null;

  constructor(topic: string, options: DeviceQueueOptions) {
    this.#topic = topic;
    this.#options = options;
    this.#spacing = options.spacing ?? 5_000;
  }

  /** When its last message was sent, or will be; monotonic, milliseconds. */
  get settledAt(): number {
    if (this.#steps.length === 0) return this.#sentAt;
    return Math.max(performance.now(), this.#sentAt + this.#steps.length * this.#spacing);
  }

  /** Counts as if something had been sent at that time. */
  notBefore(time: number): void {
    this.#sentAt = Math.max(this.#sentAt, time);
  }

  /** Sends these, unless they lead where it is already going. */
  lead(steps: readonly Step[]): void {
    const aim = steps.at(-1)?.payload ?? null;
    if (this.#aim === aim) return;
    this.clear();
    this.#steps = steps;
    this.#aim = aim;
    this.#advance();
  }

  /** Home Assistant has forgotten what it was sent. */
  outdated(): void {
    this.#aim = null;
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#steps = [];
    this.#aim = null;
  }

  #advance(): void {
    const [step, ...rest] = this.#steps;
    if (!step) return;
    const wait = this.#sentAt + this.#spacing - performance.now();
    if (wait > 0) {
      this.#timer = setTimeout(() => this.#advance(), wait);
      return;
    }
    step.sending?.();
    const settled = (delivered: boolean) => {
      if (delivered && this.#aim === step.payload) step.delivered?.();
    };
    if (!this.#options.send({ topic: this.#topic, payload: step.payload, qos: 1, retain: true, settled })) return;
    this.#sentAt = performance.now();
    this.#steps = rest;
    this.#advance();
  }
}
