import { connect, type MqttClient as Mqtt } from 'mqtt';
import type { Broker } from './broker.ts';
import { Inbox } from './inbox.ts';

interface Seen {
  topic: string;
  payload: string;
  retain: boolean;
}

/** Another client, straight to the broker. */
export class Observer {
  readonly #mqtt: Mqtt;
  readonly seen = new Inbox<Seen>();

  constructor(mqtt: Mqtt) {
    this.#mqtt = mqtt;
    mqtt.on('message', (topic, payload, { retain }) => this.seen.push({ topic, payload: payload.toString(), retain }));
  }

  static async start({ port, version }: Broker, filter: string): Promise<Observer> {
    const protocolVersion = version === '5.0' ? 5 : 4;
    const mqtt = connect({ port, host: '127.0.0.1', protocol: 'mqtt', protocolVersion, reconnectPeriod: 0 });
    const observer = new Observer(mqtt);
    await new Promise((resolve, reject) => mqtt.once('connect', resolve).once('error', reject));
    await mqtt.subscribeAsync(filter, { qos: 1 });
    return observer;
  }

  take(topic: string, payload?: string): Promise<Seen> {
    return this.seen.take(seen => seen.topic === topic && (payload === undefined || seen.payload === payload));
  }

  async publish(topic: string, payload: string, retain = false): Promise<void> {
    await this.#mqtt.publishAsync(topic, payload, { qos: 1, retain });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#mqtt.endAsync(true);
  }
}
