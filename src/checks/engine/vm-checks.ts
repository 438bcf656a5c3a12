import { isDeepStrictEqual } from 'node:util';
import { unknownHardware } from '../../model/domain.ts';
import type { Event, VmKey, VmSnapshot } from '../../model/snapshot.ts';
import type { State } from '../../model/state.ts';
import type { Stats } from '../../model/stats.ts';
import type { Clock } from '../../util/clock.ts';
import type { Semaphore } from '../../util/semaphore.ts';
import { diagnoses } from '../diagnosis/diagnoses.ts';
import { canAnswer, type Machine, machineOf } from '../diagnosis/evidence.ts';
import { leftToSettle } from '../diagnosis/expected.ts';
import { messageOf } from '../diagnosis/messages.ts';
import type { Probes } from '../probes.ts';
import { longest } from './ask.ts';
import { restOf } from './disk-idle.ts';
import { type Examination, examine, examineOther } from './examine.ts';
import type { CheckTarget } from './locate.ts';
import { factsOf, type ReportContext, report } from './report.ts';
import { asksAsMuch, betweenSweeps, type Depth, isCheapEnough } from './retry-times.ts';
import type { Host, Known, Moment } from './run.ts';
import { Schedule, type Timetable } from './schedule.ts';
import {
  ageIn,
  type CheckContext,
  type CheckEvent,
  type CheckPolicy,
  type CheckState,
  initialState,
  isUnchanged,
  reduce,
} from './state.ts';

/** What the checks of all VMs share. */
export interface SharedOptions {
  state: Pick<State, 'snapshot' | 'dispatch'>;
  /** libvirt's id of the VM's run; null: it does not run. */
  runId: (key: VmKey) => number | null;
  /** The domains that libvirt has instead of a VM's; for people. */
  instead: (key: VmKey) => string;
  /** Reads a VM's definition again: libvirt has no event for a link that is set down. */
  reread: (key: VmKey) => Promise<void>;
  probes: Probes;
  /** libvirt's host is this machine. */
  local: () => boolean;
  host: Host;
}

export interface VmChecksOptions extends SharedOptions {
  key: VmKey;
  /** libvirt's name or UUID of it. */
  domain: string;
  policy: CheckPolicy & Timetable;
  known: Known;
  remember: (known: Known) => void;
  /** Milliseconds after each time of its schedule. */
  stagger: number;
  places: Semaphore;
  clock: Clock;
}

/** Events that tell of the machine, or of what it is meant to be. */
const ofMachine: ReadonlySet<Event['type']> = new Set([
  ...(['domain', 'work', 'wished', 'hypervisor_up', 'hypervisor_down'] as const),
]);

const examiners = { dsm: examine, other: examineOther } as const;

/** The checks of one VM, one at a time: runs them when they are due, and publishes the result. */
export class VmChecks {
  readonly #options: VmChecksOptions;
  readonly #schedule: Schedule;
  #state: CheckState;
  /** When the next check is due, as set by the last check or by a new run. */
  #due: Moment | null = null;
  /** `done`: false, if it was ended because another run of the machine began. */
  #current: { depth: Depth; done: Promise<boolean>; abort: AbortController } | null = null;
  #timer: NodeJS.Timeout | undefined;
  /** Until a guest's own power-off counts as meant. */
  #settling: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: VmChecksOptions) {
    const { policy, clock, stagger, known } = options;
    this.#options = options;
    this.#schedule = new Schedule(policy, { check: depth => void this.check(depth), clock, stagger });
    this.#state = initialState(known, clock.date());
  }

  start(): void {
    this.#schedule.start();
    this.#due = this.#next();
  }

  /** IPv4 of DSM, if it is known. */
  get address(): string | null {
    return this.#state.known.address;
  }

  /** The verdict and its sentence, and the last check's result if it differs. */
  get summary(): string {
    const vm = this.#vm();
    if (!vm?.check) return 'it has not been checked yet';
    const { verdict, reason, failures } = vm.check;
    const { found } = this.#state;
    const otherwise = messageOf(found, factsOf(this.#state, found, this.#reportContext(vm))).reason;
    return `${verdict}: ${reason}${failures > 0 ? ` But this check found: ${otherwise}` : ''}`;
  }

  /** Whether the next check should have ended long ago. */
  isOverdue(patience: number): boolean {
    const { clock, policy } = this.#options;
    return this.#due !== null && clock.now() > this.#due.now + longest(policy.probeTimeout) + patience;
  }

  /** Must receive every event of this VM, and libvirt's ups and downs, after the snapshot has taken it. */
  hear(event: Event): void {
    if (this.#closed) return;
    if (event.type === 'rebooted') this.#apply({ type: 'reset' });
    else if (ofMachine.has(event.type)) this.#settleOff();
    else return;
    // Another command may take the place of one that ends: in between nothing is wrong.
    if (event.type === 'work' && event.work === null) queueMicrotask(() => this.#look());
    else this.#look();
  }

  /** Must receive every sample of this VM. */
  sampled(stats: Stats): void {
    if (this.#closed) return;
    this.#apply({ type: 'stats', stats, hardware: this.#vm()?.domain?.hardware ?? unknownHardware });
  }

  /** Runs a check. A running check counts, if it is as deep. The one of a command is made again in another run. */
  async check(depth: Depth): Promise<void> {
    if (this.#closed) return;
    if (this.#current) {
      const { depth: under, done } = this.#current;
      return (await done) && asksAsMuch(under, depth) ? undefined : this.check(depth);
    }
    const abort = new AbortController();
    const done = this.#options.places
      .take(() => this.#check(depth, abort.signal))
      .then(() => true)
      // Another run gets its own check.
      .catch(error => {
        if (!abort.signal.aborted) throw error;
        return false;
      })
      .finally(() => {
        this.#current = null;
      });
    this.#current = { depth, done, abort };
    if (!(await done) && depth === 'command') await this.check(depth);
  }

  close(): void {
    this.#closed = true;
    this.#schedule.close();
    clearTimeout(this.#timer);
    clearTimeout(this.#settling);
    this.#current?.abort.abort();
  }

  async #check(depth: Depth, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const found = canAnswer(this.#machine()) ? await this.#examine(depth, signal) : null;
    this.#apply({ type: 'checked', machine: this.#machine(), found });
    this.#due = this.#next();
    this.#tell();
  }

  #examine(depth: Depth, signal: AbortSignal): Promise<Examination> {
    const { policy, probes, clock } = this.#options;
    const { debounced, disks } = this.#state;
    const rest = restOf(disks, clock.now());
    const cheap = isCheapEnough(depth, debounced, rest === 'quiet');
    return examiners[policy.guest](() => this.#target(), probes, {
      prepare: cheap && diagnoses[debounced.cause].verdict === 'up' ? null : () => this.#reread(),
      enough: cheap ? (lower, address) => isUnchanged(this.#state, lower, address) : null,
      gentle: rest !== 'awake' || debounced.cause === 'up_asleep',
      probeTimeout: policy.probeTimeout,
      signal,
    });
  }

  /** Not while a command is under way: libvirt may answer only after it, and the command would wait too. */
  async #reread(): Promise<void> {
    const { key, reread } = this.#options;
    if (this.#vm()?.work === null) await reread(key);
  }

  /** What libvirt reports of the machine counts at once. */
  #look(): void {
    const vm = this.#vm();
    if (!vm || this.#closed) return;
    this.#apply({ type: 'machine', machine: this.#machine(), vm, runId: this.#options.runId(this.#options.key) });
    this.#tell();
  }

  #apply(event: CheckEvent): void {
    const before = this.#state;
    const state = reduce(before, event, this.#context());
    this.#state = state;
    if (!isDeepStrictEqual(state.known, before.known)) this.#options.remember(state.known);
    if (state.next !== before.next) this.#setTimer(state.next);
    if (state.runs === before.runs) return;
    this.#current?.abort.abort();
    this.#due = this.#next();
  }

  #setTimer(next: Moment | null): void {
    clearTimeout(this.#timer);
    if (!next) return;
    const act = () => {
      this.#apply({ type: 'due' });
      void this.check('deep');
    };
    this.#timer = setTimeout(act, next.now - this.#options.clock.now()).unref();
  }

  #context(): CheckContext {
    const { clock, host, policy } = this.#options;
    const { automatic } = this.#schedule;
    return { at: { date: clock.date(), now: clock.now() }, host, policy, automatic };
  }

  /** A guest that has powered itself off, and has stayed off, is meant to be off. */
  #settleOff(): void {
    const { key, state } = this.#options;
    const left = this.#leftToSettle();
    clearTimeout(this.#settling);
    if (left === null) return;
    if (left > 0) this.#settling = setTimeout(() => this.#settleOff(), left).unref();
    else if (state.snapshot.hypervisor.up) state.dispatch({ type: 'wished', key, wish: 'off' });
  }

  #leftToSettle(): number | null {
    const { policy, clock } = this.#options;
    const vm = this.#vm();
    return vm?.seen && policy.expected === 'last_intended' ? leftToSettle(vm, clock.date()) : null;
  }

  #tell(): void {
    const { key, state, clock } = this.#options;
    const vm = this.#vm();
    // The broker keeps the last report until there is a new one.
    if (!vm || this.#closed || (this.#schedule.automatic && this.#state.debounced.cause === 'not_checked')) return;
    const check = report(this.#state, this.#reportContext(vm));
    if (isDeepStrictEqual(check, vm.check)) return;
    state.dispatch({ type: 'checked', key, check, at: new Date(clock.date()).toISOString() });
  }

  #reportContext(vm: VmSnapshot): ReportContext {
    const { key, domain, instead, clock, policy } = this.#options;
    return {
      ...{ vm, domain, policy, machine: this.#machine(), instead: vm.domain ? '' : instead(key), now: clock.now() },
      settling: this.#leftToSettle() !== null,
      nextAt: this.#next()?.date ?? null,
    };
  }

  #target(): CheckTarget {
    const { key, policy, local, clock } = this.#options;
    const { known, sweptAt } = this.#state;
    const isLocal = local();
    return {
      key,
      nics: this.#vm()?.domain?.hardware.nics ?? [],
      local: isLocal,
      configured: policy.address,
      lastAddress: known.address,
      services: policy,
      identity: known.dsm,
      discovered: known.discovered,
      sweep: isLocal && clock.now() - sweptAt >= betweenSweeps(ageIn(this.#state, this.#context())),
    };
  }

  #vm(): VmSnapshot | null {
    const { key, state } = this.#options;
    return state.snapshot.vms[key] ?? null;
  }

  #machine(): Machine {
    return machineOf(this.#vm(), this.#options.state.snapshot.hypervisor.up);
  }

  #next(): Moment | null {
    const { next } = this.#state;
    const { next: scheduled } = this.#schedule;
    if (!next || !scheduled) return next ?? scheduled;
    return next.now < scheduled.now ? next : scheduled;
  }
}
