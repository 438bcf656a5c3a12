import {
  bootDocument,
  checkDocument,
  doctorDocument,
  type HostDocument,
  hostDocument,
  loaderDocument,
  quietDocument,
  stateDocument,
  statsDocument,
} from '../model/documents.ts';
import type { Notification } from '../model/notice/notification.ts';
import type { Event, VmKey } from '../model/snapshot.ts';
import type { States } from '../model/state.ts';

/** What open pages hear of the bridge and its VMs. While none is open, it does nothing. */

export interface LiveOptions {
  states: States;
  vms: readonly LiveVm[];
  /** Of the bridge itself, beside its hosts: what changes rarely, and why something is away. */
  about: () => object;
  /** Milliseconds: at most so often a page hears what changed. */
  interval?: number;
}

export interface LiveVm {
  key: VmKey;
  label: string;
  guest: string;
  /** Those that are permitted. */
  commands: readonly string[];
}

/** The clock alone: it is still there. */
type Send = (messages: readonly object[]) => void;

/** Milliseconds without anything to tell until it tells that it is there. */
const silence = 15_000;

export class Live {
  readonly #options: LiveOptions;
  readonly #pages = new Set<Send>();
  readonly #changed = new Set<VmKey>();
  /** JSON of each part that the pages have. */
  #told = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #spokeAt = 0;

  constructor(options: LiveOptions) {
    this.#options = options;
  }

  /** Must receive every event, after the host's state has taken it. */
  hear(event: Event): void {
    if (this.#pages.size === 0) return;
    const { vms } = this.#options;
    const keys = event.type === 'stats' ? event.stats.keys() : 'key' in event ? [event.key] : vms.map(({ key }) => key);
    for (const key of keys) this.#changed.add(key);
  }

  commandsOf(key: VmKey): readonly string[] {
    return this.#options.vms.find(vm => vm.key === key)?.commands ?? [];
  }

  readonly tell = (vm: VmKey, event: Notification): void => this.#send([{ vm, event }]);

  /** `send` gets all that is known, and `more`, and then each change. Returns how to stop. */
  open(send: Send, ...more: readonly object[]): () => void {
    this.#tick();
    // A page that came before has had no more than this.
    send([clock(), ...this.#all(), ...more]);
    this.#pages.add(send);
    this.#timer ??= setInterval(() => this.#tick(), this.#options.interval ?? 1_000);
    return () => {
      this.#pages.delete(send);
      if (this.#pages.size === 0) this.close();
    };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#pages.clear();
    this.#changed.clear();
    this.#told = new Map();
  }

  #tick(): void {
    const keys = [...this.#changed];
    this.#changed.clear();
    const news = this.#told.size > 0 ? this.#news(keys) : [];
    if (news.length > 0 || performance.now() - this.#spokeAt > silence) this.#send(news);
  }

  #all(): object[] {
    this.#told = new Map();
    return this.#news(this.#options.vms.map(({ key }) => key));
  }

  /** Of the bridge and these VMs: what no page has been told. */
  #news(keys: readonly VmKey[]): object[] {
    const vms = this.#options.vms.filter(({ key }) => keys.includes(key));
    const bridge = { ...this.#options.about(), hosts: this.#hosts() };
    return [...(this.#isNew('', bridge) ? [{ bridge }] : []), ...vms.flatMap(vm => this.#newsOf(vm))];
  }

  /** By their names. */
  #hosts(): Record<string, HostDocument> {
    const named = this.#options.states.all.map(({ snapshot }) => {
      const { name, info } = snapshot.hypervisor;
      return [name ?? info?.hostname ?? 'libvirt', hostDocument(snapshot)];
    });
    return Object.fromEntries(named);
  }

  #newsOf({ key, label, guest, commands }: LiveVm): object[] {
    const state = this.#options.states.of(key);
    const vm = state.vm(key);
    const all = {
      ...{ label, guest, commands, host: state.snapshot.hypervisor.name },
      display: commands.includes('screenshot') && vm.domain?.active === true,
      ...{ state: stateDocument(vm), check: checkDocument(vm), stats: statsDocument(vm) },
      ...{ boot: bootDocument(vm), doctor: doctorDocument(vm), loader: loaderDocument(vm), quiet: quietDocument(vm) },
    };
    const parts = Object.entries(all).filter(([name, part]) => this.#isNew(`${key} ${name}`, part));
    return parts.length === 0 ? [] : [{ vm: key, ...Object.fromEntries(parts) }];
  }

  /** False: the pages have it already. */
  #isNew(name: string, part: unknown): boolean {
    const text = JSON.stringify(part);
    const isNew = this.#told.get(name) !== text;
    this.#told.set(name, text);
    return isNew;
  }

  #send(messages: readonly object[]): void {
    this.#spokeAt = performance.now();
    for (const send of this.#pages) send([clock(), ...messages]);
  }
}

/** A page measures times with it, and notices when it is set. */
function clock(): object {
  return { now: new Date().toISOString() };
}
