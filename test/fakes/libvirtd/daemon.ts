import { mkdtemp, rename, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { type Duplex, duplexPair } from 'node:stream';
import { ConnectError } from '../../../src/libvirt/errors.ts';
import type { DomainEventName } from '../../../src/libvirt/events.ts';
import type { Dialer } from '../../../src/libvirt/transport.ts';
import { type EventBody, FakeDomain } from './domain.ts';
import { type Call, type FaultOptions, Faults, type StreamTrouble, type Stuck } from './faults.ts';
import { Session } from './session.ts';
import { FakeStorage } from './storage.ts';
import type { Args, Client, Daemon, FakeOptions, ProcedureName } from './types.ts';
import { dsmXml, identity, type XmlOptions } from './xml.ts';

export interface ListenOptions extends Partial<FakeOptions> {
  /** The socket; default: one in a folder of its own. The read-only one is beside it, with `-ro`. */
  path?: string;
}

const defaults: FakeOptions = {
  auth: 'none',
  polkit: 'grants',
  maxEventId: 26,
  maxClientRequests: 5,
  keepalive: { interval: 5_000, count: 5 },
  eventCallbacks: true,
  libvirtVersion: 9_000_000,
  hypervisorVersion: 7_002_022,
  hostname: 'nas-host',
  kvm: true,
  interfaces: ['lo', 'br0'],
  cpu: { kernel: 1e9, user: 2e9, idle: 6e9, iowait: 1e9 },
  memory: { total: 8_388_608, free: 1_048_576, buffers: 0, cached: 1_048_576 },
  storageDriver: true,
};

/**
 * libvirtd with QEMU, as far as the bridge can tell: decodes every request, answers with its serial, keeps domains
 * that start and stop, and has whatever trouble a test gives it. Domains outlive `kill()`, as QEMU does.
 */
export class FakeLibvirtd implements Daemon {
  readonly options: FakeOptions;
  /** Every request that was decoded, in order. */
  readonly calls: Call[] = [];
  readonly sessions = new Set<Session>();
  readonly storage = new FakeStorage();
  readonly path: string;
  readonly #ownFolder: string | null;
  readonly #faults = new Faults();
  readonly #waiting = new Set<() => void>();
  #domains: FakeDomain[] = [];
  #servers: { server: Server; path: string }[] = [];
  #listening = false;
  #frozen = false;
  #ids = 0;
  #taps = 0;
  #callbackIds = 0;

  private constructor(path: string, ownFolder: string | null, options: Partial<FakeOptions>) {
    this.path = path;
    this.#ownFolder = ownFolder;
    this.options = { ...defaults, ...options };
  }

  static async listen({ path, ...options }: ListenOptions = {}): Promise<FakeLibvirtd> {
    const folder = path ? null : await mkdtemp(join(tmpdir(), 'libvirtd-'));
    const daemon = new FakeLibvirtd(path ?? join(folder ?? '', 'libvirt-sock'), folder, options);
    await daemon.listen();
    return daemon;
  }

  get uri(): string {
    return `qemu+unix:///system?socket=${this.path}`;
  }

  get readOnlyUri(): string {
    return `${this.uri}-ro`;
  }

  /** In process, without a socket. */
  readonly dial: Dialer = async () => {
    if (!this.#listening) throw new ConnectError('the fake libvirtd is down');
    const [ours, theirs] = duplexPair();
    this.#accept(ours, false);
    return theirs;
  };

  // --- domains ---

  get domains(): readonly FakeDomain[] {
    return this.#domains;
  }

  /** Defines a DSM under this identity, or this XML; of a uuid that is there already, anew. */
  define(definition: string | XmlOptions = {}): FakeDomain {
    const xml = typeof definition === 'string' ? definition : dsmXml(definition);
    const { name, uuid } = identity(xml);
    const known = this.find(uuid);
    if (known) {
      known.redefine(xml);
      return known;
    }
    if (this.#domains.some(domain => domain.name === name)) throw new Error(`a domain '${name}' is defined already`);
    const domain = new FakeDomain(xml, {
      emit: (event, body) => this.emit(event, body),
      nextId: () => ++this.#ids,
      nextTap: () => `vnet${this.#taps++}`,
      forget: forgotten => {
        this.#domains = this.#domains.filter(each => each !== forgotten);
      },
    });
    this.#domains.push(domain);
    this.emit('lifecycle', { domain: domain.ref, event: 0, detail: 0 });
    return domain;
  }

  /** So many domains beside what is there: `vm-0`, `vm-1`, … */
  defineMany(count: number): FakeDomain[] {
    return Array.from({ length: count }, (_, i) => {
      const digits = i.toString(16).padStart(6, '0');
      const uuid = `00000000-0000-4000-8000-000000${digits}`;
      return this.define({ name: `vm-${i}`, uuid, mac: `52:54:00:${digits.match(/../g)?.join(':')}` });
    });
  }

  domain(name: string): FakeDomain {
    const domain = this.#domains.find(each => each.name === name);
    if (!domain) throw new Error(`no domain '${name}'`);
    return domain;
  }

  find(uuid: string): FakeDomain | undefined {
    return this.#domains.find(domain => domain.uuid === uuid);
  }

  /** Tells every subscriber. */
  emit<N extends DomainEventName>(name: N, body: EventBody<N>): void {
    for (const session of this.sessions) session.announce(name, body);
  }

  // --- troubles ---

  /** Calls of this procedure get stuck. */
  hang(name: ProcedureName, options: FaultOptions = {}): Stuck {
    return this.#faults.hang(name, options);
  }

  delay(name: ProcedureName, milliseconds: number, options: FaultOptions = {}): Disposable {
    return this.#faults.delay(name, milliseconds, options);
  }

  /** Calls of this procedure are answered with this error; see `Refusal` for libvirt's own. */
  refuse(name: ProcedureName, code: number, message = 'refused', options: FaultOptions = {}): Disposable {
    return this.#faults.refuse(name, code, message, options);
  }

  /** Calls of this procedure cost the client its connection. */
  drop(name: ProcedureName, options: FaultOptions = {}): Disposable {
    return this.#faults.drop(name, options);
  }

  /** Streams of this procedure have this trouble when half of their packets are sent. */
  breakStream(name: ProcedureName, trouble: StreamTrouble, options: FaultOptions = {}): Disposable {
    return this.#faults.breakStream(name, trouble, options);
  }

  /** SIGSTOP: connections are accepted, and nobody answers. */
  freeze(): void {
    this.#frozen = true;
  }

  thaw(): void {
    this.#frozen = false;
    for (const session of this.sessions) session.thaw();
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  /** SIGKILL: connections end, the socket file stays and refuses. */
  async kill(): Promise<void> {
    await this.#shut({ leaveFile: true });
  }

  /** SIGTERM: connections end, the socket file goes. */
  async stop(): Promise<void> {
    await this.#shut({ leaveFile: false });
  }

  /** Starts it again, at the same place, with the domains it had. */
  async listen(): Promise<void> {
    if (this.#listening) return;
    this.#frozen = false;
    for (const readOnly of [false, true]) {
      const path = readOnly ? `${this.path}-ro` : this.path;
      await rm(path, { force: true });
      const server = createServer(socket => this.#accept(socket, readOnly));
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
      this.#servers.push({ server, path });
    }
    this.#listening = true;
  }

  /** Ends it for good. */
  async close(): Promise<void> {
    await this.stop();
    for (const domain of this.#domains) domain.dispose();
    if (this.#ownFolder) await rm(this.#ownFolder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // --- what tests look at ---

  callsOf<N extends ProcedureName>(name: N): Call<N>[] {
    return this.calls.filter(call => call.name === name) as unknown as Call<N>[];
  }

  /** The arguments of the `nth` call of this procedure (from 1), as soon as there is one. */
  async called<N extends ProcedureName>(name: N, nth = 1, deadline = 60_000): Promise<Args<N>> {
    const signal = AbortSignal.timeout(deadline);
    for (;;) {
      const call = this.callsOf(name)[nth - 1];
      if (call) return call.args;
      await this.#nextCall(signal, `${name} was not called ${nth} times within ${deadline} ms`);
    }
  }

  // --- for sessions ---

  perform(client: Client, name: ProcedureName, args: unknown, handle: () => Promise<unknown>): Promise<unknown> {
    this.calls.push({ name, args, client } as Call);
    for (const notify of this.#waiting) notify();
    return this.#faults.perform(name, client, handle);
  }

  nextCallbackId(): number {
    return this.#callbackIds++;
  }

  #accept(stream: Duplex, readOnly: boolean): void {
    const session = new Session(this, stream, { readOnly });
    this.sessions.add(session);
    session.start(() => this.sessions.delete(session));
  }

  #nextCall(signal: AbortSignal, complaint: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        this.#waiting.delete(settle);
        signal.removeEventListener('abort', settle);
        if (signal.aborted) reject(new Error(complaint));
        else resolve();
      };
      this.#waiting.add(settle);
      signal.addEventListener('abort', settle);
    });
  }

  async #shut({ leaveFile }: { leaveFile: boolean }): Promise<void> {
    this.#listening = false;
    for (const session of this.sessions) session.destroy();
    for (const { server, path } of this.#servers.splice(0)) {
      // Node unlinks the path it bound; moved away meanwhile, the file stays, as after kill -9.
      const aside = join(dirname(path), `.${basename(path)}`);
      if (leaveFile) await rename(path, aside);
      await new Promise(resolve => server.close(resolve));
      if (leaveFile) await rename(aside, path);
    }
  }
}
