import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Bridge } from '../bridge/bridge.ts';
import { startHeartbeat } from '../bridge/heartbeat.ts';
import { type Config, hostConfigs } from '../config/config.ts';
import { tellUnfinished } from '../definition/create.ts';
import type { VmKey, VmSnapshot } from '../model/snapshot.ts';
import { type State, States } from '../model/state.ts';
import { controlServer } from '../servers/control.ts';
import { healthServer, isReady } from '../servers/health.ts';
import { metricsText } from '../servers/metrics.ts';
import type { Samples } from '../servers/samples.ts';
import { entryOf } from '../util/entry-of.ts';
import type { Logger } from '../util/logger.ts';
import { version } from '../util/version.ts';
import { thisHost } from './host/checks.ts';
import { createHost, type Host, type HostTuning } from './host/host.ts';
import { type Broker, createBroker } from './mqtt.ts';
import { Order } from './order.ts';
import { createPage, type Reach, type Reports } from './page.ts';
import { type Base, createPublishers, type Publishers } from './publishers.ts';
import { Roaming } from './roaming.ts';
import { createStaleTeller } from './stale-topics.ts';
import { openStores, recalledState } from './stores.ts';

export interface RunningBridge {
  /** Resolves, with the reason, when another bridge serves the base topic: then this one must end. */
  readonly refused: Promise<string>;
  /** Publishes `offline`, closes everything, and leaves the VMs alone; idempotent. */
  close(): Promise<void>;
  /** A command is under way, or a confirmation window is open. */
  readonly busy: boolean;
  /** All that it knows. */
  known(): Known;
}

/** What a bridge knows of its VMs, and those that it has still to start. */
interface Known {
  vms: ReadonlyMap<VmKey, VmSnapshot>;
  due: readonly VmKey[];
  /** Of the page, if there is one. */
  samples: Samples | undefined;
}

/** All but the signal, the reports, and what has to do with `all`, is for tests and benchmarks. */
export interface Tuning extends HostTuning {
  /** What another bridge in this process, which this one follows, knew. */
  before?: Known;
  /** Ends the wait for the data directory, which then rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Milliseconds to wait for a `shutdown --direct`, or a bridge that is ending, to release the data directory. */
  lockPatience?: number;
  /** Milliseconds in which a VM may go from one host to another. */
  roamingPatience?: number;
  /** What the page shows of what the command line finds out. */
  reports?: Reports;
  /** Milliseconds until the bridge looks for stale topics on the broker. */
  staleAfter?: number;
}

/**
 * The composition root: builds each part from parts that exist already, in the order in which they start. Resolves when
 * all have started; a broker or a libvirt that is away does not count as a failure. Rejects with `FolderInUse`.
 */
export async function main(config: Config, logger: Logger, tuning: Tuning = {}): Promise<RunningBridge> {
  const { lockPatience = 10_000, signal } = tuning;
  const opening = openStores(config, logger.child({ part: 'store' }), lockPatience, signal);
  const [stores, machine] = await Promise.all([opening, thisHost()]);
  const configs = hostConfigs(config);
  const recalled = configs.map(({ vms, libvirt }) => {
    return recalledState(vms, stores.vms.was, machine.boot, stores.records.was, libvirt.name, tuning.before?.vms);
  });
  const states = new States(recalled, key => entryOf(stores.announced.was.vms, key)?.on ?? null);
  const roamers = configs.length === 1 ? [] : config.vms.filter(({ on }) => on === null).map(({ key }) => key);
  const roaming = new Roaming(states, roamers, logger.child({ part: 'vm' }), tuning.roamingPatience);
  const session = randomUUID();
  const base: Base = { config, logger, stores, machine, states, roaming, session, startedAt: new Date().toISOString() };
  const broker = createBroker(config, session, logger);
  const publishers = createPublishers(base, broker);
  const hosts = await Promise.all(
    configs.map((config, at) => createHost(base, config, recalled[at] as State, publishers, tuning)),
  );
  const hostOf = (key: VmKey) => hosts.find(({ state }) => state === states.of(key)) as Host;
  const order = new Order({
    ...{ vms: config.vms, states, dispatcherOf: key => hostOf(key).dispatcher },
    due: tuning.before?.due ?? [],
  });
  const bridge = createBridge(base, broker, publishers, order);
  const reach: Reach = {
    ...{ submit: bridge.submit, hostOf, reports: tuning.reports, samples: tuning.before?.samples },
    follow: (key, follower) => (states.has(key) ? hostOf(key).boots.follow(key, follower) : null),
  };
  const servers = createServers(base, broker, publishers, reach);
  const stale = createStaleTeller(base, broker.ownership, hosts, tuning.staleAfter);

  for (const host of hosts) {
    // What publishes an event comes before what acts on it.
    host.state.subscribe((event, before) => bridge.hear(event, before, host.state));
    host.state.subscribe(event => servers.page?.hear(event, host.state));
    await host.open();
    // It acts on what the checks have made of an event.
    host.state.subscribe((event, before) => order.hear(event, before, host.state));
  }
  publishers.quiet.start();
  bridge.start();
  broker.mqtt.start();
  for (const host of hosts) host.start();
  await servers.start();
  void tellUnfinished(config.dataDir, config.vms, logger);

  const close = async (): Promise<void> => {
    const { notifier, quiet } = publishers;
    for (const part of [stale, roaming, order, servers, notifier, quiet, bridge]) part.close();
    // What they still have to say comes before the end of the session.
    const ended = hosts.map(host => host.close());
    await Promise.all([...ended, broker.close(), servers.control.close()]);
    stores.records.all.close(config.vms.map(({ key }) => states.of(key).vm(key)));
    await stores.close();
    broker.ownership.close();
  };
  let closing: Promise<void> | undefined;
  return {
    refused: broker.refused,
    close: () => (closing ??= close()),
    get busy() {
      return hosts.some(host => host.busy());
    },
    known: () => ({
      vms: new Map(config.vms.map(({ key }) => [key, states.of(key).vm(key)])),
      ...{ due: order.due, samples: servers.page?.samples },
    }),
  };
}

function createBridge({ config, states }: Base, broker: Broker, publishers: Publishers, order: Order): Bridge {
  const { mqtt, homeAssistant } = config;
  const { statusTopic, discoveryPrefix } = homeAssistant;
  return new Bridge({
    ...{ states, ...publishers, submit: (request, command) => order.submit(request, command), statusTopic },
    ...{ topics: broker.topics, mqtt: broker.mqtt, ownership: broker.ownership },
    reserved: [mqtt.baseTopic, discoveryPrefix, statusTopic],
  });
}

function createServers(base: Base, broker: Broker, publishers: Publishers, reach: Reach) {
  const { config, logger, stores, states } = base;
  const { dataDir, heartbeat, instance } = config;
  const { report } = publishers;
  const { listen } = config.health;
  const own = { path: join(dataDir, 'control.sock'), logger: logger.child({ part: 'control' }) };
  const control = controlServer({ ...own, submit: reach.submit, follow: reach.follow });
  const health =
    listen &&
    healthServer({
      ...listen,
      report,
      metrics: () => {
        const hosts = states.all.map(state => ({ snapshot: state.snapshot, keys: states.ownedBy(state) }));
        return metricsText({ version, instance, connected: broker.ownership.holding, hosts });
      },
      logger: logger.child({ part: 'health' }),
    });
  const page = createPage(base, publishers, reach);
  // Without the directory's lock, the socket may belong to another bridge.
  const start = () => Promise.all([stores.locked && control.start(), health?.start(), page?.start()]);
  const beat = { isWell: () => isReady(report()), logger: logger.child({ part: 'heartbeat' }) };
  const stopHeart = heartbeat && startHeartbeat({ ...heartbeat, ...beat });
  return {
    ...{ control, page, start },
    close: () => {
      health?.close();
      stopHeart?.();
      page?.close();
    },
  };
}
