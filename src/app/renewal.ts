import { setTimeout as delay } from 'node:timers/promises';
import { RecentIds } from '../commands/recent-ids.ts';
import type { Config } from '../config/config.ts';
import { isTaken } from '../config/every-domain.ts';
import type { VmKey } from '../model/snapshot.ts';
import type { Logger } from '../util/logger.ts';
import { expanded, expandedBy, look } from './every-domain.ts';
import { main, type RunningBridge, type Tuning } from './run.ts';

/** Milliseconds. `gather`: domains that appear together come together; `apart`: between two compositions. */
const usual = { gather: 2_000, apart: 60_000, idle: 1_000 };

export interface EveryTuning extends Tuning {
  renewal?: typeof usual;
  /** Called before each composition with the number of its VMs. */
  composed?: (vms: number) => void;
}

/** The bridge, whichever composition it is. */
export type Served = Pick<RunningBridge, 'refused' | 'close'>;

/** `main`, and when a host that all is taken of has another domain, `main` again, as soon as nothing is under way. */
export async function mainOfAll(config: Config, logger: Logger, tuning: EveryTuning = {}): Promise<Served> {
  const renewal = new Renewal(config, logger, tuning);
  await renewal.start();
  return renewal;
}

class Renewal implements Served {
  readonly #config: Config;
  readonly #logger: Logger;
  readonly #tuning: EveryTuning;
  readonly #end = new AbortController();
  readonly #signal: AbortSignal;
  readonly #refused = Promise.withResolvers<string>();
  readonly refused = this.#refused.promise;
  /** They outlive a composition, so that no command runs twice. */
  readonly #recentIds = new Map<VmKey, RecentIds>();
  /** Hosts that have had others since the last look. */
  readonly #changed = new Set<string | null>();
  #hasChanged = Promise.withResolvers<void>();
  #vms: Config['vms'] = [];
  #bridge: RunningBridge | null = null;
  #renewing: Promise<void> | null = null;

  constructor(config: Config, logger: Logger, tuning: EveryTuning) {
    this.#config = config;
    this.#logger = logger;
    this.#tuning = tuning;
    this.#signal = AbortSignal.any([this.#end.signal, ...(tuning.signal ? [tuning.signal] : [])]);
  }

  async start(): Promise<void> {
    await this.#compose(await expanded(this.#config, this.#signal));
    if (this.#config.templates.length === 0 || this.#signal.aborted) return;
    this.#renewing = this.#renew().catch(error => {
      if (!this.#signal.aborted) this.#refused.reject(error);
    });
  }

  async close(): Promise<void> {
    this.#end.abort();
    await this.#renewing;
    await this.#bridge?.close();
  }

  async #compose(config: Config): Promise<void> {
    const former = this.#bridge;
    this.#vms = config.vms;
    this.#tuning.composed?.(config.vms.length);
    await former?.close();
    const before = former?.known();
    const bridge = await main(config, this.#logger, {
      ...this.#tuning,
      ...{ signal: this.#signal, recentIds: key => this.#idsOf(key) },
      // For a moment the directory was free: a `shutdown --direct` may have it until that is over.
      ...(before && { before, lockPatience: Number.POSITIVE_INFINITY }),
      stranger: (host, domain) => {
        if (isTaken(this.#config, host, domain)) this.#change(host);
      },
    });
    this.#bridge = bridge;
    void bridge.refused.then(this.#refused.resolve);
  }

  #idsOf(key: VmKey): RecentIds {
    const ids = this.#recentIds.get(key) ?? new RecentIds();
    this.#recentIds.set(key, ids);
    return ids;
  }

  #change(...hosts: (string | null)[]): void {
    for (const host of hosts) this.#changed.add(host);
    if (this.#changed.size > 0) this.#hasChanged.resolve();
  }

  async #renew(): Promise<void> {
    const { gather, apart, idle } = this.#tuning.renewal ?? usual;
    const signal = this.#signal;
    signal.addEventListener('abort', () => this.#hasChanged.resolve(), { once: true });
    for (let earliest = 0; ; ) {
      await this.#hasChanged.promise;
      await delay(Math.max(gather, earliest - performance.now()), undefined, { signal });
      const words = 'there are new domains; the bridge waits until no command is under way';
      if (this.#bridge?.busy) this.#logger.info({ event: 'bridge.renewal_waits' }, words);
      while (this.#bridge?.busy) await delay(idle, undefined, { signal });
      if (await this.#renewOnce()) earliest = performance.now() + apart;
    }
  }

  /** False: a command came meanwhile, and nothing was done. */
  async #renewOnce(): Promise<boolean> {
    const changed = [...this.#changed];
    this.#changed.clear();
    this.#hasChanged = Promise.withResolvers();
    const found = await look(this.#config, this.#signal);
    const next = await expandedBy(this.#config, found, this.#vms, this.#signal);
    this.#signal.throwIfAborted();
    const isBusy = this.#bridge?.busy ?? false;
    // A host that did not answer is asked again.
    this.#change(...changed.filter(host => isBusy || !found.has(host)));
    if (isBusy) return false;
    const more = next.vms.filter(vm => !this.#vms.some(({ domain, on }) => domain === vm.domain && on === vm.on));
    // Else they are gone again.
    if (more.length > 0) {
      const words = 'new domains: the bridge restarts in this process to serve them; no VM is touched';
      this.#logger.info({ event: 'bridge.renewed', domains: more.map(({ label }) => label) }, words);
      await this.#compose(next);
    }
    return true;
  }
}
