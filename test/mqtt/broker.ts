/** What the contract asks of a broker; aedes, Mosquitto, NATS and RabbitMQ are one. */

/** What a broker does otherwise than Mosquitto, and a bridge has to live with: docs/brokers.md. */
type Difference = 'wildcards get no stored messages' | 'hangs up after a refused subscription';

export interface Broker extends AsyncDisposable {
  port: number;
  version: '5.0' | '3.1.1';
  differences?: readonly Difference[];
  /** As kill -9 and a new start: retained messages may be gone. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

export interface BrokerRules {
  /** The only one that may connect. */
  user?: { name: string; password: string };
  /** A filter that nobody may subscribe to. */
  forbidden?: string;
}

export type StartBroker = (rules?: BrokerRules) => Promise<Broker>;
