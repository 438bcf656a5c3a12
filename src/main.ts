import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Announcer } from './bridge/announce.ts';
import { checkAnnounced, nothingAnnounced } from './bridge/announced.ts';
import { Bridge } from './bridge/index.ts';
import { Jobs } from './bridge/jobs.ts';
import { Publisher } from './bridge/publish.ts';
import { Responder } from './bridge/respond.ts';
import type { Config } from './config/config.ts';
import { Libvirt } from './libvirt/client.ts';
import { parseUri } from './libvirt/uri.ts';
import { emptyVm } from './model/snapshot.ts';
import { topics as topicsOf } from './model/topics.ts';
import { MqttClient } from './mqtt/client.ts';
import type { Logger } from './util/logger.ts';
import { Store } from './util/store.ts';
import { version } from './version.ts';
import { Link } from './vm/link.ts';
import { Poll } from './vm/poll.ts';
import { callPower } from './vm/power.ts';
import { Watch } from './vm/watch.ts';

export interface RunningBridge {
  /** `offline` is published, what is open is closed, the VMs are left alone; idempotent. */
  close(): Promise<void>;
}

/** Milliseconds between reads of what no event tells. */
const resyncInterval = 60_000;

/** Milliseconds that a file system which hangs may hold up the end. */
const storePatience = 500;

/**
 * The composition root: every part, in the order in which they start. Resolves when all have begun; that the broker
 * or libvirt is away is no reason to fail.
 */
export async function main(config: Config, logger: Logger): Promise<RunningBridge> {
  const { instance, mqtt: broker, homeAssistant, libvirt, vms } = config;
  const topics = topicsOf(broker.baseTopic);
  const bridge = new Bridge({
    hypervisor: { up: false, reason: 'not yet connected', info: null },
    vms: Object.fromEntries(vms.map(vm => [vm.key, emptyVm(vm.key, vm.label)])),
  });
  const { dispatch } = bridge;

  const store = new Store({
    path: join(config.dataDir, 'announced.json'),
    version: 1,
    empty: nothingAnnounced,
    check: checkAnnounced,
    logger: logger.child({ part: 'store' }),
  });
  const announced = await store.load();

  const mqtt = new MqttClient({
    url: broker.url,
    clientId: broker.clientId,
    ...(broker.username !== null && { username: broker.username }),
    ...(broker.password !== null && { password: broker.password }),
    tls: {
      ...(broker.ca !== null && { ca: broker.ca }),
      ...(broker.cert !== null && { cert: broker.cert }),
      ...(broker.key !== null && { key: broker.key }),
    },
    will: { topic: topics.bridge.state, payload: 'offline', qos: 1, retain: true },
    subscriptions: [...topics.commands.filters, homeAssistant.statusTopic],
    logger: logger.child({ part: 'mqtt' }),
  });

  const uri = parseUri(libvirt.uri, { readOnly: libvirt.readOnly, runtimeDir: process.env['XDG_RUNTIME_DIR'] });
  const open = (signal: AbortSignal) => Libvirt.open({ uri, readOnly: libvirt.readOnly, signal });
  const vmLogger = logger.child({ part: 'vm' });
  const watch = new Watch({
    vms,
    emit: event => {
      dispatch(event);
      // A VM that has just started is not left without numbers for an interval; its state leaves first.
      if (event.type === 'domain' && event.domain?.active) setImmediate(sample);
    },
    logger: vmLogger,
  });
  const control = new Link({ open, prepare: client => watch.begin(client), logger: logger.child({ part: 'libvirt' }) });
  const statistics = new Link({ open, quiet: true, logger: logger.child({ part: 'libvirt-stats' }) });
  const poll = new Poll({
    client: () => statistics.client,
    interval: libvirt.statsInterval,
    targets: () => watch.targets(),
    hint: key => watch.hint(key),
    readOnly: libvirt.readOnly,
    emit: dispatch,
    logger: vmLogger,
  });

  const sample = () => {
    if (statistics.client) poll.tick();
  };

  const send = mqtt.publish.bind(mqtt);
  const responder = new Responder({ topics, send, logger: logger.child({ part: 'command' }) });
  const jobs = new Jobs({
    vms: Object.fromEntries(vms.map(vm => [vm.key, { commands: vm.commands, shutdownTimeout: vm.shutdown.timeout }])),
    readOnly: libvirt.readOnly,
    snapshot: () => bridge.snapshot,
    call: async (key, word) => {
      const failure = await callPower(control.client, watch.target(key)?.ref ?? null, word);
      // What it asked for may have come about without it, and then that is its outcome.
      if (failure) await watch.hint(key);
      return failure;
    },
    responder,
    emit: dispatch,
  });
  const startedAt = new Date().toISOString();
  const publisher = new Publisher({ topics, identity: { version, instance, startedAt }, send });
  const announcer = new Announcer(
    {
      bridge: { prefix: homeAssistant.discoveryPrefix, topics, instance, version },
      vms: vms.map(vm => ({
        key: vm.key,
        label: vm.label,
        statsInterval: libvirt.statsInterval / 1_000,
        commands: libvirt.readOnly ? [] : vm.commands,
        powerCategory: homeAssistant.powerSwitchCategory === 'config' ? 'config' : null,
      })),
      send,
      save: value => store.save(value),
      retire: key => publisher.retire(key),
    },
    announced,
  );

  bridge.start({ topics, statusTopic: homeAssistant.statusTopic, mqtt, publisher, announcer, responder, jobs });
  control.on('down', reason => dispatch({ type: 'hypervisor_down', reason }));
  control.on('up', sample);
  statistics.on('up', sample);
  statistics.on('down', reason => {
    if (control.client) vmLogger.warn({ event: 'stats.unavailable', reason }, 'no connection for statistics');
    poll.tick();
  });
  const resync = setInterval(() => watch.resync(), resyncInterval);
  mqtt.start();
  control.start();
  statistics.start();
  poll.start();

  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    clearInterval(resync);
    bridge.close();
    poll.close();
    const final = { topic: topics.bridge.state, payload: 'offline', qos: 1, retain: true } as const;
    await Promise.all([mqtt.close(final), control.close(), statistics.close()]);
    await Promise.race([store.settled(), delay(storePatience, undefined, { ref: false })]);
  };
  return {
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}
