import { setTimeout as delay } from 'node:timers/promises';
import type { Ownership } from '../bridge/ownership.ts';
import { type Ground, keptBy, staleFilters, staleIn } from '../bridge/stale.ts';
import type { Config } from '../config/config.ts';
import { bridgeDeviceTopic, hostDeviceTopic } from '../discovery/entities/payload.ts';
import { topics as topicsOf } from '../model/topics.ts';
import type { Host } from './host/host.ts';
import { connection } from './mqtt.ts';
import type { Base } from './publishers.ts';

/** Stale topics below the base topic: the bridge reports them at its start, and `dsm2mqtt clean` clears them. */

/** `vms`: UUIDs of the served VMs' domains. */
export function groundOf(config: Config, vms: Ground['vms']): Ground {
  const { mqtt, homeAssistant, instance } = config;
  const bridge = { prefix: homeAssistant.discoveryPrefix, instance };
  const hosts = config.hosts.flatMap(({ name }) => name ?? []);
  const own = [bridgeDeviceTopic(bridge), ...hosts.map(name => hostDeviceTopic(bridge, name))];
  return { topics: topicsOf(mqtt.baseTopic), prefix: bridge.prefix, own, vms, hosts };
}

/**
 * Logs stale topics once, after libvirt is up and the base topic is ours. `after`: milliseconds from then, in which the
 * bridge publishes its own topics.
 */
export function createStaleTeller(
  { config, states, logger: all }: Pick<Base, 'config' | 'states' | 'logger'>,
  ownership: Ownership,
  hosts: readonly Pick<Host, 'link'>[],
  after = 10_000,
): { close(): void } {
  const logger = all.child({ part: 'mqtt' });
  const session = { ...connection(config.mqtt), clientId: `${config.mqtt.clientId}-look` };
  const end = new AbortController();
  const { signal } = end;
  let begun = false;
  /** Null: what is stale is unknown. */
  const servedVms = () => {
    if (!ownership.holding || !states.all.every(({ snapshot }) => snapshot.hypervisor.up)) return null;
    const keys = states.all.flatMap(state => states.ownedBy(state));
    return new Map(keys.map(key => [key, states.of(key).vm(key).domain?.uuid ?? null]));
  };
  const look = async () => {
    await delay(after, undefined, { signal, ref: false });
    const kept = await keptBy(session, staleFilters(groundOf(config, new Map())), signal);
    const served = servedVms();
    if (!served) return;
    const { keys: vms, ...more } = staleIn(kept, groundOf(config, served));
    if ([vms, ...Object.values(more)].flat().length === 0) return;
    const words =
      'the broker keeps topics or devices of VMs or hosts that are not served any more: run `dsm2mqtt clean`';
    logger.warn({ event: 'stale', vms, ...more }, words);
  };
  const begin = () => {
    if (begun || signal.aborted || !servedVms()) return;
    begun = true;
    look().catch(({ message: reason }: Error) => {
      if (!signal.aborted) logger.debug({ event: 'stale.unknown', reason }, 'stale topics cannot be looked up');
    });
  };
  ownership.on('granted', begin);
  for (const { link } of hosts) link.on('up', begin);
  return { close: () => end.abort() };
}
