import type { Wish } from '../model/check.ts';
import { failed, type Outcome, type Rejection, rejected, succeeded } from '../model/codes.ts';
import type { Command } from '../model/command.ts';
import {
  type BesideWord,
  type CommandWord,
  interruption,
  type LoaderWord,
  type PowerWord,
  rowOf,
  runsAs,
} from '../model/commands.ts';
import { type Action, type Decision, decideFor, libvirtAway } from '../model/decide.ts';
import type { Event } from '../model/event.ts';
import { amend, end, keepStart } from '../model/job/interrupt.ts';
import { type Call, type CallFailure, type Job, occupation, type Step, type Ticket } from '../model/job/job.ts';
import { begin } from '../model/job/step.ts';
import { type Policy, planOf, refusal, restartPause } from '../model/policy.ts';
import type { VmKey } from '../model/snapshot.ts';
import { type BeginLoaderJob, type LoaderCommand, type LoaderJob, LoaderJobs } from './loader-jobs.ts';
import { PendingReplies } from './pending-replies.ts';
import { type Clock, PowerJob, type PowerJobParts } from './power-job.ts';
import { RecentIds } from './recent-ids.ts';
import type { Replies, Request } from './responder.ts';

export interface DispatcherOptions extends PowerJobParts {
  vms: Readonly<Record<VmKey, Policy>>;
  readOnly: boolean;
  /** What needs no job; resolves to what to say of it. */
  simple: (key: VmKey, command: SimpleCommand) => Promise<string | CallFailure>;
  /** Begins a long operation; default: there are none here. */
  loader?: BeginLoaderJob;
  replies: Replies;
  clock?: Clock;
  /** Milliseconds between off and start. */
  pause?: number;
}

export type SimpleCommand = Omit<Command, 'word'> & { word: BesideWord };

/** One VM's commands. */
interface VmCommands {
  key: VmKey;
  policy: Policy;
  power: PowerJob;
  /** While it has a job, `power` has none. */
  loader: LoaderJobs;
  /** Monotonic milliseconds at which it was seen to stop; null while it runs, undefined if nobody saw it. */
  offAt: number | null | undefined;
  /** Simple commands under way. */
  simple: number;
}

/** More at once would be a flood. */
const mostSimple = 4;

/** A command that has passed the checks which do not depend on the VM. */
interface Accepted {
  vm: VmCommands;
  command: Command;
  ticket: Ticket;
}

/** Takes commands in, finds each its place, and sees that every one is answered: at once, and when it has ended. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #clock: Clock;
  readonly #vms: ReadonlyMap<VmKey, VmCommands>;
  readonly #pending: PendingReplies;
  readonly #recentIds = new RecentIds();
  #closed = false;

  constructor(options: DispatcherOptions) {
    const clock = options.clock ?? { now: () => performance.now(), date: () => new Date() };
    const pending = new PendingReplies(options.replies);
    const vm = (key: VmKey, policy: Policy): VmCommands => {
      const power = new PowerJob(key, policy, options, pending, clock);
      return { key, policy, power, loader: new LoaderJobs(key, options.loader, pending), offAt: undefined, simple: 0 };
    };
    this.#options = options;
    this.#clock = clock;
    this.#pending = pending;
    this.#vms = new Map(Object.entries(options.vms).map(([key, policy]) => [key, vm(key, policy)]));
  }

  /** A libvirt call that it leads to is written before this returns, unless earlier ones are stuck. */
  submit(request: Request, command: Command): void {
    const { replies } = this.#options;
    const vm = this.#vms.get(request.key);
    if (!vm) {
      replies.ended(request, rejected({ code: 'unknown_vm', message: `there is no VM '${request.key}' here` }));
      return;
    }
    const refused = this.#refusal(vm, command);
    if (refused) {
      replies.ended(request, rejected(refused));
      return;
    }
    const ticket = this.#pending.open({ request, command });
    const rejection = this.#place({ vm, command, ticket });
    if (rejection) {
      this.#pending.end([ticket], rejected(rejection));
      return;
    }
    if (command.id !== null) this.#recentIds.take(vm.key, command.id, this.#clock.now());
    this.#wish(vm.key, rowOf(command.word).expects ?? null);
  }

  #wish(key: VmKey, wish: Wish | null): void {
    if (wish !== null && wish !== this.#options.snapshot().vms[key]?.wish) {
      this.#options.emit({ type: 'wished', key, wish });
    }
  }

  /** To be told of every event, after the snapshot has taken it. */
  hear(event: Event): void {
    if (event.type === 'hypervisor_up' || event.type === 'hypervisor_down') {
      for (const { power } of this.#vms.values()) power.hear(event);
      return;
    }
    const vm = 'key' in event ? this.#vms.get(event.key) : undefined;
    if (!vm) return;
    if (event.type === 'domain') {
      if (event.domain?.active) vm.offAt = null;
      else if (vm.offAt === null) vm.offAt = this.#clock.now();
    }
    vm.power.hear(event);
  }

  /** The VMs are left to themselves; who asked is told that nobody watches any more. */
  close(): void {
    this.#closed = true;
    for (const { power } of this.#vms.values()) power.close();
    this.#pending.endAll(failed('outcome_unknown', 'the bridge is stopping; the VM is left to itself'));
  }

  #refusal({ key, policy }: VmCommands, command: Command): Rejection | null {
    const refused = this.#refusalNow(policy, command);
    if (refused || command.id === null) return refused;
    const now = this.#clock.now();
    if (this.#recentIds.has(key, command.id, now)) {
      return { code: 'duplicate', message: 'a command with this id was carried out already' };
    }
    if (this.#recentIds.hasRoom(key, now)) return null;
    return { code: 'busy', message: 'too many ids of the last 10 minutes are remembered: wait, or leave the id out' };
  }

  /** As long as it waits for its turn, too. */
  #refusalNow(policy: Policy, command: Command): Rejection | null {
    if (this.#closed) return { code: 'busy', message: 'the bridge is stopping' };
    return refusal(command, policy, this.#options.readOnly, this.#clock.date().getTime());
  }

  /** In the free job place, or beside, after, or instead of what is in it. */
  #place(accepted: Accepted): Rejection | null {
    const { vm, command, ticket } = accepted;
    const { power, policy, loader } = vm;
    if (loader.job) return this.#besideLoader(accepted, loader.job);
    const { job } = power;
    if (!job) return this.#carryOut(accepted);
    const now = this.#clock.now();
    switch (interruption(occupation(job), command.word)) {
      case 'beside':
        return this.#carryOut(accepted);
      case 'busy':
        return busy(job.word, power.remaining);
      case 'end':
        power.apply(end(job, 'cancelled'));
        this.#pending.end([ticket], succeeded('done', `'${job.word}' was cancelled`));
        this.#stays(vm.key);
        return null;
      case 'replace':
        return this.#replace(accepted, job);
      case 'amend': {
        const { timeout } = planOf(command, policy, 0);
        return this.#join(accepted, job, amend(job, { ticket, timeout, onTimeout: command.onTimeout }, now));
      }
      case 'keep':
        return this.#join(accepted, job, keepStart(job, ticket));
    }
  }

  /** What needs no job place, the end of the loader's job, and what comes after that. */
  #besideLoader(accepted: Accepted, job: LoaderJob): Rejection | null {
    const { vm, command, ticket } = accepted;
    const fate = interruption('rebuild', command.word);
    if (fate === 'beside') return this.#carryOut(accepted);
    if (fate === 'replace' && this.#isAway) return libvirtAway;
    const uuid = this.#uuid(vm);
    const then = fate === 'replace' ? () => this.#afterLoader(accepted, uuid) : null;
    const ends = fate === 'end' || fate === 'replace';
    return ends && vm.loader.end(ticket, then) ? null : busy(job.word, job.remaining);
  }

  /** `uuid`: of the domain that was meant. */
  #afterLoader(accepted: Accepted, uuid: string | undefined): void {
    const { vm, command, ticket } = accepted;
    if (this.#uuid(vm) !== uuid) {
      this.#pending.end([ticket], failed('domain_gone', 'the domain was replaced by another'));
      return;
    }
    const rejection = this.#refusalNow(vm.policy, command) ?? this.#place(accepted);
    if (rejection) this.#pending.end([ticket], rejected(rejection));
    // The end of the long one has said otherwise.
    else this.#wish(vm.key, rowOf(command.word).expects ?? null);
  }

  /** It is meant to be as it is. */
  #stays(key: VmKey): void {
    this.#wish(key, this.#options.snapshot().vms[key]?.domain?.active ? 'running' : 'off');
  }

  #join({ vm: { power }, command, ticket }: Accepted, job: Job, joined: Step | null): Rejection | null {
    if (this.#isAway) return libvirtAway;
    if (!joined) return busy(job.word, power.remaining);
    const remaining = Math.max(0, (joined.job ?? job).deadline - this.#clock.now());
    this.#pending.accepted(ticket, command.word as PowerWord, remaining);
    power.apply(joined);
    return null;
  }

  /** Nothing is given up for a command that cannot be carried out. */
  #replace(accepted: Accepted, job: Job): Rejection | null {
    const { vm, command, ticket } = accepted;
    const { power } = vm;
    const staysOff = occupation(job) === 'waiting' && command.word === 'shutdown';
    const decision = staysOff ? null : this.#decide(vm, command.word);
    if (decision?.do === 'reject') return decision;
    power.apply(end(job, 'superseded'));
    // Whoever was just told may have given a command of his own.
    if (power.job) return busy(power.job.word, power.remaining);
    if (!staysOff) return this.#carryOut(accepted);
    // Needs nobody at libvirt: it is only not started.
    this.#pending.end([ticket], succeeded('already', 'it is off, and is not started'));
    return null;
  }

  #carryOut({ vm, command, ticket }: Accepted): Rejection | null {
    const decision = this.#decide(vm, command.word);
    switch (decision.do) {
      case 'reject':
        return decision;
      case 'nothing':
        this.#pending.end([ticket], succeeded('already', decision.message));
        return null;
      case 'cancel':
        this.#pending.end([ticket], succeeded('already', 'nothing is under way'));
        return null;
      default:
        return this.#run({ vm, command, ticket }, decision.do);
    }
  }

  #run(accepted: Accepted, action: Exclude<Action, 'cancel'>): Rejection | null {
    const { vm, command, ticket } = accepted;
    if (runsAs('loader', action)) return this.#beginLoader(accepted, { ...command, word: action });
    if (!runsAs('beside', action)) {
      this.#begin(accepted, action);
      return null;
    }
    if (vm.simple >= mostSimple) return { code: 'busy', message: `${mostSimple} others like it are under way` };
    void this.#simple(vm, { ...command, word: action }, ticket);
    return null;
  }

  /** Then nothing is taken on for later. */
  get #isAway(): boolean {
    return !this.#options.snapshot().hypervisor.up;
  }

  #uuid({ key }: VmCommands): string | undefined {
    return this.#options.snapshot().vms[key]?.domain?.uuid;
  }

  #decide({ key, power }: VmCommands, word: CommandWord): Decision {
    const { snapshot, missing } = this.#options;
    return decideFor(key, word, snapshot(), power.guest.verdict, missing);
  }

  #begin({ vm, command, ticket }: Accepted, action: JobAction): void {
    const { policy, power, offAt } = vm;
    const now = this.#clock.now();
    const begun = begin(
      {
        word: command.word as PowerWord,
        uuid: this.#uuid(vm) ?? '',
        ticket,
        plan: planOf(command, policy, this.#options.pause ?? restartPause),
        call: callOf(action, command, policy),
        offFor: typeof offAt === 'number' ? now - offAt : null,
        guest: power.guest,
      },
      now,
    );
    power.begin(begun, ticket);
  }

  #beginLoader({ vm, ticket }: Accepted, command: LoaderCommand): Rejection | null {
    const begun = vm.loader.begin(ticket, command, () => this.#stays(vm.key));
    if ('code' in begun) return begun;
    this.#pending.accepted(ticket, command.word, begun.remaining);
    return null;
  }

  async #simple(vm: VmCommands, command: SimpleCommand, ticket: Ticket): Promise<void> {
    vm.simple += 1;
    const said = await this.#options.simple(vm.key, command).catch((error: Error) => error);
    vm.simple -= 1;
    this.#pending.end([ticket], simpleOutcome(said));
  }
}

type JobAction = Exclude<Action, BesideWord | LoaderWord | 'cancel'>;

function callOf(action: JobAction, { method }: Command, { reboot }: Policy): Call {
  if (action === 'shutdown') return 'press';
  if (action === 'reboot') return (method ?? reboot.method) === 'guest' ? 'guest_reboot' : 'press';
  return action === 'force_off' ? 'cut_power' : action;
}

function busy(word: CommandWord, remaining: number): Rejection {
  return { code: 'busy', message: `'${word}' is under way, for ${Math.ceil(remaining / 1_000)} s at most` };
}

function simpleOutcome(said: string | CallFailure | Error): Outcome {
  if (typeof said === 'string') return succeeded('done', said);
  if (said instanceof Error) return failed('outcome_unknown', said.message);
  if (said.kind === 'rejected') return rejected(said);
  return failed(said.kind === 'failed' ? said.code : 'outcome_unknown', said.message);
}
