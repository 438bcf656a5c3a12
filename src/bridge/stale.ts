/**
 * Finds what a bridge has left on the broker for VMs that it no longer serves. Needed when `data_dir`, in which the
 * bridge remembers them, was lost. Finds only what a bridge of this base topic certainly wrote: other programs, or a
 * bridge one level below, may have retained topics there too.
 */
import type { VmKey } from '../model/snapshot.ts';
import { isVmKey, retainedTopics, type Topics } from '../model/topics.ts';
import { MqttClient, type MqttClientOptions } from '../mqtt/client.ts';
import { inTime } from '../util/deadline.ts';
import { silent } from '../util/logger.ts';
import { orNull } from '../util/or-null.ts';

/** What the broker keeps: payload by topic. */
export type Kept = ReadonlyMap<string, string>;

export interface Ground {
  topics: Topics;
  prefix: string;
  /** The discovery topic of this bridge's own device. */
  own: string;
  /** The VMs that are served: their domains' UUIDs; null: libvirt has no such domain now. */
  vms: ReadonlyMap<VmKey, string | null>;
}

export interface Stale {
  keys: readonly VmKey[];
  devices: readonly string[];
}

/** What has to be read of it. */
export function staleFilters({ topics, prefix }: Pick<Ground, 'topics' | 'prefix'>): string[] {
  return [topics.bridge.state, topics.bridge.info, topics.vm('+').state, `${prefix}/device/+/config`];
}

/** Pure. */
export function staleIn(kept: Kept, ground: Ground): Stale {
  const { topics, vms } = ground;
  const keys = [...kept].flatMap(([topic, payload]) => {
    const key = keyOf(topic, topics);
    return key && !vms.has(key) && topic === topics.vm(key).state && isState(payload) ? [key] : [];
  });
  const devices = [...kept].filter(([topic, payload]) => isStaleDevice(topic, payload, ground)).map(([topic]) => topic);
  return { keys, devices };
}

/** The topics to clear, in order: devices first; the topic that identifies a VM comes last. */
export function staleTopics({ keys, devices }: Stale, topics: Topics): string[] {
  return [...devices, ...keys.flatMap(key => retainedTopics(topics.vm(key)))];
}

/** A broker sends its retained messages at once. Milliseconds: without any message, and in all, for each address. */
const quiet = 1_000;
const longest = 10_000;

/** Reads the broker's retained messages, in its own session. Rejects with a sentence for people. */
export async function keptBy(
  connection: Omit<MqttClientOptions, 'subscriptions' | 'logger'>,
  filters: readonly string[],
  signal?: AbortSignal,
): Promise<Kept> {
  signal?.throwIfAborted();
  const client = new MqttClient({ ...connection, subscriptions: filters, logger: silent });
  const kept = new Map<string, string>();
  const { promise, resolve, reject } = Promise.withResolvers<'calm'>();
  let calm: NodeJS.Timeout | undefined;
  client.on('connected', ({ refused }) => {
    if (refused.length > 0) reject(new Error(`the broker does not let this user read ${refused.join(', ')}`));
    calm = setTimeout(resolve, quiet, 'calm');
  });
  client.on('disconnected', reject);
  client.on('message', ({ topic, payload, retain }) => {
    kept.set(topic, payload.toString());
    if (retain) calm?.refresh();
  });
  client.start();
  try {
    const end = await inTime(promise, longest * [connection.url].flat().length, 'late', signal);
    if (end === 'late' && !client.connected) throw new Error('it does not answer');
    return kept;
  } finally {
    clearTimeout(calm);
    await client.close();
  }
}

/** The VM that a topic belongs to; null: it is not a topic of this bridge. */
function keyOf(topic: string, topics: Topics): VmKey | null {
  // Any key has the same topics around it.
  const [before = '', after = ''] = topics.vm('+').state.split('+');
  const [key = ''] = topic.startsWith(before) ? topic.slice(before.length).split('/') : [];
  if (!isVmKey(key) || after === '') return null;
  return Object.values(topics.vm(key)).includes(topic) ? key : null;
}

function isStaleDevice(topic: string, payload: string, { topics, prefix, own, vms }: Ground): boolean {
  const [, uuid] = /^dsm2mqtt_(.+)$/.exec(topic.slice(`${prefix}/device/`.length).split('/')[0] ?? '') ?? [];
  const { origin, o = origin } = parsed(payload);
  const isOfBridge = Object(o).name === 'dsm2mqtt';
  if (uuid === undefined || topic === own || !isOfBridge) return false;
  const shared = Object.values(topics.bridge);
  const others = topicsIn(payload).filter(each => !shared.includes(each));
  const [key, ...more] = new Set(others.map(each => keyOf(each, topics)));
  // If one of its topics is not this bridge's, or it has none, it is not this bridge's device.
  if (key === null || more.length > 0 || topicsIn(payload).length === 0) return false;
  // Another name of this bridge.
  if (key === undefined) return true;
  const served = vms.get(key);
  // libvirt has lost one of our domains: the bridge keeps its device, and so does this.
  return served === undefined || (served !== null && served !== uuid);
}

/** Every topic that a discovery payload names, abbreviated or not. */
function topicsIn(payload: string): string[] {
  return [...payload.matchAll(/"(?:\w+_)?t(?:opic)?"\s*:\s*("(?:[^"\\]|\\.)*")/g)].map(([, text = '']) =>
    JSON.parse(text),
  );
}

function isState(payload: string): boolean {
  return ['power', 'activity', 'last_stop', 'uuid'].every(name => Object.hasOwn(parsed(payload), name));
}

/** An object without members if it is no JSON. */
function parsed(payload: string): Readonly<Record<string, unknown>> {
  return Object(orNull(() => JSON.parse(payload)));
}
