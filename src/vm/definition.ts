import type { Libvirt } from '../libvirt/client.ts';
import { isConnectionError } from '../libvirt/errors.ts';
import type { DomainRef } from '../libvirt/structs.ts';
import { inTime } from '../util/deadline.ts';
import type { Logger } from '../util/logger.ts';
import { Semaphore } from '../util/semaphore.ts';
import { type Details, readDetails } from './read.ts';

/** Definitions that may be awaited at once: the connection has four places, and states and commands need theirs. */
const atOnce = 2;

/**
 * Asks for definitions, a few at once. An answer is overdue when it does not come within the patience, which counts
 * from when the question is sent. One that waits for its turn is overdue only while every place has an overdue answer.
 */
export class DefinitionQueue {
  readonly #patience: number;
  readonly #places = new Semaphore(atOnce);
  readonly #waiting = new Set<(reason: string) => void>();
  #overdue = 0;

  /** Milliseconds. */
  constructor(patience = 3_000) {
    this.#patience = patience;
  }

  /** `overdue` resolves to a reason, and perhaps never; `answer` may come all the same. */
  ask(
    client: Libvirt,
    ref: DomainRef,
    sent: () => void,
  ): { answer: Promise<Details | null>; overdue: Promise<string> } {
    const { promise: overdue, resolve } = Promise.withResolvers<string>();
    this.#waiting.add(resolve);
    const answer = this.#places.take(() => {
      this.#waiting.delete(resolve);
      sent();
      return this.#send(client, ref, resolve);
    });
    this.#release();
    return { answer, overdue };
  }

  async #send(client: Libvirt, ref: DomainRef, giveUp: (reason: string) => void): Promise<Details | null> {
    const reading = readDetails(client, ref);
    const first = await inTime(reading, this.#patience, 'late' as const);
    if (first !== 'late') return first;
    this.#overdue += 1;
    giveUp(`no answer within ${this.#patience} ms`);
    this.#release();
    return reading.finally(() => {
      this.#overdue -= 1;
    });
  }

  #release(): void {
    if (this.#overdue < atOnce) return;
    for (const giveUp of this.#waiting) giveUp('it waits for the definitions of other domains, which do not come');
    this.#waiting.clear();
  }
}

/** What became of a question; null: the domain is gone. */
export type Defined = Details | 'unknown' | null;

/**
 * Reads the definition of one configured domain, as far as it can be had. Newer libvirtds keep it back while the domain's
 * QEMU hangs, and some domains are defined in ways that cannot be parsed: neither may hold up state and commands.
 */
export class Definition {
  readonly #vm: string;
  readonly #queue: DefinitionQueue;
  readonly #logger: Logger;
  /** The question without an answer yet; `again`: something may have changed since it was sent. */
  #pending: { client: Libvirt; uuid: string; again: boolean } | null = null;
  /** Why it could not be read, as last told. */
  #complaint: string | null = null;

  /** `vm`: for the log; `queue`: shared by all domains of a connection. */
  constructor(vm: string, queue: DefinitionQueue, logger: Logger) {
    this.#vm = vm;
    this.#queue = queue;
    this.#logger = logger;
  }

  /**
   * Resolves when it is read, cannot be read, or is overdue. `arrived` is called when an overdue answer comes; `again`:
   * the domain has to be read once more. Rejects when the connection is lost.
   */
  async read(client: Libvirt, ref: DomainRef, arrived: (defined: Defined, again: boolean) => void): Promise<Defined> {
    // One more question would take one of the few places of the connection.
    if (this.#pending?.client === client && this.#pending.uuid === ref.uuid) {
      this.#pending.again = true;
      return 'unknown';
    }
    const pending = { client, uuid: ref.uuid, again: false };
    this.#pending = pending;
    const { answer, overdue } = this.#queue.ask(client, ref, () => {
      pending.again = false;
    });
    const read = this.#take(answer).finally(() => {
      if (this.#pending === pending) this.#pending = null;
    });
    const first = await Promise.race([read, overdue.then(reason => ({ reason }))]);
    if (first === null || first === 'unknown' || !('reason' in first)) return first;
    this.#complain(first.reason);
    // A lost connection is told elsewhere.
    read.then(
      defined => arrived(defined, pending.again),
      () => {},
    );
    return 'unknown';
  }

  async #take(answer: Promise<Details | null>): Promise<Defined> {
    try {
      const details = await answer;
      if (details) this.#complaint = null;
      return details;
    } catch (error) {
      if (isConnectionError(error)) throw error;
      this.#complain((error as Error).message);
      return 'unknown';
    }
  }

  #complain(reason: string): void {
    if (this.#complaint === reason) return;
    this.#complaint = reason;
    this.#logger.warn(
      { event: 'domain.definition_unknown', vm: this.#vm, reason },
      "a domain's definition cannot be read; its disks and NICs are those last seen",
    );
  }
}
