import { isDeepStrictEqual } from 'node:util';
import type { Wish } from '../../model/check.ts';
import { unknownHardware } from '../../model/domain.ts';
import type { Event } from '../../model/event.ts';
import type { Activity, VmSnapshot } from '../../model/snapshot.ts';
import { canAnswer, type Machine, machineOf } from '../diagnosis/evidence.ts';
import { leftToSettle } from '../diagnosis/expected.ts';
import { messageOf } from '../diagnosis/messages.ts';
import { report } from '../diagnosis/report.ts';
import { type Cause, diagnoses } from '../diagnosis/table.ts';
import { type Debounced, debounce, isSilence, notChecked, saidByMachine } from './debounce.ts';
import { DiskIdle } from './disk-idle.ts';
import { examine, longest } from './examine.ts';
import type { CheckTarget } from './locate.ts';
import { type Due, NextCheck } from './next-check.ts';
import type { VmChecksOptions } from './options.ts';
import {
  afterChange,
  asksAsMuch,
  betweenSweeps,
  type Depth,
  isCheapEnough,
  pauseAfter,
  retest,
} from './retry-times.ts';
import { RunState } from './run-state.ts';

/**
 * The checks of one VM: one at a time, what they have come to, and when the next is due. What libvirt says of the
 * machine counts at once and without a check.
 */
export class VmChecks {
  readonly #options: VmChecksOptions;
  readonly #runState: RunState;
  readonly #diskIdle = new DiskIdle();
  readonly #nextCheck: NextCheck;
  #debounced: Debounced;
  /** What the last check found by itself. */
  #found: Cause = 'not_checked';
  #checkedAt: number | null = null;
  /** When the next one was to begin, as it was known at the end of the last one. */
  #due: Due | null = null;
  #sweptAt = Number.NEGATIVE_INFINITY;
  #current: { depth: Depth; done: Promise<void>; abort: AbortController } | null = null;
  #wired: string | null = null;
  /** Until a guest's own power off counts as meant. */
  #settling: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: VmChecksOptions) {
    this.#options = options;
    this.#runState = new RunState({ ...options, bootGrace: options.policy.bootGrace });
    this.#debounced = notChecked(options.clock.date());
    this.#nextCheck = new NextCheck(() => void this.check('deep'), options);
  }

  start(): void {
    this.#due = this.#next();
  }

  /** IPv4 of DSM, if it is known. */
  get address(): string | null {
    return this.#runState.address;
  }

  /** The verdict and its sentence, and what the last check found if that is not it. */
  get summary(): string {
    const vm = this.#options.vm();
    if (!vm?.check) return 'it has not been checked yet';
    const { verdict, reason, failures } = vm.check;
    const otherwise = messageOf(this.#found, this.#facts(vm, this.#found)).reason;
    return `${verdict}: ${reason}${failures > 0 ? ` But this check found: ${otherwise}` : ''}`;
  }

  /** Whether the next check should long have been through. */
  isOverdue(patience: number): boolean {
    const { clock, policy } = this.#options;
    return this.#due !== null && clock.now() > this.#due.now + longest(policy.probeTimeout) + patience;
  }

  /** To be told of every event of this VM, and of libvirt's coming and going, after the snapshot has taken it. */
  hear(event: Event): void {
    if (this.#closed) return;
    switch (event.type) {
      case 'stats':
        this.#hearDisks(event);
        return;
      case 'rebooted':
        if (this.#runState.reset()) this.#beginAnew();
        this.#look();
        return;
      case 'domain':
      case 'work':
      case 'wished':
      case 'hypervisor_up':
      case 'hypervisor_down':
        this.#settleOff();
        this.#look();
        return;
      default:
    }
  }

  /** One check. One that is under way serves, if it asks as much. */
  async check(depth: Depth): Promise<void> {
    if (this.#closed) return;
    if (this.#current) {
      const { depth: under, done } = this.#current;
      await done;
      if (asksAsMuch(under, depth)) return;
      return this.check(depth);
    }
    const abort = new AbortController();
    const done = this.#options.places
      .take(() => this.#check(depth, abort.signal))
      // Ended: the machine is another one now, which has its own check coming.
      .catch(error => {
        if (!abort.signal.aborted) throw error;
      })
      .finally(() => {
        this.#current = null;
      });
    this.#current = { depth, done, abort };
    await done;
  }

  close(): void {
    this.#closed = true;
    this.#nextCheck.cancel();
    clearTimeout(this.#settling);
    this.#current?.abort.abort();
  }

  async #check(depth: Depth, signal: AbortSignal): Promise<void> {
    const { policy, probes } = this.#options;
    signal.throwIfAborted();
    if (!canAnswer(this.#machine())) return this.#done();
    const rest = this.#diskIdle.at(performance.now());
    const cheap = isCheapEnough(depth, this.#debounced, rest === 'quiet');
    const found = await examine(() => this.#subject(), probes, {
      prepare: cheap && diagnoses[this.#debounced.cause].verdict === 'up' ? null : () => this.#reread(),
      enough: cheap ? (lower, address) => this.#runState.isUnchanged(lower, address) : null,
      gentle: rest !== 'awake' || this.#debounced.cause === 'up_asleep',
      probeTimeout: policy.probeTimeout,
      signal,
    });
    if (found.swept) this.#sweptAt = performance.now();
    this.#runState.take(found);
    this.#found = this.#runState.cause(this.#machine());
    this.#debounced = debounce(this.#debounced, this.#found, policy.failuresBeforeDown, this.#options.clock.date());
    const { verdict } = diagnoses[this.#debounced.cause];
    if (verdict === 'up' || verdict === 'degraded') this.#runState.wasUp();
    this.#goOn();
    this.#done();
  }

  /** Not while a command is under way: libvirt may not answer before it is done, and the command waits beside it. */
  async #reread(): Promise<void> {
    const { vm, reread } = this.#options;
    if (vm()?.work === null) await reread();
  }

  #done(): void {
    this.#checkedAt = this.#options.clock.date();
    this.#due = this.#next();
    this.#tell();
  }

  /** When it is to be looked at again, apart from the schedule. */
  #goOn(): void {
    const pause = pauseAfter(this.#debounced, this.#runState.age());
    if (pause !== null) this.#nextCheck.in(pause);
  }

  #hearDisks({ stats }: Extract<Event, { type: 'stats' }>): void {
    const hardware = this.#options.vm()?.domain?.hardware ?? unknownHardware;
    const stirred = this.#diskIdle.hear(stats, hardware, performance.now());
    // What it said of its disks may be so no longer.
    if (stirred && this.#debounced.cause === 'up_asleep') this.#nextCheck.in(retest);
  }

  /** A guest that powers itself off, and stays so, is meant to be off. */
  #settleOff(): void {
    const { key, emit, libvirtUp } = this.#options;
    const left = this.#leftToSettle();
    clearTimeout(this.#settling);
    if (left === null) return;
    if (left > 0) this.#settling = setTimeout(() => this.#settleOff(), left).unref();
    else if (libvirtUp()) emit({ type: 'wished', key, wish: 'off' });
  }

  #leftToSettle(): number | null {
    const { vm, policy, clock } = this.#options;
    const known = vm();
    return known?.seen && policy.expected === 'last_intended' ? leftToSettle(known, clock.date()) : null;
  }

  /** What the machine alone says counts at once. */
  #look(): void {
    const vm = this.#options.vm();
    if (!vm) return;
    if (this.#runState.follow(vm, this.#options.runId())) this.#beginAnew();
    const wired = JSON.stringify(vm.domain?.hardware.nics ?? null);
    if (this.#runState.running && this.#wired !== null && wired !== this.#wired) this.#nextCheck.in(afterChange);
    this.#wired = wired;

    const machine = this.#machine();
    const cause = this.#runState.cause(machine);
    const halted = saidByMachine(this.#debounced.cause);
    const resumed = canAnswer(machine) && halted;
    // libvirt's last word stands while it is away, until a check knows better.
    const stands = machine === 'unseen' && halted;
    if (!stands && (!canAnswer(machine) || !this.#runState.whole)) this.#debounce(cause);
    else if (resumed && !stands) {
      // What was found before it was halted may be true no more: the good is believed until it is looked at again.
      this.#debounce(isSilence(cause) ? 'not_checked' : cause);
      this.#nextCheck.in(afterChange);
    }
    this.#tell();
  }

  #debounce(cause: Cause): void {
    this.#debounced = debounce(this.#debounced, cause, 1, this.#options.clock.date());
    this.#found = cause;
  }

  #beginAnew(): void {
    this.#diskIdle.reset();
    this.#sweptAt = Number.NEGATIVE_INFINITY;
    this.#current?.abort.abort();
    this.#nextCheck.cancel();
    if (this.#runState.running) this.#nextCheck.in(afterChange);
    this.#due = this.#next();
  }

  #tell(): void {
    const { key, vm: now, emit, automatic } = this.#options;
    const vm = now();
    // What was told before stands on the broker, until there is something to say.
    if (!vm || this.#closed || (automatic && this.#debounced.cause === 'not_checked')) return;
    const { rows, latency, hasBeenUp: wasUp, bootSeconds, dsm } = this.#runState;
    const check = report({
      debounced: this.#debounced,
      machine: this.#machine(),
      wish: this.#wish(vm),
      busy: vm.work !== null,
      settling: this.#leftToSettle() !== null,
      facts: this.#facts(vm, this.#debounced.cause),
      ...{ rows, latency, wasUp, bootSeconds, dsm },
      checkedAt: this.#checkedAt,
      nextAt: this.#next()?.date ?? null,
    });
    if (isDeepStrictEqual(check, vm.check)) return;
    emit({ type: 'checked', key, check, at: new Date(this.#options.clock.date()).toISOString() });
  }

  #facts(vm: VmSnapshot, cause: Cause) {
    const { policy, domain, instead } = this.#options;
    const facts = this.#runState.facts(cause, vm, policy.ports);
    return {
      ...facts,
      domain: vm.domain?.name ?? domain,
      instead: instead(),
      address: facts.address ?? policy.address,
    };
  }

  #subject(): CheckTarget {
    const { key, policy, vm } = this.#options;
    const local = this.#options.local();
    const { known } = this.#runState;
    return {
      key,
      nics: vm()?.domain?.hardware.nics ?? [],
      local,
      configured: policy.address,
      lastAddress: known.address,
      ports: policy.ports,
      identity: known.dsm,
      discovered: known.discovered,
      sweep: local && performance.now() - this.#sweptAt >= betweenSweeps(this.#runState.age()),
    };
  }

  #machine(): Machine {
    const { vm, libvirtUp } = this.#options;
    const { domain = null, seen = false, work = null } = vm() ?? {};
    return machineOf(domain, {
      seen: libvirtUp() && seen,
      stopping: work !== null && stopping.has(work.activity),
    });
  }

  #wish({ wish }: VmSnapshot): Wish | null {
    const { expected } = this.#options.policy;
    return expected === 'running' || expected === 'off' ? expected : wish;
  }

  #next(): Due | null {
    const { due } = this.#nextCheck;
    const scheduled = this.#options.scheduled();
    return due && scheduled ? (due.now < scheduled.now ? due : scheduled) : (due ?? scheduled);
  }
}

/** DSM closes its ports long before libvirt sees that anything happens. */
const stopping: ReadonlySet<Activity> = new Set(['shutting_down', 'rebooting']);
