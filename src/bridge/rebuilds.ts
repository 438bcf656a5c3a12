import { setTimeout as delay } from 'node:timers/promises';
import type { LoaderAdapter } from '../loader/adapter.ts';
import { Cancelled, Closing } from '../loader/job/failure.ts';
import { carryOutJob, interruptedLoader, keepRecord, recallLoader } from '../loader/job/index.ts';
import type { LoaderRecord } from '../loader/job/journal.ts';
import { type Guest, type JobParts, type JobTimes, usualTimes } from '../loader/job/parts.ts';
import type { Beginning } from '../loader/job/run.ts';
import { longest } from '../loader/job/run.ts';
import type { Policy } from '../model/admit.ts';
import type { Rejection } from '../model/codes.ts';
import type { LongWord } from '../model/command.ts';
import type { Domain } from '../model/domain.ts';
import type { Event } from '../model/event.ts';
import type { Happening } from '../model/happening.ts';
import type { Loader } from '../model/loader.ts';
import type { LoaderSettings } from '../model/loader-settings.ts';
import type { Activity, VmKey, Work } from '../model/snapshot.ts';
import type { Logger } from '../util/logger.ts';
import { Arming } from './arming.ts';
import { loaderMachine } from './loader-machine.ts';
import type { LongCommand, LongJob, LongTeller } from './long-place.ts';
import { PowerSteps } from './power-steps.ts';
import type { Clock, SlotParts } from './slot.ts';

export interface RebuildsOptions {
  vms: readonly { key: VmKey; settings: LoaderSettings; policy: Policy; guest: Guest }[];
  adapter: (kind: LoaderSettings['kind']) => LoaderAdapter;
  folder: string;
  power: SlotParts;
  open: JobParts['open'];
  ref: (key: VmKey) => JobParts['machine']['ref'];
  local: () => boolean;
  line: (key: VmKey, text: string) => void;
  tell: (key: VmKey, happening: Happening) => void;
  logger: Logger;
  clock?: Clock;
  times?: Partial<JobTimes>;
  /** For tests. */
  world?: JobParts['world'];
  /** Milliseconds between off and start. */
  pause?: number;
}

/** One VM's loader. */
interface Shelf {
  key: VmKey;
  settings: LoaderSettings;
  policy: Policy;
  guest: Guest;
  loader: Loader;
  record: LoaderRecord | null;
  /** An earlier bridge was ended in the middle of it, and nobody has been told how the VM is now. */
  interrupted: LongWord | null;
  arming: Arming;
  steps: PowerSteps | null;
  end: AbortController | null;
  done: Promise<unknown>;
}

/** The loaders of all VMs: what is known of them, who may rebuild them, and what is under way. */
export class Rebuilds {
  readonly #options: RebuildsOptions;
  readonly #clock: Clock;
  readonly #shelves = new Map<VmKey, Shelf>();

  constructor(options: RebuildsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? { now: () => performance.now(), date: () => new Date() };
  }

  /** Reads the journals; resolves to what is known of each loader. To be called once, before all else. */
  async recall(): Promise<ReadonlyMap<VmKey, Loader>> {
    const { vms, folder, logger } = this.#options;
    for (const { key, settings, policy, guest } of vms) {
      const { loader, record, interrupted } = await recallLoader(folder, key, settings);
      if (interrupted) logger.warn({ event: 'loader.interrupted', vm: key, phase: loader.phase }, loader.error ?? '');
      const shelf: Shelf = {
        ...{ key, settings, policy, guest, loader, record, interrupted },
        arming: new Arming(this.#clock, armedUntil => this.#show(shelf, { armedUntil })),
        ...{ steps: null, end: null, done: Promise.resolve() },
      };
      this.#shelves.set(key, shelf);
    }
    return new Map([...this.#shelves].map(([key, { loader }]) => [key, loader]));
  }

  /** Whether `rebuild` and `rollback` need no confirmation for a while; resolves to that in a sentence. */
  arm(key: VmKey, enabled: boolean): string {
    const shelf = this.#shelves.get(key);
    if (!shelf) return 'no loader is configured';
    if (enabled) return `a rebuild or rollback may be commanded until ${shelf.arming.begin()}`;
    shelf.arming.end();
    return 'a rebuild or rollback needs its confirmation';
  }

  /** Begins it, or says why not. */
  readonly begin = (key: VmKey, command: LongCommand, teller: LongTeller): LongJob | Rejection => {
    const shelf = this.#shelves.get(key);
    if (!shelf) return { code: 'not_allowed', message: 'no loader is configured for this VM' };
    if (!command.confirm && shelf.arming.until === null) {
      const message = `'${command.word}' must be armed first, or be sent as {"command":"${command.word}","confirm":true}`;
      return { code: 'not_armed', message };
    }
    if (command.word === 'rollback' && !shelf.loader.rollback) {
      return {
        code: 'wrong_state',
        message: 'there is nothing to roll back: no failed or interrupted rebuild has left its loader changed',
      };
    }
    return this.#begin(shelf, command, teller);
  };

  /** To be told of every event, after the snapshot has taken it. */
  hear(event: Event): void {
    if (event.type === 'hypervisor_up' || event.type === 'hypervisor_down') {
      for (const { steps } of this.#shelves.values()) steps?.hear(event);
      return;
    }
    const shelf = 'key' in event ? this.#shelves.get(event.key) : undefined;
    if (!shelf) return;
    shelf.steps?.hear(event);
    if (event.type === 'domain') this.#tellInterrupted(shelf, event.domain, event.at);
    if (event.type === 'checked' && event.check.verdict === 'up') this.#installed(shelf);
  }

  /** The VMs are left to themselves; the next bridge tells of what was under way. */
  async close(): Promise<void> {
    for (const shelf of this.#shelves.values()) {
      shelf.arming.close();
      shelf.steps?.close();
      shelf.end?.abort(new Closing('the bridge is stopping'));
    }
    await Promise.race([
      Promise.all([...this.#shelves.values()].map(({ done }) => done)),
      delay(farewell, undefined, { ref: false }),
    ]);
  }

  #begin(shelf: Shelf, command: LongCommand, teller: LongTeller): LongJob {
    const { key, policy } = shelf;
    const { clock = this.#clock, pause, power } = this.#options;
    const { word } = command;
    const began = this.#clock.now();
    const end = new AbortController();
    const parts = this.#parts(shelf, command);
    const whole = longest(parts, command.timeout ?? policy.shutdown.timeout);
    const remaining = () => Math.max(0, began + whole - this.#clock.now());
    const activity: Activity = word === 'rebuild' ? 'rebuilding' : 'rolling_back';
    const since = this.#clock.date();
    const work: Work = {
      ...{ activity, phase: null, since: since.toISOString(), attempt: null, startAfterOff: false },
      deadline: new Date(since.getTime() + whole).toISOString(),
    };
    const emit = (event: Event) => {
      if (event.type !== 'work') power.emit(event);
      else power.emit({ ...event, work: event.work ? { ...event.work, activity } : work });
    };
    shelf.steps = new PowerSteps({
      uuid: (word === 'rollback' ? shelf.record?.uuid : power.snapshot().vms[key]?.domain?.uuid) ?? '',
      ...{ key, policy, command, clock, progress: message => teller.progress('phase', message, remaining()) },
      parts: { ...power, emit },
      ...(pause !== undefined && { pause }),
    });
    shelf.end = end;
    shelf.arming.end();
    power.emit({ type: 'work', key, work });
    const beginning: Beginning = {
      ...{ word, parts, loader: shelf.loader, before: shelf.record, signal: end.signal },
      progress: (code, message) => teller.progress(code, message, remaining()),
    };
    // What was to be written down before goes first.
    shelf.done = shelf.done
      .then(() => carryOutJob(beginning))
      .then(({ outcome, record, loader }) => {
        shelf.steps = null;
        shelf.end = null;
        shelf.record = record;
        shelf.loader = { ...loader, armedUntil: shelf.arming.until };
        power.emit({ type: 'work', key, work: null });
        teller.ended(outcome);
      });
    return {
      word,
      get remaining() {
        return remaining();
      },
      cancel: () => end.abort(new Cancelled('it was cancelled')),
    };
  }

  #parts(shelf: Shelf, command: LongCommand): JobParts {
    const { key, settings, guest } = shelf;
    const { adapter, folder, open, local, line, times, world, power, ref } = this.#options;
    return {
      ...{ key, settings, guest, folder, open, local: local(), world },
      adapter: adapter(settings.kind),
      machine: loaderMachine(
        key,
        power,
        () => ref(key),
        () => stepsOf(shelf),
      ),
      show: loader => this.#show(shelf, { ...loader, armedUntil: shelf.arming.until }),
      line: text => line(key, text),
      now: () => this.#clock.date(),
      times: { ...usualTimes, ...times },
      onTimeout: command.onTimeout ?? 'report',
    };
  }

  /** What an earlier bridge has left is told as soon as it is known how the VM is. */
  #tellInterrupted(shelf: Shelf, domain: Domain | null, at: string): void {
    const { key, interrupted: command, record } = shelf;
    if (!command || !record) return;
    shelf.interrupted = null;
    const loader = interruptedLoader(shelf.loader, record, domain);
    shelf.record = {
      ...record,
      phase: 'interrupted',
      result: 'interrupted',
      error: loader.error,
      next_step: loader.nextStep,
    };
    shelf.done = keepRecord(this.#options.folder, key, shelf.record);
    this.#options.tell(key, { event_type: 'interrupted', at, command, message: loader.error ?? '' });
    this.#show(shelf, loader);
  }

  /** DSM has written its new system: the old loader would not fit it any more. */
  #installed(shelf: Shelf): void {
    const { key, record, loader } = shelf;
    const { uuid } = this.#options.power.snapshot().vms[key]?.domain ?? {};
    if (!record || record.uuid !== uuid || shelf.end || loader.result !== 'awaiting_dsm_install') return;
    shelf.record = { ...record, result: 'succeeded', touched: 'no', error: null, next_step: null };
    shelf.done = keepRecord(this.#options.folder, key, shelf.record);
    this.#show(shelf, { result: 'succeeded', error: null, nextStep: null, rollback: false });
  }

  #show(shelf: Shelf, change: Partial<Loader>): void {
    const { key } = shelf;
    shelf.loader = { ...shelf.loader, ...change };
    this.#options.power.emit({ type: 'loader', key, loader: shelf.loader, at: this.#clock.date().toISOString() });
  }
}

function stepsOf({ steps }: Shelf): PowerSteps {
  if (!steps) throw new Closing('the bridge is stopping');
  return steps;
}

/** Milliseconds that a file system which hangs may hold up the end. */
const farewell = 500;
