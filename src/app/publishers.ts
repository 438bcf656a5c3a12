import { EventPublisher } from '../bridge/event-publisher.ts';
import { Notifier } from '../bridge/notifier.ts';
import { Publisher } from '../bridge/publisher.ts';
import { VmStore } from '../bridge/vm-store.ts';
import { Responder } from '../commands/responder.ts';
import { type Config, hostsOf } from '../config/config.ts';
import { pageUrl } from '../config/web.ts';
import { Announcer } from '../discovery/announcer.ts';
import { type CommandWord, commandWords, isPermitted } from '../model/commands.ts';
import type { States } from '../model/state.ts';
import { healthOf } from '../servers/health.ts';
import { Live } from '../servers/live.ts';
import type { Logger } from '../util/logger.ts';
import { homepage, version } from '../util/version.ts';
import type { thisHost } from './host/checks.ts';
import type { Broker } from './mqtt.ts';
import { QuietTimes } from './quiet.ts';
import type { Roaming } from './roaming.ts';
import type { Stores } from './stores.ts';

/** What every part of a bridge is built from. */
export interface Base {
  config: Config;
  logger: Logger;
  stores: Stores;
  /** The bridge runs on it. */
  machine: Awaited<ReturnType<typeof thisHost>>;
  states: States;
  roaming: Roaming;
  session: string;
  startedAt: string;
}

export type Publishers = ReturnType<typeof createPublishers>;

export function createPublishers(base: Base, broker: Broker) {
  const { topics, send, mqtt } = broker;
  const { config, logger, stores, machine, states, session, startedAt } = base;
  const { instance, homeAssistant, hosts, vms } = config;
  const keys = vms.map(({ key }) => key);
  const notifier = new Notifier(config.notify, { instance, states, logger: logger.child({ part: 'notify' }) });
  const report = () => healthOf(states, broker.trouble(), config.mqtt.baseTopic);
  const about = () => ({ ...{ version, instance, started_at: startedAt }, ...report() });
  const live = new Live({ states, about, vms: vms.map(vm => pageVm(config, vm)) });
  const tell: typeof live.tell = (key, notification) => {
    notifier.tell(key, notification);
    live.tell(key, notification);
  };
  const events = new EventPublisher({ topics, send, tell, logger: logger.child({ part: 'vm' }) });
  const publisher = new Publisher({ topics, identity: { version, instance, session, startedAt }, states, send });
  const announcer = new Announcer(
    {
      bridge: {
        ...{ prefix: homeAssistant.discoveryPrefix, topics, instance, version, homepage },
        // Home Assistant's users come by ingress, and have no other address.
        page: config.web.ingress ? null : pageUrl(config.web.listen),
        get expires() {
          return mqtt.version === 5;
        },
      },
      vms: vms.map(vm => {
        const { key, label, guest, linkByMac, suggestedArea } = vm;
        return {
          ...{ key, label, guest, linkByMac, suggestedArea, commands: usable(config, vm), loader: vm.loader !== null },
          statsInterval: Math.max(...hostsOf(config, vm).map(host => host.statsInterval)) / 1_000,
          certificates: vm.checks.http.some(({ tls }) => tls),
          powerCategory: homeAssistant.powerSwitchCategory === 'config' ? 'config' : null,
        };
      }),
      send,
      save: value => stores.announced.file.save(value),
      hosts: hosts.flatMap(({ name }) => name ?? []),
      retire: key => publisher.retire(key),
      retireHost: name => publisher.retireHost(name),
      resample: key => publisher.stats(states.of(key).snapshot, key),
    },
    stores.announced.was,
  );
  return {
    ...{ events, notifier, live, publisher, announcer, report, quiet: new QuietTimes(states) },
    responder: new Responder({ topics, send, notify: events.publish, logger: logger.child({ part: 'command' }) }),
    vmStore: new VmStore(value => stores.vms.file.save(value), stores.vms.was, machine.boot, keys),
  };
}

/** The listed commands, if it is on a host that takes any. */
function usable(config: Config, vm: Config['vms'][number]): readonly CommandWord[] {
  return hostsOf(config, vm).every(host => host.readOnly) ? [] : vm.commands;
}

function pageVm(config: Config, vm: Config['vms'][number]) {
  const { key, label, guest } = vm;
  const listed = usable(config, vm);
  return { key, label, guest, commands: commandWords.filter(word => isPermitted(word, listed)) };
}
