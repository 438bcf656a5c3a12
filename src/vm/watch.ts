import type { Libvirt } from '../libvirt/client.ts';
import { ConnectionLost, errorCode, isLibvirtError } from '../libvirt/errors.ts';
import type { DomainEvent, DomainEventName } from '../libvirt/events.ts';
import type { DomainRef } from '../libvirt/structs.ts';
import type { Domain, DomainState, Hardware } from '../model/domain.ts';
import type { Event } from '../model/event.ts';
import type { HypervisorInfo, VmKey } from '../model/snapshot.ts';
import type { Logger } from '../util/logger.ts';
import { parseDomainXml } from './domain-xml.ts';
import { stateWords } from './state.ts';

export interface Watched {
  key: VmKey;
  /** A domain's name, which is followed to whatever domain bears it, or a UUID, which is followed through renames. */
  domain: string;
}

export interface WatchOptions {
  vms: readonly Watched[];
  emit: (event: Event) => void;
  now?: () => Date;
  logger: Logger;
}

/** What the other parts need to address a domain. */
export interface Target {
  key: VmKey;
  ref: DomainRef;
  domain: Domain;
}

/** One configured VM and what is known of its domain. */
interface Entry extends Watched {
  target: Target | null;
  /** A read is under way; `again` asks for one more, with or without the details. */
  reading: Promise<void> | null;
  again: { details: boolean } | null;
}

/** What can change without a change of state, by event: hardware, autostart, persistence. */
const detailed: ReadonlySet<DomainEventName> = new Set(['deviceAdded', 'deviceRemoved', 'diskChange', 'nicMacChange']);
const definitionEvents: ReadonlySet<number> = new Set([0, 1]);

const subscriptions: readonly DomainEventName[] = [
  'lifecycle',
  'reboot',
  'ioErrorReason',
  'controlError',
  'pmWakeup',
  'pmSuspend',
  'pmSuspendDisk',
  ...detailed,
];

const noHardware: Hardware = { machine: null, vcpus: null, memory: null, disks: [], nics: [] };
const uuidForm = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/**
 * Keeps what is known of the configured domains true. An event is only a hint, what is then read is the truth; on every
 * connection it registers first and reads afterwards, so that nothing falls between. Reads of one domain never
 * overlap: hints that come meanwhile lead to one more read.
 */
export class Watch {
  readonly #options: WatchOptions;
  readonly #entries: readonly Entry[];
  #client: Libvirt | null = null;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#entries = options.vms.map(vm => ({ ...vm, target: null, reading: null, again: null }));
  }

  /** The domain of a VM as last seen; null if libvirt has none. */
  target(key: VmKey): Target | null {
    return this.#entries.find(entry => entry.key === key)?.target ?? null;
  }

  targets(): Target[] {
    return this.#entries.flatMap(entry => entry.target ?? []);
  }

  /** For a link's `prepare`: register, list, read. Resolves when every configured domain has been read. */
  async begin(client: Libvirt): Promise<void> {
    const { logger, emit } = this.#options;
    this.#client = client;
    client.onEvent(event => this.#hear(client, event));
    client.onClosed(() => {
      if (this.#client === client) this.#client = null;
    });
    const refused = await client.subscribe(subscriptions);
    if (refused.length > 0)
      logger.info({ event: 'libvirt.events_unknown', refused }, 'this libvirtd does not know some events');
    const found = await client.domains();
    for (const entry of this.#entries) {
      if (found.some(ref => matches(entry, ref))) continue;
      const names = found.slice(0, 20).map(ref => ref.name);
      logger.warn(
        { event: 'domain.missing', vm: entry.key, domain: entry.domain, names },
        'libvirt has no such domain',
      );
    }
    // A daemon that has just started takes its time to find out QEMU's version.
    const [info] = await Promise.all([
      identify(client),
      ...this.#entries.map(entry => this.#refresh(entry, client, true)),
    ]);
    emit({ type: 'hypervisor_up', info });
  }

  /** Reads everything again: libvirt has no event for some changes, autostart among them. */
  resync(): void {
    for (const entry of this.#entries) this.hint(entry.key);
  }

  /** Reads a domain again: somebody has reason to believe that it changed. */
  hint(key: VmKey): void {
    const entry = this.#entries.find(candidate => candidate.key === key);
    if (entry && this.#client) this.#refreshSafely(entry, this.#client, true);
  }

  #hear(client: Libvirt, event: DomainEvent): void {
    const details = detailed.has(event.name) || (event.name === 'lifecycle' && definitionEvents.has(event.event));
    for (const entry of this.#entries) {
      if (entry.target?.ref.uuid === event.domain.uuid || matches(entry, event.domain)) {
        this.#refreshSafely(entry, client, details);
      }
    }
  }

  /** A read that fails takes its connection down, so that the next one starts from the beginning. */
  #refreshSafely(entry: Entry, client: Libvirt, details: boolean): void {
    this.#refresh(entry, client, details).catch((error: Error) => {
      if (error instanceof ConnectionLost) return;
      this.#options.logger.warn(
        { event: 'domain.read_failed', vm: entry.key, reason: error.message },
        'reading a domain failed',
      );
      void client.close();
    });
  }

  async #refresh(entry: Entry, client: Libvirt, details: boolean): Promise<void> {
    if (entry.reading !== null) {
      entry.again = { details: details || (entry.again?.details ?? false) };
      return entry.reading;
    }
    entry.reading = this.#read(entry, client, details);
    try {
      await entry.reading;
    } finally {
      entry.reading = null;
    }
  }

  async #read(entry: Entry, client: Libvirt, details: boolean): Promise<void> {
    for (let next: { details: boolean } | null = { details }; next; next = entry.again) {
      entry.again = null;
      await this.#readOnce(entry, client, next.details);
    }
  }

  /** State first, because somebody waits for it; what takes an XML to know follows. */
  async #readOnce(entry: Entry, client: Libvirt, details: boolean): Promise<void> {
    const before = entry.target;
    const read = await readState(client, entry, before?.ref ?? null);
    if (client !== this.#client) return;
    if (!read) return this.#set(entry, null);
    const known = before?.ref.uuid === read.ref.uuid ? before.domain : null;
    const words = stateWords(read.state, read.reason);
    const active = isActive(words.state, read.ref);
    const current: Domain = {
      uuid: read.ref.uuid,
      name: read.ref.name,
      active,
      ...words,
      persistent: known?.persistent ?? true,
      autostart: known?.autostart ?? null,
      hardware: known?.hardware ?? noHardware,
    };
    // Without its hardware a new domain would be announced bare, and then once more.
    if (known) this.#set(entry, { key: entry.key, ref: read.ref, domain: current });
    if (!details && known && known.active === active && known.name === current.name) return;
    const more = await readDetails(client, read.ref);
    if (client !== this.#client) return;
    if (more) this.#set(entry, { key: entry.key, ref: read.ref, domain: { ...current, ...more } });
    else entry.again ??= { details: true };
  }

  #set(entry: Entry, target: Target | null): void {
    const before = entry.target;
    entry.target = target;
    if (JSON.stringify(before?.domain) === JSON.stringify(target?.domain)) return;
    const at = (this.#options.now?.() ?? new Date()).toISOString();
    this.#options.emit({ type: 'domain', key: entry.key, domain: target?.domain ?? null, at });
  }
}

function matches(entry: Watched, ref: DomainRef): boolean {
  return uuidForm.test(entry.domain) ? ref.uuid === entry.domain.toLowerCase() : ref.name === entry.domain;
}

/** Id and state come from two calls, between which it may have stopped: the id decides only where the state does not. */
function isActive(state: DomainState, ref: DomainRef): boolean {
  if (state === 'shut_off') return false;
  return state === 'crashed' || state === 'unknown' ? ref.id !== -1 : true;
}

async function identify(client: Libvirt): Promise<HypervisorInfo> {
  const [hostname, type, versions] = await Promise.all([client.hostname(), client.type(), client.versions()]);
  return { hostname, libvirt: versions.libvirt, hypervisor: `${type} ${versions.hypervisor}` };
}

/** Look-up and state in one round trip when the domain is still the one we know. Null: libvirt has no such domain. */
async function readState(
  client: Libvirt,
  entry: Watched,
  known: DomainRef | null,
): Promise<{ ref: DomainRef; state: number; reason: number } | null> {
  const lookup = uuidForm.test(entry.domain) ? client.domainByUuid(entry.domain) : client.domainByName(entry.domain);
  const [ref, guess] = await Promise.all([orGone(lookup), known ? orGone(client.state(known)) : null]);
  if (!ref) return null;
  const state = guess && ref.uuid === known?.uuid ? guess : await orGone(client.state(ref));
  return state && { ref, ...state };
}

async function readDetails(
  client: Libvirt,
  ref: DomainRef,
): Promise<Pick<Domain, 'persistent' | 'autostart' | 'hardware'> | null> {
  const [xml, persistent, autostart] = await Promise.all([
    orGone(client.xml(ref)),
    orGone(client.persistent(ref)),
    // A transient domain has no such flag.
    client.autostart(ref).catch(error => {
      if (isLibvirtError(error)) return null;
      throw error;
    }),
  ]);
  if (xml === null || persistent === null) return null;
  return { persistent, autostart, hardware: parseDomainXml(xml) };
}

/** A domain that vanished between two calls is an answer, not a failure. */
async function orGone<T>(call: Promise<T>): Promise<T | null> {
  return call.catch(error => {
    if (isLibvirtError(error, errorCode.noDomain)) return null;
    throw error;
  });
}
