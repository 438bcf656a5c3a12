import { isDeepStrictEqual } from 'node:util';
import type { Check, Verdict } from '../model/check.ts';
import type { ShutdownMethod } from '../model/command.ts';
import type { Event } from '../model/event.ts';
import { type Guest, guestOf } from '../model/job/guest.ts';
import { expire } from '../model/job/interrupt.ts';
import {
  type Call,
  type CallFailure,
  type Effect,
  fragile,
  type Job,
  type JobInput,
  mayCutPower,
  type Step,
  type Ticket,
  wakeAt,
} from '../model/job/job.ts';
import { step } from '../model/job/step.ts';
import { workOf } from '../model/job/view.ts';
import type { Policy } from '../model/policy.ts';
import type { Snapshot, VmKey } from '../model/snapshot.ts';
import type { PendingReplies } from './pending-replies.ts';
import { askedAfter, askedOf } from './stop-cause.ts';

/** What carrying a command out needs. */
export interface PowerJobParts {
  snapshot: () => Snapshot;
  /** One libvirt call on the VM's domain; null: libvirt has taken it. */
  call: (key: VmKey, call: Call, how: { method: ShutdownMethod; signal: AbortSignal }) => Promise<CallFailure | null>;
  /** Reads the domain again; resolves when the snapshot has what was read. */
  read: (key: VmKey) => Promise<void>;
  /** That libvirt has no domain of the VM, and what it has instead; for people. */
  missing: (key: VmKey) => string;
  /** Whether DSM's ports answer; null: its address is not known. */
  portsOpen: (key: VmKey) => Promise<boolean | null>;
  emit: (event: Event) => void;
}

export interface Clock {
  /** Monotonic, milliseconds. */
  now(): number;
  date(): Date;
}

/** Where a VM's one job is: runs the machine's effects, and wakes it when its time comes. */
export class PowerJob {
  readonly #key: VmKey;
  readonly #policy: Policy;
  readonly #parts: PowerJobParts;
  readonly #pending: PendingReplies;
  readonly #clock: Clock;
  #job: Job | null = null;
  /** Tells a job from the one before it: a late answer concerns nobody. */
  #run = 0;
  /** Of the guest: what its ports were before a restart says nothing any more. */
  #boot = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Milliseconds since 1970 at the monotonic clock's zero: taken once a job, or its deadline would jitter. */
  #epoch = 0;
  /** The last check, and the epoch then: how old it is does not change when the clock is set. */
  #heard: { check: Check; epoch: number } | null = null;
  /** Of the calls of this stage: what has not left when it is over, or when DSM begins to update, never does. */
  #calls = new AbortController();

  constructor(key: VmKey, policy: Policy, parts: PowerJobParts, pending: PendingReplies, clock: Clock) {
    this.#key = key;
    this.#policy = policy;
    this.#parts = parts;
    this.#pending = pending;
    this.#clock = clock;
  }

  get job(): Job | null {
    return this.#job;
  }

  /** Milliseconds until it gives up. */
  get remaining(): number {
    return this.#job ? Math.max(0, this.#job.deadline - this.#clock.now()) : 0;
  }

  /** What the checks say of DSM now. */
  get guest(): Guest {
    const { check = null } = this.#parts.snapshot().vms[this.#key] ?? {};
    const now = this.#clock.now();
    const date = check && this.#heard?.check === check ? this.#heard.epoch + now : this.#clock.date().getTime();
    return guestOf(check, date, now);
  }

  /** To be told of every event of the VM, and of libvirt's coming and going, after the snapshot has taken it. */
  hear(event: Event): void {
    switch (event.type) {
      case 'hypervisor_up':
      case 'hypervisor_down':
        this.input({ type: 'hypervisor', up: event.type === 'hypervisor_up' });
        return;
      case 'domain':
        this.input(event);
        return;
      case 'rebooted':
        this.#boot += 1;
        this.input(event);
        return;
      case 'checked':
        this.#heard = { check: event.check, epoch: this.#clock.date().getTime() - this.#clock.now() };
        if (this.#job && isHarmful(this.#job, this.guest.verdict)) this.#withdraw();
        this.input({ type: 'guest', guest: this.guest });
        return;
      default:
    }
  }

  begin({ job, effects }: Step, ticket: Ticket): void {
    this.#run += 1;
    this.#epoch = this.#clock.date().getTime() - this.#clock.now();
    this.#apply(job, { job, effects }, ticket);
  }

  input(input: JobInput): void {
    const job = this.#job;
    if (!job) return;
    this.apply(this.#isExpired(job) ? expire(job) : step(job, input, this.#clock.now()));
  }

  apply(step: Step): void {
    if (this.#job) this.#apply(this.#job, step, null);
  }

  /** The VM is left to itself. */
  close(): void {
    clearTimeout(this.#timer);
    this.#calls.abort();
    if (this.#job) this.#parts.emit({ type: 'work', key: this.#key, work: null });
    this.#job = null;
  }

  /** Calls first, because somebody waits for them; then the state; the answers last, when all they say is true. */
  #apply(before: Job | null, { job, effects }: Step, beginner: Ticket | null): void {
    if (!before) return;
    clearTimeout(this.#timer);
    this.#job = job;
    if (beginner !== null || job?.stage.at !== before.stage.at || job.word !== before.word) this.#withdraw();
    for (const effect of effects) this.#perform(job ?? before, effect);
    this.#show(before, job, effects);
    const current = job ?? before;
    const remaining = Math.max(0, current.deadline - this.#clock.now());
    if (beginner !== null) this.#pending.accepted(beginner, current.word, remaining);
    const everyone = current.keptStart === null ? current.tickets : [...current.tickets, current.keptStart];
    for (const effect of effects) {
      if (effect.type === 'progress') this.#pending.progress(everyone, effect.code, effect.message, remaining);
      if (effect.type === 'end') this.#pending.end(effect.tickets, effect.outcome);
    }
    // Whoever was answered may have given the next command already.
    if (!job || this.#job !== job) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => this.input({ type: 'tick' }),
      Math.max(0, Math.ceil(wakeAt(job) - this.#clock.now())),
    );
  }

  /** A start that waits for its turn is not carried out after its time. */
  #isExpired({ word, stage, tickets: [first] }: Job): boolean {
    if (word !== 'start' || stage.at !== 'pausing') return false;
    const expiresAt = this.#pending.command(first)?.expiresAt ?? null;
    return expiresAt !== null && this.#clock.date().getTime() > expiresAt;
  }

  #perform(job: Job, effect: Effect): void {
    const run = this.#run;
    const tell = (input: JobInput) => {
      if (run === this.#run) this.input(input);
    };
    if (effect.type === 'probe') {
      const boot = this.#boot;
      void this.#parts
        .portsOpen(this.#key)
        .catch(() => false)
        .then(open => {
          if (boot === this.#boot) tell({ type: 'ports', open });
        });
    } else if (effect.type === 'call') {
      const { serial } = effect;
      void this.#call(job, effect.call).then(async failure => {
        // What it asked for may have come about without an event, or without it: the state is the truth.
        await this.#parts.read(this.#key).catch(() => {});
        const { hypervisor, vms } = this.#parts.snapshot();
        if (hypervisor.up) tell({ type: 'domain', domain: vms[this.#key]?.domain ?? null });
        tell({ type: 'answered', serial, failure });
      });
    }
  }

  #withdraw(): void {
    this.#calls.abort();
    this.#calls = new AbortController();
  }

  #call(job: Job, call: Call): Promise<CallFailure | null> {
    if (call === 'cut_power' && !mayCutPower(job, this.#policy.commands, this.#clock.now())) {
      return Promise.resolve(notPermitted);
    }
    const wished = this.#pending.command(job.tickets[0])?.method;
    const method = wished === 'acpi' || wished === 'agent' || wished === 'auto' ? wished : this.#policy.shutdown.method;
    const { signal } = this.#calls;
    return this.#parts.call(this.#key, call, { method, signal }).catch((error: Error) => {
      if (signal.aborted) return { kind: 'unanswered', message: 'the call was given up' };
      return { kind: 'failed', code: 'outcome_unknown', message: error.message };
    });
  }

  /** The snapshot learns what is under way, who is behind it, and what went wrong. */
  #show(before: Job, job: Job | null, effects: readonly Effect[]): void {
    const key = this.#key;
    const { emit, snapshot } = this.#parts;
    const vm = snapshot().vms[key];
    const time = (at: number) => new Date(this.#epoch + at).toISOString();
    const at = this.#clock.date().toISOString();
    const ended = effects.find(effect => effect.type === 'end')?.outcome ?? null;
    const command = job && this.#pending.command(job.tickets[0]);
    const known = vm?.asked ?? null;
    const asked = command ? askedOf(job, command, known, time) : askedAfter(before, ended, known, at);
    if (asked !== known) emit({ type: 'asked', key, asked });
    if (ended?.status === 'failed') {
      const { code, message } = ended;
      emit({ type: 'error', key, error: { code, message: `${before.word}: ${message}`, at } });
    }
    const work = job && workOf(job, time);
    if (!isDeepStrictEqual(work, vm?.work ?? null)) emit({ type: 'work', key, work });
  }
}

/** What is being asked of DSM must not reach it as it is now. Somebody's own power cut is another matter. */
function isHarmful({ word, stage }: Job, verdict: Verdict): boolean {
  if (word === 'force_off' || !fragile.has(verdict)) return false;
  if (stage.at === 'calling' && stage.call === 'cut_power') return true;
  const asks = stage.at === 'pressing' || (stage.at === 'calling' && ['guest_reboot', 'reset'].includes(stage.call));
  return verdict === 'updating' && asks;
}

/** Never seen: the machine does not ask for it, and this is the lock behind that door. */
const notPermitted: CallFailure = {
  kind: 'failed',
  code: 'libvirt_error',
  message: 'the configuration does not let its power be cut',
};
