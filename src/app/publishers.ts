import { EventPublisher } from '../bridge/event-publisher.ts';
import { Publisher } from '../bridge/publisher.ts';
import { VmStore } from '../bridge/vm-store.ts';
import { Responder } from '../commands/responder.ts';
import type { Config } from '../config/config.ts';
import { Announcer } from '../discovery/announcer.ts';
import type { State } from '../model/state.ts';
import type { Logger } from '../util/logger.ts';
import { version } from '../util/version.ts';
import type { thisHost } from './checks.ts';
import type { Broker } from './mqtt.ts';
import type { Stores } from './stores.ts';

/** What every part of a bridge is built from. */
export interface Base {
  config: Config;
  logger: Logger;
  stores: Stores;
  host: Awaited<ReturnType<typeof thisHost>>;
  state: State;
  session: string;
  startedAt: string;
}

export type Publishers = ReturnType<typeof createPublishers>;

export function createPublishers(base: Base, { topics, send }: Broker) {
  const { config, logger, stores, host, state, session, startedAt } = base;
  const { instance, homeAssistant, libvirt, vms } = config;
  const events = new EventPublisher({ topics, send, logger: logger.child({ part: 'vm' }) });
  const publisher = new Publisher({ topics, identity: { version, instance, session, startedAt }, send });
  const announcer = new Announcer(
    {
      bridge: { prefix: homeAssistant.discoveryPrefix, topics, instance, version },
      vms: vms.map(vm => ({
        key: vm.key,
        label: vm.label,
        statsInterval: libvirt.statsInterval / 1_000,
        commands: libvirt.readOnly ? [] : vm.commands,
        loader: vm.loader !== null,
        guest: vm.guest,
        certificates: vm.checks.http.some(({ tls }) => tls),
        powerCategory: homeAssistant.powerSwitchCategory === 'config' ? 'config' : null,
      })),
      send,
      save: value => stores.announced.file.save(value),
      retire: key => publisher.retire(key),
      resample: key => publisher.stats(state.snapshot, key),
    },
    stores.announced.was,
  );
  return {
    ...{ events, publisher, announcer },
    responder: new Responder({ topics, send, notify: events.publish, logger: logger.child({ part: 'command' }) }),
    vmStore: new VmStore(value => stores.vms.file.save(value), stores.vms.was, host.boot),
  };
}
