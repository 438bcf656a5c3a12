/** What the contract asks of a broker; aedes and Mosquitto both are one. */

export interface Broker extends AsyncDisposable {
  port: number;
  version: '5.0' | '3.1.1';
  /** As kill -9 and a new start: retained messages are gone. */
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
