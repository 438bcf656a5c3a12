import type { Libvirt } from '../../src/libvirt/client.ts';
import type { DomainEvent, DomainEventName } from '../../src/libvirt/events.ts';

/** What a client was told, and waiting for it. */
export class EventLog {
  #events: DomainEvent[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(client: Libvirt) {
    client.onEvent(event => {
      this.#events.push(event);
      for (const notify of this.#waiting) notify();
    });
  }

  clear(): void {
    this.#events = [];
  }

  /** `event:detail` of this domain's lifecycle, in order. */
  lifecycle(name: string): string[] {
    return this.#events.flatMap(event =>
      event.name === 'lifecycle' && event.domain.name === name ? `${event.event}:${event.detail}` : [],
    );
  }

  /** Every event of this domain in order: `event:detail` for a lifecycle, else its name. */
  all(name: string): string[] {
    return this.#events
      .filter(event => event.domain.name === name)
      .map(event => (event.name === 'lifecycle' ? `${event.event}:${event.detail}` : event.name));
  }

  /** Resolves when so many events of this kind have been told of this domain. */
  async until(name: string, kind: DomainEventName, count = 1, deadline = 180_000): Promise<void> {
    const signal = AbortSignal.timeout(deadline);
    const told = () => this.#events.filter(event => event.domain.name === name && event.name === kind).length;
    while (told() < count) {
      await this.#next(signal, () => `${name}: ${told()} of ${count} ${kind} within ${deadline} ms, ${this.all(name)}`);
    }
  }

  /** Resolves when this domain's lifecycle has ended with `last`; to all of it. */
  async lifecycleUntil(name: string, last: string, deadline = 180_000): Promise<string[]> {
    const signal = AbortSignal.timeout(deadline);
    while (this.lifecycle(name).at(-1) !== last) {
      await this.#next(signal, () => `${name}: no ${last} within ${deadline} ms, but ${this.lifecycle(name)}`);
    }
    return this.lifecycle(name);
  }

  #next(signal: AbortSignal, complaint: () => string): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        this.#waiting.delete(settle);
        signal.removeEventListener('abort', settle);
        if (signal.aborted) reject(new Error(complaint()));
        else resolve();
      };
      this.#waiting.add(settle);
      signal.addEventListener('abort', settle);
    });
  }
}
