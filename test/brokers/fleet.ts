/** A fleet of bridges on a cluster: what must be true of it, and who looks. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { MqttClient } from '../../src/mqtt/client.ts';
import { silent } from '../../src/util/logger.ts';
import type { FakeLibvirtd } from '../fakes/libvirtd/daemon.ts';
import { poll } from '../lab/lab.ts';

/** One bridge: its base topic, and the VMs that libvirt has there. */
export interface Member {
  base: string;
  daemon: { readonly domains: readonly { name: string; uuid: string; active: boolean }[] };
}

/** The VMs of the `number`th bridge, all running. No other bridge has their UUIDs. */
export function vmsOf(number: number, count: number) {
  return Array.from({ length: count }, (_, i) => {
    const digits = (number * 256 + i).toString(16).padStart(6, '0');
    const mac = `52:54:00:${digits.match(/../g)?.join(':')}`;
    return { name: `vm-${i}`, uuid: `00000000-0000-4000-8000-000000${digits}`, mac, active: true };
  });
}

export function defineVms(daemon: FakeLibvirtd, number: number, count: number): void {
  for (const vm of vmsOf(number, count)) daemon.define(vm).start();
}

/** The retained topics that are not as libvirt has it, or are missing; none: all is right. */
export function wrongTopics(kept: ReadonlyMap<string, string>, members: readonly Member[]): string[] {
  const rules = members.flatMap(({ base, daemon }): [string, (payload: string) => boolean][] => [
    [`${base}/bridge/state`, payload => payload === 'online'],
    ...daemon.domains.flatMap(({ name, uuid, active }): [string, (payload: string) => boolean][] => [
      [`${base}/${name}/availability`, payload => payload === 'online'],
      [`${base}/${name}/state`, payload => JSON.parse(payload).power === (active ? 'ON' : 'OFF')],
      [`ha/device/dsm2mqtt_${uuid}/config`, payload => payload.includes(`${base}/${name}/`)],
    ]),
  ]);
  return rules.filter(([topic, holds]) => !holds(kept.get(topic) ?? '{}')).map(([topic]) => topic);
}

/** All that a new client gets of it. */
export async function readRetained(url: string): Promise<Map<string, string>> {
  const kept = new Map<string, string>();
  const subscriptions = ['+/bridge/state', '+/+/availability', '+/+/state', 'ha/device/+/config'];
  const client = new MqttClient({ url, clientId: `reader-${randomUUID().slice(0, 8)}`, subscriptions, logger: silent });
  let heardAt = Number.POSITIVE_INFINITY;
  client.on('connected', () => {
    heardAt = performance.now();
  });
  client.on('message', ({ topic, payload, retain }) => {
    if (!retain) return;
    kept.set(topic, payload.toString());
    heardAt = performance.now();
  });
  client.start();
  // A busy cluster may take its time until the first one.
  const silence = () => (kept.size === 0 ? 30_000 : 1_000);
  while (performance.now() - heardAt < silence() || heardAt === Number.POSITIVE_INFINITY) await delay(100);
  await client.close();
  return kept;
}

/** Gives commands to bridges in turn, and hears every final answer at every node. */
export class Commander implements AsyncDisposable {
  /** By command's id: whether the cluster took it. */
  readonly published = new Map<string, boolean>();
  /** Of each live announcement. */
  readonly #announcedAt: number[] = [];
  /** By node, then by id: how often a final answer came. */
  readonly #answers: readonly Map<string, number>[];
  readonly #listeners: readonly MqttClient[];
  readonly #sender: MqttClient;
  readonly #members: readonly Member[];
  #timer: NodeJS.Timeout | undefined;
  #next = 0;

  constructor(urls: readonly string[], members: readonly Member[]) {
    const client = (url: string | readonly string[], name: string, subscriptions: string[]) =>
      new MqttClient({ url, clientId: name, subscriptions, logger: silent });
    this.#members = members;
    this.#answers = urls.map(() => new Map());
    this.#sender = client(urls.toReversed(), 'commander', ['nothing']);
    this.#listeners = urls.map((url, index) =>
      client(url, `listener-${index}`, ['+/+/response', ...(index === 0 ? ['ha/device/+/config'] : [])]),
    );
    for (const [index, listener] of this.#listeners.entries()) {
      listener.on('message', ({ topic, payload, retain, duplicate }) => {
        if (topic.startsWith('ha/')) {
          if (index === 0 && !retain) this.#announcedAt.push(performance.now());
          return;
        }
        if (duplicate) return;
        const { id, remaining_ms } = JSON.parse(payload.toString());
        if (remaining_ms !== null) return;
        const counts = this.#answers[index];
        counts?.set(id, (counts.get(id) ?? 0) + 1);
      });
    }
  }

  /** Connects, at each node. */
  async open(): Promise<void> {
    for (const client of [this.#sender, ...this.#listeners]) client.start();
    const connected = () => [this.#sender, ...this.#listeners].every(client => client.connected);
    await poll(connected, { what: 'a session with each node' });
  }

  /** Home Assistant starts: how it goes until so many devices are announced. */
  async birth(devices: number) {
    const before = this.#announcedAt.length;
    const at = performance.now();
    this.#sender.publish({ topic: 'ha/status', payload: 'online', qos: 1, retain: false });
    const all = () => this.#announcedAt.slice(before);
    await poll(() => all().length >= devices, { what: `that ${devices} devices are announced` });
    const seconds = Object.values(Object.groupBy(all(), time => Math.floor((time - at) / 1_000)));
    const busiest = Math.max(...seconds.map(each => each?.length ?? 0));
    return { seconds: ((this.#announcedAt.at(-1) ?? at) - at) / 1_000, messages: all().length, busiest };
  }

  /** A command every so many milliseconds: to VM 0 of one bridge after the other, whether it starts with the host. */
  start(interval: number): void {
    this.#timer = setInterval(() => {
      const member = this.#members[this.#next++ % this.#members.length];
      const id = randomUUID();
      this.#sender.publish({
        topic: `${member?.base}/vm-0/command`,
        payload: JSON.stringify({ command: 'autostart', enabled: this.#next % 2 === 0, id }),
        qos: 1,
        retain: false,
        settled: taken => this.published.set(id, taken),
      });
    }, interval);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** How often a final answer to this command came, at the node where it came most often. */
  answers(id: string): number {
    return Math.max(...this.#answers.map(counts => counts.get(id) ?? 0));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await Promise.all([this.#sender, ...this.#listeners].map(client => client.close()));
  }
}
