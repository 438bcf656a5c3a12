import type { Found, Wanted } from './heard.ts';

interface Asker {
  wanted: Wanted;
  settle: (found: Found) => void;
}

/** Those who wait for an answer, each until it is told, its time is over, or it gives up. They keep the process alive. */
export class Askers {
  readonly #askers = new Set<Asker>();

  get size(): number {
    return this.#askers.size;
  }

  /** Resolves to what it is told, or to silence after `timeout` milliseconds; rejects when `signal` aborts. */
  wait(wanted: Wanted, timeout: number, signal: AbortSignal): Promise<Found> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#askers.delete(asker);
        clearTimeout(deadline);
        signal.removeEventListener('abort', giveUp);
      };
      const settle = (found: Found) => {
        leave();
        resolve(found);
      };
      const giveUp = () => {
        leave();
        reject(signal.reason);
      };
      const asker: Asker = { wanted, settle };
      const deadline = setTimeout(settle, timeout, { kind: 'silence' });
      signal.addEventListener('abort', giveUp, { once: true });
      this.#askers.add(asker);
    });
  }

  /** Those whom it concerns wait no more. */
  tell(found: Found, concerns: (wanted: Wanted) => boolean = () => true): void {
    for (const { wanted, settle } of this.#askers) if (concerns(wanted)) settle(found);
  }
}
