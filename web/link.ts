import { ask, Denied, piecesOf } from './api.ts';
import { delayBefore, isSilent, isWanted } from './model/link.ts';
import { eventCutter } from './model/stream.ts';

/** The page's connection to `api/live`, and its coming back. */

export interface LinkState {
  /** `away`: nothing answers; `silent`: the connection hangs; `locked`: a token is wanted. */
  is: 'connecting' | 'live' | 'away' | 'silent' | 'locked';
  /** Counts connections: what was asked for over an earlier one may be old. */
  round: number;
}

interface Options {
  hear: (messages: readonly unknown[]) => void;
  tell: (state: LinkState) => void;
}

/** Milliseconds until the answer has to begin, and until every VM was surely named. */
const patience = 15_000;

export class Link {
  readonly #options: Options;
  #state: LinkState = { is: 'connecting', round: 0 };
  #lastByteAt = 0;
  #hiddenSince: number | null = document.hidden ? performance.now() : null;
  #reading: AbortController | null = null;
  #wake: () => void = () => {};

  constructor(options: Options) {
    this.#options = options;
  }

  start(): void {
    document.addEventListener('visibilitychange', () => {
      this.#hiddenSince = document.hidden ? performance.now() : null;
      if (!document.hidden) this.again();
    });
    addEventListener('online', () => this.again());
    setInterval(() => this.#watch(), 5_000);
    void this.#run();
  }

  /** Tries at once, if it waits or hangs. */
  again(): void {
    this.#watch();
    this.#wake();
  }

  #watch(): void {
    const now = performance.now();
    if (!this.#reading) return;
    if (isSilent(this.#lastByteAt, now)) {
      this.#tell('silent');
      this.#reading.abort();
    } else if (!isWanted(this.#hiddenSince, now)) this.#reading.abort();
  }

  async #run(): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const { round } = this.#state;
      await this.#read();
      if (this.#state.round > round) attempt = 0;
      const hangs = this.#state.is === 'silent';
      if (!hangs && this.#state.is !== 'locked') this.#tell('away');
      if (!hangs || attempt > 0) await this.#rest(attempt);
    }
  }

  /** Until the next try; a locked or hidden page waits to be woken. */
  async #rest(attempt: number): Promise<void> {
    const { promise, resolve } = promised();
    this.#wake = resolve;
    const waits = this.#state.is === 'locked' || !isWanted(this.#hiddenSince, performance.now());
    const timer = waits ? undefined : setTimeout(resolve, delayBefore(attempt, Math.random()));
    await promise;
    clearTimeout(timer);
    this.#wake = () => {};
  }

  async #read(): Promise<void> {
    const reading = new AbortController();
    this.#reading = reading;
    this.#lastByteAt = performance.now();
    const late = setTimeout(() => reading.abort(), patience);
    try {
      const response = await ask('api/live', { signal: reading.signal });
      clearTimeout(late);
      const cut = eventCutter();
      for await (const piece of piecesOf(response)) {
        this.#lastByteAt = performance.now();
        if (this.#state.is !== 'live') this.#tell('live', this.#state.round + 1);
        this.#options.hear(cut(piece));
      }
    } catch (error) {
      if (error instanceof Denied) this.#tell('locked');
    } finally {
      clearTimeout(late);
      this.#reading = null;
    }
  }

  #tell(is: LinkState['is'], round = this.#state.round): void {
    if (is === this.#state.is) return;
    this.#state = { is, round };
    this.#options.tell(this.#state);
  }
}

function promised() {
  let resolve = () => {};
  const promise = new Promise<void>(done => {
    resolve = done;
  });
  return { promise, resolve };
}
