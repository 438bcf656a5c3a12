import { Dispatcher, type SimpleCommand } from '../../src/commands/dispatcher.ts';
import type { Request } from '../../src/commands/responder.ts';
import type { Verdict } from '../../src/model/check.ts';
import { codes, type Outcome } from '../../src/model/codes.ts';
import type { Command } from '../../src/model/command.ts';
import type { CommandWord } from '../../src/model/commands.ts';
import type { Domain } from '../../src/model/domain.ts';
import type { Event } from '../../src/model/event.ts';
import type { Call, CallFailure } from '../../src/model/job/job.ts';
import type { Policy } from '../../src/model/policy.ts';
import { reduce } from '../../src/model/reduce.ts';
import type { Activity, Snapshot } from '../../src/model/snapshot.ts';
import { Clockwork, settler } from './clockwork.ts';
import { checkOf, snapshotOf } from './samples.ts';
import { causes } from './stories.ts';

/**
 * Everything around `Dispatcher`, played: libvirt, the guest, the senders and both clocks. It watches that none of the
 * promises is broken, and says which one was.
 */

export interface Rules {
  policy: Policy;
  readOnly: boolean;
  pause: number;
  /** What becomes of reading a domain again. */
  reads: 'works' | 'fails' | 'hangs';
  /** libvirt takes every call at once; false: when the story says so. */
  takes: boolean;
  /** When DSM closes its ports, monotonic milliseconds; null: a probe is answered when the story says so. */
  closesAt: number | null;
  /** Checks run. */
  checks: boolean;
}

/** One command and all that came of it. */
interface Sent {
  key: string;
  word: CommandWord;
  command: Command;
  at: number;
  accepted: boolean;
  /** Rejected before `submit` returned. */
  turnedAway: boolean;
  outcome: Outcome | null;
  /** It is to start when this one has ended. */
  after: Sent | null;
  job: Job;
}

/** What those who are answered together share. */
interface Job {
  at: number;
  /** The wall clock at monotonic 0, as it was when the job began. */
  epoch: number;
  calls: Made[];
  /** For the guest, to power off. */
  deadline: number;
  cuts: boolean;
  presses: number;
  lastPress: number;
  closing: boolean;
  told: Told;
  /** The guest is known to hear, and presses since then. */
  hears: boolean;
  heard: number;
  /** Presses since power on with nothing that would tell. */
  blind: number;
}

/** What the checks tell of DSM, or the last that they have told since a job began. */
interface Told {
  verdict: Verdict;
  until: number;
  wasUp: boolean;
}

/** A libvirt call. */
interface Made {
  key: string;
  call: Call;
  open: boolean;
  answer: CallFailure['kind'] | 'done' | null;
  settle: (failure: CallFailure | null | Error) => void;
}

const keys = ['DSM', 'other'] as const;
const day = 86_400_000;
const patience = 600_000;
const leastBeforeCut = 60_000;
/** A verdict of which no other follows is believed for so long. */
const belief = 300_000;
const notDsms: readonly Verdict[] = ['updating', 'recoverable', 'installer', 'loader'];

const activities: Partial<Record<CommandWord, Activity>> = {
  ...({ start: 'starting', resume: 'starting', shutdown: 'shutting_down', force_off: 'shutting_down' } as const),
  ...({ reboot: 'rebooting', reset: 'rebooting', suspend: 'none' } as const),
};

export class World extends Clockwork {
  readonly sent: Sent[] = [];
  readonly calls: Made[] = [];
  readonly probes: ((open: boolean | Error) => void)[] = [];
  readonly simples: ((said: string | CallFailure | Error) => void)[] = [];
  /** What happened, in words; for whoever asks whether all of it was reached. */
  readonly seen: Set<string>;
  readonly #rules: Rules;
  readonly #jobs: Dispatcher;
  readonly #requests = new Map<Request, Sent>();
  /** What libvirt would say now. */
  readonly #real: Record<string, Domain | null>;
  /** When it was seen to stop. */
  readonly #offAt = new Map<string, number | null>();
  readonly #told: Record<string, Told> = { DSM: nothingTold, other: nothingTold };
  #snapshot: Snapshot = snapshotOf();
  #submitting: Sent | null = null;
  #boots = 0;
  #closed = false;

  constructor(rules: Rules, seen: Set<string>) {
    super();
    this.#rules = rules;
    this.seen = seen;
    this.#real = Object.fromEntries(keys.map(key => [key, this.#snapshot.vms[key]?.domain ?? null]));
    this.#jobs = new Dispatcher({
      ...{ vms: { DSM: rules.policy, other: rules.policy }, readOnly: rules.readOnly, pause: rules.pause },
      snapshot: () => this.#snapshot,
      emit: this.dispatch,
      clock: { now: () => this.now, date: () => new Date(this.date) },
      call: (key, call) => this.#call(key, call),
      read: key => this.#read(key),
      missing: () => 'libvirt has no such domain',
      portsOpen: key => this.#probe(key),
      simple: (_, command) => this.#simple(command),
      replies: {
        accepted: (request, _, remaining) => this.#accepted(this.#of(request), remaining),
        progress: (request, code, _, remaining) => this.#progress(this.#of(request), code, remaining),
        ended: (request, outcome) => this.#ended(this.#of(request), outcome),
      },
    });
    for (const key of keys) this.#look(key);
  }

  submit(key: string, command: Command): void {
    const { word, id, by } = command;
    const request: Request = {
      ...{ key, command: word, id, by, responseTopic: null, correlationData: null },
      ...{ reply: null, receivedAt: this.now },
    };
    const twin = this.sent.some(
      other =>
        id !== null &&
        !other.turnedAway &&
        other.key === key &&
        other.command.id === id &&
        this.now - other.at < patience,
    );
    const sent: Sent = {
      ...{ key, word, command, at: this.now, accepted: false, turnedAway: false, outcome: null },
      ...{ after: null, job: this.#begun(key, command) },
    };
    this.sent.push(sent);
    this.#requests.set(request, sent);
    this.#submitting = sent;
    const before = this.calls.length;
    const waiting = this.#live(key).length;
    this.#jobs.submit(request, command);
    this.#submitting = null;
    sent.turnedAway = sent.outcome?.status === 'rejected';
    if (sent.turnedAway && this.#live(key).length < waiting) this.broken(`given up for ${word}, which is rejected`);
    if (!twin) return;
    const reasons = ['duplicate', 'expired', 'read_only', 'not_allowed'];
    if (!sent.outcome || !reasons.includes(sent.outcome.code)) this.broken('an id is taken twice');
    if (this.calls.length > before) this.broken('a duplicate calls libvirt');
  }

  readonly dispatch = (event: Event): void => {
    if (event.type === 'domain') {
      if (event.domain?.active) this.#offAt.set(event.key, null);
      else if (this.#offAt.get(event.key) === null) this.#offAt.set(event.key, this.now);
    }
    const before = this.#snapshot;
    this.#snapshot = reduce(before, event);
    this.#jobs.hear(event);
    if (event.type !== 'domain' && event.type !== 'rebooted') return;
    const [was, is] = [before, this.#snapshot].map(({ vms }) => vms[event.key]?.domain ?? null);
    if (event.type === 'domain' && was?.active === is?.active && was?.uuid === is?.uuid) return;
    this.#told[event.key] = nothingTold;
    this.examine(event.key, is?.active ? 'booting' : 'off');
  };

  /** A check of DSM, if there are any. */
  examine(key: string, verdict: Verdict): void {
    const running = this.#snapshot.vms[key]?.domain?.active === true;
    const told = this.#told[key] ?? nothingTold;
    if (!this.#rules.checks || running === (verdict === 'off')) return;
    const wasUp = told.wasUp || verdict === 'up';
    const now: Told = { verdict: verdict === 'off' ? 'unknown' : verdict, until: this.now + belief, wasUp };
    this.#told[key] = now;
    for (const { job } of this.#live(key)) {
      if (now.verdict !== 'unknown') job.told = now;
      job.hears ||= wasUp;
    }
    const at = this.iso;
    this.dispatch({ type: 'checked', key, check: { ...checkOf(verdict), checkedAt: at, wasUp }, at });
  }

  /** The wall clock is set. The next check goes by it. */
  setWall(by: number): void {
    this.wall += by;
    for (const key of keys) this.examine(key, this.#told[key]?.verdict ?? 'unknown');
  }

  /** `told` false: without an event, so that only a read will find out. */
  become(key: string, domain: Domain | null, told: boolean): void {
    this.#real[key] = domain;
    if (told) this.#look(key);
  }

  /** libvirt comes and goes; when it comes, it is read before it counts as there. */
  hypervisor(up: boolean): void {
    if (up === this.#snapshot.hypervisor.up) return;
    if (up) for (const key of keys) this.#look(key);
    const { info } = this.#snapshot.hypervisor;
    if (up && info) this.dispatch({ type: 'hypervisor_up', info });
    if (!up) this.dispatch({ type: 'hypervisor_down', reason: 'killed' });
  }

  rebooted(key: string): void {
    const anew: Partial<Job> = { told: nothingTold, closing: false, hears: false, heard: 0, blind: 0 };
    for (const { job } of this.#live(key)) Object.assign(job, anew);
    this.#told[key] = nothingTold;
    this.#boots += 1;
    this.dispatch({ type: 'rebooted', key, at: this.iso });
  }

  /** The latest call but so many. */
  latest(key: string, but = 0): Made | undefined {
    return this.calls.filter(made => made.key === key).at(-1 - but);
  }

  protected inspect(): void {
    if (this.#closed) return;
    for (const key of keys) this.#check(key);
    const jobs = keys.filter(key => this.#live(key).length > 0).length;
    if (this.timers.size !== jobs) this.broken(`${this.timers.size} timers for ${jobs} jobs`);
  }

  /** Time enough for every job to end, whatever libvirt and the guest do. */
  async end(): Promise<void> {
    for (let turn = 0; turn < 3; turn += 1) await this.pass(day);
    for (const key of keys) if (this.#live(key).length > 0) this.broken('a job goes on for ever');
    await this.settle();
  }

  /** And every command must have had its last word. */
  async close(): Promise<void> {
    this.#jobs.close();
    this.#closed = true;
    if (this.timers.size > 0) this.broken('a timer outlives its jobs');
    const made = this.calls.length;
    for (const { settle } of this.calls) settle(null);
    for (const settle of [...this.probes, ...this.simples]) settle(new Error('closed'));
    for (const key of keys) this.#look(key);
    await this.settle();
    this.#jobs.close();
    if (this.timers.size > 0 || this.calls.length > made) this.broken('something goes on after the end');
    for (const { word, outcome } of this.sent) if (!outcome) this.broken(`${word} has had no last word`);
    await this.settle();
  }

  #of(request: Request): Sent {
    const sent = this.#requests.get(request);
    if (!sent) throw new Error('an answer to nobody');
    return sent;
  }

  /** Those whose command holds the VM's one job place, the first one first. */
  #live(key: string): Sent[] {
    return this.sent.filter(sent => sent.key === key && sent.accepted && !sent.outcome);
  }

  #begun(key: string, { word, timeout, onTimeout }: Command): Job {
    const { shutdown } = this.#rules.policy;
    const cuts = (onTimeout ?? (word === 'shutdown' ? shutdown.onTimeout : 'report')) === 'force_off';
    const least = cuts ? leastBeforeCut : 0;
    const deadline = this.now + Math.max(timeout ?? shutdown.timeout, least);
    const lastPress = Number.NEGATIVE_INFINITY;
    const told = this.#told[key] ?? nothingTold;
    return {
      ...{ at: this.now, epoch: this.wall, calls: [], deadline, cuts, presses: 0, lastPress },
      ...{ closing: false, told, hears: told.wasUp, heard: 0, blind: 0 },
    };
  }

  #accepted(sent: Sent, remaining: number): void {
    if (sent.accepted || sent.outcome) this.broken(`${sent.word} is accepted when all is said`);
    if (!(remaining >= 0 && Number.isFinite(remaining))) this.broken(`${remaining} ms remain`);
    const [first] = this.#live(sent.key);
    if (first?.word === 'shutdown' && sent.word === 'shutdown') {
      const { timeout, onTimeout } = sent.command;
      const { job } = first;
      if (onTimeout) job.cuts = onTimeout === 'force_off';
      const sooner = Math.min(job.deadline, this.now + (timeout ?? this.#rules.policy.shutdown.timeout));
      job.deadline = Math.max(sooner, job.cuts ? job.at + leastBeforeCut : 0);
      sent.job = job;
      this.seen.add('amended');
    }
    if (first && sent.word === 'start') sent.after = first;
    sent.accepted = true;
    const words = this.#live(sent.key).map(({ word }) => word);
    const starts = words.filter(word => word === 'start').length;
    const fits = words.length === 1 || (starts <= 1 && words.every(word => word === 'start' || word === 'shutdown'));
    if (!fits || (starts > 0 && words[0] === 'start' && words.length > 1)) this.broken(`at once: ${words}`);
  }

  #progress(sent: Sent, code: string, remaining: number): void {
    if (!sent.accepted || sent.outcome) this.broken(`${sent.word} makes progress before or after all`);
    if (!Object.hasOwn(codes.progress, code)) this.broken(`unknown progress ${code}`);
    if (!(remaining >= 0 && Number.isFinite(remaining))) this.broken(`${remaining} ms remain`);
    const [first] = this.#live(sent.key);
    const ofThePress = ['pressed', 'closing', 'amended', 'not_heard', 'updating'].includes(code);
    if (ofThePress && first && remaining !== Math.max(0, first.job.deadline - this.now)) {
      this.broken(`${code}: ${remaining} ms remain, not ${first.job.deadline - this.now}`);
    }
    if (code === 'closing') sent.job.closing = true;
    this.seen.add(`progress/${code}`);
  }

  #ended(sent: Sent, outcome: Outcome): void {
    const { word, job } = sent;
    if (sent.outcome) this.broken(`${word} has two last words`);
    if (!Object.hasOwn(codes[outcome.status], outcome.code)) this.broken(`unknown code ${outcome.code}`);
    if (outcome.message === '') this.broken(`nothing said of ${outcome.code}`);
    const left = job.calls.some(({ answer }) => answer !== 'rejected');
    if (outcome.status === 'rejected' && left) this.broken(`${word} is rejected, and libvirt was asked`);
    this.#agree(sent, outcome);
    sent.outcome = outcome;
    this.seen.add(`${word} ${outcome.status}/${outcome.code}`);
  }

  /** What is said must be so. */
  #agree({ key, word, job: { calls, deadline }, accepted }: Sent, { status, code, message }: Outcome): void {
    const { domain = null } = this.#snapshot.vms[key] ?? {};
    const answer = calls.at(-1)?.answer;
    const locked = !this.#rules.policy.commands.includes('force_off') && message.includes('power');
    if (code === 'libvirt_error' && accepted && !locked && answer !== 'failed' && answer !== 'rejected') {
      this.broken(`${word}: libvirt is blamed for ${message}`);
    }
    const pressing = word === 'shutdown' && calls.at(-1)?.call === 'press';
    if (code === 'timed_out' && pressing && this.now < deadline) this.broken('it gives up too soon');
    if (status !== 'succeeded') return;
    const stops = word === 'shutdown' || word === 'force_off';
    if (stops && domain?.active) this.broken(`${word} has succeeded, and it runs`);
    const runs = word === 'start' || word === 'resume' || word === 'reboot' || word === 'suspend';
    if (runs && !domain?.active) this.broken(`${word} has succeeded, and it is off`);
  }

  #call(key: string, call: Call): Promise<CallFailure | null> {
    if (!this.#snapshot.hypervisor.up) this.broken(`${call} while libvirt is away`);
    if (this.#rules.readOnly || this.#closed) this.broken(`${call}, read-only or closed`);
    const waiting = this.#submitting;
    const asking = waiting && waiting.key === key && !waiting.outcome && !waiting.accepted ? [waiting] : [];
    const owners = [...this.#live(key), ...asking].filter(({ word }) => causes[call].includes(word));
    const [owner] = owners;
    if (!owner) {
      this.broken(`nobody has asked for ${call}`);
      return Promise.resolve(null);
    }
    if (!this.#rules.policy.commands.includes(owner.word)) this.broken(`${call} is not allowed`);
    if (call === 'press') this.#press(owner.job);
    if (call === 'cut_power') this.#cut(owner.word, owner.job);
    if (call === 'start') this.#start(owner);
    this.seen.add(`${owner.word} calls ${call}`);
    return new Promise((resolve, reject) => {
      const settle = settler(resolve, reject);
      const made: Made = {
        ...{ key, call, open: true, answer: null },
        settle: failure => {
          if (!made.open) return;
          made.open = false;
          made.answer = failure instanceof Error ? 'failed' : (failure?.kind ?? 'done');
          settle(failure);
        },
      };
      this.calls.push(made);
      owner.job.calls.push(made);
      if (this.#rules.takes) made.settle(null);
    });
  }

  #verdict({ told: { verdict, until } }: Job): Verdict {
    return this.now < until ? verdict : 'unknown';
  }

  #press(job: Job): void {
    const { shutdown, watchPorts } = this.#rules.policy;
    const { maxPresses, resendEvery } = shutdown;
    job.presses += 1;
    if (job.hears) job.heard += 1;
    if (!watchPorts && job.told.verdict === 'unknown') job.blind += 1;
    if (Math.max(job.heard, job.blind) > maxPresses) this.broken('pressed too often');
    if (job.presses > maxPresses) this.seen.add('pressed, and it does not count');
    if (this.#verdict(job) === 'updating') this.broken('pressed while DSM updates');
    if (this.now - job.lastPress < resendEvery) this.broken('pressed too soon');
    if (job.closing) this.broken('pressed though its ports have closed');
    job.lastPress = this.now;
  }

  #cut(word: CommandWord, job: Job): void {
    const { commands } = this.#rules.policy;
    if (!commands.includes('force_off')) this.broken('its power is cut, which is not allowed');
    if (word === 'force_off') return;
    const verdict = this.#verdict(job);
    if (verdict === 'updating' || verdict === 'recoverable') this.broken(`its power is cut while DSM is ${verdict}`);
    if (!job.cuts) this.broken('its power is cut, which nobody asked for');
    if (this.now - job.at < leastBeforeCut) this.broken('its power is cut within a minute');
    if (this.now < job.deadline) this.broken('its power is cut before its time is up');
  }

  #start({ key, after }: Sent): void {
    const offAt = this.#offAt.get(key) ?? null;
    if (offAt !== null && this.now - offAt < this.#rules.pause) this.broken('started without a pause');
    if (after?.outcome && after.outcome.status !== 'succeeded') this.broken('started, though it was not shut down');
  }

  #look(key: string): void {
    this.dispatch({ type: 'domain', key, domain: this.#real[key] ?? null, at: this.iso });
  }

  async #read(key: string): Promise<void> {
    const { reads } = this.#rules;
    if (reads === 'hangs') return new Promise(() => {});
    if (reads === 'fails') throw new Error('no read');
    if (this.#snapshot.hypervisor.up && !this.#closed) this.#look(key);
  }

  #probe(key: string): Promise<boolean> {
    const { closesAt } = this.#rules;
    const boots = this.#boots;
    const [asking] = this.#live(key);
    const job = asking?.job ?? this.#submitting?.job;
    const told = (open: boolean | Error): void => {
      if (!job || open !== true || boots !== this.#boots) return;
      if (!notDsms.includes(this.#verdict(job))) job.hears = true;
    };
    if (closesAt !== null) {
      told(this.now < closesAt);
      return Promise.resolve(this.now < closesAt);
    }
    return new Promise((resolve, reject) => {
      const settle = settler<boolean>(resolve, reject);
      this.probes.push(open => {
        told(open);
        settle(open);
      });
    });
  }

  #simple({ word }: SimpleCommand): Promise<string | CallFailure> {
    this.seen.add(`simple ${word}`);
    return new Promise((resolve, reject) => this.simples.push(settler(resolve, reject)));
  }

  /** What the snapshot says of a VM, against what was told to those who wait. */
  #check(key: string): void {
    const vm = this.#snapshot.vms[key];
    const live = this.#live(key);
    const [first] = live;
    const work = vm?.work ?? null;
    if (!first) {
      if (work) this.broken(`${work.activity}, though nobody waits for it`);
      if (vm?.asked?.open) this.broken('a stop is still asked for, and nobody waits for it');
      return;
    }
    if (!work || work.activity !== activities[first.word]) {
      this.broken(`${first.word} shows as ${work?.activity}`);
      return;
    }
    if (work.startAfterOff !== live.some(({ word }) => word === 'start' && word !== first.word)) {
      this.broken('a start is kept and not shown, or the other way round');
    }
    if (Number.isNaN(Date.parse(work.deadline)) || Number.isNaN(Date.parse(work.since))) this.broken('no time');
    const { epoch, deadline } = first.job;
    if (work.attempt !== null && work.deadline !== new Date(epoch + deadline).toISOString()) {
      this.broken(`${work.deadline} is not when it gives up`);
    }
    if (work.attempt !== null && work.attempt !== first.job.presses) this.broken(`${work.attempt} presses are shown`);
  }
}

const nothingTold: Told = { verdict: 'unknown', until: 0, wasUp: false };
