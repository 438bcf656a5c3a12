import type { Message, Publication } from '../../src/model/topics.ts';
import { MqttClient, type MqttClientOptions } from '../../src/mqtt/client.ts';
import type { MqttFailure } from '../../src/mqtt/failure.ts';
import type { Opened } from '../../src/mqtt/session.ts';
import { Inbox, recorder } from './inbox.ts';
import { type Rules, startPeer } from './peer.ts';

export const WILL = { topic: 'b/bridge/state', payload: 'offline', qos: 1, retain: true } as const;

/** A client under test, with everything it tells. Closed at the end of the test. */
export class Subject extends MqttClient {
  readonly log: ReturnType<typeof recorder>;
  readonly opened = new Inbox<Opened>();
  readonly failures = new Inbox<MqttFailure>();
  readonly messages = new Inbox<Message>();

  constructor(url: MqttClientOptions['url'], options: Partial<MqttClientOptions> = {}) {
    const log = recorder();
    super({
      url,
      clientId: 'subject',
      will: WILL,
      subscriptions: ['b/+/command'],
      asPublished: ['b/+/command'],
      logger: log,
      pace: { lost: { first: 20, cap: 100 } },
      ...options,
    });
    this.log = log;
    this.on('connected', this.opened.push);
    this.on('disconnected', this.failures.push);
    this.on('message', this.messages.push);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

export function subject(url: MqttClientOptions['url'], options: Partial<MqttClientOptions> = {}): Subject {
  const client = new Subject(url, options);
  client.start();
  return client;
}

export function state(topic: string, payload: string | Buffer, more: Partial<Publication> = {}): Publication {
  return { topic, payload, qos: 1, retain: true, ...more };
}

/** Publishes and waits for its fate. */
export function delivered(client: MqttClient, publication: Publication): Promise<boolean> {
  return new Promise(resolve => client.publish({ ...publication, settled: resolve }));
}

/** A client and its connection to a broker made by hand. `begin` sees the client before it connects. */
export async function pair(
  rules: Rules = {},
  options: Partial<MqttClientOptions> = {},
  begin: (client: Subject) => void = () => {},
) {
  const peer = await startPeer(rules);
  const client = new Subject(peer.url, options);
  begin(client);
  client.start();
  await client.opened.take();
  return {
    ...{ peer, client, connection: await peer.connections.take() },
    async [Symbol.asyncDispose]() {
      await client.close();
      await peer[Symbol.asyncDispose]();
    },
  };
}
