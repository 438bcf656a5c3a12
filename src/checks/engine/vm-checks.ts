import { isDeepStrictEqual } from 'node:util';
import type { Wish } from '../../model/check.ts';
import { unknownHardware } from '../../model/domain.ts';
import type { Event } from '../../model/event.ts';
import type { Activity, VmSnapshot } from '../../model/snapshot.ts';
import { canAnswer, type Machine, machineOf } from '../diagnosis/evidence.ts';
import { leftToSettle } from '../diagnosis/expected.ts';
import { inWords } from '../diagnosis/messages.ts';
import { report } from '../diagnosis/report.ts';
import { type Cause, diagnoses } from '../diagnosis/table.ts';
import { isSilence, notChecked, type Standing, saidByMachine, settle } from './debounce.ts';
import { Quiet } from './disk-idle.ts';
import { examine, longest } from './examine.ts';
import type { Subject } from './locate.ts';
import { Alarm, type Due } from './next-check.ts';
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
import { Knowledge } from './run-state.ts';

/**
 * The checks of one VM: one at a time, what they have come to, and when the next is due. What libvirt says of the
 * machine counts at once and without a check.
 */
export class VmChecks {
  readonly #options: VmChecksOptions;
  readonly #knowledge: Knowledge;
  readonly #quiet = new Quiet();
  readonly #alarm: Alarm;
  #standing: Standing;
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
    this.#knowledge = new Knowledge({ ...options, bootGrace: options.policy.bootGrace });
    this.#standing = notChecked(options.clock.date());
    this.#alarm = new Alarm(() => void this.check('deep'), options);
  }

  start(): void {
    this.#due = this.#next();
  }

  /** IPv4 of DSM, if it is known. */
  get address(): string | null {
    return this.#knowledge.address;
  }

  /** The verdict and its sentence, and what the last check found if that is not it. */
  get summary(): string {
    const vm = this.#options.vm();
    if (!vm?.check) return 'it has not been checked yet';
    const { verdict, reason, failures } = vm.check;
    const otherwise = inWords(this.#found, this.#facts(vm, this.#found)).reason;
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
        if (this.#knowledge.reset()) this.#beginAnew();
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
    this.#alarm.cancel();
    clearTimeout(this.#settling);
    this.#current?.abort.abort();
  }

  async #check(depth: Depth, signal: AbortSignal): Promise<void> {
    const { policy, probes } = this.#options;
    signal.throwIfAborted();
    if (!canAnswer(this.#machine())) return this.#done();
    const rest = this.#quiet.at(performance.now());
    const cheap = isCheapEnough(depth, this.#standing, rest === 'quiet');
    const found = await examine(() => this.#subject(), probes, {
      prepare: cheap && diagnoses[this.#standing.cause].verdict === 'up' ? null : () => this.#reread(),
      enough: cheap ? (lower, address) => this.#knowledge.isUnchanged(lower, address) : null,
      gentle: rest !== 'awake' || this.#standing.cause === 'up_asleep',
      probeTimeout: policy.probeTimeout,
      signal,
    });
    if (found.swept) this.#sweptAt = performance.now();
    this.#knowledge.take(found);
    this.#found = this.#knowledge.cause(this.#machine());
    this.#standing = settle(this.#standing, this.#found, policy.failuresBeforeDown, this.#options.clock.date());
    const { verdict } = diagnoses[this.#standing.cause];
    if (verdict === 'up' || verdict === 'degraded') this.#knowledge.wasUp();
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
    const pause = pauseAfter(this.#standing, this.#knowledge.age());
    if (pause !== null) this.#alarm.in(pause);
  }

  #hearDisks({ stats }: Extract<Event, { type: 'stats' }>): void {
    const hardware = this.#options.vm()?.domain?.hardware ?? unknownHardware;
    const stirred = this.#quiet.hear(stats, hardware, performance.now());
    // What it said of its disks may be so no longer.
    if (stirred && this.#standing.cause === 'up_asleep') this.#alarm.in(retest);
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
    if (this.#knowledge.follow(vm, this.#options.runId())) this.#beginAnew();
    const wired = JSON.stringify(vm.domain?.hardware.nics ?? null);
    if (this.#knowledge.running && this.#wired !== null && wired !== this.#wired) this.#alarm.in(afterChange);
    this.#wired = wired;

    const machine = this.#machine();
    const cause = this.#knowledge.cause(machine);
    const halted = saidByMachine(this.#standing.cause);
    const resumed = canAnswer(machine) && halted;
    // libvirt's last word stands while it is away, until a check knows better.
    const stands = machine === 'unseen' && halted;
    if (!stands && (!canAnswer(machine) || !this.#knowledge.whole)) this.#settle(cause);
    else if (resumed && !stands) {
      // What was found before it was halted may be true no more: the good is believed until it is looked at again.
      this.#settle(isSilence(cause) ? 'not_checked' : cause);
      this.#alarm.in(afterChange);
    }
    this.#tell();
  }

  #settle(cause: Cause): void {
    this.#standing = settle(this.#standing, cause, 1, this.#options.clock.date());
    this.#found = cause;
  }

  #beginAnew(): void {
    this.#quiet.reset();
    this.#sweptAt = Number.NEGATIVE_INFINITY;
    this.#current?.abort.abort();
    this.#alarm.cancel();
    if (this.#knowledge.running) this.#alarm.in(afterChange);
    this.#due = this.#next();
  }

  #tell(): void {
    const { key, vm: now, emit, automatic } = this.#options;
    const vm = now();
    // What was told before stands on the broker, until there is something to say.
    if (!vm || this.#closed || (automatic && this.#standing.cause === 'not_checked')) return;
    const { rows, latency, hasBeenUp: wasUp, bootSeconds, dsm } = this.#knowledge;
    const check = report({
      standing: this.#standing,
      machine: this.#machine(),
      wish: this.#wish(vm),
      busy: vm.work !== null,
      settling: this.#leftToSettle() !== null,
      facts: this.#facts(vm, this.#standing.cause),
      ...{ rows, latency, wasUp, bootSeconds, dsm },
      checkedAt: this.#checkedAt,
      nextAt: this.#next()?.date ?? null,
    });
    if (isDeepStrictEqual(check, vm.check)) return;
    emit({ type: 'checked', key, check, at: new Date(this.#options.clock.date()).toISOString() });
  }

  #facts(vm: VmSnapshot, cause: Cause) {
    const { policy, domain, instead } = this.#options;
    const facts = this.#knowledge.facts(cause, vm, policy.ports);
    return {
      ...facts,
      domain: vm.domain?.name ?? domain,
      instead: instead(),
      address: facts.address ?? policy.address,
    };
  }

  #subject(): Subject {
    const { key, policy, vm } = this.#options;
    const local = this.#options.local();
    const { known } = this.#knowledge;
    return {
      key,
      nics: vm()?.domain?.hardware.nics ?? [],
      local,
      configured: policy.address,
      lastAddress: known.address,
      ports: policy.ports,
      identity: known.dsm,
      discovered: known.discovered,
      sweep: local && performance.now() - this.#sweptAt >= betweenSweeps(this.#knowledge.age()),
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
    const { due } = this.#alarm;
    const scheduled = this.#options.scheduled();
    return due && scheduled ? (due.now < scheduled.now ? due : scheduled) : (due ?? scheduled);
  }
}

/** DSM closes its ports long before libvirt sees that anything happens. */
const stopping: ReadonlySet<Activity> = new Set(['shutting_down', 'rebooting']);
