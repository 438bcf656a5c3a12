import { type Libvirt, statsGroup } from '../libvirt/client.ts';
import { ConnectionLost, isLibvirtError, TimeoutError } from '../libvirt/errors.ts';
import type { StatsRecord } from '../libvirt/structs.ts';
import type { Event } from '../model/event.ts';
import type { VmKey } from '../model/snapshot.ts';
import { type Stats, unknownStats } from '../model/stats.ts';
import type { Logger } from '../util/logger.ts';
import { Semaphore } from '../util/semaphore.ts';
import { type Counters, readCounters } from './counters.ts';
import { hasAnswered, type Sample, toStats } from './rates.ts';
import { stateWords } from './state.ts';
import type { Target } from './watch.ts';

export interface PollOptions {
  /** The connection that statistics have for themselves, because a hung QEMU can hold it up; null while it is down. */
  client: () => Libvirt | null;
  /** Milliseconds. */
  interval: number;
  /** Milliseconds until a poll counts as unanswered. */
  timeout?: number;
  targets: () => readonly Target[];
  /** Asks for a new read: the statistics contradict the known state. */
  hint: (key: VmKey) => void;
  /** Nothing may be written, not even how often the guest reports its memory. */
  readOnly: boolean;
  emit: (event: Event) => void;
  now?: () => Date;
  logger: Logger;
}

interface Known {
  /** libvirt's id of this run of the domain: another run has other counters. */
  id: number;
  sample: Sample | null;
  stats: Stats;
}

/** What a sample is made of. */
export const sampleGroups =
  statsGroup.state | statsGroup.cpu | statsGroup.balloon | statsGroup.vcpu | statsGroup.interface | statsGroup.block;

/** A rate needs two samples: after the first one, the second follows soon. */
const secondSample = 2_000;

/**
 * Samples all domains in one call for each interval, however many there are. A hung QEMU may block a poll; then its
 * domain becomes stale, and the next NOWAIT poll, which does not wait for it, brings all others.
 */
export class Poll {
  readonly #options: PollOptions;
  readonly #known = new Map<VmKey, Known>();
  /** One request for memory statistics at a time: the next poll must not wait for all of them. */
  readonly #requests = new Semaphore(1);
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  #asking = false;
  #closed = false;

  constructor(options: PollOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.tick(), this.#options.interval);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    this.#timer = undefined;
  }

  /** Starts one round, unless one is under way. */
  tick(): void {
    if (this.#closed) return;
    const client = this.#options.client();
    const targets = this.#options.targets();
    for (const target of targets) {
      if (client && !target.domain.active)
        this.#tell(target, { id: -1, sample: null, stats: unknownStats(this.#iso()) });
    }
    const active = targets.filter(target => target.domain.active);
    if (!client) this.#tellStale(active);
    else if (active.length > 0) void this.#round(client, active);
  }

  async #round(client: Libvirt, targets: readonly Target[]): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      const records = (await this.#ask(client, targets)) ?? (await this.#ask(client, targets));
      if (records) this.#hear(client, targets, records);
      else this.#tellStale(targets);
    } catch (error) {
      this.#tellStale(targets);
      if (!(error instanceof ConnectionLost)) {
        this.#options.logger.warn({ event: 'stats.failed', reason: String(error) }, 'statistics could not be read');
      }
    } finally {
      this.#asking = false;
    }
  }

  /** Null: no answer in time. */
  #ask(client: Libvirt, targets: readonly Target[]): Promise<StatsRecord[] | null> {
    const { timeout = Math.min(this.#options.interval, 5_000) } = this.#options;
    const refs = targets.map(target => target.ref);
    return client.stats(refs, sampleGroups, { timeout }).catch(error => {
      if (error instanceof TimeoutError) return null;
      throw error;
    });
  }

  #hear(client: Libvirt, targets: readonly Target[], records: readonly StatsRecord[]): void {
    const at = performance.now();
    const byUuid = new Map(records.map(record => [record.domain.uuid, record]));
    for (const target of this.#stillActive(targets)) {
      const record = byUuid.get(target.ref.uuid);
      const counters = record && readCounters(record.params);
      // The numbers belong to another run, or to none.
      const same = record && [record.domain.id, -1].includes(target.ref.id) && !isOff(counters?.state ?? null);
      if (!counters || !same) this.#options.hint(target.key);
      else if (!hasAnswered(target.domain.hardware, counters)) this.#tellStale([target]);
      else this.#take(client, target, counters, at);
    }
  }

  #take(client: Libvirt, target: Target, counters: Counters, at: number): void {
    const { key, ref, domain } = target;
    if (counters.state !== null && stateWords(counters.state, 0).state !== domain.state) this.#options.hint(key);
    const known = this.#known.get(key);
    const previous = known?.id === ref.id ? known.sample : null;
    const sample = { counters, at };
    this.#tell(target, { id: ref.id, sample, stats: toStats(domain.hardware, sample, previous, this.#iso()) });
    if (previous) return;
    if (this.#options.interval > 2 * secondSample) {
      clearTimeout(this.#soon);
      this.#soon = setTimeout(() => this.tick(), secondSample);
    }
    if (!this.#options.readOnly && counters.balloon.available === null) this.#askForMemory(client, target);
  }

  /** Makes the guest's balloon driver report; without one, or without a balloon, nothing is lost. */
  #askForMemory(client: Libvirt, { key, ref }: Target): void {
    const period = Math.max(1, Math.round(this.#options.interval / 1_000));
    this.#requests
      .take(() => client.setMemoryStatsPeriod(ref, period))
      .catch((error: Error) => {
        const level = isLibvirtError(error) ? 'debug' : 'warn';
        this.#options.logger[level](
          { event: 'stats.no_memory', vm: key, reason: error.message },
          'no memory statistics',
        );
      });
  }

  /** Repeats the last numbers, marked as stale, at every interval: without messages, Home Assistant would drop them. */
  #tellStale(targets: readonly Target[]): void {
    for (const target of this.#stillActive(targets)) {
      const known = this.#known.get(target.key);
      const current = known?.id === target.ref.id ? known : null;
      const stats = { ...(current?.stats ?? unknownStats(null)), stale: true };
      this.#tell(target, { id: target.ref.id, sample: current?.sample ?? null, stats });
    }
  }

  /** The targets that still run after the answer has come. */
  #stillActive(targets: readonly Target[]): Target[] {
    if (this.#closed) return [];
    const uuids = new Set(targets.map(({ ref }) => ref.uuid));
    return this.#options.targets().filter(({ ref, domain }) => domain.active && uuids.has(ref.uuid));
  }

  #tell({ key }: Target, known: Known): void {
    this.#known.set(key, known);
    this.#options.emit({ type: 'stats', key, stats: known.stats });
  }

  #iso(): string {
    return (this.#options.now?.() ?? new Date()).toISOString();
  }
}

function isOff(state: number | null): boolean {
  return state !== null && stateWords(state, 0).state === 'shut_off';
}
