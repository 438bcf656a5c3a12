import type { Event, VmKey } from '../model/snapshot.ts';
import type { State, States } from '../model/state.ts';
import type { Logger } from '../util/logger.ts';

type Report = Extract<Event, { type: 'domain' }>;

/** What a host last said of a VM. `fresh`: its libvirt has been there ever since, so it is still true. */
interface Said {
  report: Report;
  fresh: boolean;
}

interface Roamer {
  key: VmKey;
  said: Map<State, Said>;
  /** What its state was last told. */
  told: Report | null;
  /** It has gone from its host, and may appear on another. */
  gone: NodeJS.Timeout | undefined;
  /** It runs on two hosts at once, or seems to. */
  twice: NodeJS.Timeout | undefined;
}

/** Milliseconds in which a VM that has gone from one host may appear on another: it is the same one, and was not off. */
const usualPatience = 60_000;

/** Milliseconds after which a report of a host whose libvirt answers is no longer on its way. */
const lateReport = 3_000;

/** VMs that several hosts may have: each is where it runs, or else where it is defined. */
export class Roaming {
  readonly #states: States;
  readonly #logger: Logger;
  readonly #patience: number;
  readonly #roamers: ReadonlyMap<VmKey, Roamer>;

  constructor(states: States, keys: readonly VmKey[], logger: Logger, patience = usualPatience) {
    this.#states = states;
    this.#logger = logger;
    this.#patience = patience;
    const nothing = { told: null, gone: undefined, twice: undefined };
    this.#roamers = new Map(keys.map(key => [key, { key, said: new Map(), ...nothing }]));
  }

  /** What a host says. Of a VM that roams, only what the host where it is says counts. */
  hear(state: State, event: Event): void {
    const roamer = event.type === 'domain' ? this.#roamers.get(event.key) : undefined;
    if (event.type === 'domain' && roamer) {
      roamer.said.set(state, { report: event, fresh: true });
      this.#decide(roamer);
      return;
    }
    state.dispatch(event);
    if (event.type !== 'hypervisor_up' && event.type !== 'hypervisor_down') return;
    // A libvirt that is back has read each domain, and reports only what has changed.
    for (const each of this.#roamers.values()) {
      const said = each.said.get(state);
      if (said) said.fresh = event.type === 'hypervisor_up';
      this.#decide(each);
    }
  }

  close(): void {
    for (const { gone, twice } of this.#roamers.values()) for (const timer of [gone, twice]) clearTimeout(timer);
  }

  #decide(roamer: Roamer): void {
    const owner = this.#states.of(roamer.key);
    const own = roamer.said.get(owner);
    const runs = this.#freshly(roamer, ({ domain }) => domain?.active === true);
    this.#compare(roamer);
    if (own && runs.includes(owner)) this.#tell(roamer, own.report);
    else if (runs[0]) this.#move(roamer, runs[0]);
    else if (own?.fresh && own.report.domain && !this.#mayBeElsewhere(roamer, own.report))
      this.#tell(roamer, own.report);
    else if (!own || own.fresh) this.#seek(roamer, own?.report ?? null);
  }

  /** In a migration only one of the two is running at a time, but its report may be the later one. */
  #compare(roamer: Roamer): void {
    const running = this.#freshly(roamer, ({ domain }) => domain?.state === 'running');
    const hosts = running.map(({ snapshot }) => snapshot.hypervisor.name).toSorted();
    const fields = { event: 'domain.twice', vm: roamer.key, hosts };
    const words = 'one domain runs on two hosts at once: if both have the same disk, this destroys what is on it';
    if (hosts.length > 1) roamer.twice ??= setTimeout(() => this.#logger.error(fields, words), lateReport);
    else {
      clearTimeout(roamer.twice);
      roamer.twice = undefined;
    }
  }

  /** Nobody says that it runs, and its host does not have it, or not for certain. */
  #seek(roamer: Roamer, own: Report | null): void {
    const [there] = this.#freshly(roamer, ({ domain }) => domain !== null);
    const { seen, asked } = this.#states.of(roamer.key).vm(roamer.key);
    const isKnown = this.#isKnown(roamer);
    if (isKnown && there && !own?.domain) this.#move(roamer, there);
    // All have been asked for the first time; or it was to stop, and is gone because it is transient.
    else if (own && isKnown && (!seen || (!own.domain && asked?.open))) this.#tell(roamer, own);
    else if (own) roamer.gone ??= setTimeout(() => this.#giveUp(roamer), this.#patience);
  }

  /** A host that is away may have it: then nobody knows. */
  #giveUp(roamer: Roamer): void {
    roamer.gone = undefined;
    const own = roamer.said.get(this.#states.of(roamer.key));
    if (own && this.#isKnown(roamer)) this.#tell(roamer, own.report);
    else this.#decide(roamer);
  }

  #move(roamer: Roamer, to: State): void {
    const { key } = roamer;
    const from = this.#states.of(key);
    const report = roamer.said.get(to)?.report;
    if (!report) return;
    const { domain } = from.vm(key);
    this.#states.move(key, to);
    this.#tell(roamer, report);
    // What is under way there ends: with what has happened to it, and not as if it were off.
    const { at } = report;
    if (domain?.active) {
      const left = { ...domain, active: false, state: 'shut_off', reason: 'migrated' } as const;
      from.dispatch({ type: 'domain', key, domain: left, at });
    }
    if (domain) from.dispatch({ type: 'domain', key, domain: null, at });
  }

  #tell(roamer: Roamer, report: Report): void {
    clearTimeout(roamer.gone);
    roamer.gone = undefined;
    if (roamer.told === report) return;
    roamer.told = report;
    this.#states.of(roamer.key).dispatch(report);
  }

  /** What all hosts have said is still true. */
  #isKnown({ said }: Roamer): boolean {
    return this.#states.all.every(state => said.get(state)?.fresh);
  }

  #freshly({ said }: Roamer, holds: (report: Report) => boolean): State[] {
    return [...said].flatMap(([state, { report, fresh }]) => (fresh && holds(report) ? [state] : []));
  }

  /** It is off on its host: on its way to another one, or, at the first look, running on one that has not answered. */
  #mayBeElsewhere(roamer: Roamer, { domain }: Report): boolean {
    const { seen, remembered } = this.#states.of(roamer.key).vm(roamer.key);
    const first = !seen && remembered?.active !== false && !this.#isKnown(roamer);
    return first || (domain !== null && !domain.active && domain.reason === 'migrated');
  }
}
