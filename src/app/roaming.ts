import type { Event } from '../model/event.ts';
import type { VmKey } from '../model/snapshot.ts';
import type { State } from '../model/state.ts';
import type { States } from '../model/states.ts';

type Report = Extract<Event, { type: 'domain' }>;

/** Milliseconds in which a VM that has gone from one host may appear on another: it is the same one, and was not off. */
const usualPatience = 60_000;

/** VMs that several hosts may have: each is where it runs, or else where it is defined. */
export class Roaming {
  readonly #states: States;
  readonly #patience: number;
  /** What each host last said of it. */
  readonly #reports = new Map<VmKey, Map<State, Report>>();
  readonly #gone = new Map<VmKey, NodeJS.Timeout>();

  constructor(states: States, keys: readonly VmKey[], patience = usualPatience) {
    this.#states = states;
    this.#patience = patience;
    for (const key of keys) this.#reports.set(key, new Map());
  }

  /** What a host says of a domain; of one that roams, only what its host says counts. */
  hear(state: State, event: Event): void {
    const reports = event.type === 'domain' ? this.#reports.get(event.key) : undefined;
    if (event.type === 'domain' && reports) this.#report(state, event, reports);
    else state.dispatch(event);
  }

  #report(state: State, event: Report, reports: Map<State, Report>): void {
    const { key } = event;
    reports.set(state, event);
    const owner = this.#states.of(key);
    const better = this.#better(owner, reports);
    if (better) {
      this.#found(key);
      this.#states.move(key, better.state);
      better.state.dispatch(better.report);
      // Whoever still waits for it there hears that it is gone.
      owner.dispatch({ type: 'domain', key, domain: null, at: event.at });
    } else if (state === owner && event.domain && !isLeaving(event)) {
      this.#found(key);
      state.dispatch(event);
    } else if (!reports.get(owner)?.domain || (state === owner && isLeaving(event))) {
      const first = !owner.vm(key).seen && this.#states.all.every(each => reports.has(each));
      if (first) this.#settle(key);
      else if (!this.#gone.has(key)) this.#wait(key);
    }
  }

  close(): void {
    for (const timer of this.#gone.values()) clearTimeout(timer);
  }

  /** Where it is instead of with its owner. */
  #better(owner: State, reports: ReadonlyMap<State, Report>): { state: State; report: Report } | null {
    const own = reports.get(owner)?.domain ?? null;
    const rank = (report: Report) => (report.domain?.active ? 2 : report.domain ? 1 : 0);
    const isThere = owner.snapshot.hypervisor.up || !own?.active;
    const here = own && isThere ? (own.active ? 2 : 1) : 0;
    const [best] = [...reports]
      .map(([state, report]) => ({ state, report, rank: rank(report) }))
      .filter(one => one.state !== owner && one.rank > here)
      .toSorted((a, b) => b.rank - a.rank);
    // Without libvirt on its host, only a VM that runs elsewhere is certainly no longer there.
    return best && (isThere || best.rank === 2) ? best : null;
  }

  #found(key: VmKey): void {
    clearTimeout(this.#gone.get(key));
    this.#gone.delete(key);
  }

  /** A host that is away may have it: then nobody knows. */
  #wait(key: VmKey): void {
    const look = () => {
      if (this.#states.all.every(({ snapshot }) => snapshot.hypervisor.up)) this.#settle(key);
      else this.#wait(key);
    };
    this.#gone.set(key, setTimeout(look, this.#patience));
  }

  /** No other host has it: what its own says is true. */
  #settle(key: VmKey): void {
    this.#found(key);
    const owner = this.#states.of(key);
    const report = this.#reports.get(key)?.get(owner);
    if (report) owner.dispatch(report);
  }
}

/** It may be on its way to another host. */
function isLeaving({ domain }: Report): boolean {
  return domain === null || (!domain.active && domain.reason === 'migrated');
}
