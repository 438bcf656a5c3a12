/**
 * Finds what a bridge has left on the broker of VMs and hosts that it no longer serves. Needed when `data_dir`, in which
 * the bridge remembers them, was lost. Finds only what a bridge of this base topic certainly wrote: other programs, or
 * a bridge one level below, may have retained topics there too.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { VmKey } from '../model/snapshot.ts';
import { isVmKey, retainedTopics, type Topics } from '../model/topics.ts';
import { MqttClient, type MqttClientOptions } from '../mqtt/client.ts';
import { inTime, within } from '../util/deadline.ts';
import { silent } from '../util/logger.ts';
import { orNull } from '../util/or-null.ts';

/** What the broker keeps: payload by topic. */
export type Kept = ReadonlyMap<string, string>;

export interface Ground {
  topics: Topics;
  prefix: string;
  /** The discovery topics of this bridge's own device, and of those of its hosts. */
  own: readonly string[];
  /** The VMs that are served: their domains' UUIDs; null: libvirt has no such domain now. */
  vms: ReadonlyMap<VmKey, string | null>;
  /** Names of the hosts that are served; none, if it is the only one. */
  hosts: readonly string[];
}

export interface Stale {
  keys: readonly VmKey[];
  hosts: readonly string[];
  devices: readonly string[];
}

/** What has to be read of it. */
export function staleFilters({ topics, prefix }: Pick<Ground, 'topics' | 'prefix'>): string[] {
  const states = [topics.vm('+').state, topics.host('+').state];
  return [topics.bridge.state, topics.bridge.info, ...states, `${prefix}/device/+/config`];
}

/** What the document of a VM has, and that of a host. */
const marks = { vm: ['power', 'activity', 'last_stop', 'uuid'], host: ['hypervisor', 'pools', 'nearly_full'] };

/** Pure. */
export function staleIn(kept: Kept, ground: Ground): Stale {
  const { topics, vms, hosts } = ground;
  const namesOf = (kind: keyof typeof marks, isServed: (name: string) => boolean) =>
    [...kept].flatMap(([topic, payload]) => {
      const name = nameIn(topic, topics[kind]);
      if (name === null || isServed(name) || topic !== topics[kind](name).state) return [];
      return marks[kind].every(mark => Object.hasOwn(parsed(payload), mark)) ? [name] : [];
    });
  const devices = [...kept].filter(([topic, payload]) => isStaleDevice(topic, payload, ground)).map(([topic]) => topic);
  return { keys: namesOf('vm', key => vms.has(key)), hosts: namesOf('host', name => hosts.includes(name)), devices };
}

/** The topics to clear, in order: devices first; the topic that identifies a VM or a host comes last of its own. */
export function staleTopics({ keys, hosts, devices }: Stale, topics: Topics): string[] {
  const ofHosts = hosts.map(topics.host).flatMap(({ availability, state }) => [availability, state]);
  return [...devices, ...keys.flatMap(key => retainedTopics(topics.vm(key))), ...ofHosts];
}

/** A broker sends its retained messages at once. Milliseconds: without any message, and in all, for each address. */
const quiet = 1_000;
const longest = 10_000;

type Connection = Omit<MqttClientOptions, 'subscriptions' | 'logger'>;

/** Reads the broker's retained messages, in a session of its own. Rejects with a sentence for people. */
export async function keptBy(connection: Connection, filters: readonly string[], signal: AbortSignal): Promise<Kept> {
  const kept = new Map<string, string>();
  const calm = Promise.withResolvers<void>();
  let timer: NodeJS.Timeout | undefined;
  await inSession(connection, filters, signal, async (client, opened) => {
    client.on('message', ({ topic, payload, retain }) => {
      kept.set(topic, payload.toString());
      if (retain) timer?.refresh();
    });
    const { refused } = await opened;
    if (refused.length > 0) throw new Error(`the broker does not let this user read ${refused.join(', ')}`);
    timer = setTimeout(calm.resolve, quiet);
    await inTime(calm.promise, longest, null);
  }).finally(() => clearTimeout(timer));
  return kept;
}

/** Empties the topics, in a session of its own, which also reads `filter`. Rejects with a sentence for people. */
export async function clearedAt(
  connection: Connection,
  topics: readonly string[],
  filter: string,
  signal: AbortSignal,
) {
  await inSession(connection, [filter], signal, async (client, opened, end) => {
    await opened;
    for (const topic of topics) {
      const take = (settled: (taken: boolean) => void) =>
        client.publish({ topic, payload: '', qos: 1, retain: true, settled });
      // A congested session takes it later.
      while (!(await new Promise(take))) await delay(100, undefined, { signal: end });
    }
  });
}

/** `end` aborts when the session is over. */
async function inSession(
  connection: Connection,
  subscriptions: readonly string[],
  signal: AbortSignal,
  use: (client: MqttClient, opened: Promise<{ refused: readonly string[] }>, end: AbortSignal) => Promise<void>,
): Promise<void> {
  const client = new MqttClient({ ...connection, subscriptions, logger: silent });
  const opened = Promise.withResolvers<{ refused: readonly string[] }>();
  const ended = Promise.withResolvers<never>();
  client.on('connected', opened.resolve);
  client.on('disconnected', ended.reject);
  const limit = longest * ([connection.url].flat().length + 1);
  const act = async (end: AbortSignal) => {
    client.start();
    return Promise.race([use(client, opened.promise, end).then(() => true), ended.promise]);
  };
  try {
    if (!(await within(limit, signal, act, false))) throw new Error('it does not answer');
  } finally {
    await client.close();
  }
}

/** The VM or host with this topic; null: none has it. */
function nameIn(topic: string, of: Topics['vm'] | Topics['host']): string | null {
  // Any name has the same topics around it.
  const [before = ''] = of('+').state.split('+');
  const [name = ''] = topic.startsWith(before) ? topic.slice(before.length).split('/') : [];
  return isVmKey(name) && Object.values(of(name)).includes(topic) ? name : null;
}

function isStaleDevice(topic: string, payload: string, { topics, prefix, own, vms }: Ground): boolean {
  const [, uuid] = /^dsm2mqtt_(.+)$/.exec(topic.slice(`${prefix}/device/`.length).split('/')[0] ?? '') ?? [];
  const { origin, o = origin } = parsed(payload);
  const isOfBridge = Object(o).name === 'dsm2mqtt';
  if (uuid === undefined || own.includes(topic) || !isOfBridge) return false;
  const shared = Object.values(topics.bridge);
  const others = topicsIn(payload).filter(each => !shared.includes(each));
  const [key, ...more] = new Set(others.map(each => nameIn(each, topics.vm)));
  // Of a host that is not served, or of a served one under another name of this bridge.
  const [host, ...otherHosts] = new Set(others.map(each => nameIn(each, topics.host)));
  if (typeof host === 'string' && otherHosts.length === 0) return true;
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

/** An object without members if it is no JSON. */
function parsed(payload: string): Readonly<Record<string, unknown>> {
  return Object(orNull(() => JSON.parse(payload)));
}
