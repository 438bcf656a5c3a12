import { ask, Denied, piecesOf, Refused } from './api.ts';
import { delayBefore, isSilent, isWanted } from './model/link.ts';
import { eventCutter } from './model/stream.ts';

/** The page's connection to `api/live`, and its coming back. */

export interface LinkState {
  /** `away`: nothing answers; `silent`: the connection hangs; `locked`: a token is wanted. */
  is: 'connecting' | 'live' | 'away' | 'silent' | 'locked';
  /** Counts connections: what was asked for over an earlier one may be old. */
  round: number;
  /** Why the bridge refuses the page; null: it did not say. */
  said: string | null;
}

interface Options {
  hear: (messages: readonly unknown[]) => void;
  tell: (state: LinkState) => void;
}

/** Milliseconds until the answer has to begin, and until every VM was surely named. */
const patience = 15_000;

export class Link {
  readonly #options: Options;
  #state: LinkState = { is: 'connecting', round: 0, said: null };
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
    } else if (!this.#isWanted()) this.#reading.abort();
  }

  async #run(): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const { round } = this.#state;
      const said = await this.#read();
      if (this.#state.round > round) {
        attempt = 0;
        // It hung, and another connection may work at once.
        if (this.#state.is === 'silent') continue;
      }
      if (!this.#isWanted()) this.#tell('connecting');
      else if (this.#state.is !== 'locked') this.#tell('away', said);
      await this.#rest(attempt);
    }
  }

  #isWanted(): boolean {
    return isWanted(this.#hiddenSince, performance.now());
  }

  /** Until the next try; a locked or hidden page waits to be woken. */
  async #rest(attempt: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>(resolve => {
      this.#wake = resolve;
      if (this.#state.is === 'locked' || !this.#isWanted()) return;
      timer = setTimeout(resolve, delayBefore(attempt, Math.random()));
    });
    clearTimeout(timer);
    this.#wake = () => {};
  }

  /** Until it ends; resolves with why the bridge refuses, if it says so. */
  async #read(): Promise<string | null> {
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
        if (this.#state.is !== 'live') this.#tell('live', null, this.#state.round + 1);
        this.#options.hear(cut(piece));
      }
    } catch (error) {
      if (error instanceof Denied) this.#tell('locked');
      if (error instanceof Refused) return error.message;
    } finally {
      clearTimeout(late);
      this.#reading = null;
    }
    return null;
  }

  #tell(is: LinkState['is'], said: string | null = null, round = this.#state.round): void {
    if (is === this.#state.is && said === this.#state.said) return;
    this.#state = { is, said, round };
    this.#options.tell(this.#state);
  }
}
