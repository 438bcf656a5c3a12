import { randomBytes } from 'node:crypto';
import { Ownership } from '../bridge/ownership.ts';
import type { Config } from '../config/config.ts';
import { type Publication, topics as topicsOf } from '../model/topics.ts';
import { MqttClient, type MqttClientOptions } from '../mqtt/client.ts';
import type { Logger } from '../util/logger.ts';

export function connection({ url, clientId, username, password, ca, cert, key }: Config['mqtt']) {
  const options: Pick<MqttClientOptions, 'username' | 'password'> = given({ username, password });
  const tls: MqttClientOptions['tls'] = given({ ca, cert, key });
  return { url, clientId, ...options, tls };
}

/** Of a session beside the bridge's own. */
export function cliConnection({ mqtt }: Pick<Config, 'mqtt'>) {
  return connection({ ...mqtt, clientId: `dsm2mqtt-cli-${randomBytes(4).toString('hex')}` });
}

/** Without those that are null. */
function given(options: Readonly<Record<string, string | null>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(options).flatMap(([name, value]) => (value === null ? [] : [[name, value]])),
  );
}

/** What a session failed of, for people: of several brokers, the words name each. */
export function failedAt({ url }: Pick<Config['mqtt'], 'url'>, words: string): string {
  return [url].flat().length > 1 ? words : `${url}: ${words}`;
}

/** The session with the broker, and whether this bridge owns the base topic. */
export type Broker = ReturnType<typeof createBroker>;

/** `session`: identifies this process, so that a bridge can tell its own messages from another one's. */
export function createBroker({ instance, mqtt: settings, homeAssistant }: Config, session: string, logger: Logger) {
  const topics = topicsOf(settings.baseTopic);
  const offline = { topic: topics.bridge.state, payload: 'offline', qos: 1, retain: true } as const;
  const mqtt = new MqttClient({
    ...connection(settings),
    // What the broker says when the session ends unheard.
    will: offline,
    subscriptions: [...topics.commands.filters, ...Object.values(topics.bridge), homeAssistant.statusTopic],
    // The other topics need their stored messages, and Home Assistant's birth message may be retained.
    asPublished: topics.commands.filters,
    logger: logger.child({ part: 'mqtt' }),
  });
  const ownership = new Ownership({
    ...{ topics: topics.bridge, session, instance },
    send: mqtt.publish.bind(mqtt),
    now: () => new Date(),
    logger: logger.child({ part: 'claim' }),
  });
  return {
    ...{ topics, mqtt, ownership },
    /** What is not ours to say is not said. */
    send: (publication: Publication): boolean => {
      if (ownership.holding) return mqtt.publish(publication);
      publication.settled?.(false);
      return false;
    },
    /** Why nothing can be published; null: it can. */
    trouble: (): string | null => {
      if (ownership.holding) return null;
      return mqtt.reason ?? 'no session with the broker yet, or the base topic is still another bridge’s';
    },
    refused: new Promise<string>(resolve => {
      ownership.on('refused', other => resolve(inUse(settings.baseTopic, other)));
    }),
    close: () => mqtt.close(ownership.holding ? offline : undefined),
  };
}

function inUse(base: string, { instance, since }: { instance: string; since: string | null }): string {
  const from = since ? ` since ${since}` : '';
  return `another bridge, '${instance}', serves ${base}/…${from}: give this one another mqtt.base_topic, or stop that one`;
}
