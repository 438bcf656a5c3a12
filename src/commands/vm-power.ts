import { addAbortListener } from 'node:events';
import { cancelled, failed, type Outcome, succeeded } from '../model/codes.ts';
import type { PowerWord } from '../model/commands.ts';
import { decide } from '../model/decide.ts';
import type { Event } from '../model/event.ts';
import { end } from '../model/job/interrupt.ts';
import { begin } from '../model/job/step.ts';
import { type Policy, planOf, restartPause } from '../model/policy.ts';
import { emptyVm, type Snapshot, type VmKey, type VmSnapshot } from '../model/snapshot.ts';
import type { LoaderCommand } from './loader-jobs.ts';
import { PendingReplies } from './pending-replies.ts';
import { type Clock, PowerJob, type PowerJobParts } from './power-job.ts';

export interface VmPowerOptions {
  key: VmKey;
  /** Of the domain that is meant: nothing is done to another one that has its name. */
  uuid: string;
  policy: Policy;
  parts: PowerJobParts;
  /** The command that they are steps of. */
  command: LoaderCommand;
  clock: Clock;
  /** Milliseconds between off and start. */
  pause?: number;
  /** Told what the guest makes of it. */
  progress: (message: string) => void;
}

/** Nobody may write to the VM's disks now. The code is one of a command's outcomes. */
export class NotOff extends Error {
  override name = 'NotOff';
  readonly code: 'libvirt_unavailable' | 'interfered';
  readonly advice: string | null;

  constructor(code: NotOff['code'], message: string, advice: string | null = null) {
    super(message);
    this.code = code;
    this.advice = advice;
  }
}

/** A VM's state and power for a job with several steps, such as a rebuild. The rules are those of the commands. */
export class VmPower {
  readonly #options: VmPowerOptions;
  readonly #powerJob: PowerJob;
  readonly #pending: PendingReplies;
  #offAt: number | null = null;
  #ended: ((outcome: Outcome) => void) | null = null;
  /** Called after every event. */
  readonly #listeners = new Set<() => void>();

  constructor(options: VmPowerOptions) {
    const { key, policy, parts, clock, progress } = options;
    this.#options = options;
    this.#pending = new PendingReplies({
      accepted: () => {},
      progress: (_, __, message) => progress(message),
      ended: (_, outcome) => this.#ended?.(outcome),
    });
    this.#powerJob = new PowerJob(key, policy, parts, this.#pending, clock);
  }

  get vm(): VmSnapshot {
    const { key, parts } = this.#options;
    return parts.snapshot().vms[key] ?? emptyVm(key, key);
  }

  /** Reads the domain again; resolves when `vm` is as it was read. */
  read(): Promise<void> {
    return this.#options.parts.read(this.#options.key);
  }

  /** To be told of every event of the VM, and of libvirt's coming and going, after the snapshot has taken it. */
  hear(event: Event): void {
    if (event.type === 'domain') this.#offAt = event.domain?.active ? null : (this.#offAt ?? this.#options.clock.now());
    this.#powerJob.hear(event);
    for (const listener of this.#listeners) listener();
  }

  /** Asks the guest to power off, as the command says. Resolves when it is off, or its time is up. */
  shutDown(signal: AbortSignal): Promise<Outcome> {
    return this.#carryOut('shutdown', signal);
  }

  /** Starts it, but not sooner than a moment after it went off. */
  start(signal: AbortSignal): Promise<Outcome> {
    return this.#carryOut('start', signal);
  }

  /** Whether libvirt can be asked, now or within so many milliseconds; `vm` is then as it was read. */
  async reachable(within: number, signal: AbortSignal): Promise<boolean> {
    const { parts } = this.#options;
    const both = AbortSignal.any([signal, AbortSignal.timeout(within)]);
    // A connection that is gone may not be known to be.
    const asked = () =>
      this.read().then(
        () => parts.snapshot().hypervisor.up,
        () => false,
      );
    while (!(await asked())) {
      if (both.aborted) break;
      await this.#next(both);
    }
    signal.throwIfAborted();
    return parts.snapshot().hypervisor.up;
  }

  /** Whether it goes off within so many milliseconds. */
  async goesOff(within: number, signal: AbortSignal): Promise<boolean> {
    const both = AbortSignal.any([signal, AbortSignal.timeout(within)]);
    await this.read().catch(() => {});
    while (this.vm.domain?.active !== false && !both.aborted) await this.#next(both);
    signal.throwIfAborted();
    return this.vm.domain?.active === false;
  }

  /** Raised with `NotOff` when it is not known to be off, or is another domain than it was. */
  whileOff(): AbortSignal & Disposable {
    const { key, parts } = this.#options;
    const { uuid } = this.vm.domain ?? {};
    const control = new AbortController();
    const look = () => {
      const why = control.signal.aborted ? null : notOff(parts.snapshot(), key, uuid);
      if (why) control.abort(why);
    };
    this.#listeners.add(look);
    look();
    return Object.assign(control.signal, { [Symbol.dispose]: () => void this.#listeners.delete(look) });
  }

  close(): void {
    this.#powerJob.close();
    this.#pending.endAll(failed('outcome_unknown', 'the bridge is stopping'));
  }

  /** Resolves after the next event, or when the signal is raised. */
  async #next(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    using _ = addAbortListener(signal, () => resolve());
    this.#listeners.add(resolve);
    await promise;
    this.#listeners.delete(resolve);
  }

  async #carryOut(word: PowerWord & ('shutdown' | 'start'), signal: AbortSignal): Promise<Outcome> {
    const { key, uuid, policy, parts, clock, pause = restartPause } = this.#options;
    // It was accepted in time.
    const command = { ...this.#options.command, expiresAt: null };
    signal.throwIfAborted();
    const { hypervisor, vms } = parts.snapshot();
    const domain = vms[key]?.domain ?? null;
    if (!hypervisor.up) return failed('outcome_unknown', 'libvirt is away');
    if (domain && domain.uuid !== uuid) return failed('interfered', 'another domain has its name now');
    const decision = decide(word, domain);
    if (decision.do === 'nothing') return succeeded('already', decision.message);
    if (decision.do === 'reject') return failed('interfered', decision.message);
    const ended = new Promise<Outcome>(resolve => {
      this.#ended = resolve;
    });
    const now = clock.now();
    // What the command says of time is meant for the guest.
    const plan = planOf(word === 'start' ? { ...command, timeout: null, word } : command, policy, pause);
    const ticket = this.#pending.open({ request: request(key, command, now), command });
    const offFor = this.#offAt === null ? null : now - this.#offAt;
    const call = word === 'start' ? (decision.do === 'start' ? 'start' : 'resume') : 'press';
    using _ = addAbortListener(signal, () => {
      if (this.#powerJob.job) this.#powerJob.apply(end(this.#powerJob.job, 'cancelled'));
    });
    const { guest } = this.#powerJob;
    this.#powerJob.begin(begin({ word, uuid, ticket, plan, call, offFor, guest }, now), ticket);
    const outcome = await ended;
    return signal.aborted ? cancelled('cancelled', outcome.message) : outcome;
  }
}

/** Null: it is off. `uuid`: of the domain that is meant. */
function notOff({ hypervisor, vms }: Snapshot, key: VmKey, uuid: string | undefined): NotOff | null {
  const { domain = null } = vms[key] ?? {};
  const must = 'The VM must be off while its image is read or written, and';
  if (!hypervisor.up) {
    return new NotOff('libvirt_unavailable', `${must} libvirt is away: nobody knows whether it still is.`);
  }
  const advice = 'Let nobody else start or replace it meanwhile.';
  if (!domain) return new NotOff('interfered', `${must} libvirt has it no more.`, advice);
  if (domain.uuid !== uuid) {
    return new NotOff('interfered', `${must} another domain has its name now, ${domain.uuid}.`, advice);
  }
  if (!domain.active) return null;
  return new NotOff('interfered', `${must} somebody has started it (it is ${domain.state}).`, advice);
}

function request(key: VmKey, { word, id, by }: LoaderCommand, receivedAt: number) {
  return { key, command: word, id, by, responseTopic: null, correlationData: null, reply: null, receivedAt };
}
