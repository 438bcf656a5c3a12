import type { Libvirt } from '../libvirt/client.ts';
import { ConnectionLost, ProtocolError, TimeoutError } from '../libvirt/errors.ts';
import type { DomainRef } from '../libvirt/structs.ts';
import { unknownHardware } from '../model/domain.ts';
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

  #send(client: Libvirt, ref: DomainRef, giveUp: (reason: string) => void): Promise<Details | null> {
    let late = 0;
    const timer = setTimeout(() => {
      late = 1;
      this.#overdue += late;
      giveUp(`no answer within ${this.#patience} ms`);
      this.#release();
    }, this.#patience);
    return readDetails(client, ref).finally(() => {
      clearTimeout(timer);
      this.#overdue -= late;
    });
  }

  #release(): void {
    if (this.#overdue < atOnce) return;
    for (const giveUp of this.#waiting) giveUp('it waits for the definitions of other domains, which do not come');
    this.#waiting.clear();
  }
}

export interface DefinitionOptions {
  /** Whose it is, for the log. */
  vm: string;
  /** Shared by all domains of a connection. */
  queue: DefinitionQueue;
  logger: Logger;
}

/**
 * The definition of one configured domain, as far as it can be had. Newer libvirtds keep it back while the domain's
 * QEMU hangs, and some domains are defined in ways that cannot be parsed: neither may hold up state and commands.
 */
export class Definition {
  readonly #options: DefinitionOptions;
  /** As last read. */
  #known: { uuid: string; details: Details } | null = null;
  /** The question without an answer yet; `again`: something may have changed since it was sent. */
  #pending: { uuid: string; again: boolean } | null = null;
  /** Why it could not be read, as last told. */
  #complaint: string | null = null;

  constructor(options: DefinitionOptions) {
    this.#options = options;
  }

  /** What was last read of this domain. */
  of(uuid: string): Details {
    if (this.#known?.uuid === uuid) return this.#known.details;
    return { persistent: true, autostart: null, hardware: unknownHardware };
  }

  /** A connection has ended, and with it what was awaited on it. */
  forget(): void {
    this.#pending = null;
  }

  /**
   * Resolves when it is read, cannot be read, or is overdue; to false if the domain is gone. An overdue answer is taken
   * when it comes, and then `arrived` is called; `again`: the domain has to be read once more.
   */
  async read(client: Libvirt, ref: DomainRef, arrived: (again: boolean) => void): Promise<boolean> {
    // One more question would take one of the few places of the connection.
    if (this.#pending?.uuid === ref.uuid) {
      this.#pending.again = true;
      return true;
    }
    const pending = { uuid: ref.uuid, again: false };
    this.#pending = pending;
    const { answer, overdue } = this.#options.queue.ask(client, ref, () => {
      pending.again = false;
    });
    const read = this.#take(pending, answer);
    const there = await Promise.race([read, overdue]);
    if (typeof there === 'boolean') return there;
    this.#complain(there);
    // A lost connection is told elsewhere.
    read.then(
      still => arrived(pending.again || !still),
      () => {},
    );
    return true;
  }

  /** False: the domain is gone. Rejects when the connection is lost. */
  async #take(pending: { uuid: string }, answer: Promise<Details | null>): Promise<boolean> {
    const result = await answer.catch((error: Error) => error);
    const asked = this.#pending === pending;
    if (asked) this.#pending = null;
    if (isConnectionError(result)) throw result;
    if (!asked || result === null) return result !== null;
    if (result instanceof Error) {
      this.#complain(result.message);
      return true;
    }
    this.#complaint = null;
    this.#known = { uuid: pending.uuid, details: result };
    return true;
  }

  #complain(reason: string): void {
    if (this.#complaint === reason) return;
    this.#complaint = reason;
    const { vm, logger } = this.#options;
    logger.warn(
      { event: 'domain.definition_unknown', vm, reason },
      "a domain's definition cannot be read; its disks and NICs are those last seen",
    );
  }
}

function isConnectionError(error: unknown): boolean {
  return [ConnectionLost, ProtocolError, TimeoutError].some(kind => error instanceof kind);
}
