import type { Logger } from '../util/logger.ts';
import { reasonOf } from './notifier.ts';

export interface HeartbeatOptions {
  url: string;
  /** Milliseconds. */
  interval: number;
  /** Only then it beats. */
  isWell: () => boolean;
  logger: Logger;
}

/** Milliseconds for a request. */
const patience = 10_000;

/** Tells a dead-man service that the bridge lives and can work. That service tells people when it hears nothing. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #end = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #hasFailed = false;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#beat(), options.interval);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#end.abort();
  }

  async #beat(): Promise<void> {
    const { url, isWell, logger } = this.#options;
    if (!isWell()) return;
    const reason = await this.#fetch(url);
    if (this.#end.signal.aborted) return;
    const { host } = new URL(url);
    if (reason !== null && !this.#hasFailed)
      logger.warn({ event: 'heartbeat.failed', host, reason }, 'the heartbeat is not taken; it goes on');
    else if (reason === null && this.#hasFailed)
      logger.info({ event: 'heartbeat.taken', host }, 'the heartbeat is taken');
    this.#hasFailed = reason !== null;
  }

  /** Null: it was taken. */
  async #fetch(url: string): Promise<string | null> {
    try {
      const signal = AbortSignal.any([this.#end.signal, AbortSignal.timeout(patience)]);
      const response = await fetch(url, { redirect: 'follow', signal });
      await response.body?.cancel();
      return response.ok ? null : `HTTP ${response.status}`;
    } catch (error) {
      return reasonOf(error as Error);
    }
  }
}
