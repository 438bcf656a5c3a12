import type { Libvirt } from '../libvirt/client.ts';
import { ConnectionLost, isLibvirtError, TimeoutError } from '../libvirt/errors.ts';
import { statsGroup } from '../libvirt/flags.ts';
import type { DomainRef } from '../libvirt/structs.ts';
import type { Event, VmKey } from '../model/snapshot.ts';
import { type Stats, unknownStats } from '../model/stats.ts';
import type { Logger } from '../util/logger.ts';
import { Semaphore } from '../util/semaphore.ts';
import { type Counters, CountersPicker } from './counters.ts';
import { hasAnswered, hasMemory, type Sample, toStats } from './rates.ts';
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

type Told = Map<VmKey, Known>;
type Records = readonly { domain: DomainRef; params: Counters }[];

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

  tick(): void {
    if (this.#closed) return;
    const client = this.#options.client();
    const active: Target[] = [];
    const told: Told = new Map();
    const off = { id: -1, sample: null, stats: unknownStats(this.#iso()) };
    for (const target of this.#options.targets()) {
      if (target.domain.active) active.push(target);
      else if (client) told.set(target.key, off);
    }
    if (!client) this.#addStale(told, active);
    this.#tell(told);
    if (client && active.length > 0) void this.#round(client, active);
  }

  async #round(client: Libvirt, targets: readonly Target[]): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    const told: Told = new Map();
    try {
      const records = (await this.#ask(client, targets)) ?? (await this.#ask(client, targets));
      if (records) this.#hear(client, told, this.#stillActive(targets), records);
      else this.#addStale(told, this.#stillActive(targets));
    } catch (error) {
      this.#addStale(told, this.#stillActive(targets));
      if (!(error instanceof ConnectionLost)) {
        this.#options.logger.warn({ event: 'stats.failed', reason: String(error) }, 'statistics could not be read');
      }
    } finally {
      this.#asking = false;
    }
    this.#tell(told);
  }

  /** Null: no answer in time. */
  #ask(client: Libvirt, targets: readonly Target[]): Promise<Records | null> {
    const { timeout = Math.min(this.#options.interval, 5_000) } = this.#options;
    const refs = targets.map(target => target.ref);
    return client
      .stats(refs, sampleGroups, () => new CountersPicker(), { timeout })
      .catch(error => {
        if (error instanceof TimeoutError) return null;
        throw error;
      });
  }

  #hear(client: Libvirt, told: Told, targets: readonly Target[], records: Records): void {
    const at = performance.now();
    const sampledAt = this.#iso();
    const byUuid = new Map(records.map(record => [record.domain.uuid, record]));
    for (const target of targets) {
      const { key, ref, domain } = target;
      const { params: counters, domain: answered } = byUuid.get(ref.uuid) ?? {};
      const state = counters?.state == null ? null : stateWords(counters.state, 0).state;
      // The numbers belong to another run, or to none.
      const same = counters && (answered?.id === ref.id || ref.id === -1) && state !== 'shut_off';
      if (!same) this.#options.hint(key);
      else if (!hasAnswered(domain.hardware, counters)) this.#addStale(told, [target]);
      else {
        if (state !== null && state !== domain.state) this.#options.hint(key);
        const previous = this.#knownOf(target)?.sample ?? null;
        const sample = { counters, at };
        told.set(key, { id: ref.id, sample, stats: toStats(domain.hardware, sample, previous, sampledAt) });
        if (!previous) this.#first(client, target, counters);
      }
    }
  }

  #first(client: Libvirt, target: Target, counters: Counters): void {
    if (this.#options.interval > 2 * secondSample) {
      clearTimeout(this.#soon);
      this.#soon = setTimeout(() => this.tick(), secondSample);
    }
    if (!this.#options.readOnly && !hasMemory(counters)) this.#askForMemory(client, target);
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
  #addStale(told: Told, targets: readonly Target[]): void {
    for (const target of targets) {
      const { sample = null, stats = unknownStats(null) } = this.#knownOf(target) ?? {};
      told.set(target.key, { id: target.ref.id, sample, stats: { ...stats, stale: true } });
    }
  }

  #knownOf({ key, ref }: Target): Known | undefined {
    const known = this.#known.get(key);
    return known?.id === ref.id ? known : undefined;
  }

  /** The targets that still run after the answer has come. */
  #stillActive(targets: readonly Target[]): Target[] {
    if (this.#closed) return [];
    const uuids = new Set(targets.map(({ ref }) => ref.uuid));
    return this.#options.targets().filter(({ ref, domain }) => domain.active && uuids.has(ref.uuid));
  }

  #tell(told: Told): void {
    if (told.size === 0) return;
    const stats = new Map<VmKey, Stats>();
    for (const [key, known] of told) {
      this.#known.set(key, known);
      stats.set(key, known.stats);
    }
    this.#options.emit({ type: 'stats', stats });
  }

  #iso(): string {
    return (this.#options.now?.() ?? new Date()).toISOString();
  }
}
