import type { Libvirt } from '../libvirt/client.ts';
import { ConnectionLost, ProtocolError, TimeoutError } from '../libvirt/errors.ts';
import type { DomainRef } from '../libvirt/structs.ts';
import type { Logger } from '../util/logger.ts';
import type { Places } from '../util/places.ts';
import { type Details, readDetails } from './read.ts';

export interface DefinitionOptions {
  /** Whose it is, for the log. */
  vm: string;
  /** Milliseconds until a read goes on without it; default 3 000. */
  patience?: number | undefined;
  /** Shared by all domains of a connection. */
  places: Places;
  logger: Logger;
}

/**
 * The definition of one configured domain, as far as it can be had. Newer libvirtds keep it back while the domain's
 * QEMU hangs, and some domains are defined in ways that cannot be parsed: neither may hold up state and commands.
 */
export class Definition {
  readonly #options: DefinitionOptions;
  /** UUID of the domain that is still awaited. */
  #late: string | null = null;
  /** Why it could not be read, as last told. */
  #complaint: string | null = null;

  constructor(options: DefinitionOptions) {
    this.#options = options;
  }

  /** A connection has ended, and with it what was awaited on it. */
  forget(): void {
    this.#late = null;
  }

  /** Null: the domain is gone. Empty: it cannot be read now; `arrived` is called if it comes late. */
  async read(client: Libvirt, ref: DomainRef, arrived: () => void): Promise<Partial<Details> | null> {
    const { patience = 3_000, places } = this.#options;
    // Each one more that waits in vain would take one of the few places of the connection.
    if (this.#late === ref.uuid) return {};
    const reading = places.take(() => readDetails(client, ref));
    try {
      const details = await within(patience, reading);
      if (details !== undefined) {
        this.#complaint = null;
        return details;
      }
    } catch (error) {
      if (isConnectionError(error)) throw error;
      this.#complain((error as Error).message);
      return {};
    }
    this.#complain(`no answer within ${patience} ms`);
    this.#late = ref.uuid;
    const settled = () => {
      this.#late = null;
      arrived();
    };
    reading.then(settled, error => {
      if (!isConnectionError(error)) settled();
    });
    return {};
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

/** Undefined: it is not there yet. */
async function within<T>(milliseconds: number, promise: Promise<T>): Promise<T | undefined> {
  const { promise: timeIsUp, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(resolve, milliseconds, undefined);
  return Promise.race([promise, timeIsUp]).finally(() => clearTimeout(timer));
}

function isConnectionError(error: unknown): boolean {
  return [ConnectionLost, ProtocolError, TimeoutError].some(kind => error instanceof kind);
}
