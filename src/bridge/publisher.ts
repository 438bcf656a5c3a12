import { hash } from 'node:crypto';
import {
  bootDocument,
  bridgeDocument,
  checkDocument,
  doctorDocument,
  hostDocument,
  type Identity,
  loaderDocument,
  stateDocument,
  statsDocument,
} from '../model/documents.ts';
import type { Snapshot, VmKey, VmSnapshot } from '../model/snapshot.ts';
import type { States } from '../model/state.ts';
import { retainedTopics, type Send, type Topics, type VmTopics } from '../model/topics.ts';

export interface PublisherOptions {
  topics: Topics;
  identity: Identity;
  states: States;
  /** False: the broker is away; when it is back, everything is published again. */
  send: Send;
}

const documents: readonly {
  topic: 'state' | 'check' | 'boot' | 'doctor' | 'loader';
  /** A document can only change when one of its parts does. */
  parts: (vm: VmSnapshot) => readonly unknown[];
  /** Null: nothing is known yet, so the broker's older document stays. */
  of: (vm: VmSnapshot) => object | null;
}[] = [
  { topic: 'state', parts: stateParts, of: stateDocument },
  { topic: 'check', parts: vm => [vm.check, vm.wish, vm.boot, vm.quiet], of: vm => vm.check && checkDocument(vm) },
  { topic: 'boot', parts: vm => [vm.boot], of: bootDocument },
  { topic: 'doctor', parts: vm => [vm.harm], of: doctorDocument },
  { topic: 'loader', parts: vm => [vm.loader, vm.check?.dsm], of: loaderDocument },
];

function stateParts(vm: VmSnapshot): unknown[] {
  const { domain, work, startedAt, lastStop, lastError, quiet, stats } = vm;
  const parts: unknown[] = [domain, work, startedAt, lastStop, lastError, quiet, vm.history, vm.uptime.percent];
  for (const target in stats?.disks) parts.push(stats.disks[target]?.capacity);
  return parts;
}

/** Publishes each change once, and everything when a session begins. */
export class Publisher {
  readonly #options: PublisherOptions;
  /** What the broker has of each retained topic: its hash, if it is long. */
  readonly #sent = new Map<string, string>();
  readonly #topicsOf = new Map<VmKey, VmTopics>();

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** `keys` are the only VMs that may have changed. */
  update(next: Snapshot, before: Snapshot, keys: readonly VmKey[] = Object.keys(next.vms)): void {
    const isUpOrDown = next.hypervisor !== before.hypervisor;
    if (isUpOrDown || next.overdueChecks !== before.overdueChecks) this.#bridge();
    if (isUpOrDown || next.host !== before.host) this.#host(next);
    for (const key of keys) if (isUpOrDown || next.vms[key] !== before.vms[key]) this.#vm(next, key, before.vms[key]);
  }

  /** For a new session: everything the broker may have lost. `online` comes last, when all the rest is true. */
  all(): void {
    const { states } = this.#options;
    this.#sent.clear();
    this.#bridge();
    for (const state of states.all) {
      this.#host(state.snapshot);
      for (const key of states.ownedBy(state)) this.#vm(state.snapshot, key);
    }
    this.#retained(this.#options.topics.bridge.state, 'online');
  }

  /** Everything of one VM, whatever the broker has. */
  again(snapshot: Snapshot, key: VmKey): void {
    for (const topic of retainedTopics(this.#options.topics.vm(key))) this.#sent.delete(topic);
    this.#vm(snapshot, key);
  }

  /** Not for a domain that was never seen: its disks and NICs are unknown. */
  stats(snapshot: Snapshot, key: VmKey): void {
    const vm = snapshot.vms[key];
    if (!vm?.domain) return;
    const payload = JSON.stringify(statsDocument(vm));
    this.#options.send({ topic: this.#topics(key).stats, payload, qos: 0, retain: false });
  }

  /** A picture of the screen, PNG. False: the broker is away. */
  screen(key: VmKey, picture: Buffer, retain = true): boolean {
    return this.#options.send({ topic: this.#options.topics.vm(key).screen, payload: picture, qos: 1, retain });
  }

  loaderLine(key: VmKey, line: string): void {
    this.#options.send({ topic: this.#options.topics.vm(key).loaderLog, payload: line, qos: 0, retain: false });
  }

  /** Clears the retained topics of a VM that is no longer configured. */
  retire(key: VmKey): void {
    this.#clear(retainedTopics(this.#options.topics.vm(key)));
  }

  /** Clears the topics of a host that is no longer configured. */
  retireHost(name: string): void {
    this.#clear(Object.values(this.#options.topics.host(name)));
  }

  #clear(topics: readonly string[]): void {
    for (const topic of topics) this.#options.send({ topic, payload: '', qos: 1, retain: true });
  }

  #vm(snapshot: Snapshot, key: VmKey, before?: VmSnapshot): void {
    const vm = snapshot.vms[key];
    if (!vm) return;
    const topics = this.#topics(key);
    for (const { topic, parts, of } of documents) {
      const old = before && parts(before);
      const now = parts(vm);
      if (old?.length === now.length && now.every((part, i) => part === old[i])) continue;
      const document = of(vm);
      if (document) this.#retained(topics[topic], JSON.stringify(document));
    }
    if (vm.stats !== before?.stats) this.stats(snapshot, key);
    this.#retained(topics.availability, snapshot.hypervisor.up && vm.domain ? 'online' : 'offline');
  }

  #topics(key: VmKey): VmTopics {
    const known = this.#topicsOf.get(key) ?? this.#options.topics.vm(key);
    this.#topicsOf.set(key, known);
    return known;
  }

  #bridge(): void {
    const { states, identity } = this.#options;
    const hosts = states.all.map(({ snapshot }) => snapshot);
    this.#retained(this.#options.topics.bridge.info, JSON.stringify(bridgeDocument(hosts, identity)));
  }

  /** Only one of several has topics. */
  #host(snapshot: Snapshot): void {
    const { name, up } = snapshot.hypervisor;
    if (name === null) return;
    const { state, availability } = this.#options.topics.host(name);
    this.#retained(state, JSON.stringify(hostDocument(snapshot)));
    this.#retained(availability, up ? 'online' : 'offline');
  }

  #retained(topic: string, payload: string): void {
    const digest = payload.length < 32 ? payload : hash('sha1', payload, 'base64');
    if (this.#sent.get(topic) === digest) return;
    if (this.#options.send({ topic, payload, qos: 1, retain: true })) this.#sent.set(topic, digest);
  }
}
