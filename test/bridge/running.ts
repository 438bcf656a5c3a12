import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EveryTuning, mainOfAll, type Served } from '../../src/app/renewal.ts';
import type { Tuning } from '../../src/app/run.ts';
import type { Probes } from '../../src/checks/probes.ts';
import type { Config, Host } from '../../src/config/config.ts';
import { commandWords } from '../../src/model/commands.ts';
import type { StateDocument } from '../../src/model/documents.ts';
import { FakeLibvirtd } from '../fakes/libvirtd/daemon.ts';
import { startAedes } from '../mqtt/aedes.ts';
import type { Broker } from '../mqtt/broker.ts';
import { recorder } from '../mqtt/inbox.ts';
import { Observer } from '../mqtt/observer.ts';

/** The whole bridge between a fake libvirtd and a broker in this process. */

type VmConfig = Config['vms'][number];

/** Every domain of a host. */
export const template = (changes: Partial<Config['templates'][number]> = {}): Config['templates'][number] => {
  const { domain: _, key: __, label: ___, ...rest } = vmConfig({ guest: 'other', commands: [] });
  return { ...rest, except: [], ...changes };
};

export const vmConfig = (changes: Partial<VmConfig> = {}): VmConfig => ({
  domain: 'DSM',
  guest: 'dsm',
  suggestedArea: null,
  linkByMac: false,
  on: null,
  key: 'DSM',
  label: 'DSM VM',
  address: null,
  commands: [...commandWords],
  loader: null,
  create: null,
  shutdown: { method: 'acpi', timeout: 60_000, resendEvery: 60_000, maxPresses: 3, onTimeout: 'report' },
  reboot: { method: 'shutdown' },
  after: [],
  expected: 'last_intended',
  console: 'never',
  checks: {
    ...{ schedule: null, deepSchedule: null, timezone: null, ports: [], http: [], ssh: null, agent: false },
    ...{ failuresBeforeDown: 2, bootGrace: 900_000, probeTimeout: 20_000 },
  },
  ...changes,
});

export interface ConfigChanges {
  /** Milliseconds until it is looked what is stale on the broker. */
  staleAfter?: number;
  vms?: readonly VmConfig[];
  templates?: Config['templates'];
  libvirt?: Partial<Host>;
  /** Default: the one of `libvirt`. */
  hosts?: readonly Host[];
  mqtt?: Partial<Config['mqtt']>;
  health?: Config['health']['listen'];
  web?: Partial<Config['web']>;
  notify?: Config['notify'];
  heartbeat?: Config['heartbeat'];
  dataDir?: string;
  /** Checks are made of what these find, and only on command unless the VM's schedule says otherwise. */
  probes?: Partial<Probes>;
  loader?: Tuning['loader'];
  /** Milliseconds between off and start. */
  pause?: number;
  /** Milliseconds in which a VM may go from one host to another. */
  roamingPatience?: number;
  renewal?: EveryTuning['renewal'];
}

export class Running implements AsyncDisposable {
  readonly daemon: FakeLibvirtd;
  readonly broker: Broker;
  readonly log = recorder();
  readonly folder: string;
  #bridge: Served | undefined;
  #observers: Observer[] = [];

  constructor(daemon: FakeLibvirtd, broker: Broker, folder: string) {
    this.daemon = daemon;
    this.broker = broker;
    this.folder = folder;
  }

  /** The peers alone; the bridge follows with `start`. */
  static async prepare(): Promise<Running> {
    const [daemon, broker, folder] = await Promise.all([
      FakeLibvirtd.listen(),
      startAedes(),
      mkdtemp(join(tmpdir(), 'bridge-')),
    ]);
    return new Running(daemon, broker, folder);
  }

  /** A bridge to a DSM that is off, and somebody who has seen that it is online. */
  static async start(changes: ConfigChanges = {}): Promise<Running & { seen: Observer }> {
    const running = await Running.prepare();
    running.daemon.define();
    const seen = await running.observe();
    await running.start(changes);
    await seen.take('b/bridge/state', 'online');
    await seen.take('b/DSM/availability', 'online');
    return Object.assign(running, { seen });
  }

  /** With the only host, as commands of a VM get it. */
  config(changes: ConfigChanges = {}): Config & { libvirt: Host } {
    const { vms = [vmConfig()], templates = [], mqtt, health = null, dataDir = this.folder } = changes;
    const only = {
      name: null,
      uri: this.daemon.uri,
      readOnly: false,
      statsInterval: 60_000,
      ...changes.libvirt,
    } as Host;
    return {
      instance: 'nas',
      mqtt: {
        url: `mqtt://127.0.0.1:${this.broker.port}`,
        clientId: 'bridge',
        username: null,
        password: null,
        ca: null,
        cert: null,
        key: null,
        baseTopic: 'b',
        ...mqtt,
      },
      homeAssistant: { discoveryPrefix: 'ha', statusTopic: 'ha/status', powerSwitchCategory: 'config' },
      libvirt: only,
      hosts: changes.hosts ?? [only],
      vms,
      templates,
      dataDir,
      health: { listen: health },
      web: { listen: null, token: null, ingress: false, ...changes.web },
      notify: changes.notify ?? [],
      heartbeat: changes.heartbeat ?? null,
      log: { level: 'info', pretty: false },
    };
  }

  async start(changes?: ConfigChanges): Promise<Served> {
    const { probes, loader, staleAfter, roamingPatience, renewal, pause = 50 } = changes ?? {};
    this.#bridge = await mainOfAll(this.config(changes), this.log, {
      ...(renewal && { renewal }),
      ...(staleAfter !== undefined && { staleAfter }),
      ...(roamingPatience !== undefined && { roamingPatience }),
      ...{ pause, ...(probes && { probes }), ...(loader && { loader }) },
    });
    return this.#bridge;
  }

  async stop(): Promise<void> {
    await this.#bridge?.close();
  }

  async observe(filter = '#'): Promise<Observer> {
    const observer = await Observer.start(this.broker, filter);
    this.#observers.push(observer);
    return observer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    for (const observer of this.#observers) await observer[Symbol.asyncDispose]();
    await this.broker.kill().catch(() => {});
    await this.daemon.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

export const stateOf = ({ payload }: { payload: string }): StateDocument => JSON.parse(payload);

/** The next state on `b/KEY/state` that is as wanted. */
export async function state(
  seen: Observer,
  matches: (document: StateDocument) => boolean,
  key = 'DSM',
): Promise<StateDocument> {
  return stateOf(await seen.seen.take(message => message.topic === `b/${key}/state` && matches(stateOf(message))));
}

/** The next answer to a command. */
export async function response(seen: Observer, key = 'DSM') {
  return JSON.parse((await seen.take(`b/${key}/response`)).payload);
}
