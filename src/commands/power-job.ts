import { isDeepStrictEqual } from 'node:util';
import type { Check, Verdict } from '../model/check.ts';
import { type Outcome, stopping } from '../model/codes.ts';
import type { Command, ShutdownMethod } from '../model/command.ts';
import type { Call } from '../model/commands.ts';
import { type Guest, guestOf } from '../model/job/guest.ts';
import { end, expire } from '../model/job/interrupt.ts';
import {
  type CallFailure,
  type Effect,
  fragile,
  type Job,
  type JobInput,
  mayCutPower,
  type Step,
  type Ticket,
  wakeAt,
  workOf,
} from '../model/job/job.ts';
import { type Beginning, begin, step } from '../model/job/step.ts';
import { type Policy, planOf, restartPause } from '../model/policy.ts';
import type { Event, Snapshot, VmKey, Work } from '../model/snapshot.ts';
import { type Clock, systemClock } from '../util/clock.ts';
import { askedAfter, askedOf } from './stop-cause.ts';

export interface PowerParts {
  snapshot: () => Snapshot;
  /** Makes one libvirt call on the VM's domain; null: libvirt has accepted it. */
  call: (key: VmKey, call: Call, how: { method: ShutdownMethod; signal: AbortSignal }) => Promise<CallFailure | null>;
  /** Reads the domain again; resolves when the snapshot has the result. */
  read: (key: VmKey) => Promise<void>;
  /** A sentence for people: libvirt has no such domain, but has these others. */
  missing: (key: VmKey) => string;
  /** Whether DSM's ports answer; null: its address is not known. */
  portsOpen: (key: VmKey) => Promise<boolean | null>;
  emit: (event: Event) => void;
  clock?: Clock;
  /** Milliseconds between off and start. */
  pause?: number;
}

/** A new job: its first call, and the command that it carries out. */
interface NewJob extends Pick<Beginning, 'word' | 'call' | 'uuid' | 'ticket' | 'hold'> {
  command: Command;
}

/** Runs a VM's power job: carries out the effects of the machine in model/job, and wakes it in time. */
export class PowerJob {
  readonly key: VmKey;
  readonly policy: Policy;
  readonly parts: PowerParts;
  readonly listeners = new Set<() => void>();
  readonly #clock: Clock;
  #job: Job | null = null;
  /** Number of the job, so that a late answer to an earlier one is dropped. */
  #run = 0;
  /** Number of the guest's boot, so that a port probe from before it is dropped. */
  #boot = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Milliseconds since 1970 at the monotonic clock's zero. Taken once for each job, or its deadline would jitter. */
  #epoch = 0;
  /** The last check, and the epoch at that time: setting the clock does not change the check's age. */
  #checked: { check: Check; epoch: number } | null = null;
  /** When it was seen to stop, monotonic milliseconds; null while it runs, undefined if its stop was not seen. */
  #offAt: number | null | undefined;
  /** Withdraws unsent calls when their stage is over, or when DSM begins to update. */
  #calls = new AbortController();
  /** The activity of the loader's job of which this power job is a step. */
  #around: Work | null = null;

  constructor(key: VmKey, policy: Policy, parts: PowerParts) {
    this.key = key;
    this.policy = policy;
    this.parts = parts;
    this.#clock = parts.clock ?? systemClock;
  }

  get job(): Job | null {
    return this.#job;
  }

  /** Milliseconds until it gives up. */
  get remaining(): number {
    return this.#job ? Math.max(0, this.#job.deadline - this.#clock.now()) : 0;
  }

  get guest(): Guest {
    const { check = null } = this.parts.snapshot().vms[this.key] ?? {};
    const now = this.#clock.now();
    const date = check && this.#checked?.check === check ? this.#checked.epoch + now : this.#clock.date();
    return guestOf(check, date, now);
  }

  #noteCheck(check: Check): void {
    const before = this.#checked;
    const epoch = this.#clock.date() - this.#clock.now();
    // Not every report comes from a new check.
    const same = before !== null && check.checkedAt !== null && before.check.checkedAt === check.checkedAt;
    this.#checked = { check, epoch: same ? before.epoch : epoch };
  }

  /** Shown while no power job runs; its activity is shown while one does. */
  set around(work: Work | null) {
    this.#around = work;
    this.#show(this.#job);
  }

  /** Must receive every event of the VM and of the connection, after the snapshot has taken it. */
  hear(event: Event): void {
    switch (event.type) {
      case 'hypervisor_up':
      case 'hypervisor_down':
        this.#input({ type: 'hypervisor', up: event.type === 'hypervisor_up' });
        break;
      case 'domain':
        if (event.domain?.active) this.#offAt = null;
        else if (this.#offAt === null) this.#offAt = this.#clock.now();
        this.#input(event);
        break;
      case 'rebooted':
        this.#boot += 1;
        this.#input(event);
        break;
      case 'checked':
        this.#noteCheck(event.check);
        if (this.#job && isHarmful(this.#job, this.guest.verdict)) this.#withdraw();
        this.#input({ type: 'guest', guest: this.guest });
        break;
      default:
    }
    for (const listener of this.listeners) listener();
  }

  begin({ word, call, command, uuid, ticket, hold }: NewJob): void {
    const now = this.#clock.now();
    const plan = planOf(command, this.policy, this.parts.pause ?? restartPause);
    const offFor = typeof this.#offAt === 'number' ? now - this.#offAt : null;
    const begun = begin({ word, uuid, ticket, plan, call, offFor, guest: this.guest, hold }, now);
    this.#run += 1;
    this.#epoch = this.#clock.date() - now;
    if (begun.job) this.#apply(begun.job, begun, ticket);
  }

  apply(step: Step): void {
    if (this.#job) this.#apply(this.#job, step, null);
  }

  /** Nothing else has to shut down before it. */
  release(): void {
    this.#input({ type: 'released' });
  }

  end(code: 'cancelled' | 'superseded'): void {
    if (this.#job) this.apply(end(this.#job, code));
  }

  close(): void {
    const { tickets = [], keptStart = null } = this.#job ?? {};
    clearTimeout(this.#timer);
    this.#calls.abort();
    this.#job = null;
    this.around = null;
    for (const ticket of keptStart ? [...tickets, keptStart] : tickets) ticket.ended(stopping);
  }

  #input(input: JobInput): void {
    const job = this.#job;
    if (job) this.apply(this.#isExpired(job) ? expire(job) : step(job, input, this.#clock.now()));
  }

  /** Calls go first, for speed; then the state; the responses last, when all that they say is true. */
  #apply(before: Job, { job, effects }: Step, beginner: Ticket | null): void {
    clearTimeout(this.#timer);
    this.#job = job;
    if (beginner !== null || job?.stage.at !== before.stage.at || job.word !== before.word) this.#withdraw();
    for (const effect of effects) this.#perform(job ?? before, effect);
    const ended = effects.find(effect => effect.type === 'end')?.outcome ?? null;
    this.#blame(before, job, ended);
    this.#show(job);
    const current = job ?? before;
    const remaining = Math.max(0, current.deadline - this.#clock.now());
    beginner?.accepted(remaining);
    const everyone = current.keptStart === null ? current.tickets : [...current.tickets, current.keptStart];
    for (const effect of effects) {
      if (effect.type === 'progress') {
        for (const ticket of everyone) ticket.progress(effect.code, effect.message, remaining);
      }
      if (effect.type === 'end') for (const ticket of effect.tickets) ticket.ended(effect.outcome);
    }
    // The sender, just answered, may already have given the next command.
    if (!job || this.#job !== job) return;
    clearTimeout(this.#timer);
    const wait = Math.max(0, Math.ceil(wakeAt(job) - this.#clock.now()));
    this.#timer = setTimeout(() => this.#input({ type: 'tick' }), wait);
  }

  /** A waiting start is not carried out after its time. */
  #isExpired({ word, stage, tickets: [first] }: Job): boolean {
    if (word !== 'start' || stage.at !== 'pausing') return false;
    const { expiresAt = null } = first?.command ?? {};
    return expiresAt !== null && this.#clock.date() > expiresAt;
  }

  #perform(job: Job, effect: Effect): void {
    const run = this.#run;
    const tell = (input: JobInput) => {
      if (run === this.#run) this.#input(input);
    };
    if (effect.type === 'probe') {
      const boot = this.#boot;
      void this.parts
        .portsOpen(this.key)
        .catch(() => false)
        .then(open => {
          if (boot === this.#boot) tell({ type: 'ports', open });
        });
    } else if (effect.type === 'call') {
      const { serial } = effect;
      void this.#call(job, effect.call).then(async failure => {
        // Perhaps no event reported the change, so read the state.
        await this.parts.read(this.key).catch(() => {});
        const { hypervisor, vms } = this.parts.snapshot();
        if (hypervisor.up) tell({ type: 'domain', domain: vms[this.key]?.domain ?? null });
        tell({ type: 'answered', serial, failure });
      });
    }
  }

  #withdraw(): void {
    this.#calls.abort();
    this.#calls = new AbortController();
  }

  #call(job: Job, call: Call): Promise<CallFailure | null> {
    if (call === 'cut_power' && !mayCutPower(job, this.policy.commands, this.#clock.now())) {
      return Promise.resolve(notPermitted);
    }
    const wished = job.tickets[0]?.command.method;
    const method = wished === 'acpi' || wished === 'agent' || wished === 'auto' ? wished : this.policy.shutdown.method;
    const { signal } = this.#calls;
    return this.parts.call(this.key, call, { method, signal }).catch((error: Error) => {
      if (signal.aborted) return { kind: 'unanswered', message: 'the call was given up' };
      return { kind: 'failed', code: 'outcome_unknown', message: error.message };
    });
  }

  /** Tells the snapshot who asked for a stop, and what failed. */
  #blame(before: Job, job: Job | null, ended: Outcome | null): void {
    const { key } = this;
    const { emit } = this.parts;
    const at = new Date(this.#clock.date()).toISOString();
    const known = this.parts.snapshot().vms[key]?.asked ?? null;
    const command = job?.tickets[0]?.command;
    const asked = job && command ? askedOf(job, command, known, this.#time) : askedAfter(before, ended, known, at);
    if (asked !== known) emit({ type: 'asked', key, asked });
    if (ended?.status !== 'failed') return;
    const { code, message } = ended;
    emit({ type: 'error', key, error: { code, message: `${before.word}: ${message}`, at } });
  }

  #show(job: Job | null): void {
    const { key } = this;
    const { activity } = this.#around ?? {};
    const work = job ? { ...workOf(job, this.#time), ...(activity && { activity }) } : this.#around;
    const known = this.parts.snapshot().vms[key]?.work ?? null;
    if (!isDeepStrictEqual(work, known)) this.parts.emit({ type: 'work', key, work });
  }

  readonly #time = (at: number): string => new Date(this.#epoch + at).toISOString();
}

/** Whether this call must not reach DSM in its current state. A commanded power cut may. */
function isHarmful({ word, stage }: Job, verdict: Verdict): boolean {
  if (word === 'force_off' || !fragile.has(verdict)) return false;
  if (stage.at === 'calling' && stage.call === 'cut_power') return true;
  const asks = stage.at === 'pressing' || (stage.at === 'calling' && ['guest_reboot', 'reset'].includes(stage.call));
  return verdict === 'updating' && asks;
}

/** A second guard: the machine never asks for it. */
const notPermitted: CallFailure = {
  kind: 'failed',
  code: 'libvirt_error',
  message: 'the configuration does not let its power be cut',
};
