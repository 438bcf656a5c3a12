import { isDeepStrictEqual } from 'node:util';
import type { Libvirt } from '../libvirt/client.ts';
import { ConnectionLost, isLibvirtError, unlessRefused } from '../libvirt/errors.ts';
import { type DomainEvent, type DomainEventName, eventNames } from '../libvirt/events.ts';
import type { DomainRef } from '../libvirt/structs.ts';
import { type Domain, isUuid, unknownHardware } from '../model/domain.ts';
import { callPatience } from '../model/job/job.ts';
import type { Event, VmKey } from '../model/snapshot.ts';
import { instead } from '../util/did-you-mean.ts';
import type { Logger } from '../util/logger.ts';
import { Semaphore } from '../util/semaphore.ts';
import { type Defined, type DefinitionHooks, Definitions } from './definition.ts';
import { type Details, identify, readState } from './read.ts';

interface Watched {
  key: VmKey;
  /** A domain's name, which is followed to any domain that has it, or a UUID, which is followed through renames. */
  domain: string;
}

export interface WatchOptions extends DefinitionHooks {
  vms: readonly Watched[];
  emit: (event: Event) => void;
  /** Milliseconds that a domain's definition is waited for; see `Definitions`. */
  patience?: number;
  /**
   * Milliseconds until a missing state ends the connection; default: as long as a power cut may take. While libvirt
   * ends a QEMU that does not obey, it does not return the state, and the command waits on the same connection. A
   * daemon that hangs is noticed by its missing keepalive answers.
   */
  statePatience?: number;
  /** Asked at the first read: whether another run of this domain was under way when the last bridge ended. */
  ranBefore?: (target: Pick<Target, 'key' | 'ref'>) => boolean;
  /** Gets each domain that is not configured: on a new connection, and when it is defined or started. */
  stranger?: (domain: DomainRef) => void;
  logger: Logger;
}

export interface Target {
  key: VmKey;
  ref: DomainRef;
  domain: Domain;
}

interface Entry extends Watched {
  /** Lower case; null: it is followed by its name. */
  uuid: string | null;
  /** Null: libvirt has none; undefined: it was never read. */
  target: Target | null | undefined;
  /** What was last read of its definition, and of which domain: it may be gone for a while. */
  details: { uuid: string; details: Details } | null;
  /** A read is under way; `again` asks for one more, with or without the details. */
  reading: Promise<void> | null;
  again: { details: boolean } | null;
  /** Its QEMU was ended by a signal, and not by its guest: the state does not show that. */
  killed: boolean;
  /** `virErrorNumber` of the last refused read that was logged. */
  refusal: number | null;
}

/** What can change without a change of state, by event: hardware, autostart, persistence. */
const detailed: ReadonlySet<DomainEventName> = new Set(['deviceAdded', 'deviceRemoved', 'diskChange', 'nicMacChange']);
const definitionEvents: ReadonlySet<number> = new Set([0, 1]);
/** The lifecycle events of a domain that is defined or started. */
const appearances: ReadonlySet<number> = new Set([0, 2]);
/** The lifecycle event of a guest that has shut down, and its detail if the host shut it down. */
const shutdown = { event: 6, byHost: 2 };

const undefinedDetails: Details = { persistent: true, autostart: null, hardware: unknownHardware };

/** Domains whose state is read at once: as many calls as a connection has under way. */
const statesAtOnce = 4;

/**
 * Keeps the known state of the configured domains true. An event is only a hint; the read after it counts. On every
 * connection it registers first and reads afterwards, so that it misses nothing. Reads of one domain never overlap:
 * hints during a read cause one more read.
 */
export class Watch {
  readonly #options: WatchOptions;
  readonly #entries: ReadonlyMap<VmKey, Entry>;
  /** A state's time-out must not include the wait for others. */
  readonly #turns = new Semaphore(statesAtOnce);
  readonly #definitions: Definitions;
  #resyncing = false;
  /** Names of the domains that libvirt has, as last listed; null: they never were. */
  #names: readonly string[] | null = null;
  #client: Libvirt | null = null;

  constructor(options: WatchOptions) {
    const { vms, patience, logger } = options;
    this.#options = options;
    this.#definitions = new Definitions(logger, patience, options);
    this.#entries = new Map(
      vms.map(({ key, domain }) => {
        const uuid = isUuid(domain) ? domain.toLowerCase() : null;
        const nothing = { target: undefined, details: null, reading: null, again: null, refusal: null, killed: false };
        return [key, { key, domain, uuid, ...nothing }];
      }),
    );
  }

  /** The watched connection: commands use it too, so that they do not overtake reads. */
  get client(): Libvirt | null {
    return this.#client;
  }

  /** The domain of a VM as last seen; null if libvirt has none. */
  target(key: VmKey): Target | null {
    return this.#entries.get(key)?.target ?? null;
  }

  targets(): Target[] {
    return [...this.#entries.values()].flatMap(entry => entry.target ?? []);
  }

  /** What libvirt has instead of a VM's domain, for people; empty: that is not known. */
  instead(key: VmKey): string {
    return this.#names ? instead(this.#entries.get(key)?.domain ?? key, this.#names) : '';
  }

  missing(key: VmKey): string {
    return `libvirt has no domain ${this.#entries.get(key)?.domain ?? key}. ${this.instead(key)}`.trimEnd();
  }

  /** For a link's `prepare`: register, list, read. Resolves when every configured domain has been read. */
  async begin(client: Libvirt): Promise<void> {
    const { logger, emit, stranger } = this.#options;
    this.#client = client;
    client.onEvent(event => this.#hear(client, event));
    client.onClosed(() => {
      if (this.#client === client) this.#client = null;
    });
    const entries = [...this.#entries.values()];
    for (const entry of entries) entry.killed = false;
    const refused = await client.subscribe(eventNames);
    if (refused.length > 0)
      logger.info({ event: 'libvirt.events_unknown', refused }, 'this libvirtd does not know some events');
    const found = await client.domains();
    this.#names = found.map(ref => ref.name);
    for (const ref of found) if (!entries.some(entry => matches(entry, ref))) stranger?.(ref);
    // A daemon that has just started first asks QEMU for its version.
    const [info] = await Promise.all([identify(client), ...entries.map(entry => this.#refresh(entry, client, true))]);
    emit({ type: 'hypervisor_up', info });
  }

  /**
   * Reads everything again: some changes have no event, such as autostart. One domain after the other, so that reads
   * after events need not wait; does nothing if a round is under way.
   */
  async resync(): Promise<void> {
    if (this.#resyncing) return;
    this.#resyncing = true;
    for (const key of this.#entries.keys()) await this.hint(key);
    this.#resyncing = false;
  }

  /** Reads a domain again: it may have changed. Resolves when that is done, or has failed. */
  async hint(key: VmKey): Promise<void> {
    const entry = this.#entries.get(key);
    if (entry && this.#client) await this.#refreshSafely(entry, this.#client, true);
  }

  #hear(client: Libvirt, event: DomainEvent): void {
    if (client !== this.#client) return;
    const details = detailed.has(event.name) || (event.name === 'lifecycle' && definitionEvents.has(event.event));
    const { uuid } = event.domain;
    const entries = [...this.#entries.values()];
    const concerned = entries.filter(entry => entry.target?.ref.uuid === uuid || matches(entry, event.domain));
    for (const entry of concerned) {
      if (event.name === 'lifecycle' && event.event === shutdown.event) entry.killed = event.detail === shutdown.byHost;
      if (event.name === 'reboot')
        this.#options.emit({ type: 'rebooted', key: entry.key, at: new Date().toISOString() });
      void this.#refreshSafely(entry, client, details);
    }
    const appears = event.name === 'lifecycle' && appearances.has(event.event);
    if (appears && concerned.length === 0) this.#options.stranger?.(event.domain);
  }

  /** A read that fails closes the connection, so that the next one begins anew. */
  #refreshSafely(entry: Entry, client: Libvirt, details: boolean): Promise<void> {
    return this.#refresh(entry, client, details).catch((error: Error) => {
      // Logged once, though several may wait for one read.
      if (error instanceof ConnectionLost || client !== this.#client) return;
      this.#client = null;
      const fields = { event: 'domain.read_failed', vm: entry.key, reason: error.message };
      this.#options.logger.warn(fields, 'reading a domain failed');
      void client.close();
    });
  }

  #refresh(entry: Entry, client: Libvirt, details: boolean): Promise<void> {
    if (entry.reading !== null) {
      entry.again = { details: details || (entry.again?.details ?? false) };
      return entry.reading;
    }
    const read = async () => {
      for (let next: { details: boolean } | null = { details }; next; next = entry.again) {
        entry.again = null;
        await this.#readOnce(entry, client, next.details);
      }
    };
    entry.reading = read().finally(() => {
      entry.reading = null;
    });
    return entry.reading;
  }

  /** State first, because a command may wait for it; then what only the XML has. */
  async #readOnce(entry: Entry, client: Libvirt, details: boolean): Promise<void> {
    const { statePatience: timeout = callPatience.cut_power } = this.#options;
    const reading = this.#turns.take(() => readState(client, entry.domain, entry.target?.ref ?? null, { timeout }));
    const read = await reading.catch(error => this.#refused(entry, error));
    if (client !== this.#client || read === undefined) return;
    entry.refusal = null;
    const before = entry.target;
    if (!read) {
      if (before !== undefined) await this.#list(client);
      return this.#set(entry, null);
    }
    const { ref, active, state } = read;
    const reason = state === 'shut_off' && read.reason === 'shutdown' && entry.killed ? 'killed' : read.reason;
    const { uuid, name } = ref;
    const { key } = entry;
    const known = before?.ref.uuid === uuid ? before.domain : null;
    const first = before === undefined && active && this.#options.ranBefore?.({ key, ref });
    const otherRun = first || (before && known && isOtherRun(before, ref, active));
    let unseen = otherRun;
    const set = (more: Details) => {
      const domain = { ...more, uuid, name, active, state, reason };
      if (unseen)
        this.#set(entry, { key, ref, domain: { ...domain, active: false, state: 'shut_off', reason: 'unseen' } });
      unseen = false;
      this.#set(entry, { key, ref, domain });
    };
    // Without its hardware a new domain would be published bare, and then once more.
    if (known) set(known);
    if (!details && !otherRun && known && known.active === active && known.name === name) return;
    const defined = await this.#definitions.read(key, client, ref, (late, again) =>
      this.#arrived(entry, client, ref, late, again),
    );
    if (client !== this.#client) return;
    if (defined === null) entry.again ??= { details: true };
    else if (defined !== 'unknown') {
      entry.details = { uuid, details: defined };
      set(defined);
    } else if (!known) set(entry.details?.uuid === uuid ? entry.details.details : undefinedDetails);
  }

  async #list(client: Libvirt): Promise<void> {
    const found = await unlessRefused(client.domains(), null);
    this.#names = found?.map(({ name }) => name) ?? null;
  }

  #arrived(entry: Entry, client: Libvirt, { uuid }: DomainRef, defined: Defined, again: boolean): void {
    const { target } = entry;
    if (client !== this.#client || target?.ref.uuid !== uuid) return;
    if (defined && defined !== 'unknown') {
      entry.details = { uuid, details: defined };
      this.#set(entry, { ...target, domain: { ...target.domain, ...defined } });
    }
    if (again || !defined) void this.#refreshSafely(entry, client, true);
  }

  /** One domain that libvirt refuses to read is no reason to lose the others. */
  #refused(entry: Entry, error: unknown): undefined {
    if (!isLibvirtError(error)) throw error;
    const { target } = entry;
    if (target) this.#set(entry, { ...target, domain: { ...target.domain, state: 'unknown', reason: 'not_readable' } });
    if (entry.refusal === error.code) return;
    entry.refusal = error.code;
    const fields = { event: 'domain.read_refused', vm: entry.key, code: error.code, reason: error.message };
    this.#options.logger.warn(fields, 'libvirt does not let a domain be read');
  }

  #set(entry: Entry, target: Target | null): void {
    const before = entry.target;
    entry.target = target;
    // A missing domain is an event too: until then it was unknown.
    if (before !== undefined && isDeepStrictEqual(before?.domain, target?.domain)) return;
    const domain = target?.domain ?? null;
    this.#options.emit({ type: 'domain', key: entry.key, domain, at: new Date().toISOString() });
  }
}

function matches({ uuid, domain }: Entry, ref: DomainRef): boolean {
  return uuid === null ? ref.name === domain : ref.uuid === uuid;
}

/** The domain ran in both reads, but stopped in between: the connection was down, or it went too fast. */
function isOtherRun(before: Target, now: DomainRef, active: boolean): boolean {
  const ids = [before.ref.id, now.id];
  return before.domain.active && active && !ids.includes(-1) && before.ref.id !== now.id;
}
