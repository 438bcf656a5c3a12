import { addAbortListener, EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Libvirt } from '../libvirt/client.ts';
import { type BackoffOptions, backoff } from '../util/backoff.ts';
import type { Logger } from '../util/logger.ts';

export interface LinkOptions {
  /** Opens one connection; called again after each loss. */
  open: (signal: AbortSignal) => Promise<Libvirt>;
  /** Runs on a new connection before it counts as up; if it rejects, the connection is dropped and tried again. */
  prepare?: (client: Libvirt, signal: AbortSignal) => Promise<void>;
  backoff?: BackoffOptions;
  /** Another link to the same daemon reports its outages. */
  quiet?: boolean;
  logger: Logger;
}

interface LinkEvents {
  up: [Libvirt];
  /** Once for an outage, and again for each new reason. */
  down: [string];
}

/** Keeps one libvirt connection alive: opens, prepares, waits for its end, and begins again. */
export class Link extends EventEmitter<LinkEvents> {
  readonly #options: LinkOptions;
  readonly #abort = new AbortController();
  #client: Libvirt | null = null;
  #running: Promise<void> | null = null;
  readonly #reported = new Set<string>();

  constructor(options: LinkOptions) {
    super();
    this.#options = options;
  }

  get client(): Libvirt | null {
    return this.#client;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    let pauses = backoff(this.#options.backoff);
    while (!signal.aborted) {
      const reason = await this.#live(() => {
        pauses = backoff(this.#options.backoff);
      }).catch((error: Error) => error.message);
      if (signal.aborted) return;
      this.#reportDown(reason);
      await delay(pauses.next().value, undefined, { signal }).catch(() => {});
    }
  }

  /** One connection from its opening to its end; resolves to why it ended. */
  async #live(onUp: () => void): Promise<string> {
    const { signal } = this.#abort;
    const client = await this.#options.open(signal);
    const closed = new Promise<string>(resolve => {
      client.onClosed(cause => resolve(cause?.message ?? 'the connection was closed'));
    });
    // At any point: a preparation would wait for ever for a daemon that hangs.
    using _ = addAbortListener(signal, () => void client.close());
    try {
      signal.throwIfAborted();
      await this.#options.prepare?.(client, signal);
      signal.throwIfAborted();
      this.#client = client;
      this.#reported.clear();
      onUp();
      const { logger, quiet } = this.#options;
      logger[quiet ? 'debug' : 'info']({ event: 'libvirt.connected' }, 'connected to libvirt');
      this.emit('up', client);
      return await closed;
    } finally {
      this.#client = null;
      await client.close();
    }
  }

  #reportDown(reason: string): void {
    const { logger, quiet } = this.#options;
    const isKnown = this.#reported.has(reason);
    if (this.#reported.size === 0) {
      const words = 'no connection to libvirt; trying again until there is one';
      logger[quiet ? 'debug' : 'warn']({ event: 'libvirt.disconnected', reason }, words);
    } else {
      const words = `libvirt is still away${isKnown ? '' : ', for another reason'}`;
      logger[quiet || isKnown ? 'debug' : 'info']({ event: 'libvirt.retry', reason }, words);
    }
    this.#reported.add(reason);
    if (!isKnown) this.emit('down', reason);
  }
}
