import type { Logger } from '../../src/util/logger.ts';

/** Things that arrive, and waiting for one of them with a deadline. */
export class Inbox<T> {
  /** Everything that ever arrived. */
  readonly all: T[] = [];
  #untaken: T[] = [];
  #waiting = new Set<() => void>();

  readonly push = (item: T): void => {
    this.all.push(item);
    this.#untaken.push(item);
    for (const look of this.#waiting) look();
  };

  /** The first one that matches and was not taken before, now or as soon as it is here. */
  take(matches: (item: T) => boolean = () => true, { deadline = 60_000 } = {}): Promise<T> {
    const here = new Error('It did not arrive');
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const index = this.#untaken.findIndex(matches);
        const item = this.#untaken[index];
        if (item === undefined) return;
        this.#untaken.splice(index, 1);
        this.#waiting.delete(look);
        clearTimeout(timer);
        resolve(item);
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(look);
        here.message += ` within ${deadline} ms; there were ${this.all.length}`;
        reject(here);
      }, deadline);
      this.#waiting.add(look);
      look();
    });
  }
}

export interface Entry {
  level: string;
  event: string;
  [field: string]: unknown;
}

/** A logger that keeps what it is told, but for debugging. */
export function recorder(): Logger & { entries: Entry[]; of(event: string): Entry[] } {
  const entries: Entry[] = [];
  const keep = (level: string) => (fields: object) => {
    entries.push({ level, event: '', ...fields });
  };
  const logger = {
    entries,
    of: (event: string) => entries.filter(entry => entry.event === event),
    debug: () => {},
    info: keep('info'),
    warn: keep('warn'),
    error: keep('error'),
    child: () => logger,
  };
  return logger;
}
