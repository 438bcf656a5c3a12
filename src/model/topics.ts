import type { VmKey } from './snapshot.ts';

export type Topics = ReturnType<typeof topics>;
export type VmTopics = ReturnType<Topics['vm']>;

export interface CommandTopic {
  key: VmKey;
  kind: 'power' | 'command';
}

/** Every MQTT topic of one bridge. No other file spells them. */
export function topics(base: string) {
  return {
    bridge: { state: `${base}/bridge/state`, info: `${base}/bridge/info`, claim: `${base}/bridge/claim` },
    host: (name: string) => ({
      availability: `${base}/host/${name}/availability`,
      state: `${base}/host/${name}/state`,
    }),
    vm: (key: VmKey) => ({
      availability: `${base}/${key}/availability`,
      state: `${base}/${key}/state`,
      stats: `${base}/${key}/stats`,
      check: `${base}/${key}/check`,
      boot: `${base}/${key}/boot`,
      doctor: `${base}/${key}/doctor`,
      response: `${base}/${key}/response`,
      event: `${base}/${key}/event`,
      screen: `${base}/${key}/screen`,
      loader: `${base}/${key}/loader`,
      loaderLog: `${base}/${key}/loader/log`,
      power: `${base}/${key}/power/set`,
      command: `${base}/${key}/command`,
    }),
    /** Subscriptions for every command, and how to parse the topic of one that arrived. */
    commands: {
      filters: [`${base}/+/power/set`, `${base}/+/command`],
      parse: (topic: string): CommandTopic | null => {
        if (!topic.startsWith(`${base}/`)) return null;
        const [key, ...rest] = topic.slice(base.length + 1).split('/');
        const tail = rest.join('/');
        if (!key) return null;
        if (tail === 'power/set') return { key, kind: 'power' };
        return tail === 'command' ? { key, kind: 'command' } : null;
      },
    },
  };
}

/** A VM's retained topics; the last one shows that they belong to a VM. */
export function retainedTopics({ availability, boot, check, doctor, loader, screen, state }: VmTopics): string[] {
  return [availability, boot, check, doctor, loader, screen, state];
}

/** Well below what brokers take: MQTT 65 535 bytes, Mosquitto 200 levels, EMQX 128. */
const longest = 1_000;
const deepest = 100;

/** Why the broker would not take a publication there, as a predicate; null: it would. Most brokers hang up on these. */
export function topicFault(topic: string): string | null {
  if (topic === '') return 'must not be empty';
  if (/[+#]/.test(topic)) return 'must not contain the wildcards + and #';
  if (topic.startsWith('$')) return 'must not start with $: the broker keeps those topics to itself';
  if (/[\p{Cc}\p{NChar}]/u.test(topic) || !topic.isWellFormed()) return 'contains a character that MQTT does not allow';
  if (Buffer.byteLength(topic) > longest) return `must have at most ${longest} bytes`;
  return topic.split('/').length > deepest ? `must have at most ${deepest} levels` : null;
}

/** The key of a domain for which the configuration names none; empty if only `_` would be left. */
export function defaultVmKey(domain: string): VmKey {
  const key = domain.replaceAll(/[^A-Za-z0-9_-]/g, '_');
  return /^_*$/.test(key) ? '' : key;
}

/** A valid key. `bridge` and `host` are the bridge's own segments; files are named after a key, too. */
export function isVmKey(key: string): boolean {
  return /^[A-Za-z0-9_-]{1,128}$/.test(key) && !/^_+$/.test(key) && key !== 'bridge' && key !== 'host';
}

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
