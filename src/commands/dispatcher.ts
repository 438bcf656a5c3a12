import type { Wish } from '../model/check.ts';
import { failed, type Rejection, rejected, stopping, succeeded } from '../model/codes.ts';
import type { Command } from '../model/command.ts';
import { type BesideWord, type Call, interruption, type PowerWord, rowOf, runsAs } from '../model/commands.ts';
import type { Hold } from '../model/job/holding.ts';
import { amend, keepStart } from '../model/job/interrupt.ts';
import type { Step, Ticket } from '../model/job/job.ts';
import { type Decision, decideFor, firstCall, libvirtAway, type Policy, planOf, refusal } from '../model/policy.ts';
import type { Event, VmKey } from '../model/snapshot.ts';
import { type Clock, systemClock } from '../util/clock.ts';
import { type BeginLoaderJob, busy, JobPlace, type Occupant } from './job-place.ts';
import { PowerJob, type PowerParts } from './power-job.ts';
import { unknownVm } from './reader.ts';
import { RecentIds } from './recent-ids.ts';
import type { Replies, Request } from './responder.ts';
import { mostSimple, type SimpleCommands, simpleOutcome } from './simple.ts';

export interface DispatcherOptions extends PowerParts {
  vms: Readonly<Record<VmKey, Policy>>;
  readOnly: boolean;
  simple?: SimpleCommands;
  loader?: BeginLoaderJob;
  replies: Replies;
  /** Of a VM, if it has had commands before. */
  recentIds?: ((key: VmKey) => RecentIds) | undefined;
}

interface VmCommands {
  key: VmKey;
  policy: Policy;
  place: JobPlace;
  recentIds: RecentIds;
  simple: number;
}

/** What a command gets from the order of several VMs. */
export interface Ordering {
  /** Before a shutdown. */
  hold?: Hold;
  /** What the VM is meant to be stays as it is. */
  keepsWish?: boolean;
}

/** A command that has passed the checks that do not depend on the VM. */
interface Accepted {
  vm: VmCommands;
  command: Command;
  ticket: Ticket;
  hold: Hold | undefined;
  wish: Wish | undefined;
}

/** Takes commands, starts their jobs, and answers each one: at once, and when its job has ended. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #clock: Clock;
  readonly #vms: ReadonlyMap<VmKey, VmCommands>;
  /** Commands without a final response so far. */
  readonly #open = new Set<Ticket>();
  #closed = false;

  constructor(options: DispatcherOptions) {
    const { vms, clock = systemClock, recentIds = () => new RecentIds() } = options;
    const vm = (key: VmKey, policy: Policy): VmCommands => {
      const place = new JobPlace(new PowerJob(key, policy, options));
      return { key, policy, place, recentIds: recentIds(key), simple: 0 };
    };
    this.#options = options;
    this.#clock = clock;
    this.#vms = new Map(Object.entries(vms).map(([key, policy]) => [key, vm(key, policy)]));
  }

  /** A command has no final response yet. */
  get busy(): boolean {
    return this.#open.size > 0;
  }

  /** Writes the libvirt call before it returns, unless earlier calls are stuck. */
  submit(request: Request, command: Command, { hold, keepsWish = false }: Ordering = {}): void {
    const { key } = request;
    const vm = this.#vms.get(key);
    const refused = vm ? this.#refusal(vm, command) : unknownVm(key);
    if (!vm || refused) {
      this.#options.replies.ended(request, rejected(refused ?? unknownVm(key)));
      return;
    }
    const ticket = this.#ticket(request, command);
    const wish = keepsWish ? undefined : rowOf(command.word).expects;
    const rejection = this.#place({ vm, command, ticket, hold, wish });
    if (rejection) {
      ticket.ended(rejected(rejection));
      return;
    }
    if (command.id !== null) vm.recentIds.take(command.id, this.#clock.now());
    this.#wish(vm, wish);
  }

  /** Ends the wait of a shutdown for other VMs. */
  release(key: VmKey): void {
    this.#vms.get(key)?.place.power.release();
  }

  /** Must receive every event, after the snapshot has taken it. */
  hear(event: Event): void {
    if (event.type === 'hypervisor_up' || event.type === 'hypervisor_down') {
      for (const { place } of this.#vms.values()) place.power.hear(event);
    } else if ('key' in event) this.#vms.get(event.key)?.place.power.hear(event);
  }

  close(): void {
    this.#closed = true;
    for (const { place } of this.#vms.values()) place.power.close();
    for (const ticket of this.#open) ticket.ended(stopping);
  }

  /** Sends nothing after the final response. */
  #ticket(request: Request, command: Command): Ticket {
    const { replies } = this.#options;
    const ticket: Ticket = {
      command,
      accepted: remaining => replies.accepted(request, command.word, remaining),
      progress: (code, message, remaining) => {
        if (this.#open.has(ticket)) replies.progress(request, code, message, remaining);
      },
      ended: outcome => {
        if (this.#open.delete(ticket)) replies.ended(request, outcome);
      },
    };
    this.#open.add(ticket);
    return ticket;
  }

  #wish({ key }: VmCommands, wish: Wish | undefined): void {
    if (wish === undefined || wish === this.#options.snapshot().vms[key]?.wish) return;
    this.#options.emit({ type: 'wished', key, wish });
  }

  #refusal({ policy, recentIds }: VmCommands, command: Command): Rejection | null {
    const refused = this.#refusalNow(policy, command);
    if (refused || command.id === null) return refused;
    const now = this.#clock.now();
    if (recentIds.has(command.id, now)) {
      return { code: 'duplicate', message: 'a command with this id was carried out already' };
    }
    if (recentIds.hasRoom(now)) return null;
    return { code: 'busy', message: 'too many ids of the last 10 minutes are remembered: wait, or leave the id out' };
  }

  /** What can still refuse a waiting command. */
  #refusalNow(policy: Policy, command: Command): Rejection | null {
    if (this.#closed) return { code: 'busy', message: 'the bridge is stopping' };
    return refusal(command, policy, this.#options.readOnly, this.#clock.date());
  }

  /** Puts the command into the free job place, or beside, after, or instead of the running job. */
  #place(accepted: Accepted): Rejection | null {
    const { vm, command, ticket } = accepted;
    const { occupant } = vm.place;
    if (!occupant) return this.#carryOut(accepted);
    switch (interruption(occupant.occupation, command.word)) {
      case 'beside':
        return this.#carryOut(accepted);
      case 'busy':
        return busy(occupant);
      case 'end':
        return this.#end(accepted, occupant);
      case 'drop':
        return this.#drop(accepted);
      case 'replace':
        return occupant.occupation === 'rebuild' ? this.#replaceLoader(accepted, occupant) : this.#replace(accepted);
      case 'amend': {
        const { timeout } = planOf(command, vm.policy, 0);
        const amendment = { ticket, timeout, onTimeout: command.onTimeout };
        return this.#join(accepted, occupant, job => amend(job, amendment, this.#clock.now()));
      }
      case 'keep':
        return this.#join(accepted, occupant, job => keepStart(job, ticket));
    }
  }

  #end({ vm, ticket }: Accepted, occupant: Occupant): Rejection | null {
    const ends = vm.place.end('cancelled', ticket, ({ status, message }) => {
      ticket.ended(succeeded(status === 'cancelled' ? 'done' : 'already', message));
      // After a loader's job another command may have its place already.
      if (status === 'cancelled' && !vm.place.occupant) this.#stays(vm);
    });
    return ends ? null : busy(occupant);
  }

  /** Ends the running job, unless the new command cannot be carried out. */
  #replace(accepted: Accepted): Rejection | null {
    const decision = this.#decide(accepted.vm, accepted.command);
    return decision.do === 'reject' ? decision : (this.#supersede(accepted) ?? this.#carryOut(accepted));
  }

  /** It only cancels a start, which needs no libvirt. */
  #drop(accepted: Accepted): Rejection | null {
    const rejection = this.#supersede(accepted);
    if (!rejection) accepted.ticket.ended(succeeded('already', 'it is off, and is not started'));
    return rejection;
  }

  #supersede({ vm, ticket }: Accepted): Rejection | null {
    vm.place.end('superseded', ticket, () => {});
    // The sender, just answered, may already have given the next command.
    return vm.place.occupant && busy(vm.place.occupant);
  }

  /** Runs the command after the loader's job has ended, if it is still possible then. */
  #replaceLoader(accepted: Accepted, occupant: Occupant): Rejection | null {
    const { vm, command, ticket, wish } = accepted;
    if (this.#isAway) return libvirtAway;
    const uuid = this.#uuid(vm);
    const ends = vm.place.end('superseded', ticket, () => {
      if (this.#uuid(vm) !== uuid) {
        ticket.ended(failed('domain_gone', 'the domain was replaced by another'));
        return;
      }
      // It came in time: to end a loader's job may take minutes.
      const rejection = this.#refusalNow(vm.policy, { ...command, expiresAt: null }) ?? this.#place(accepted);
      if (rejection) ticket.ended(rejected(rejection));
      // The end of the loader's job has changed the VM's wish.
      else this.#wish(vm, wish);
    });
    return ends ? null : busy(occupant);
  }

  /** The VM is meant to stay as it is. */
  #stays(vm: VmCommands): void {
    this.#wish(vm, this.#options.snapshot().vms[vm.key]?.domain?.active ? 'running' : 'off');
  }

  #join({ vm, ticket }: Accepted, occupant: Occupant, join: (job: NonNullable<PowerJob['job']>) => Step | null) {
    if (this.#isAway) return libvirtAway;
    const { power } = vm.place;
    const joined = power.job && join(power.job);
    if (!joined?.job) return busy(occupant);
    ticket.accepted(Math.max(0, joined.job.deadline - this.#clock.now()));
    power.apply(joined);
    return null;
  }

  #carryOut(accepted: Accepted): Rejection | null {
    const { vm, command, ticket } = accepted;
    const { word } = command;
    const decision = this.#decide(vm, command);
    if (decision.do === 'reject') return decision;
    if (decision.do === 'nothing') {
      ticket.ended(succeeded('already', decision.message));
      return null;
    }
    if (runsAs('power', word)) {
      this.#begin(accepted, word, decision.call);
      return null;
    }
    if (runsAs('beside', word)) return this.#simple(accepted, word);
    if (runsAs('loader', word)) {
      const { loader: begin } = this.#options;
      if (!begin) return { code: 'not_allowed', message: 'no loader is configured' };
      return vm.place.beginLoader({ command: { ...command, word }, ticket, begin }, () => this.#stays(vm));
    }
    ticket.ended(succeeded('already', 'nothing is under way'));
    return null;
  }

  /** libvirt is away: no command waits for it. */
  get #isAway(): boolean {
    return !this.#options.snapshot().hypervisor.up;
  }

  #uuid({ key }: VmCommands): string | undefined {
    return this.#options.snapshot().vms[key]?.domain?.uuid;
  }

  #decide({ key, place }: VmCommands, { word }: Command): Decision {
    const { snapshot, missing } = this.#options;
    return decideFor(key, word, snapshot(), place.power.guest.verdict, missing);
  }

  #begin({ vm, command, ticket, hold }: Accepted, word: PowerWord, call: Call | null): void {
    const uuid = this.#uuid(vm) ?? '';
    if (call) vm.place.power.begin({ word, call: firstCall(command, vm.policy, call), command, uuid, ticket, hold });
  }

  #simple({ vm, command, ticket }: Accepted, word: BesideWord): Rejection | null {
    const carryOut = this.#options.simple?.[word];
    if (!carryOut) return { code: 'not_allowed', message: `'${word}' needs the bridge` };
    if (vm.simple >= mostSimple) return { code: 'busy', message: `${mostSimple} others like it are under way` };
    vm.simple += 1;
    void carryOut(vm.key, command)
      .catch((error: Error) => error)
      .then(said => {
        vm.simple -= 1;
        ticket.ended(simpleOutcome(said));
      });
    return null;
  }
}
