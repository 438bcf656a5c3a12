import type { CallOptions } from './calls.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { dialerOf } from './dialer.ts';
import { ConnectError, errorCode, unlessRefused } from './errors.ts';
import { type DomainEvent, type DomainEventName, domainEvents } from './events.ts';
import { addressSource, affectLive, defineValidate, linuxKeys, statsNoWait, xmlFlag } from './flags.ts';
import { shakeHands } from './handshake.ts';
import { Node } from './node.ts';
import { procedures } from './procedures.ts';
import { Storage } from './storage.ts';
import { Collector, ReadStream, type Wire } from './stream.ts';
import { type DomainRef, type GuestInterface, type Picker, pickedRecords } from './structs.ts';
import type { Dialer } from './transport.ts';
import type { LibvirtUri } from './uri.ts';

export interface LibvirtOptions extends ConnectionOptions {
  uri: LibvirtUri;
  readOnly?: boolean;
  /** Default: the URI's unix sockets or TLS; SSH has none. */
  dial?: Dialer;
  signal?: AbortSignal;
  /** Milliseconds for dialling and the handshake together. */
  openTimeout?: number;
}

type ConsoleOptions = CallOptions & { device?: string };

/**
 * A libvirt connection that is open and authenticated, and the calls the bridge makes on it. Used once; see
 * `Connection`. Every call takes a time-out and a signal and rejects as `Connection.call` says.
 */
export class Libvirt {
  readonly storage: Storage;
  readonly node: Node;
  readonly #connection: Connection;

  private constructor(connection: Connection) {
    this.#connection = connection;
    this.storage = new Storage(connection);
    this.node = new Node(connection);
  }

  /** Dials and shakes hands. Rejects with `ConnectError` when nothing listens, else as a call does. */
  static async open(options: LibvirtOptions): Promise<Libvirt> {
    const { uri, readOnly = false, openTimeout = 10_000 } = options;
    const deadline = AbortSignal.timeout(openTimeout);
    const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline;
    let connection: Connection | undefined;
    try {
      connection = new Connection(await (options.dial ?? dialerOf(uri))(signal), options).start();
      await shakeHands(connection, { name: uri.name, readOnly }, { signal });
      return new Libvirt(connection);
    } catch (error) {
      connection?.[Symbol.dispose]();
      // The caller's own deadline may be the earlier one.
      const late = deadline.aborted ? `within ${openTimeout} ms` : signal.reason?.name === 'TimeoutError' && 'in time';
      if (late) throw new ConnectError(`libvirt did not answer ${late}`, { cause: error });
      throw error;
    }
  }

  onEvent(listener: (event: DomainEvent) => void): void {
    this.#connection.on('event', listener);
  }

  /** Called once, with the cause, or null after `close()`. */
  onClosed(listener: (cause: Error | null) => void): void {
    this.#connection.onceClosed(listener);
  }

  /**
   * Hangs up as `Connection.close` does, and without `REMOTE_PROC_CONNECT_CLOSE`: that is a call, too, and the daemon
   * closes after its reply.
   */
  close(): Promise<void> {
    return this.#connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Subscribes to these events of all domains. Resolves to the names that this daemon does not know. Registrations
   * end with the connection.
   */
  async subscribe(names: readonly DomainEventName[], options?: CallOptions): Promise<DomainEventName[]> {
    const asked = names.map(name => {
      const args = { eventId: domainEvents[name].id, domain: null };
      return unlessRefused(this.#connection.call(procedures.domainEventRegister, args, options), name);
    });
    return (await Promise.all(asked)).filter(answer => typeof answer === 'string');
  }

  /** `QEMU` */
  async type(options?: CallOptions): Promise<string> {
    return (await this.#connection.call(procedures.connectGetType, undefined, options)).type;
  }

  async hostname(options?: CallOptions): Promise<string> {
    return (await this.#connection.call(procedures.connectGetHostname, undefined, options)).hostname;
  }

  /** What libvirt and its machine can do, as XML. */
  async capabilities(options?: CallOptions): Promise<string> {
    return (await this.#connection.call(procedures.connectGetCapabilities, undefined, options)).capabilities;
  }

  /** Rejects with `LibvirtError` 57 (`errorCode.noInterface`); 3 without a driver for the host's interfaces. */
  async mustHaveInterface(name: string, options?: CallOptions): Promise<void> {
    await this.#connection.call(procedures.interfaceLookupByName, { name }, options);
  }

  /** `9.0.0`, of libvirt and of the hypervisor (`0.0.0` where the daemon does not know it). */
  async versions(options?: CallOptions): Promise<{ libvirt: string; hypervisor: string }> {
    const [libvirt, hypervisor] = await Promise.all([
      this.#connection.call(procedures.connectGetLibVersion, undefined, options),
      this.#connection.call(procedures.connectGetVersion, undefined, options),
    ]);
    return { libvirt: dotted(libvirt.version), hypervisor: dotted(hypervisor.version) };
  }

  async domains(options?: CallOptions): Promise<DomainRef[]> {
    return (await this.#connection.call(procedures.connectListAllDomains, { needResults: 1, flags: 0 }, options))
      .domains;
  }

  /** Rejects with `LibvirtError` 42 (`errorCode.noDomain`). */
  async domainByName(name: string, options?: CallOptions): Promise<DomainRef> {
    return (await this.#connection.call(procedures.domainLookupByName, { name }, options)).domain;
  }

  async domainByUuid(uuid: string, options?: CallOptions): Promise<DomainRef> {
    return (await this.#connection.call(procedures.domainLookupByUuid, { uuid }, options)).domain;
  }

  /** `virDomainState` and its reason, as numbers. */
  state(domain: DomainRef, options?: CallOptions): Promise<{ state: number; reason: number }> {
    return this.#connection.call(procedures.domainGetState, { domain, flags: 0 }, options);
  }

  /** `secure`: with its passwords; `LibvirtError` 29 (`errorCode.operationDenied`) on a read-only connection. */
  async xml(
    domain: DomainRef,
    { inactive = false, secure = false, ...options }: CallOptions & { inactive?: boolean; secure?: boolean } = {},
  ): Promise<string> {
    const flags = (inactive ? xmlFlag.inactive : 0) | (secure ? xmlFlag.secure : 0);
    return (await this.#connection.call(procedures.domainGetXmlDesc, { domain, flags }, options)).xml;
  }

  /**
   * Defines a domain, after a look at libvirt's own schema: `LibvirtError` 92 (`errorCode.invalidSchema`). **Replaces** the
   * definition of one with both the same name and UUID; with only one of them the same it is 9 (`errorCode.operationFailed`).
   */
  async define(xml: string, options?: CallOptions): Promise<DomainRef> {
    const args = { xml, flags: defineValidate };
    return (await this.#connection.call(procedures.domainDefineXmlFlags, args, options)).domain;
  }

  async persistent(domain: DomainRef, options?: CallOptions): Promise<boolean> {
    return (await this.#connection.call(procedures.domainIsPersistent, { domain }, options)).persistent;
  }

  async autostart(domain: DomainRef, options?: CallOptions): Promise<boolean> {
    return (await this.#connection.call(procedures.domainGetAutostart, { domain }, options)).autostart;
  }

  /** Bytes: what the guest sees, what is written to, what the host holds. `path` is a target (`sda`) or a source. */
  blockInfo(domain: DomainRef, path: string, options?: CallOptions) {
    return this.#connection.call(procedures.domainGetBlockInfo, { domain, path, flags: 0 }, options);
  }

  /**
   * Statistics of these domains (all when empty) in one call; groups are `statsGroup` bits. NOWAIT: a domain whose
   * monitor is busy answers with what needs no QEMU, instead of making all others wait. `begin` makes a picker for each
   * record.
   */
  async stats<T>(domains: readonly DomainRef[], groups: number, begin: () => Picker<T>, options?: CallOptions) {
    const procedure = { ...procedures.connectGetAllDomainStats, reply: pickedRecords(begin) };
    const args = { domains: [...domains], stats: groups, flags: statsNoWait };
    return (await this.#connection.call(procedure, args, options)).records;
  }

  /**
   * The guest's addresses by one source. Without a lease there are none; `LibvirtError` 74
   * (`errorCode.argumentUnsupported`) without an agent, 86 if it does not answer, 55 if the guest is off. To ask an
   * agent counts as a write: refused on a read-only connection.
   */
  async interfaceAddresses(
    domain: DomainRef,
    source: keyof typeof addressSource,
    options?: CallOptions,
  ): Promise<GuestInterface[]> {
    const args = { domain, source: addressSource[source], flags: 0 };
    return (await this.#connection.call(procedures.domainInterfaceAddresses, args, options)).interfaces;
  }

  /** How often the guest's balloon driver reports, seconds; 0 stops it. A write: refused on a read-only connection. */
  setMemoryStatsPeriod(domain: DomainRef, period: number, options?: CallOptions): Promise<void> {
    return this.#connection.call(procedures.domainSetMemoryStatsPeriod, { domain, period, flags: affectLive }, options);
  }

  /** `LibvirtError` 55 (`errorCode.operationInvalid`) if it runs already. The domain comes back with its new id. */
  async start(domain: DomainRef, options?: CallOptions): Promise<DomainRef> {
    return (await this.#connection.call(procedures.domainCreateWithFlags, { domain, flags: 0 }, options)).domain;
  }

  /** Asks the guest to power off and returns at once; `flags` is one of `shutdownFlag`. */
  shutdown(domain: DomainRef, flags: number, options?: CallOptions): Promise<void> {
    return this.#connection.call(procedures.domainShutdownFlags, { domain, flags }, options);
  }

  /**
   * Asks the guest to restart and returns at once; `flags` is one of `rebootFlag`. By ACPI it is a power-off that
   * libvirt turns into a reset, so a guest that ignores the button goes on; it stays active throughout.
   */
  reboot(domain: DomainRef, flags: number, options?: CallOptions): Promise<void> {
    return this.#connection.call(procedures.domainReboot, { domain, flags }, options);
  }

  /** Stops its virtual CPUs. A paused one stays paused, without an error. */
  suspend(domain: DomainRef, options?: CallOptions): Promise<void> {
    return this.#connection.call(procedures.domainSuspend, { domain }, options);
  }

  /** Resumes a paused one; `LibvirtError` 55 (`errorCode.operationInvalid`) if it runs, or sleeps (see `wakeUp`). */
  resume(domain: DomainRef, options?: CallOptions): Promise<void> {
    return this.#connection.call(procedures.domainResume, { domain }, options);
  }

  /** The reset button: the guest is not asked. */
  reset(domain: DomainRef, options?: CallOptions): Promise<void> {
    return this.#connection.call(procedures.domainReset, { domain, flags: 0 }, options);
  }

  /** Wakes a guest that has put itself to sleep (`pmsuspended`). */
  wakeUp(domain: DomainRef, options?: CallOptions): Promise<void> {
    return this.#connection.call(procedures.domainPmWakeup, { domain, flags: 0 }, options);
  }

  /** Whether it starts with the host. `LibvirtError` 55 for a transient domain. */
  setAutostart(domain: DomainRef, enabled: boolean, options?: CallOptions): Promise<void> {
    return this.#connection.call(procedures.domainSetAutostart, { domain, autostart: enabled }, options);
  }

  /**
   * What a screen shows, in QEMU's own format: `image/png` since QEMU 7.1, before it `image/x-portable-pixmap`.
   * Rejects with `LimitError` above `limit` bytes (64 MiB), and with `LibvirtError` 55 if it is off or has no such screen.
   */
  async screenshot(
    domain: DomainRef,
    { screen = 0, limit = 64 * 1024 ** 2, ...options }: CallOptions & { screen?: number; limit?: number } = {},
  ): Promise<{ mime: string | null; data: Buffer }> {
    const picture = new Collector(limit);
    const args = { domain, screen, flags: 0 };
    const stream = (wire: Wire) => new ReadStream(picture, wire);
    const { mime } = await this.#connection.call(procedures.domainScreenshot, args, options, stream);
    return { mime, data: picture.bytes };
  }

  /**
   * Reads what the guest writes to its first console, or to `device`, until the domain stops or somebody takes the console away; then it
   * resolves. Never forced: `LibvirtError` 9 (`errorCode.operationFailed`) while somebody else has it. While it is read,
   * others get that error. `LibvirtError` 1 if it is no pty, 55 if the domain is off. A write: refused on a read-only
   * connection. `timeout` is for all of it.
   */
  async console(domain: DomainRef, hear: (bytes: Buffer) => void, options: ConsoleOptions): Promise<void> {
    const sink = { data: hear, hole: () => {} };
    const stream = (wire: Wire) => new ReadStream(sink, wire);
    const args = { domain, device: options.device ?? null, flags: 0 };
    const reading = this.#connection.call(procedures.domainOpenConsole, args, options, stream);
    // One that is taken away fails: "stream had I/O failure".
    await unlessRefused(reading, undefined, errorCode.rpc);
  }

  /**
   * Presses these keys (`KEY_*` of Linux, 16 at most) at once and lets them go after `hold` milliseconds. Resolves when
   * QEMU has it in its queue; a guest without a keyboard driver never sees it. `LibvirtError` 55 if the domain is off.
   */
  sendKeys(
    domain: DomainRef,
    keys: readonly number[],
    { hold = 100, ...options }: CallOptions & { hold?: number } = {},
  ): Promise<void> {
    const args = { domain, codeset: linuxKeys, holdTime: hold, keys: [...keys], flags: 0 };
    return this.#connection.call(procedures.domainSendKey, args, options);
  }

  /** Pulls the plug; `flags` is one of `destroyFlag`. */
  destroy(domain: DomainRef, flags: number, options?: CallOptions): Promise<void> {
    return this.#connection.call(procedures.domainDestroyFlags, { domain, flags }, options);
  }
}

/** libvirt packs versions as major * 1 000 000 + minor * 1 000 + release. */
function dotted(version: number): string {
  return `${Math.floor(version / 1_000_000)}.${Math.floor(version / 1_000) % 1_000}.${version % 1_000}`;
}
