import type { Dispatcher, Ordering } from '../commands/dispatcher.ts';
import type { Request, ResponseDocument } from '../commands/responder.ts';
import type { Config } from '../config/config.ts';
import { type Command, command } from '../model/command.ts';
import { longest } from '../model/history/history.ts';
import { leastBeforeCut } from '../model/job/job.ts';
import type { Event, Snapshot, VmKey, VmSnapshot } from '../model/snapshot.ts';
import type { State, States } from '../model/state.ts';

export interface OrderParts {
  vms: readonly Pick<Config['vms'][number], 'key' | 'after' | 'shutdown'>[];
  states: States;
  dispatcherOf: (key: VmKey) => Pick<Dispatcher, 'submit' | 'release'>;
  /** VMs that a bridge before this one in this process had still to start. */
  due?: readonly VmKey[];
}

/** A shutdown before which others shut down. Milliseconds. */
interface Shutdown {
  key: VmKey;
  by: string;
  /** What its own guest needs; null: not known. */
  reserve: number | null;
  /** Monotonic, of the others. */
  deadline: number;
  asked: Set<VmKey>;
  /** Those of them that are not off yet. */
  waiting: Set<VmKey>;
}

/** The `by` of what no sender has asked for. */
const mark = 'order';
/** Milliseconds. Of two deadlines so close, the later one is not worth a command. */
const tolerance = 100;

/**
 * `vms[].after`, over all hosts: starts the VMs that are after another one when that is up, and shuts them down before
 * it. It only gives commands, under the rules of any other.
 */
export class Order {
  readonly #parts: OrderParts;
  /** VMs that have not been up since their start. */
  readonly #fresh: Set<VmKey>;
  /** VMs to start as soon as all that they are after are up, and no command changes that. */
  readonly #due: Set<VmKey>;
  readonly #shutdowns = new Map<VmKey, Shutdown>();
  /** VMs whose shutdown is under way because of the order alone, as it began. */
  readonly #begun = new Set<VmKey>();
  #closed = false;

  /** The states have what was recorded, and what a bridge before this one in this process has seen. */
  constructor(parts: OrderParts) {
    this.#parts = parts;
    const keys = parts.vms.map(({ key }) => key);
    this.#due = new Set(parts.due?.filter(key => keys.includes(key)));
    const isFresh = ({ history, check }: VmSnapshot) => history.last?.what === 'start' && check?.verdict !== 'up';
    this.#fresh = new Set(keys.filter(key => isFresh(this.#vm(key))));
  }

  get due(): readonly VmKey[] {
    return [...this.#due];
  }

  submit(request: Request, given: Command, ordering: Ordering = {}): void {
    const { key } = request;
    const first = given.word === 'shutdown' ? this.#running(key) : [];
    const dispatcher = this.#parts.dispatcherOf(key);
    if (first.length === 0) {
      dispatcher.submit(request, given, ordering);
      return;
    }
    const reserve = this.#reserve(key, given);
    let shutdown: Shutdown | null = null;
    const reply = (response: ResponseDocument, final: boolean) => {
      request.reply?.(response, final);
      const { code, remaining_ms: left } = response;
      // It may have joined one that needed less time for itself.
      const other = this.#shutdowns.get(key);
      if (code === 'accepted' && other && reserve !== null) other.reserve = Math.max(other.reserve ?? 0, reserve);
      if (code === 'dependents' && left !== null && !this.#shutdowns.has(key)) {
        shutdown = this.#begin(key, request.by ?? mark, reserve, left);
      } else if (code === 'amended' && left !== null && shutdown) this.#shorten(shutdown, left);
      if (final && shutdown) this.#end(shutdown, response);
    };
    dispatcher.submit({ ...request, reply }, given, { ...ordering, hold: { reserve, first: first.join(', ') } });
  }

  /** Must receive every event, after all that makes something of it. */
  hear(event: Event, before: Snapshot, state: State): void {
    if (event.type === 'hypervisor_down') this.#forget(state);
    if ('key' in event && this.#parts.states.of(event.key) === state) this.#note(event, before);
    for (const key of this.#due) this.#startIfReady(key);
  }

  /** From now on it gives no command: the bridge ends, and leaves the VMs alone. */
  close(): void {
    this.#closed = true;
  }

  #note(event: Event & { key: VmKey }, before: Snapshot): void {
    const { type, key } = event;
    const { history } = this.#vm(key);
    if (type === 'domain' && history !== before.vms[key]?.history) {
      if (history.added.some(({ what }) => what === 'start')) this.#fresh.add(key);
    } else if (type === 'checked' && event.check.verdict === 'up' && this.#fresh.delete(key)) {
      for (const dependent of this.#dependents(key)) this.#due.add(dependent);
    }
  }

  #startIfReady(key: VmKey): void {
    const { vms, states } = this.#parts;
    const { after = [] } = vms.find(vm => vm.key === key) ?? {};
    const { seen, domain, check } = this.#vm(key);
    const known = seen && states.of(key).snapshot.hypervisor.up;
    const isUp = ({ check: found, work }: VmSnapshot) => found?.verdict === 'up' && work === null;
    if (!known || !after.every(first => isUp(this.#vm(first)))) return;
    this.#due.delete(key);
    // Not one that is meant to be off, or whose guest has just powered itself off.
    if (domain?.active === false && check?.expected === 'running' && check.problem) this.#command(key, 'start', mark);
  }

  /** `left`: milliseconds until it gives up. */
  #begin(key: VmKey, by: string, reserve: number | null, left: number): Shutdown {
    const deadline = performance.now() + share(left, reserve);
    const shutdown: Shutdown = { key, by, reserve, deadline, asked: new Set(), waiting: new Set() };
    this.#shutdowns.set(key, shutdown);
    this.#ask(shutdown);
    return shutdown;
  }

  /** Asks those that have not been asked. When one of them is off, those after it may still run. */
  #ask(shutdown: Shutdown): void {
    const { key, by, deadline, asked, waiting } = shutdown;
    if (this.#shutdowns.get(key) !== shutdown) return;
    const timeout = deadline - performance.now();
    const more = timeout > 0 ? this.#running(key).filter(each => !asked.has(each)) : [];
    for (const set of [asked, waiting]) for (const each of more) set.add(each);
    for (const each of more) {
      const begins = this.#vm(each).work?.activity !== 'shutting_down';
      if (begins) this.#begun.add(each);
      this.#command(each, 'shutdown', by, timeout, (_, final) => {
        if (!final) return;
        if (begins) this.#begun.delete(each);
        this.#done(shutdown, each);
      });
    }
    if (waiting.size === 0 && !this.#closed) this.#parts.dispatcherOf(key).release(key);
  }

  #shorten(shutdown: Shutdown, left: number): void {
    const timeout = share(left, shutdown.reserve);
    const deadline = performance.now() + timeout;
    if (deadline > shutdown.deadline - tolerance) return;
    shutdown.deadline = deadline;
    for (const each of [...shutdown.waiting]) this.#command(each, 'shutdown', shutdown.by, timeout);
  }

  #end({ key, by, asked }: Shutdown, { code }: ResponseDocument): void {
    this.#shutdowns.delete(key);
    if (code !== 'cancelled') return;
    for (const each of asked) {
      const others = this.#shutdowns.values().some(other => other.waiting.has(each));
      if (this.#begun.has(each) && !others) this.#command(each, 'cancel', by);
    }
  }

  /** Nobody knows when VMs on that host are off. A VM of the same host has to wait for libvirt in any case. */
  #forget(state: State): void {
    const isThere = (key: VmKey) => this.#parts.states.of(key) === state;
    for (const shutdown of this.#shutdowns.values()) {
      if (isThere(shutdown.key)) continue;
      for (const each of [...shutdown.waiting].filter(isThere)) this.#done(shutdown, each);
    }
  }

  #done(shutdown: Shutdown, dependent: VmKey): void {
    shutdown.waiting.delete(dependent);
    this.#ask(shutdown);
  }

  #command(
    key: VmKey,
    word: 'start' | 'shutdown' | 'cancel',
    by: string,
    timeout: number | null = null,
    reply: Request['reply'] = null,
  ): void {
    if (this.#closed) return;
    const nowhere = { id: null, responseTopic: null, correlationData: null, receivedAt: performance.now() };
    // It comes back when the VM that it is after is up again.
    this.submit({ key, command: word, by, reply, ...nowhere }, command(word, { by, timeout }), { keepsWish: true });
  }

  /** Milliseconds that its guest needs to power off, as far as is known; and before a power cut never less than it gets. */
  #reserve(key: VmKey, { onTimeout }: Command): number | null {
    const seconds = longest(this.#vm(key).history.stops);
    const policy = onTimeout ?? this.#parts.vms.find(vm => vm.key === key)?.shutdown.onTimeout;
    return seconds === null ? null : Math.max(seconds * 1_000, policy === 'force_off' ? leastBeforeCut : 0);
  }

  /** Those after it that run; and instead of one that is off, those after that one. */
  #running(key: VmKey): VmKey[] {
    const found = this.#dependents(key).flatMap(each => (this.#vm(each).domain?.active ? each : this.#running(each)));
    return [...new Set(found)];
  }

  #dependents(key: VmKey): VmKey[] {
    return this.#parts.vms.flatMap(vm => (vm.after.includes(key) ? vm.key : []));
  }

  #vm(key: VmKey): VmSnapshot {
    return this.#parts.states.of(key).vm(key);
  }
}

/** What of the time that is left is for the others. If there is none besides the reserve, all are asked at once. */
function share(left: number, reserve: number | null): number {
  return reserve !== null && left > reserve ? left - reserve : left;
}
