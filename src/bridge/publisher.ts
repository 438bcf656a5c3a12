import {
  bridgeDocument,
  checkDocument,
  type Identity,
  loaderDocument,
  stateDocument,
  statsDocument,
} from '../model/documents.ts';
import type { Snapshot, VmKey } from '../model/snapshot.ts';
import { retainedTopics, type Topics } from '../model/topics.ts';

export interface PublisherOptions {
  topics: Topics;
  identity: Identity;
  /** False: the broker is away; all is said again when it is back. */
  send: (publication: { topic: string; payload: string | Buffer; qos: 0 | 1; retain: boolean }) => boolean;
}

/** Says what changed, once, and everything when a session begins. */
export class Publisher {
  readonly #options: PublisherOptions;
  /** What the broker has of each retained topic. */
  readonly #sent = new Map<string, string>();

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Parts of the snapshot that kept their identity did not change; `keys` are the only VMs that may have. */
  update(next: Snapshot, before: Snapshot, keys: readonly VmKey[] = Object.keys(next.vms)): void {
    if (next.hypervisor !== before.hypervisor || next.overdueChecks !== before.overdueChecks) this.#bridge(next);
    for (const key of keys) {
      const [vm, old] = [next.vms[key], before.vms[key]];
      if (vm === old && next.hypervisor === before.hypervisor) continue;
      if (vm !== old) this.#state(next, key);
      if (vm?.check !== old?.check) this.#check(next, key);
      if (vm?.loader !== old?.loader || vm?.check?.dsm !== old?.check?.dsm) this.#loader(next, key);
      if (vm?.stats !== old?.stats) this.stats(next, key);
      this.#availability(next, key);
    }
  }

  /** For a new session: whatever the broker may have forgotten. Online comes last, when all else is true. */
  all(snapshot: Snapshot): void {
    this.#sent.clear();
    this.#bridge(snapshot);
    for (const key of Object.keys(snapshot.vms)) {
      this.#state(snapshot, key);
      this.#check(snapshot, key);
      this.#loader(snapshot, key);
      this.stats(snapshot, key);
      this.#availability(snapshot, key);
    }
    this.#retained(this.#options.topics.bridge.state, 'online');
  }

  /** Everything of one VM, whatever the broker has. */
  again(snapshot: Snapshot, key: VmKey): void {
    const { state, check, loader, availability } = this.#options.topics.vm(key);
    for (const topic of [state, check, loader, availability]) this.#sent.delete(topic);
    this.#state(snapshot, key);
    this.#check(snapshot, key);
    this.#loader(snapshot, key);
    this.stats(snapshot, key);
    this.#availability(snapshot, key);
  }

  /** Nothing is said of a domain that has not been seen: its disks and NICs are not known either. */
  stats(snapshot: Snapshot, key: VmKey): void {
    const vm = snapshot.vms[key];
    if (!vm?.domain) return;
    const { topics, send } = this.#options;
    send({ topic: topics.vm(key).stats, payload: JSON.stringify(statsDocument(vm)), qos: 0, retain: false });
  }

  /** A picture of the screen, PNG. False: the broker is away. */
  screen(key: VmKey, picture: Buffer): boolean {
    return this.#options.send({ topic: this.#options.topics.vm(key).screen, payload: picture, qos: 1, retain: true });
  }

  /** One line that the rebuild of its loader has said. */
  loaderLine(key: VmKey, line: string): void {
    this.#options.send({ topic: this.#options.topics.vm(key).loaderLog, payload: line, qos: 0, retain: false });
  }

  /** Takes back what the broker keeps of a VM that is no longer configured. */
  retire(key: VmKey): void {
    for (const topic of retainedTopics(this.#options.topics.vm(key)))
      this.#options.send({ topic, payload: '', qos: 1, retain: true });
  }

  #state(snapshot: Snapshot, key: VmKey): void {
    const vm = snapshot.vms[key];
    if (vm) this.#retained(this.#options.topics.vm(key).state, JSON.stringify(stateDocument(vm)));
  }

  /** Nothing is said before the first verdict: what the broker has from an earlier life is nearer to the truth. */
  #check(snapshot: Snapshot, key: VmKey): void {
    const vm = snapshot.vms[key];
    if (vm?.check) this.#retained(this.#options.topics.vm(key).check, JSON.stringify(checkDocument(vm)));
  }

  #loader(snapshot: Snapshot, key: VmKey): void {
    const vm = snapshot.vms[key];
    const document = vm ? loaderDocument(vm) : null;
    if (document) this.#retained(this.#options.topics.vm(key).loader, JSON.stringify(document));
  }

  #availability(snapshot: Snapshot, key: VmKey): void {
    const there = snapshot.hypervisor.up && Boolean(snapshot.vms[key]?.domain);
    this.#retained(this.#options.topics.vm(key).availability, there ? 'online' : 'offline');
  }

  #bridge(snapshot: Snapshot): void {
    const document = bridgeDocument(snapshot, this.#options.identity);
    this.#retained(this.#options.topics.bridge.info, JSON.stringify(document));
  }

  #retained(topic: string, payload: string): void {
    if (this.#sent.get(topic) === payload) return;
    if (this.#options.send({ topic, payload, qos: 1, retain: true })) this.#sent.set(topic, payload);
  }
}
