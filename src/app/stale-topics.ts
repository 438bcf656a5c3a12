import { setTimeout as delay } from 'node:timers/promises';
import { type Ground, keptBy, staleFilters, staleIn } from '../bridge/stale.ts';
import type { Config } from '../config/config.ts';
import { bridgeDevicePayload } from '../discovery/entities/payload.ts';
import type { Snapshot, VmKey } from '../model/snapshot.ts';
import { topics as topicsOf } from '../model/topics.ts';
import type { MqttClientOptions } from '../mqtt/client.ts';
import type { Logger } from '../util/logger.ts';
import { version } from '../util/version.ts';

/** What is stale below the base topic: the bridge tells it at its start, and `dsm2mqtt clean` clears it. */

/** `vms`: UUIDs of the served VMs' domains. */
export function groundOf({ mqtt, homeAssistant, instance }: Config, vms: ReadonlyMap<VmKey, string | null>): Ground {
  const topics = topicsOf(mqtt.baseTopic);
  const prefix = homeAssistant.discoveryPrefix;
  return { topics, prefix, own: bridgeDevicePayload({ prefix, topics, instance, version }).topic, vms };
}

export interface StaleTellerOptions {
  config: Config;
  connection: Omit<MqttClientOptions, 'subscriptions' | 'logger'>;
  /** Null: the base topic is not ours. */
  snapshot: () => Snapshot | null;
  /** Milliseconds from the first time that it can be said; by then the bridge has published what is its own. */
  after?: number | undefined;
  logger: Logger;
}

/** Looks once, and logs what is stale. */
export function staleTeller({ config, connection, snapshot, after = 10_000, logger }: StaleTellerOptions) {
  const end = new AbortController();
  const { signal } = end;
  let begun = false;
  /** Null: nobody can say what is stale. */
  const vms = () => {
    const now = snapshot();
    if (!now?.hypervisor.up) return null;
    return new Map(Object.values(now.vms).map(({ key, domain }) => [key, domain?.uuid ?? null]));
  };
  const look = async () => {
    await delay(after, undefined, { signal, ref: false });
    const kept = await keptBy(connection, staleFilters(groundOf(config, new Map())), signal);
    const served = vms();
    if (!served) return;
    const { keys, devices } = staleIn(kept, groundOf(config, served));
    if (keys.length + devices.length === 0) return;
    const words = 'the broker keeps topics or devices of VMs that are not served any more: run `dsm2mqtt clean`';
    logger.warn({ event: 'stale', vms: keys, devices }, words);
  };
  return {
    /** To be told when it may have become possible. */
    begin: (): void => {
      if (begun || signal.aborted || !vms()) return;
      begun = true;
      look().catch((error: Error) => {
        if (!signal.aborted)
          logger.debug({ event: 'stale.unknown', reason: error.message }, 'what is stale cannot be seen');
      });
    },
    close: (): void => end.abort(),
  };
}
