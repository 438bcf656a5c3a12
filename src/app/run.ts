import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Bridge } from '../bridge/bridge.ts';
import { Chronicle } from '../bridge/event-publisher.ts';
import { Claim } from '../bridge/ownership.ts';
import { Publisher } from '../bridge/publisher.ts';
import { Memory, memoryStore, recall } from '../bridge/vm-store.ts';
import type { Probes } from '../checks/probes.ts';
import { Responder } from '../commands/responder.ts';
import { errands } from '../commands/simple.ts';
import type { Config } from '../config/config.ts';
import { checkAnnounced, nothingAnnounced } from '../discovery/announced-store.ts';
import { Announcer } from '../discovery/announcer.ts';
import { emptyVm } from '../model/snapshot.ts';
import { topics as topicsOf } from '../model/topics.ts';
import { MqttClient, type MqttClientOptions } from '../mqtt/client.ts';
import type { Publication } from '../mqtt/message.ts';
import { Control } from '../servers/control.ts';
import { Health, healthOf } from '../servers/health.ts';
import { lockWithin } from '../util/lock.ts';
import type { Logger } from '../util/logger.ts';
import { Store } from '../util/store.ts';
import { version } from '../util/version.ts';
import { autostart, screenshot } from '../vm/errands.ts';
import { Link } from '../vm/link.ts';
import { Poll } from '../vm/poll.ts';
import { checking, checksStore, thisHost } from './checks.ts';
import { type RebuildingOptions, rebuilding } from './loader.ts';
import { type SteeringOptions, steer } from './power.ts';
import { staleTeller } from './stale-topics.ts';

export interface RunningBridge {
  /** Resolves to why, when another bridge serves the base topic: then this one must end. */
  readonly refused: Promise<string>;
  /** `offline` is published, what is open is closed, the VMs are left alone; idempotent. */
  close(): Promise<void>;
}

/** Another bridge has the data directory. */
export class FolderInUse extends Error {
  override name = 'FolderInUse';
}

/** All but the signal is for tests and benchmarks. */
export interface Tuning extends Pick<SteeringOptions, 'pause'> {
  /** Ends the waiting for the data directory: then it rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Milliseconds for a `shutdown --direct`, or a bridge that is ending, to leave the data directory. */
  lockPatience?: number;
  /** Milliseconds until it is looked what is stale on the broker. */
  staleAfter?: number;
  /** Others than the real ones. */
  probes?: Partial<Probes>;
  /** What a rebuild goes by, other than the usual. */
  loader?: Pick<RebuildingOptions, 'adapter' | 'times' | 'world'>;
}

/** Milliseconds between reads of what no event tells. */
const resyncInterval = 60_000;

/** Milliseconds that a file system which hangs may hold up the end. */
const storePatience = 500;

/**
 * The composition root: every part, in the order in which they start. Resolves when all have begun; that the broker
 * or libvirt is away is no reason to fail. Rejects with `FolderInUse`.
 */
export async function main(
  config: Config,
  logger: Logger,
  { signal, lockPatience = 10_000, staleAfter, probes, loader, ...tuning }: Tuning = {},
): Promise<RunningBridge> {
  const {
    instance,
    mqtt: broker,
    homeAssistant,
    libvirt,
    vms,
    dataDir,
    health: { listen },
  } = config;
  // A supervisor that starts it again at once would soon give up.
  const lock = await lockWithin(dataDir, lockPatience, signal);
  if (lock.reason === 'held') throw new FolderInUse(lock.message);
  if (lock.reason === 'unwritable') {
    logger.warn({ event: 'store.unlocked', reason: lock.message }, 'data_dir cannot be locked: working without');
  }
  const storeLogger = logger.child({ part: 'store' });
  const announcedStore = new Store({
    path: join(dataDir, 'announced.json'),
    version: 1,
    empty: nothingAnnounced,
    check: checkAnnounced,
    logger: storeLogger,
  });
  const rememberedStore = memoryStore(dataDir, storeLogger);
  const checkedStore = checksStore(dataDir, storeLogger);
  const [announced, remembered, checked, host] = await Promise.all([
    announcedStore.load(),
    rememberedStore.load(),
    checkedStore.load(),
    thisHost(),
  ]);

  const topics = topicsOf(broker.baseTopic);
  const bridge = new Bridge({
    hypervisor: { up: false, reason: 'not yet connected', info: null },
    vms: Object.fromEntries(vms.map(vm => [vm.key, recall(emptyVm(vm.key, vm.label), remembered, host.boot)])),
    overdueChecks: [],
  });
  const { dispatch } = bridge;
  const session = randomUUID();
  const startedAt = new Date().toISOString();

  const mqtt = new MqttClient({
    ...connection(broker),
    will: { topic: topics.bridge.state, payload: 'offline', qos: 1, retain: true },
    subscriptions: [...topics.commands.filters, ...Object.values(topics.bridge), homeAssistant.statusTopic],
    // The others need to know what was stored, and Home Assistant may have its birth message stored.
    asPublished: topics.commands.filters,
    logger: logger.child({ part: 'mqtt' }),
  });
  const claim = new Claim({
    topics: topics.bridge,
    session,
    instance,
    send: mqtt.publish.bind(mqtt),
    now: () => new Date(),
    logger: logger.child({ part: 'claim' }),
  });
  // What is not ours to say is not said.
  const send = (publication: Publication): boolean => {
    if (claim.holding) return mqtt.publish(publication);
    publication.settled?.(false);
    return false;
  };

  const refused = new Promise<string>(resolve => {
    claim.on('refused', other => resolve(inUse(broker.baseTopic, other)));
  });

  const chronicle = new Chronicle({ topics, send, logger: logger.child({ part: 'vm' }) });
  const publisher = new Publisher({ topics, identity: { version, instance, session, startedAt }, send });
  const responder = new Responder({ topics, send, tell: chronicle.tell, logger: logger.child({ part: 'command' }) });
  const memory = new Memory(value => rememberedStore.save(value), remembered, host.boot);
  const announcer = new Announcer(
    {
      bridge: { prefix: homeAssistant.discoveryPrefix, topics, instance, version },
      vms: vms.map(vm => ({
        key: vm.key,
        label: vm.label,
        statsInterval: libvirt.statsInterval / 1_000,
        commands: libvirt.readOnly ? [] : vm.commands,
        loader: vm.loader !== null,
        powerCategory: homeAssistant.powerSwitchCategory === 'config' ? 'config' : null,
      })),
      send,
      save: value => announcedStore.save(value),
      retire: key => publisher.retire(key),
      delivered: key => bridge.announced(key),
    },
    announced,
  );

  const sample = () => {
    if (statistics.client) poll.tick();
  };
  const steering = steer({
    config,
    snapshot: () => bridge.snapshot,
    dispatch: event => {
      dispatch(event);
      // A VM that has just started is not left without numbers for an interval; its state leaves first.
      const started = event.type === 'domain' && event.domain?.active && bridge.snapshot.hypervisor.up;
      if (started) setImmediate(sample);
    },
    answers: responder,
    errand: errands({
      screenshot: key => screenshot(statistics.client, watch.target(key)),
      check: key => checks.check(key),
      arm: (key, enabled) => rebuilds.arm(key, enabled),
      setAutostart: (key, enabled) => autostart(watch.client, watch.target(key), enabled),
      read: async key => {
        await watch.hint(key);
        sample();
      },
      publish: key => publisher.again(bridge.snapshot, key),
      publishScreen: (key, picture) => publisher.screen(key, picture),
    }),
    addressOf: key => checks.address(key),
    long: (key, command, teller) => rebuilds.begin(key, command, teller),
    logger,
    ...tuning,
  });
  const { open, watch, link, jobs } = steering;
  const inspection = checking({
    ...{ config, dispatch, watch, open, host, probes, logger },
    snapshot: () => bridge.snapshot,
    save: value => checkedStore.save(value),
    remembered: checked,
  });
  const { checks } = inspection;
  const rebuilds = rebuilding({
    ...{ config, steering, checking: inspection, tell: chronicle.tell, ...tuning },
    snapshot: () => bridge.snapshot,
    line: (key, text) => publisher.loaderLine(key, text),
    logger: logger.child({ part: 'loader' }),
    ...loader,
  });
  for (const [key, known] of await rebuilds.recall()) dispatch({ type: 'loader', key, loader: known, at: startedAt });
  const statistics = new Link({ open, quiet: true, logger: logger.child({ part: 'libvirt-stats' }) });
  const vmLogger = logger.child({ part: 'vm' });
  const poll = new Poll({
    client: () => statistics.client,
    interval: libvirt.statsInterval,
    targets: () => watch.targets(),
    hint: key => watch.hint(key),
    readOnly: libvirt.readOnly,
    emit: dispatch,
    logger: vmLogger,
  });

  bridge.start({
    ...{ topics, statusTopic: homeAssistant.statusTopic, mqtt, claim },
    reserved: [broker.baseTopic, homeAssistant.discoveryPrefix, homeAssistant.statusTopic],
    ...{ publisher, announcer, responder, chronicle, memory, jobs, checks, rebuilds },
  });
  const stale = staleTeller({
    config,
    connection: { ...connection(broker), clientId: `${broker.clientId}-look` },
    snapshot: () => (claim.holding ? bridge.snapshot : null),
    after: staleAfter,
    logger: logger.child({ part: 'mqtt' }),
  });
  claim.on('granted', stale.begin);
  link.on('up', stale.begin);
  link.on('up', sample);
  statistics.on('up', sample);
  statistics.on('down', reason => {
    if (link.client) vmLogger.warn({ event: 'stats.unavailable', reason }, 'no connection for statistics');
    poll.tick();
  });
  const resync = setInterval(() => void watch.resync(), resyncInterval);
  const local = new Control({
    path: join(dataDir, 'control.sock'),
    submit: bridge.submit,
    logger: logger.child({ part: 'control' }),
  });
  const health =
    listen &&
    new Health({
      ...listen,
      report: () => {
        const away = mqtt.reason ?? 'no session with the broker yet, or the base topic is still another bridge’s';
        return healthOf(bridge.snapshot, claim.holding ? null : away, broker.baseTopic);
      },
      logger: logger.child({ part: 'health' }),
    });
  mqtt.start();
  link.start();
  statistics.start();
  poll.start();
  inspection.start();
  await Promise.all([lock.reason === null && local.start(), health?.start()]);

  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    clearInterval(resync);
    stale.close();
    health?.close();
    bridge.close();
    poll.close();
    const final = { topic: topics.bridge.state, payload: 'offline', qos: 1, retain: true } as const;
    const goodbye = claim.holding ? final : undefined;
    await Promise.all([
      ...[mqtt.close(goodbye), rebuilds.close(), link.close(), statistics.close()],
      ...[inspection.close(), local.close()],
    ]);
    const written = Promise.all([announcedStore.settled(), rememberedStore.settled(), checkedStore.settled()]);
    await Promise.race([written, delay(storePatience, undefined, { ref: false })]);
    claim.close();
    if (lock.reason === null) lock.release();
  };
  return {
    refused,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

/** How to reach and enter the broker, as the configuration says. */
export function connection(
  broker: Config['mqtt'],
): Pick<MqttClientOptions, 'url' | 'clientId' | 'username' | 'password' | 'tls'> {
  return {
    url: broker.url,
    clientId: broker.clientId,
    ...(broker.username !== null && { username: broker.username }),
    ...(broker.password !== null && { password: broker.password }),
    tls: {
      ...(broker.ca !== null && { ca: broker.ca }),
      ...(broker.cert !== null && { cert: broker.cert }),
      ...(broker.key !== null && { key: broker.key }),
    },
  };
}

function inUse(base: string, { instance, since }: { instance: string; since: string | null }): string {
  const from = since ? ` since ${since}` : '';
  return `another bridge, '${instance}', serves ${base}/…${from}: give this one another mqtt.base_topic, or stop that one`;
}
