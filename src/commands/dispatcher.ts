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
import { type BeginLoaderJob, type LoaderCommand, type LoaderJob, LoaderJobs } from './long-job.ts';
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
  long?: BeginLoaderJob;
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
  slot: PowerJob;
  /** Holds the slot's place while something is in it. */
  long: LoaderJobs;
  /** Monotonic milliseconds at which it was seen to stop; null while it runs, undefined if nobody saw it. */
  offAt: number | null | undefined;
  /** Simple commands under way. */
  simple: number;
}

/** More at once would be a flood. */
const mostSimple = 4;

/** A command that has passed the checks which do not depend on the VM. */
interface Admitted {
  desk: VmCommands;
  command: Command;
  ticket: Ticket;
}

/** Takes commands in, finds each its place, and sees that every one is answered: at once, and when it has ended. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #clock: Clock;
  readonly #desks: ReadonlyMap<VmKey, VmCommands>;
  readonly #askers: PendingReplies;
  readonly #marks = new RecentIds();
  #closed = false;

  constructor(options: DispatcherOptions) {
    const clock = options.clock ?? { now: () => performance.now(), date: () => new Date() };
    const askers = new PendingReplies(options.replies);
    const desk = (key: VmKey, policy: Policy): VmCommands => {
      const slot = new PowerJob(key, policy, options, askers, clock);
      return { key, policy, slot, long: new LoaderJobs(key, options.long, askers), offAt: undefined, simple: 0 };
    };
    this.#options = options;
    this.#clock = clock;
    this.#askers = askers;
    this.#desks = new Map(Object.entries(options.vms).map(([key, policy]) => [key, desk(key, policy)]));
  }

  /** A libvirt call that it leads to is written before this returns, unless earlier ones are stuck. */
  submit(request: Request, command: Command): void {
    const { replies } = this.#options;
    const desk = this.#desks.get(request.key);
    if (!desk) {
      replies.ended(request, rejected({ code: 'unknown_vm', message: `there is no VM '${request.key}' here` }));
      return;
    }
    const refused = this.#refusal(desk, command);
    if (refused) {
      replies.ended(request, rejected(refused));
      return;
    }
    const ticket = this.#askers.open({ request, command });
    const rejection = this.#place({ desk, command, ticket });
    if (rejection) {
      this.#askers.end([ticket], rejected(rejection));
      return;
    }
    if (command.id !== null) this.#marks.take(desk.key, command.id, this.#clock.now());
    this.#wish(desk.key, rowOf(command.word).expects ?? null);
  }

  #wish(key: VmKey, wish: Wish | null): void {
    if (wish !== null && wish !== this.#options.snapshot().vms[key]?.wish) {
      this.#options.emit({ type: 'wished', key, wish });
    }
  }

  /** To be told of every event, after the snapshot has taken it. */
  hear(event: Event): void {
    if (event.type === 'hypervisor_up' || event.type === 'hypervisor_down') {
      for (const { slot } of this.#desks.values()) slot.hear(event);
      return;
    }
    const desk = 'key' in event ? this.#desks.get(event.key) : undefined;
    if (!desk) return;
    if (event.type === 'domain') {
      if (event.domain?.active) desk.offAt = null;
      else if (desk.offAt === null) desk.offAt = this.#clock.now();
    }
    desk.slot.hear(event);
  }

  /** The VMs are left to themselves; who asked is told that nobody watches any more. */
  close(): void {
    this.#closed = true;
    for (const { slot } of this.#desks.values()) slot.close();
    this.#askers.endAll(failed('outcome_unknown', 'the bridge is stopping; the VM is left to itself'));
  }

  #refusal({ key, policy }: VmCommands, command: Command): Rejection | null {
    const refused = this.#refusalNow(policy, command);
    if (refused || command.id === null) return refused;
    const now = this.#clock.now();
    if (this.#marks.has(key, command.id, now)) {
      return { code: 'duplicate', message: 'a command with this id was carried out already' };
    }
    if (this.#marks.hasRoom(key, now)) return null;
    return { code: 'busy', message: 'too many ids of the last 10 minutes are remembered: wait, or leave the id out' };
  }

  /** As long as it waits for its turn, too. */
  #refusalNow(policy: Policy, command: Command): Rejection | null {
    if (this.#closed) return { code: 'busy', message: 'the bridge is stopping' };
    return refusal(command, policy, this.#options.readOnly, this.#clock.date().getTime());
  }

  /** In the free slot, or beside, after, or instead of what is in it. */
  #place(admitted: Admitted): Rejection | null {
    const { desk, command, ticket } = admitted;
    const { slot, policy, long } = desk;
    if (long.job) return this.#besideLong(admitted, long.job);
    const { job } = slot;
    if (!job) return this.#carryOut(admitted);
    const now = this.#clock.now();
    switch (interruption(occupation(job), command.word)) {
      case 'beside':
        return this.#carryOut(admitted);
      case 'busy':
        return busy(job.word, slot.remaining);
      case 'end':
        slot.apply(end(job, 'cancelled'));
        this.#askers.end([ticket], succeeded('done', `'${job.word}' was cancelled`));
        this.#stays(desk.key);
        return null;
      case 'replace':
        return this.#replace(admitted, job);
      case 'amend': {
        const { timeout } = planOf(command, policy, 0);
        return this.#join(admitted, job, amend(job, { asker: ticket, timeout, onTimeout: command.onTimeout }, now));
      }
      case 'keep':
        return this.#join(admitted, job, keepStart(job, ticket));
    }
  }

  /** What needs no slot, its end, and what comes after its end. */
  #besideLong(admitted: Admitted, job: LoaderJob): Rejection | null {
    const { desk, command, ticket } = admitted;
    const fate = interruption('rebuild', command.word);
    if (fate === 'beside') return this.#carryOut(admitted);
    if (fate === 'replace' && this.#isAway) return libvirtAway;
    const uuid = this.#uuid(desk);
    const then = fate === 'replace' ? () => this.#afterLong(admitted, uuid) : null;
    const ends = fate === 'end' || fate === 'replace';
    return ends && desk.long.end(ticket, then) ? null : busy(job.word, job.remaining);
  }

  /** `uuid`: of the domain that was meant. */
  #afterLong(admitted: Admitted, uuid: string | undefined): void {
    const { desk, command, ticket } = admitted;
    if (this.#uuid(desk) !== uuid) {
      this.#askers.end([ticket], failed('domain_gone', 'the domain was replaced by another'));
      return;
    }
    const rejection = this.#refusalNow(desk.policy, command) ?? this.#place(admitted);
    if (rejection) this.#askers.end([ticket], rejected(rejection));
    // The end of the long one has said otherwise.
    else this.#wish(desk.key, rowOf(command.word).expects ?? null);
  }

  /** It is meant to be as it is. */
  #stays(key: VmKey): void {
    this.#wish(key, this.#options.snapshot().vms[key]?.domain?.active ? 'running' : 'off');
  }

  #join({ desk: { slot }, command, ticket }: Admitted, job: Job, joined: Step | null): Rejection | null {
    if (this.#isAway) return libvirtAway;
    if (!joined) return busy(job.word, slot.remaining);
    const remaining = Math.max(0, (joined.job ?? job).deadline - this.#clock.now());
    this.#askers.accepted(ticket, command.word as PowerWord, remaining);
    slot.apply(joined);
    return null;
  }

  /** Nothing is given up for a command that cannot be carried out. */
  #replace(admitted: Admitted, job: Job): Rejection | null {
    const { desk, command, ticket } = admitted;
    const { slot } = desk;
    const staysOff = occupation(job) === 'waiting' && command.word === 'shutdown';
    const decision = staysOff ? null : this.#decide(desk, command.word);
    if (decision?.do === 'reject') return rejectionOf(decision);
    slot.apply(end(job, 'superseded'));
    // Whoever was just told may have given a command of his own.
    if (slot.job) return busy(slot.job.word, slot.remaining);
    if (!staysOff) return this.#carryOut(admitted);
    // Needs nobody at libvirt: it is only not started.
    this.#askers.end([ticket], succeeded('already', 'it is off, and is not started'));
    return null;
  }

  #carryOut({ desk, command, ticket }: Admitted): Rejection | null {
    const decision = this.#decide(desk, command.word);
    switch (decision.do) {
      case 'reject':
        return rejectionOf(decision);
      case 'nothing':
        this.#askers.end([ticket], succeeded('already', decision.message));
        return null;
      case 'cancel':
        this.#askers.end([ticket], succeeded('already', 'nothing is under way'));
        return null;
      default:
        return this.#run({ desk, command, ticket }, decision.do);
    }
  }

  #run(admitted: Admitted, action: Exclude<Action, 'cancel'>): Rejection | null {
    const { desk, command, ticket } = admitted;
    if (runsAs('loader', action)) return this.#beginLong(admitted, { ...command, word: action });
    if (!runsAs('beside', action)) {
      this.#begin(admitted, action);
      return null;
    }
    if (desk.simple >= mostSimple) return { code: 'busy', message: `${mostSimple} others like it are under way` };
    void this.#simple(desk, { ...command, word: action }, ticket);
    return null;
  }

  /** Then nothing is taken on for later. */
  get #isAway(): boolean {
    return !this.#options.snapshot().hypervisor.up;
  }

  #uuid({ key }: VmCommands): string | undefined {
    return this.#options.snapshot().vms[key]?.domain?.uuid;
  }

  #decide({ key, slot }: VmCommands, word: CommandWord): Decision {
    const { snapshot, missing } = this.#options;
    return decideFor(key, word, snapshot(), slot.guest.verdict, missing);
  }

  #begin({ desk, command, ticket }: Admitted, action: JobAction): void {
    const { policy, slot, offAt } = desk;
    const now = this.#clock.now();
    const begun = begin(
      {
        word: command.word as PowerWord,
        uuid: this.#uuid(desk) ?? '',
        asker: ticket,
        plan: planOf(command, policy, this.#options.pause ?? restartPause),
        call: callOf(action, command, policy),
        offFor: typeof offAt === 'number' ? now - offAt : null,
        guest: slot.guest,
      },
      now,
    );
    slot.begin(begun, ticket);
  }

  #beginLong({ desk, ticket }: Admitted, command: LoaderCommand): Rejection | null {
    const begun = desk.long.begin(ticket, command, () => this.#stays(desk.key));
    if ('code' in begun) return begun;
    this.#askers.accepted(ticket, command.word, begun.remaining);
    return null;
  }

  async #simple(desk: VmCommands, command: SimpleCommand, ticket: Ticket): Promise<void> {
    desk.simple += 1;
    const said = await this.#options.simple(desk.key, command).catch((error: Error) => error);
    desk.simple -= 1;
    this.#askers.end([ticket], simpleOutcome(said));
  }
}

type JobAction = Exclude<Action, BesideWord | LoaderWord | 'cancel'>;

function rejectionOf({ code, message }: Rejection): Rejection {
  return { code, message };
}

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
