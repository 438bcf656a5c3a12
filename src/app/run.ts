import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Bridge } from '../bridge/bridge.ts';
import type { Run } from '../bridge/history.ts';
import type { Probes } from '../checks/probes.ts';
import type { Config } from '../config/config.ts';
import { tellUnfinished } from '../definition/create.ts';
import type { VmKey } from '../model/snapshot.ts';
import { controlServer } from '../servers/control.ts';
import { healthOf, healthServer } from '../servers/health.ts';
import type { Logger } from '../util/logger.ts';
import type { Target } from '../vm/watch.ts';
import { Boots } from './boot.ts';
import { createChecks, thisHost } from './checks.ts';
import { createCopies } from './copies.ts';
import { createDoctor } from './doctor.ts';
import { isLocal } from './libvirt.ts';
import { createRebuilds, type LoaderOptions } from './loader.ts';
import { type Broker, createBroker } from './mqtt.ts';
import { createDispatcher, createHypervisor, createPower, type Hypervisor } from './power.ts';
import { type Base, createPublishers, type Publishers } from './publishers.ts';
import { SerialLogs } from './serial-logs.ts';
import { simpleCommands } from './simple-commands.ts';
import { createStaleTeller } from './stale-topics.ts';
import { createStatistics, type Statistics } from './statistics.ts';
import { openStores, ranBefore, recalledState } from './stores.ts';

export interface RunningBridge {
  /** Resolves, with the reason, when another bridge serves the base topic: then this one must end. */
  readonly refused: Promise<string>;
  /** Publishes `offline`, closes everything, and leaves the VMs alone; idempotent. */
  close(): Promise<void>;
}

/** All but the signal is for tests and benchmarks. */
export interface Tuning {
  /** Ends the wait for the data directory, which then rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Milliseconds to wait for a `shutdown --direct`, or a bridge that is ending, to release the data directory. */
  lockPatience?: number;
  /** Milliseconds until the bridge looks for stale topics on the broker. */
  staleAfter?: number;
  /** Milliseconds between off and start. */
  pause?: number;
  /** Others than the real ones. */
  probes?: Partial<Probes>;
  /** What a rebuild goes by, other than the usual. */
  loader?: Pick<LoaderOptions, 'adapters' | 'times' | 'world'>;
}

/** Milliseconds between reads of what no event tells. */
const resyncInterval = 60_000;

/**
 * The composition root: builds each part from parts that exist already, in the order in which they start. Resolves when
 * all have started; a broker or a libvirt that is away does not count as a failure. Rejects with `FolderInUse`.
 */
export async function main(config: Config, logger: Logger, tuning: Tuning = {}): Promise<RunningBridge> {
  const { lockPatience = 10_000, signal } = tuning;
  const opening = openStores(config, logger.child({ part: 'store' }), lockPatience, signal);
  const [stores, host] = await Promise.all([opening, thisHost()]);
  const state = recalledState(config.vms, stores.vms.was, host.boot, stores.records.was);
  const session = randomUUID();
  const base: Base = { config, logger, stores, host, state, session, startedAt: new Date().toISOString() };
  const broker = createBroker(config, base.session, logger);
  const publishers = createPublishers(base, broker);
  const doctor = createDoctor(config, state, stores.disks);
  const serialLogs = new SerialLogs(state);
  const copies = createCopies(config, state, logger.child({ part: 'definition' }));
  const hypervisor = createHypervisor(config, state, logger, {
    ranBefore: target => ranSince(base, target),
    defined: (key, xml) => {
      doctor.look(key, xml);
      serialLogs.look(key, xml);
    },
    stored: copies.keep,
  });
  const statistics = createStatistics(config, state, hypervisor, logger);
  const boots = new Boots({ ...base, ...publishers, hypervisor, statistics, serialLogs });
  const machines = await createMachines(base, tuning, publishers, hypervisor, statistics, boots);
  const bridge = createBridge(base, broker, publishers, machines);
  const servers = createServers(base, broker, bridge, boots);
  const stale = createStaleTeller(base, broker.ownership, hypervisor.link, tuning.staleAfter);

  // What publishes an event comes before what acts on it.
  state.subscribe((event, before) => bridge.hear(event, before));
  const run = runs(hypervisor, host.boot);
  state.subscribe((event, before) => stores.records.all.hear(event, before, state.snapshot, run));
  state.subscribe((event, before) => boots.hear(event, before));
  const { dispatcher, rebuilds, checks } = machines;
  for (const part of [dispatcher, rebuilds, checks.checks, statistics, doctor, serialLogs, copies]) {
    state.subscribe(event => part?.hear(event));
  }
  await boots.open();
  bridge.start();
  broker.mqtt.start();
  hypervisor.link.start();
  statistics.start();
  checks.start();
  const resync = setInterval(() => void hypervisor.watch.resync(), resyncInterval);
  await servers.start();
  void tellUnfinished(config.dataDir, config.vms, logger);

  const close = async (): Promise<void> => {
    clearInterval(resync);
    stale.close();
    servers.health?.close();
    bridge.close();
    dispatcher.close();
    checks.checks.close();
    await Promise.all([
      ...[broker.close(), rebuilds?.close(), hypervisor.link.close(), statistics.close()],
      ...[checks.close(), servers.control.close(), copies.close()],
    ]);
    await Promise.all([boots.close(), stores.close()]);
    broker.ownership.close();
  };
  let closing: Promise<void> | undefined;
  return { refused: broker.refused, close: () => (closing ??= close()) };
}

/** Another run than the one that the last bridge saw. */
function ranSince({ config, stores, host, state }: Base, { key, ref }: Pick<Target, 'key' | 'ref'>): boolean {
  const local = isLocal(config.libvirt, null);
  const recorded = stores.records.all.runs.get(key);
  const stored = { ...(recorded && { recorded }), known: stores.checks.was[key] };
  return ranBefore(ref, state.vm(key), { ...stored, boot: host.boot, local });
}

function runs({ watch }: Hypervisor, boot: string | null): (key: VmKey) => Run | null {
  return key => {
    const ref = watch.target(key)?.ref;
    return ref ? { uuid: ref.uuid, boot, id: ref.id } : null;
  };
}

type Machines = Awaited<ReturnType<typeof createMachines>>;

async function createMachines(
  { config, logger, stores, host, state }: Base,
  tuning: Tuning,
  { publisher, events, responder }: Publishers,
  hypervisor: Hypervisor,
  statistics: Statistics,
  boots: Boots,
) {
  const { watch } = hypervisor;
  const { pause } = tuning;
  const checks = createChecks({
    ...{ config, state, hypervisor, host, probes: tuning.probes, logger },
    save: value => stores.checks.file.save(value),
    remembered: stores.checks.was,
  });
  const power = createPower(config, state, watch, key => checks.checks.address(key));
  const rebuilds = await createRebuilds({
    ...{ config, state, hypervisor, checks, notify: events.publish },
    line: (key, text) => publisher.loaderLine(key, text),
    identity: (key, words) => boots.identify(key, words),
    logger: logger.child({ part: 'loader' }),
    ...tuning.loader,
  });
  const simple = simpleCommands({ state, hypervisor, statistics, checks: checks.checks, rebuilds, publisher });
  const dispatcher = createDispatcher(config, {
    ...{ ...power, simple, replies: responder, ...(pause !== undefined && { pause }) },
    ...(rebuilds && { loader: rebuilds.begin }),
  });
  return { checks, rebuilds, dispatcher };
}

function createBridge(
  { config, state }: Base,
  broker: Broker,
  publishers: Publishers,
  { dispatcher }: Machines,
): Bridge {
  const { mqtt, homeAssistant } = config;
  const { statusTopic, discoveryPrefix } = homeAssistant;
  return new Bridge({
    ...{ state, ...publishers, dispatcher, statusTopic },
    ...{ topics: broker.topics, mqtt: broker.mqtt, ownership: broker.ownership },
    reserved: [mqtt.baseTopic, discoveryPrefix, statusTopic],
  });
}

function createServers(
  { config, logger, stores, state }: Base,
  { mqtt, ownership }: Broker,
  bridge: Bridge,
  boots: Boots,
) {
  const {
    dataDir,
    health: { listen },
    mqtt: { baseTopic },
  } = config;
  const control = controlServer({
    path: join(dataDir, 'control.sock'),
    submit: bridge.submit,
    follow: (key, follower) => boots.follow(key, follower),
    logger: logger.child({ part: 'control' }),
  });
  const health =
    listen &&
    healthServer({
      ...listen,
      report: () => {
        const away = mqtt.reason ?? 'no session with the broker yet, or the base topic is still another bridge’s';
        return healthOf(state.snapshot, ownership.holding ? null : away, baseTopic);
      },
      logger: logger.child({ part: 'health' }),
    });
  // Without the directory's lock, the socket may belong to another bridge.
  const start = () => Promise.all([stores.locked && control.start(), health?.start()]);
  return { control, health, start };
}
