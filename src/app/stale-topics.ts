import { setTimeout as delay } from 'node:timers/promises';
import type { Ownership } from '../bridge/ownership.ts';
import { type Ground, keptBy, staleFilters, staleIn } from '../bridge/stale.ts';
import type { Config } from '../config/config.ts';
import { bridgeDeviceTopic } from '../discovery/entities/payload.ts';
import type { VmKey } from '../model/snapshot.ts';
import { topics as topicsOf } from '../model/topics.ts';
import type { Host } from './host/host.ts';
import { connection } from './mqtt.ts';
import type { Base } from './publishers.ts';

/** Stale topics below the base topic: the bridge reports them at its start, and `dsm2mqtt clean` clears them. */

/** `vms`: UUIDs of the served VMs' domains. */
export function groundOf({ mqtt, homeAssistant, instance }: Config, vms: ReadonlyMap<VmKey, string | null>): Ground {
  const topics = topicsOf(mqtt.baseTopic);
  const prefix = homeAssistant.discoveryPrefix;
  return { topics, prefix, own: bridgeDeviceTopic({ prefix, instance }), vms };
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
  const vms = () => {
    if (!ownership.holding || !states.all.every(({ snapshot }) => snapshot.hypervisor.up)) return null;
    const keys = states.all.flatMap(state => states.ownedBy(state));
    return new Map(keys.map(key => [key, states.of(key).vm(key).domain?.uuid ?? null]));
  };
  const look = async () => {
    await delay(after, undefined, { signal, ref: false });
    const kept = await keptBy(session, staleFilters(groundOf(config, new Map())), signal);
    const served = vms();
    if (!served) return;
    const { keys, devices } = staleIn(kept, groundOf(config, served));
    if (keys.length + devices.length === 0) return;
    const words = 'the broker keeps topics or devices of VMs that are not served any more: run `dsm2mqtt clean`';
    logger.warn({ event: 'stale', vms: keys, devices }, words);
  };
  const begin = () => {
    if (begun || signal.aborted || !vms()) return;
    begun = true;
    look().catch((error: Error) => {
      if (signal.aborted) return;
      logger.debug({ event: 'stale.unknown', reason: error.message }, 'stale topics cannot be looked up');
    });
  };
  ownership.on('granted', begin);
  for (const { link } of hosts) link.on('up', begin);
  return { close: () => end.abort() };
}
