import { isDeepStrictEqual } from 'node:util';
import type { Event, VmKey } from '../model/snapshot.ts';
import { type Clock, systemClock } from '../util/clock.ts';
import { entryOf } from '../util/entry-of.ts';
import type { Logger } from '../util/logger.ts';
import { Semaphore } from '../util/semaphore.ts';
import { type Known, nothingKnown, type RememberedChecks } from './engine/run.ts';
import type { Timetable } from './engine/schedule.ts';
import type { CheckPolicy } from './engine/state.ts';
import { type SharedOptions, VmChecks } from './engine/vm-checks.ts';

export interface ChecksOptions extends SharedOptions {
  vms: readonly { key: VmKey; domain: string; checks: CheckPolicy & Timetable }[];
  save: (remembered: RememberedChecks) => void;
  logger: Logger;
  clock?: Clock;
}

/** Checks at once: a hundred VMs whose probes all time out must not use a hundred times the resources. */
const atOnce = 32;
/** Milliseconds between the scheduled times of two VMs, and VMs after which the offset begins again. */
const apart = 200;
const staggered = 50;
/** Milliseconds between looks at whether a check is overdue, and how late it may be. */
const watchEvery = 10_000;
export const patience = 30_000;

/** The checks of all VMs: runs them, and reports when one is overdue. */
export class Checks {
  readonly #options: ChecksOptions;
  readonly #vms: ReadonlyMap<VmKey, VmChecks>;
  /** Without a prototype, because a VM may be called `constructor`. */
  readonly #remembered: Record<VmKey, Known>;
  #overdue: readonly VmKey[] = [];
  #watchdog: NodeJS.Timeout | undefined;

  constructor(options: ChecksOptions, remembered: RememberedChecks) {
    const { vms, clock = systemClock } = options;
    const places = new Semaphore(atOnce);
    this.#options = options;
    this.#remembered = Object.assign(Object.create(null), remembered);
    const checkers = vms.map(({ key, domain, checks }, index) => {
      const checker = new VmChecks({
        ...options,
        ...{ key, domain, policy: checks, places, clock, stagger: (index % staggered) * apart },
        known: entryOf(remembered, key) ?? nothingKnown,
        remember: known => this.#remember(key, known),
      });
      return [key, checker] as const;
    });
    this.#vms = new Map(checkers);
  }

  start(): void {
    for (const vm of this.#vms.values()) vm.start();
    this.#watchdog ??= setInterval(() => this.#watch(), watchEvery).unref();
  }

  /** Must receive every event, after the snapshot has taken it. */
  hear(event: Event): void {
    if (event.type === 'hypervisor_up' || event.type === 'hypervisor_down') {
      for (const vm of this.#vms.values()) vm.hear(event);
    } else if (event.type === 'stats') {
      for (const [key, stats] of event.stats) this.#vms.get(key)?.sampled(stats);
    } else if ('key' in event) this.#vms.get(event.key)?.hear(event);
  }

  /** Checks one VM with all probes; resolves to the result, in a sentence. */
  async check(key: VmKey): Promise<string> {
    const vm = this.#vms.get(key);
    await vm?.check('command');
    return vm?.summary ?? 'there is no such VM';
  }

  /** IPv4 of a VM's DSM, if it is known. */
  address(key: VmKey): string | null {
    return this.#vms.get(key)?.address ?? null;
  }

  close(): void {
    clearInterval(this.#watchdog);
    for (const vm of this.#vms.values()) vm.close();
  }

  #remember(key: VmKey, known: Known): void {
    this.#remembered[key] = known;
    this.#options.save(this.#remembered);
  }

  /** A check that does not run is a problem of the bridge, and no other part reports it. */
  #watch(): void {
    const overdue = [...this.#vms].filter(([, vm]) => vm.isOverdue(patience)).map(([key]) => key);
    if (isDeepStrictEqual(overdue, this.#overdue)) return;
    this.#overdue = overdue;
    const { state, logger } = this.#options;
    if (overdue.length > 0) logger.error({ event: 'check.overdue', vms: overdue }, 'checks did not run in time');
    else logger.info({ event: 'check.in_time' }, 'checks run in time again');
    state.dispatch({ type: 'checks_overdue', keys: overdue });
  }
}
