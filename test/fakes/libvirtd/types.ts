import type { procedures } from '../../../src/libvirt/procedures.ts';
import type { DomainRef } from '../../../src/libvirt/structs.ts';
import type { Value } from '../../../src/libvirt/xdr.ts';
import type { FakeDomain } from './domain.ts';
import type { FakeStorage } from './storage.ts';
import type { Accepted, Live, Streamed } from './stream.ts';

/** What the parts of the fake know of each other. */

type Procedures = typeof procedures;
export type ProcedureName = keyof Procedures;
export type Args<N extends ProcedureName> = Value<Procedures[N]['args']>;
type Reply<N extends ProcedureName> = Value<Procedures[N]['reply']>;

type Answer<R> = R | Streamed<R> | (R extends void ? Accepted | Live : never);
export type Handlers = {
  [N in ProcedureName]: (client: Client, args: Args<N>) => Answer<Reply<N>> | Promise<Answer<Reply<N>>>;
};

export interface FakeOptions {
  auth: 'none' | 'polkit' | 'sasl';
  polkit: 'grants' | 'refuses';
  /** Event ids above are refused, as an older daemon does. */
  maxEventId: number;
  /** Calls of one client that are served at once; more are not even read. */
  maxClientRequests: number;
  /** The daemon's own pings. */
  keepalive: { interval: number; count: number };
  /** False: older than 1.3.3. */
  eventCallbacks: boolean;
  libvirtVersion: number;
  hypervisorVersion: number;
  hostname: string;
  kvm: boolean;
  /** Of the host. */
  interfaces: readonly string[];
  /** Nanoseconds, and KiB. */
  cpu: Readonly<Record<string, number>>;
  memory: Readonly<Record<string, number>>;
  /** False: installed without its storage driver. */
  storageDriver: boolean;
}

/** The daemon as a session and its handlers see it. */
export interface Daemon {
  readonly options: FakeOptions;
  readonly domains: readonly FakeDomain[];
  readonly storage: FakeStorage;
  readonly frozen: boolean;
  find(uuid: string): FakeDomain | undefined;
  define(xml: string): FakeDomain;
  nextCallbackId(): number;
  /** Handles a call, in whatever trouble there is. */
  perform(client: Client, name: ProcedureName, args: unknown, handle: () => Promise<unknown>): Promise<unknown>;
}

/** A session as the handlers and faults see it. */
export interface Client {
  readonly daemon: Daemon;
  readOnly: boolean;
  authenticated: boolean;
  opened: boolean;
  startKeepalive(): void;
  register(eventId: number, domain: DomainRef | null): number;
  /** Hangs up, in the middle of whatever it was doing. */
  destroy(): void;
}
