import { ask, messagesOf, Refused } from './api.ts';
import type { Live, Message } from './model/live.ts';

/** The page's connection to `api/live`, and its coming back. */

export interface LinkState {
  /** `away`: nothing answers; `silent`: the connection hangs; `locked`: a token is wanted. */
  is: 'connecting' | 'live' | 'away' | 'silent' | 'locked';
  /** Counts connections: what was asked for over an earlier one may be old. */
  round: number;
  /** Why the bridge refuses the page; null: it did not say. */
  said: string | null;
}

/** All that the page shows. */
export interface PageState {
  live: Live;
  link: LinkState;
}

interface Options {
  hear: (messages: readonly Message[]) => void;
  tell: (state: LinkState) => void;
}

/** Milliseconds until the answer has to begin, and between two pieces of it: the bridge sends one every 15 s. */
const patience = { first: 15_000, next: 45_000 };
/** A hidden page gives its connection back: a browser has six to one host. */
const hiddenFor = 30_000;

export class Link {
  readonly #options: Options;
  #state: LinkState = { is: 'connecting', round: 0, said: null };
  #reading = new AbortController();
  #isWanted = true;
  #hiding: ReturnType<typeof setTimeout> | undefined;
  /** Tries at once, if it waits. */
  again: () => void = () => {};

  constructor(options: Options) {
    this.#options = options;
  }

  /** Whether the page is hidden, at first and when that changes. */
  look(hidden: boolean): void {
    clearTimeout(this.#hiding);
    this.#isWanted = true;
    if (hidden) this.#hiding = setTimeout(() => this.#leave(), hiddenFor);
    else this.again();
  }

  #leave(): void {
    this.#isWanted = false;
    // Somebody may be looking for the token.
    if (this.#state.is !== 'locked') this.#drop('connecting');
  }

  async run(): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const { round } = this.#state;
      await this.#read();
      const worked = this.#state.round > round;
      if (worked) attempt = 0;
      // It hung, and another connection may work at once.
      if (!(worked && this.#state.is === 'silent')) await this.#rest(attempt);
    }
  }

  /** Until the next try, later and later; a locked or hidden page waits to be woken. */
  async #rest(attempt: number): Promise<void> {
    do {
      await new Promise<void>(resolve => {
        this.again = resolve;
        // Many pages must not come at once.
        const pause = Math.min(5_000, 1_000 * 2 ** attempt) * (0.75 + Math.random() / 2);
        if (this.#isWanted && this.#state.is !== 'locked') setTimeout(resolve, pause);
      });
    } while (!this.#isWanted);
  }

  async #read(): Promise<void> {
    const reading = new AbortController();
    this.#reading = reading;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const within = (time: number, otherwise: LinkState['is']) => {
      clearTimeout(timer);
      timer = setTimeout(() => this.#drop(otherwise), time);
    };
    within(patience.first, 'away');
    try {
      const response = await ask('live', { signal: reading.signal });
      for await (const messages of messagesOf<Message>(response)) {
        within(patience.next, 'silent');
        if (this.#state.is !== 'live') this.#tell('live', null, this.#state.round + 1);
        this.#options.hear(messages);
      }
      this.#tell('away');
    } catch (error) {
      const { status = 0, message = null } = error instanceof Refused ? error : {};
      if (!reading.signal.aborted) this.#tell(status === 401 ? 'locked' : 'away', message);
    } finally {
      clearTimeout(timer);
      reading.abort();
    }
  }

  /** Gives the connection up. */
  #drop(is: LinkState['is']): void {
    this.#tell(is);
    this.#reading.abort();
  }

  #tell(is: LinkState['is'], said: string | null = null, round = this.#state.round): void {
    this.#state = { is, said, round };
    this.#options.tell(this.#state);
  }
}
