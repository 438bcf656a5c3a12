/** What goes over the broker. */

export interface Message {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1 | 2;
  /**
   * The broker stored the message before this session subscribed. With `asPublished`, on MQTT 5, also: the sender set
   * the flag. On 3.1.1 a live message never has it.
   */
  readonly retain: boolean;
  /** The broker sends it again because it missed our acknowledgement. */
  readonly duplicate: boolean;
  /** MQTT 5 only, as are the next two: where the sender wants its answer. */
  readonly responseTopic: string | null;
  readonly correlationData: Buffer | null;
  /** What is left of the message's life, seconds. */
  readonly expirySeconds: number | null;
}

export interface Publication {
  readonly topic: string;
  /** A large one that may have to wait is made when it is sent. */
  readonly payload: string | Buffer | (() => string);
  /** 0 may be dropped while the broker does not read; 1 is in flight until the broker acknowledges it. */
  readonly qos: 0 | 1;
  /** A retained publication is a state: while it waits for its turn, a newer one on its topic takes its place. */
  readonly retain: boolean;
  /** MQTT 5 only, as is the next one; left out on 3.1.1. */
  readonly correlationData?: Buffer;
  readonly expirySeconds?: number;
  /** Called once: true when written (QoS 0) or acknowledged (QoS 1), false when dropped, replaced, refused or lost. */
  readonly settled?: (delivered: boolean) => void;
}

/** False: dropped, because the broker is away or the base topic is not ours. */
export type Send = (publication: Publication) => boolean;
