import type { LoaderCommand, LoaderJob, LoaderJobPlace } from '../commands/job-place.ts';
import type { Check, Verdict } from '../model/check.ts';
import type { Rejection } from '../model/codes.ts';
import type { Domain } from '../model/domain.ts';
import { isUnderWay, type Loader } from '../model/loader.ts';
import type { LoaderSettings } from '../model/loader-settings.ts';
import type { Notification } from '../model/notice/notification.ts';
import type { Policy } from '../model/policy.ts';
import type { Event, Snapshot, VmKey } from '../model/snapshot.ts';
import { type Clock, systemClock } from '../util/clock.ts';
import { inTime } from '../util/deadline.ts';
import type { Logger } from '../util/logger.ts';
import { Cancelled, Closing } from './job/failure.ts';
import { carryOutJob, recallLoader } from './job/index.ts';
import { type LoaderRecord, saveRecord, withRecord } from './job/journal.ts';
import { loaderDisk, scratchFolder } from './job/loader-image.ts';
import { type Guest, type JobParts, type JobTimes, usualTimes } from './job/parts.ts';
import { interrupted } from './job/recovery.ts';
import { type Beginning, longest } from './job/run.ts';
import { loaderTrouble, lookAtImage } from './look.ts';
import { realWorld } from './plan/world.ts';

export interface RebuildsOptions extends Pick<JobParts, 'adapters' | 'folder' | 'open' | 'world'> {
  vms: readonly { key: VmKey; settings: LoaderSettings; policy: Policy; guest: Guest }[];
  snapshot: () => Snapshot;
  emit: (event: Event) => void;
  ref: (key: VmKey) => ReturnType<JobParts['ref']>;
  local: () => boolean;
  line: (key: VmKey, text: string) => void;
  /** Takes the serial number and the MACs of an image that was looked at. */
  identity?: (key: VmKey, words: readonly string[]) => void;
  notify: (key: VmKey, notification: Notification) => void;
  logger: Logger;
  clock?: Clock;
  times?: Partial<JobTimes>;
}

type LoaderEntry = RebuildsOptions['vms'][number] & {
  loader: Loader;
  /** A record that is under way while `end` is null: an earlier bridge ended in the middle of that run. */
  record: LoaderRecord | null;
  timer: NodeJS.Timeout | undefined;
  /** Ends the run that is under way; null: there is none. */
  end: AbortController | null;
  /** Ends the look at the image that is under way; null: there was none yet. */
  look: AbortController | null;
  /** Of the latest check. */
  verdict: Verdict | null;
  done: Promise<unknown>;
};

/** Milliseconds in which a rebuild or rollback needs no confirmation. */
const confirmationWindow = 10 * 60_000;

/** The loaders of all VMs: what is known of them, and what is under way. */
export class Rebuilds {
  readonly #options: RebuildsOptions;
  readonly #clock: Clock;
  readonly #times: JobTimes;
  readonly #entries = new Map<VmKey, LoaderEntry>();

  constructor(options: RebuildsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#times = { ...usualTimes, ...options.times };
  }

  /** Reads the journals; resolves to what is known of each loader. Call it once, before all else. */
  async recall(): Promise<ReadonlyMap<VmKey, Loader>> {
    const { vms, folder, logger } = this.#options;
    for (const { key, settings, policy, guest } of vms) {
      const { loader, record } = await recallLoader(folder, key, settings);
      if (record && isUnderWay(record)) {
        logger.warn({ event: 'loader.interrupted', vm: key, phase: loader.phase }, loader.error ?? '');
      }
      const idle = { timer: undefined, end: null, look: null, verdict: null, done: Promise.resolve() };
      this.#entries.set(key, { key, settings, policy, guest, loader, record, ...idle });
    }
    return new Map([...this.#entries].map(([key, { loader }]) => [key, loader]));
  }

  /** Begins or ends the confirmation window; returns that in a sentence. */
  arm(key: VmKey, enabled: boolean): string {
    const entry = this.#entries.get(key);
    if (!entry) return 'no loader is configured';
    this.#arm(entry, enabled);
    const { armedUntil } = entry.loader;
    if (armedUntil === null) return 'a rebuild or rollback needs its confirmation';
    return `a rebuild or rollback may be commanded until ${armedUntil}`;
  }

  readonly begin = (key: VmKey, command: LoaderCommand, place: LoaderJobPlace): LoaderJob | Rejection => {
    const entry = this.#entries.get(key);
    if (!entry) return { code: 'not_allowed', message: 'no loader is configured for this VM' };
    if (!command.confirm && entry.loader.armedUntil === null) {
      const message = `'${command.word}' must be armed first, or be sent as {"command":"${command.word}","confirm":true}`;
      return { code: 'not_armed', message };
    }
    if (command.word === 'rollback' && !entry.loader.rollback) {
      return {
        code: 'wrong_state',
        message: 'there is nothing to roll back: no failed or interrupted rebuild has left its loader changed',
      };
    }
    return this.#begin(entry, command, place);
  };

  hear(event: Event): void {
    const entry = 'key' in event ? this.#entries.get(event.key) : undefined;
    if (!entry) return;
    if (event.type === 'domain') this.#tellInterrupted(entry, event.domain, event.at);
    if (event.type === 'domain' && event.domain && !entry.look) this.#look(entry, this.#times.firstLook);
    if (event.type === 'checked' && event.check.verdict === 'up') this.#installed(entry);
    if (event.type === 'checked') this.#explain(entry, event.check);
  }

  /** Leaves the VMs as they are; the next bridge reports what was under way. */
  async close(): Promise<void> {
    for (const entry of this.#entries.values()) {
      clearTimeout(entry.timer);
      entry.end?.abort(new Closing('the bridge is stopping'));
      entry.look?.abort();
    }
    await inTime(Promise.all([...this.#entries.values()].map(({ done }) => done)), farewell, null);
  }

  #arm(entry: LoaderEntry, enabled: boolean): void {
    clearTimeout(entry.timer);
    if (enabled) entry.timer = setTimeout(() => this.#arm(entry, false), confirmationWindow).unref();
    const armedUntil = enabled ? new Date(this.#clock.date() + confirmationWindow).toISOString() : null;
    if (armedUntil !== entry.loader.armedUntil) this.#show(entry, { armedUntil });
  }

  #begin(entry: LoaderEntry, command: LoaderCommand, place: LoaderJobPlace): LoaderJob {
    const { key, settings, guest, policy, record } = entry;
    const { adapters, folder, open, local, line, world, ref, snapshot } = this.#options;
    const { word, timeout, onTimeout } = command;
    const end = new AbortController();
    const uuid = (word === 'rollback' ? record?.uuid : snapshot().vms[key]?.domain?.uuid) ?? '';
    const parts: JobParts = {
      ...{ key, settings, guest, adapters, folder, open, local: local(), world, power: place.power(uuid) },
      ref: () => ref(key),
      show: loader => this.#show(entry, { ...loader, armedUntil: entry.loader.armedUntil }),
      line: text => line(key, text),
      now: () => new Date(this.#clock.date()),
      times: this.#times,
      onTimeout: onTimeout ?? 'report',
    };
    entry.end = end;
    entry.look?.abort();
    this.#arm(entry, false);
    const beginning: Beginning = {
      ...{ word, parts, loader: entry.loader, before: record, signal: end.signal, progress: place.progress },
    };
    // After an earlier write of the record.
    entry.done = entry.done
      .then(() => carryOutJob(beginning))
      .then(({ outcome, record }) => {
        // Otherwise the next bridge reports what this run has left.
        if (!(end.signal.reason instanceof Closing)) entry.end = null;
        // Without a journal of its own it has not begun.
        if (record?.ended_at && record !== entry.record)
          this.#end(entry, record, record.ended_at, command.by ?? 'bridge');
        entry.record = record;
        place.ended(outcome);
        if (entry.end === null) this.#look(entry, 0);
      });
    const within = longest(parts, timeout ?? policy.shutdown.timeout);
    return { within, cancel: () => end.abort(new Cancelled('it was cancelled')) };
  }

  /** Looks which loader the image has, so many milliseconds from now. A run ends it. */
  #look(entry: LoaderEntry, after: number): void {
    const end = new AbortController();
    entry.look?.abort();
    entry.look = end;
    const timer = setTimeout(() => {
      entry.done = entry.done.then(() => this.#lookNow(entry, end.signal)).catch(() => {});
    }, after).unref();
    end.signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  }

  async #lookNow(entry: LoaderEntry, signal: AbortSignal): Promise<void> {
    const { key, settings } = entry;
    const { adapters, open, folder, ref, world, snapshot } = this.#options;
    const [domain, known] = [snapshot().vms[key]?.domain, ref(key)];
    if (!domain || !known) return;
    await using client = await open(signal);
    const options = {
      ...{ settings, adapters, client, ref: known, scratch: scratchFolder(folder), backups: Promise.resolve(null) },
      ...{ disk: loaderDisk(domain.hardware), signal, world: { ...realWorld, ...world } },
    };
    const found = await lookAtImage(options, words => this.#options.identity?.(key, words));
    if (found) this.#show(entry, { found });
  }

  /** A DSM that was updated may not start from its loader. */
  #explain(entry: LoaderEntry, check: Check): void {
    const { loader, end, verdict } = entry;
    entry.verdict = check.verdict;
    if (end || !loader.found) return;
    const trouble = loaderTrouble(check, loader.found);
    const told = loader.code === 'not_patched' || loader.code === 'loader_outdated';
    if (trouble && loader.code === null) this.#show(entry, trouble);
    else if (check.verdict === 'up' && told) this.#show(entry, { code: null, error: null, nextStep: null });
    // The loader may have changed since.
    else if (check.verdict !== verdict && mayBeLoader.has(check.verdict)) this.#look(entry, 0);
  }

  #tellInterrupted(entry: LoaderEntry, domain: Domain | null, at: string): void {
    const { key, record } = entry;
    if (!record || !isUnderWay(record) || entry.end) return;
    const report = interrupted(record, domain);
    this.#keep(entry, report);
    this.#end(entry, report, at, null);
    const message = report.error ?? '';
    this.#options.notify(key, { event_type: 'interrupted', at, command: record.word, message });
    this.#show(entry, withRecord(entry.loader, report));
  }

  #end(
    { key }: LoaderEntry,
    { word, result, code, started_at, ended_at }: LoaderRecord,
    at: string,
    by: string | null,
  ) {
    const seconds = ended_at && Math.max(0, Date.parse(ended_at) - Date.parse(started_at)) / 1_000;
    this.#options.emit({ type: 'loader_ended', key, word, by, result, code, seconds: seconds || null, at });
  }

  /** DSM is installed: the old loader would not fit it any more. */
  #installed(entry: LoaderEntry): void {
    const { key, record, loader } = entry;
    const { uuid } = this.#options.snapshot().vms[key]?.domain ?? {};
    if (!record || record.uuid !== uuid || entry.end || loader.result !== 'awaiting_dsm_install') return;
    this.#keep(entry, { ...record, result: 'succeeded', touched: 'no', error: null, next_step: null });
    this.#show(entry, { result: 'succeeded', error: null, nextStep: null, rollback: false });
  }

  /**
   * Writes follow one another, or an older record could be the last one on the disk. If one fails, the next bridge only
   * reports the same again.
   */
  #keep(entry: LoaderEntry, record: LoaderRecord): void {
    entry.record = record;
    entry.done = entry.done.then(() => saveRecord(this.#options.folder, entry.key, record)).catch(() => {});
  }

  #show(entry: LoaderEntry, change: Partial<Loader>): void {
    const { key } = entry;
    entry.loader = { ...entry.loader, ...change };
    const at = new Date(this.#clock.date()).toISOString();
    this.#options.emit({ type: 'loader', key, loader: entry.loader, at });
  }
}

const mayBeLoader: ReadonlySet<Verdict> = new Set(['loader', 'recoverable']);

/** Milliseconds that a hanging file system may delay the end. */
const farewell = 500;
