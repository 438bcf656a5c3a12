import { hash } from 'node:crypto';
import type { Libvirt } from '../libvirt/client.ts';
import { isConnectionError } from '../libvirt/errors.ts';
import type { DomainRef } from '../libvirt/structs.ts';
import type { Hardware } from '../model/domain.ts';
import type { VmKey } from '../model/snapshot.ts';
import { inTime } from '../util/deadline.ts';
import type { Logger } from '../util/logger.ts';
import { Semaphore } from '../util/semaphore.ts';
import { parseDomainXml } from './domain-xml.ts';
import { type Details, readDetails } from './read.ts';

/** Definitions that are read at once: the connection has four places, and states and commands need some. */
const atOnce = 2;

export interface DefinitionHooks {
  /** Gets the XML of a domain's definition when it is first read, and when it has changed. */
  defined?: (key: VmKey, xml: string) => void;
  /** Gets the XML that the next start goes by, each time that a domain with a definition is read. */
  stored?: (key: VmKey, xml: string) => void;
}

/** The result of a question; null: the domain is gone. */
export type Defined = Details | 'unknown' | null;

/**
 * Reads the definitions of the configured domains, as far as they can be had. Newer libvirtds keep one back while the
 * domain's QEMU hangs, and some domains are defined in ways that cannot be parsed: neither may hold up state and commands.
 *
 * An answer is overdue when it does not come within the patience, which counts from when the question is sent. One that
 * waits for its turn is overdue only while every place has an overdue answer.
 */
export class Definitions {
  readonly #logger: Logger;
  readonly #patience: number;
  readonly #places = new Semaphore(atOnce);
  /** Ends a question that still waits for its turn. */
  readonly #waiting = new Set<(why: { reason: string }) => void>();
  #overdue = 0;
  /** Questions without an answer yet; `again`: something may have changed since it was sent. */
  readonly #pending = new Map<VmKey, { client: Libvirt; uuid: string; again: boolean }>();
  /** Why they could not be read, as last logged. */
  readonly #complaints = new Map<VmKey, string>();
  /** The last definition of each: most are read again and again, and never change. */
  readonly #parsed = new Map<VmKey, { digest: string; hardware: Hardware }>();
  readonly #hooks: DefinitionHooks;

  /** `patience`: milliseconds. */
  constructor(logger: Logger, patience = 3_000, hooks: DefinitionHooks = {}) {
    this.#logger = logger;
    this.#hooks = hooks;
    this.#patience = patience;
  }

  /**
   * Resolves when it is read, cannot be read, or is overdue. `arrived` is called when an overdue answer comes; `again`:
   * the domain has to be read once more. Rejects when the connection is lost.
   */
  async read(
    vm: VmKey,
    client: Libvirt,
    ref: DomainRef,
    arrived: (defined: Defined, again: boolean) => void,
  ): Promise<Defined> {
    const before = this.#pending.get(vm);
    // One more question would take one of the few places of the connection.
    if (before?.client === client && before.uuid === ref.uuid) {
      before.again = true;
      return 'unknown';
    }
    const pending = { client, uuid: ref.uuid, again: false };
    this.#pending.set(vm, pending);
    const { promise: overdue, resolve: giveUp } = Promise.withResolvers<{ reason: string }>();
    this.#waiting.add(giveUp);
    const read = this.#places
      .take(() => {
        this.#waiting.delete(giveUp);
        pending.again = false;
        return this.#ask(vm, client, ref, giveUp);
      })
      .finally(() => {
        if (this.#pending.get(vm) === pending) this.#pending.delete(vm);
      });
    this.#release();
    const first = await Promise.race([read, overdue]);
    if (first === null || first === 'unknown' || !('reason' in first)) return first;
    this.#complain(vm, first.reason);
    // A lost connection is logged elsewhere.
    read.then(
      defined => arrived(defined, pending.again),
      () => {},
    );
    return 'unknown';
  }

  async #ask(vm: VmKey, client: Libvirt, ref: DomainRef, giveUp: (why: { reason: string }) => void): Promise<Defined> {
    const { stored } = this.#hooks;
    const reading = readDetails(client, ref, xml => this.#parse(vm, xml), stored && (xml => stored(vm, xml)));
    let late = 0;
    try {
      if ((await inTime(reading, this.#patience, 'late')) === 'late') {
        late = 1;
        this.#overdue += late;
        giveUp({ reason: `no answer within ${this.#patience} ms` });
        this.#release();
      }
      const details = await reading;
      if (details) this.#complaints.delete(vm);
      return details;
    } catch (error) {
      if (isConnectionError(error)) throw error;
      this.#complain(vm, (error as Error).message);
      return 'unknown';
    } finally {
      this.#overdue -= late;
    }
  }

  #parse(vm: VmKey, xml: string): Hardware {
    const digest = hash('sha256', xml);
    const before = this.#parsed.get(vm);
    if (before?.digest === digest) return before.hardware;
    const hardware = parseDomainXml(xml);
    this.#parsed.set(vm, { digest, hardware });
    this.#hooks.defined?.(vm, xml);
    return hardware;
  }

  #release(): void {
    if (this.#overdue < atOnce) return;
    const reason = 'it waits for the definitions of other domains, which do not come';
    for (const giveUp of this.#waiting) giveUp({ reason });
    this.#waiting.clear();
  }

  #complain(vm: VmKey, reason: string): void {
    if (this.#complaints.get(vm) === reason) return;
    this.#complaints.set(vm, reason);
    const words = "a domain's definition cannot be read; its disks and NICs are those last seen";
    this.#logger.warn({ event: 'domain.definition_unknown', vm, reason }, words);
  }
}
