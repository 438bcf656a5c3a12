import { EventEmitter } from 'node:events';
import type { IPublishPacket } from 'mqtt';
import { Bridge, type BridgeParts } from '../../src/bridge/bridge.ts';
import { EventPublisher } from '../../src/bridge/event-publisher.ts';
import { Dispatcher, type DispatcherOptions } from '../../src/commands/dispatcher.ts';
import type { BeginLoaderJob } from '../../src/commands/job-place.ts';
import { type Request, Responder, type ResponseDocument } from '../../src/commands/responder.ts';
import type { VmPower } from '../../src/commands/vm-power.ts';
import type { CallOptions } from '../../src/libvirt/calls.ts';
import type { Libvirt } from '../../src/libvirt/client.ts';
import { ConnectionLost, LibvirtError, TimeoutError } from '../../src/libvirt/errors.ts';
import type { DomainRef } from '../../src/libvirt/structs.ts';
import type { Verdict } from '../../src/model/check.ts';
import { cancelled, failed, type Outcome, succeeded } from '../../src/model/codes.ts';
import type { Command, TimeoutPolicy } from '../../src/model/command.ts';
import { type Call, type CommandWord, commandWords, runsAs } from '../../src/model/commands.ts';
import type { Domain } from '../../src/model/domain.ts';
import type { Policy } from '../../src/model/policy.ts';
import { emptyVm } from '../../src/model/snapshot.ts';
import { State, States } from '../../src/model/state.ts';
import { type Publication, topics as topicsOf } from '../../src/model/topics.ts';
import { MqttClient } from '../../src/mqtt/client.ts';
import { readMessage } from '../../src/mqtt/packets.ts';
import { silent } from '../../src/util/logger.ts';
import { callPower } from '../../src/vm/power.ts';
import { Clockwork, settler } from '../model/clockwork.ts';
import { checkOf, domain, off, otherUuid, snapshotOf, uuid } from '../model/samples.ts';
import { causes } from '../model/stories.ts';

/**
 * The bridge from a packet of the broker to a call of libvirt's client, with everything around it played: the broker,
 * libvirt, the guest, the checks, both clocks. It knows what each sender meant, and watches from outside that no call
 * and no answer breaks a promise of docs/safety.md and docs/commands.md.
 */

export interface Rules {
  policy: Policy;
  readOnly: boolean;
  /** Of MQTT, as the bridge's session has it. */
  version: 4 | 5;
  /** What becomes of reading a domain again. */
  reads: 'works' | 'fails' | 'hangs';
  /** libvirt takes every call at once; false: when the story says so. */
  takes: boolean;
  /** Checks run. */
  checks: boolean;
}

/** What somebody means to send. */
export interface Meant {
  key: string;
  /** Null: it is no command, whatever it looks like. */
  word: CommandWord | null;
  id: string | null;
  onTimeout: TimeoutPolicy | null;
  /** Milliseconds since 1970. */
  expiresAt: number | null;
}

/** As a sender gives it to the broker. */
export type Packet = Pick<IPublishPacket, 'topic' | 'retain' | 'properties'> & { payload: string };

/** A command that has come to the bridge, and all that came of it. */
interface Sent extends Meant {
  /** The process that it came to. */
  life: number;
  /** It came with the retain flag, or as one that came before. */
  refused: 'retained' | 'duplicate' | null;
  /** How the bridge found the world when it took it in hand; null: it has not yet. */
  taken: { at: number; date: number; up: boolean; uuid: string | null } | null;
  /** When its job began, monotonic milliseconds. */
  begunAt: number | null;
  accepted: boolean;
  /** It was not rejected at once. */
  counts: boolean;
  finals: Outcome[];
  calls: Made[];
  /** Where its answers go beside the VM's own topic. */
  responseTopic: string | null;
  correlationData: Buffer | null;
}

/** A libvirt call. */
interface Made {
  key: string;
  call: Call;
  uuid: string;
  owner: Sent | null;
  /** It is on its way to libvirt. */
  left: boolean;
  open: boolean;
  /** libvirt has said that it did not do it. */
  refused: boolean;
  settle: (failure: Error | null) => void;
}

/** One process of the bridge. */
interface Life {
  number: number;
  bridge: Bridge;
  mqtt: MqttClient;
  ownership: Ownership;
  state: State;
  dispatcher: Dispatcher;
  /** Rebuilds under way. */
  rebuilds: Set<AbortController>;
}

const keys = ['DSM', 'other'] as const;
const base = 'b';
const topics = topicsOf(base);
const reserved = [base, 'ha', 'hass/status'] as const;
const memory = 600_000;
const leastBeforeCut = 60_000;
const restartPause = 10_000;
/** A verdict of which no other follows is believed for so long. */
const belief = 300_000;
/** Seconds that a command may wait for the base topic to be the bridge's. */
const earlyLife = 5;
/** Bytes that MQTT 5's answers take along. */
const largestMark = 1_024;
const day = 86_400_000;
/** A call passes through more hands than a job alone. */
const turns = 24;

class Ownership extends EventEmitter {
  holding = false;
  hear(): boolean {
    return false;
  }
  begin(): void {
    this.holding = false;
  }
  lost(): void {
    this.holding = false;
  }
}

/** Says which command is being taken in hand. */
class TracedDispatcher extends Dispatcher {
  readonly #trace: (request: Request) => void;

  constructor(options: DispatcherOptions, trace: (request: Request) => void) {
    super(options);
    this.#trace = trace;
  }

  override submit(request: Request, command: Command): void {
    this.#trace(request);
    super.submit(request, command);
  }
}

export class World extends Clockwork {
  /** What happened, in words; for whoever asks whether all of it was reached. */
  readonly seen: Set<string>;
  readonly #rules: Rules;
  /** What libvirt would say now. */
  readonly #real = new Map<string, Domain | null>([
    ['DSM', domain],
    ['other', { ...off, uuid: otherUuid }],
  ]);
  /** What the broker keeps. */
  readonly #stored = new Map<string, [packet: Packet, meant: Meant]>();
  readonly #sent: Sent[] = [];
  /** Those that the bridge is yet to take in hand, the next one first. */
  #arriving: Sent[] = [];
  #calls: Made[] = [];
  /** Calls ever made. */
  #made = 0;
  readonly #requests = new Map<Request, Sent>();
  #simples: ((said: string | Error) => void)[] = [];
  #written: (() => void)[] = [];
  /** When it was seen to stop; null: it runs. */
  readonly #offAt = new Map<string, number | null>();
  readonly #presses = new Map<string, { since: string; at: number }>();
  readonly #told = new Map<string, { verdict: Verdict; until: number }>();
  #ports: boolean | null = true;
  #published: Publication[] = [];
  #last: [packet: Packet, meant: Meant] | null = null;
  #connected = false;
  /** libvirt's connection is there. */
  #linked = false;
  /** Calls wait behind others that libvirt does not answer. */
  #stuck = false;
  #life: Life;
  #closed = false;
  #lives = 0;
  #uuids = 0;

  constructor(rules: Rules, seen: Set<string>) {
    super();
    this.#rules = rules;
    this.seen = seen;
    this.#life = this.#begin();
  }

  /** The process starts, finds libvirt, and then the broker. */
  #begin(): Life {
    this.#lives += 1;
    const number = this.#lives;
    const empty = keys.map(key => [key, emptyVm(key, key)]);
    const state = new State(Object.fromEntries(empty));
    const mqtt = new MqttClient({ url: 'mqtt://b', clientId: 'b', subscriptions: [], logger: silent });
    const ownership = new Ownership();
    const send: ConstructorParameters<typeof Responder>[0]['send'] = publication => {
      if (life === this.#life) this.#published.push(publication);
      return true;
    };
    const events = new EventPublisher({ topics, send, logger: silent, now: () => this.now });
    const now = () => new Date(this.date);
    const responder = new Responder({ topics, send, notify: events.publish, logger: silent, now });
    const ended = responder.ended.bind(responder);
    // Every way in which a command ends comes by here.
    responder.ended = (request, outcome) => {
      this.#published = [];
      ended(request, outcome);
      this.#ended(this.#of(request), outcome);
    };
    const { policy, readOnly } = this.#rules;
    const clock = { now: () => this.now, date: () => this.date };
    const power: Pick<DispatcherOptions, 'snapshot' | 'call' | 'read' | 'missing' | 'portsOpen' | 'emit'> = {
      snapshot: () => state.snapshot,
      emit: state.dispatch,
      call: (key, call, how) => this.#call(life, key, call, how),
      read: key => this.#read(key),
      missing: () => 'libvirt has no such domain',
      portsOpen: async () => this.#ports,
    };
    const rebuilds = new Set<AbortController>();
    const loader: BeginLoaderJob = (key, command, place) => {
      if (!command.confirm) return { code: 'not_armed', message: 'it is not confirmed' };
      const end = new AbortController();
      const uuid = state.snapshot.vms[key]?.domain?.uuid ?? '';
      const steps = place.power(uuid);
      rebuilds.add(end);
      void this.#rebuild(state, key, steps, end.signal).then(outcome => {
        rebuilds.delete(end);
        place.ended(outcome);
      });
      return { within: day, cancel: () => end.abort() };
    };
    const simple = commandWords.filter(word => runsAs('beside', word)).map(word => [word, () => this.#simple(word)]);
    const dispatcher = new TracedDispatcher(
      {
        ...{ ...power, vms: { DSM: policy, other: policy }, readOnly, clock, loader },
        simple: Object.fromEntries(simple),
        replies: {
          accepted: (request, word, remaining) => {
            responder.accepted(request, word, remaining);
            this.#accepted(this.#of(request));
          },
          progress: (request, code, message, remaining) => {
            responder.progress(request, code, message, remaining);
            this.#progress(this.#of(request), code);
          },
          ended: responder.ended,
        },
      },
      request => void this.#of(request),
    );
    const nothing = { update: () => {}, all: () => {}, hear: () => {}, close: () => {} };
    const idle = { ...nothing, connected: () => {}, disconnected: () => {}, again: () => {} };
    const bridge = new Bridge({
      ...{ states: new States([state]), topics, statusTopic: 'hass/status', reserved, mqtt, responder, events },
      submit: (request, command) => dispatcher.submit(request, command),
      ownership: ownership as unknown as BridgeParts['ownership'],
      publisher: idle as unknown as BridgeParts['publisher'],
      announcer: idle as unknown as BridgeParts['announcer'],
      vmStore: idle as unknown as BridgeParts['vmStore'],
    });
    state.subscribe((event, before) => bridge.hear(event, before, state));
    state.subscribe(event => dispatcher.hear(event));
    bridge.start();
    const life: Life = { number, state, bridge, mqtt, ownership, dispatcher, rebuilds };
    this.#life = life;
    this.#closed = false;
    this.link(true);
    this.connect(true);
    return life;
  }

  // What happens.

  /** Somebody publishes: the broker stores it, and hands it on to those who listen. */
  publish(packet: Packet, meant: Meant): void {
    const { topic, payload, retain } = packet;
    if (retain && payload === '') this.#stored.delete(topic);
    else if (retain) this.#stored.set(topic, [packet, meant]);
    this.#last = [packet, meant];
    // A live message keeps the flag where the bridge has asked for that, which takes MQTT 5.
    if (this.#connected) this.#deliver(packet, meant, { retain: retain && this.#rules.version === 5, dup: false });
  }

  /** The broker has missed the acknowledgement. */
  again(): void {
    if (this.#connected && this.#last) this.#deliver(...this.#last, { retain: false, dup: true });
  }

  /** On this machine, without a broker. */
  local(payload: string, meant: Meant): void {
    const sent = this.#expect(meant, { refused: null, responseTopic: null, correlationData: null });
    this.#arriving.unshift(sent);
    let finals = 0;
    const reply = (response: object, final: boolean) => {
      if (final) finals += 1;
      const { status } = response as ResponseDocument;
      if (final !== (status !== 'accepted' && status !== 'progress')) this.broken(`${status}: final is ${final}`);
      if (finals > 1) this.broken('two final answers on this machine');
    };
    this.#life.bridge.submit(meant.key, payload, reply);
    this.#taken(sent);
  }

  /** The session with the broker begins or ends. With `soon`, the base topic is the bridge's at once. */
  connect(there: boolean, soon = true): void {
    const { mqtt } = this.#life;
    if (there === this.#connected) return;
    this.#connected = there;
    if (!there) {
      this.#arriving = [];
      mqtt.emit('disconnected', new Error('gone') as Parameters<typeof mqtt.emit<'disconnected'>>[1]);
      return;
    }
    mqtt.emit('connected', { version: '5.0', refused: [] });
    if (soon) this.grant();
    for (const [packet, meant] of this.#stored.values()) this.#deliver(packet, meant, { retain: true, dup: false });
  }

  /** No other bridge is meant. */
  grant(): void {
    const { ownership } = this.#life;
    if (!this.#connected || ownership.holding) return;
    ownership.holding = true;
    ownership.emit('granted');
  }

  /** libvirt's connection breaks, with all calls in flight, or is made and all is read. `first`: the calls are told. */
  link(there: boolean, first = false): void {
    if (there === this.#linked) return;
    const { state } = this.#life;
    this.#linked = there;
    const lose = () => {
      for (const made of this.#open()) made.settle(new ConnectionLost('gone', { sent: made.left }));
    };
    if (!there) {
      if (first) lose();
      state.dispatch({ type: 'hypervisor_down', reason: 'gone' });
      if (!first) lose();
      this.#stuck = false;
      return;
    }
    for (const key of keys) this.#look(key);
    const { info } = snapshotOf().hypervisor;
    if (info) state.dispatch({ type: 'hypervisor_up', info });
  }

  /** libvirt does not answer what came before, so that what comes now does not leave. */
  stick(stuck: boolean): void {
    if (!this.#linked) return;
    this.#stuck = stuck;
    if (!stuck) for (const made of this.#open()) this.#leave(made);
  }

  /** The domain is otherwise, whoever did it. `told` false: without an event, so that only a read will find out. */
  become(key: string, is: Domain | null, told: boolean): void {
    this.#real.set(key, is);
    if (told) this.#look(key);
  }

  uuidOf(key: string): string {
    return this.#real.get(key)?.uuid ?? (key === 'DSM' ? uuid : otherUuid);
  }

  newUuid(): string {
    this.#uuids += 1;
    return `00000000-0000-4000-8000-${String(this.#uuids).padStart(12, '0')}`;
  }

  rebooted(key: string): void {
    this.#told.delete(key);
    if (!this.#linked) return;
    this.#life.state.dispatch({ type: 'rebooted', key, at: this.iso });
    this.examine(key, 'booting');
  }

  /** A check of DSM, if there are any. */
  examine(key: string, verdict: Verdict): void {
    const { state } = this.#life;
    const running = state.snapshot.vms[key]?.domain?.active === true;
    if (!this.#rules.checks || running === (verdict === 'off')) return;
    this.#told.set(key, { verdict, until: this.now + belief });
    state.dispatch({ type: 'checked', key, check: { ...checkOf(verdict), checkedAt: this.iso }, at: this.iso });
  }

  set ports(open: boolean | null) {
    this.#ports = open;
  }

  /** The latest call but so many that libvirt has not answered. */
  latest(key: string, but = 0): Made | undefined {
    return this.#open()
      .filter(made => made.key === key && made.left)
      .at(-1 - but);
  }

  /** What needs no slot has ended. */
  simple(said: string | Error): void {
    this.#simples.shift()?.(said);
  }

  /** The loader of a rebuild is written. */
  write(): void {
    for (const written of this.#written.splice(0)) written();
  }

  /** The bridge ends, or is killed, and another process begins. */
  async restart(how: 'close' | 'kill'): Promise<void> {
    if (how === 'close') await this.close();
    // Nobody hears any more of what it had under way.
    this.timers.clear();
    for (const made of this.#open()) made.open = false;
    this.#simples = [];
    this.#written = [];
    this.#arriving = [];
    this.#connected = false;
    this.#linked = false;
    this.#stuck = false;
    this.#told.clear();
    this.#offAt.clear();
    this.seen.add(`restart ${how}`);
    this.#begin();
    await this.settle();
  }

  /** Time enough for every job to end, whatever libvirt and the guest do. */
  async end(): Promise<void> {
    for (let turn = 0; turn < 3; turn += 1) {
      await this.pass(day);
      this.write();
      await this.settle();
    }
    this.simple('well');
    await this.settle();
    for (const key of keys) if (this.#live(key).length > 0) this.broken(`${key}: a job goes on for ever`);
    await this.settle();
  }

  /** Ends the bridge as SIGTERM does; then each command has had its last word, and nothing goes on. */
  async close(): Promise<void> {
    const { bridge, dispatcher, rebuilds, number } = this.#life;
    const made = this.#made;
    this.#closed = true;
    bridge.close();
    dispatcher.close();
    for (const end of rebuilds) end.abort();
    for (const { settle } of this.#open()) settle(null);
    for (const settle of this.#simples.splice(0)) settle(new Error('closed'));
    await this.settle();
    this.write();
    for (const key of keys) this.#look(key);
    await this.settle();
    await this.pass(day);
    if (this.#made > made) this.broken('libvirt is called after the bridge was closed');
    for (const { word, taken, finals, life } of this.#sent) {
      if (taken && life === number && finals.length !== 1) this.broken(`${word} has had ${finals.length} last words`);
    }
    await this.settle();
  }

  override settle(): Promise<void> {
    return super.settle(turns);
  }

  // What is watched.

  protected inspect(): void {
    const waiting = this.#life.ownership.holding ? this.#arriving[0] : undefined;
    if (waiting) this.broken(`nobody has looked at ${waiting.word}`);
    for (const key of keys) {
      this.#oneAtATime(key);
      if (!this.#closed) this.#shown(key);
    }
  }

  /** What the snapshot shows is what those who wait were told. */
  #shown(key: string): void {
    const { work = null, asked = null } = this.#life.state.snapshot.vms[key] ?? {};
    const [first, ...others] = this.#live(key);
    if (!first && work) this.broken(`${work.activity}, though nobody waits for it`);
    if (!first && asked?.open) this.broken('a stop is still asked for, and nobody waits for it');
    if (first && !work) this.broken(`${first.word} is not shown`);
    if (first && work?.startAfterOff !== others.some(({ word }) => word === 'start')) {
      this.broken('a start is kept and not shown, or the other way round');
    }
  }

  #oneAtATime(key: string): void {
    const words = this.#live(key).map(({ word }) => word);
    const [first, ...others] = words;
    const starts = others.filter(word => word === 'start').length;
    const joined = first === 'shutdown' && starts <= 1 && others.every(word => word === 'start' || word === 'shutdown');
    if (others.length > 0 && !joined) this.broken(`at once: ${words}`);
  }

  #deliver(packet: Packet, meant: Meant, flags: { retain: boolean; dup: boolean }): void {
    const { topic, payload } = packet;
    const properties = this.#rules.version === 5 ? packet.properties : undefined;
    const { ownership, mqtt } = this.#life;
    const isCommand = payload !== '' && topics.commands.parse(topic) !== null;
    const early = !ownership.holding;
    const { responseTopic = null, correlationData = null, messageExpiryInterval } = properties ?? {};
    const bound = isBound(responseTopic, correlationData, meant.key);
    const life = Math.min(messageExpiryInterval ?? Number.POSITIVE_INFINITY, early ? earlyLife : day);
    const expiresAt =
      life < day ? Math.min(meant.expiresAt ?? Number.POSITIVE_INFINITY, this.date + life * 1_000) : null;
    const sent = isCommand
      ? this.#expect(
          { ...meant, word: bound ? meant.word : null, expiresAt: expiresAt ?? meant.expiresAt },
          {
            refused: flags.retain ? 'retained' : flags.dup ? 'duplicate' : null,
            responseTopic: bound && responseTopic !== topics.vm(meant.key).response ? responseTopic : null,
            correlationData: bound ? correlationData : null,
          },
        )
      : null;
    if (sent) this.#arriving.push(sent);
    const whole = { cmd: 'publish', qos: 1, topic, payload: Buffer.from(payload), ...flags } as const;
    mqtt.emit('message', readMessage(properties ? { ...whole, properties } : whole));
    if (early) this.seen.add('early');
    else if (sent) this.#taken(sent);
  }

  #expect(meant: Meant, how: Pick<Sent, 'refused' | 'responseTopic' | 'correlationData'>): Sent {
    const fate = { taken: null, begunAt: null, accepted: false, counts: true, finals: [], calls: [] };
    return { ...meant, ...how, ...fate, life: this.#life.number };
  }

  /** The bridge has had it in hand. */
  #taken(sent: Sent): void {
    if (this.#arriving.includes(sent)) this.broken(`${sent.word} was not looked at`);
  }

  /** Of a request that is new: the one that has arrived. */
  #of(request: Request): Sent {
    const known = this.#requests.get(request);
    if (known) return known;
    const sent = this.#arriving.shift();
    if (!sent) throw new Error('an answer to nobody');
    if (sent.key !== request.key || sent.id !== request.id) this.broken('one is taken for another');
    const { snapshot } = this.#life.state;
    const { uuid = null } = snapshot.vms[sent.key]?.domain ?? {};
    sent.taken = { at: this.now, date: this.date, up: snapshot.hypervisor.up, uuid };
    this.#requests.set(request, sent);
    this.#sent.push(sent);
    return sent;
  }

  #accepted(sent: Sent): void {
    if (sent.accepted || sent.finals.length > 0) this.broken(`${sent.word} is accepted when all is said`);
    sent.accepted = true;
    sent.begunAt ??= this.now;
    this.#mustBeMeant(sent, 'accepted');
  }

  #progress(sent: Sent, code: string): void {
    if (sent.finals.length > 0) this.broken(`${sent.word} makes progress after all`);
    this.seen.add(`progress/${code}`);
  }

  #ended(sent: Sent, { status, code }: Outcome): void {
    const { word, key, calls, accepted, taken, finals } = sent;
    if (finals.length > 0) this.broken(`${word} has two last words`);
    finals.push({ status, code, message: '' } as Outcome);
    sent.counts = status !== 'rejected' || accepted || taken?.at !== this.now;
    if (status === 'rejected' && calls.some(({ left, refused }) => left && !refused)) {
      this.broken(`${word} is rejected, and libvirt was asked`);
    }
    if (status === 'succeeded') this.#mustBeMeant(sent, 'succeeded');
    const own = topics.vm(key).response;
    const answers = this.#published.filter(({ topic }) => !topic.endsWith('/event'));
    const expected = [own, sent.responseTopic].filter(topic => topic !== null);
    if (`${answers.map(({ topic }) => topic)}` !== `${expected}`) {
      this.broken(`the answer goes to ${answers.map(({ topic }) => topic)}, not to ${expected}`);
    }
    const mark = answers[1]?.correlationData ?? null;
    if (answers.length > 1 && mark !== sent.correlationData) this.broken('the answer has another mark');
    this.seen.add(`${word} ${status}/${code}`);
  }

  /** What was never to be carried out comes to nothing, even where no call follows. */
  #mustBeMeant({ word, refused, expiresAt, taken }: Sent, fate: string): void {
    if (refused) this.broken(`${word} is ${fate}, and was ${refused}`);
    if (word === null) this.broken(`what is no command is ${fate}`);
    if (expiresAt !== null && taken && taken.date > expiresAt) this.broken(`${word} is ${fate}, and had expired`);
  }

  /** Those whose command holds the VM's one slot, the first one first. */
  #live(key: string): Sent[] {
    return this.#pending(key).filter(({ accepted }) => accepted);
  }

  /** Those who wait for an answer of this process. */
  #pending(key: string): Sent[] {
    const { number } = this.#life;
    return this.#sent.filter(sent => sent.key === key && sent.life === number && sent.finals.length === 0);
  }

  /** The calls that wait for an answer, the first one first. */
  #open(): Made[] {
    this.#calls = this.#calls.filter(({ open }) => open);
    return [...this.#calls];
  }

  // What libvirt is asked.

  #call(life: Life, key: string, call: Call, how: Parameters<typeof callPower>[3]): ReturnType<typeof callPower> {
    if (life !== this.#life) return new Promise(() => {});
    if (!this.#linked || !life.state.snapshot.hypervisor.up) this.broken(`${call} while libvirt is away`);
    const { domain, work } = life.state.snapshot.vms[key] ?? {};
    const { uuid } = domain ?? {};
    if (call === 'press' && work) this.#mustBeApart(key, work.since);
    const ref = uuid === undefined ? null : { uuid, name: key, id: 1 };
    return callPower(this.#linked ? this.#client(key, call) : null, ref, call, how);
  }

  /** Two presses of one job, which began at `since`. */
  #mustBeApart(key: string, since: string): void {
    const before = this.#presses.get(key);
    if (before?.since === since && this.now - before.at < this.#rules.policy.shutdown.resendEvery) {
      this.broken('pressed too soon');
    }
    this.#presses.set(key, { since, at: this.now });
  }

  /** libvirt's client, as far as one call needs it. */
  #client(key: string, call: Call): Libvirt {
    const make = (ref: DomainRef, options: CallOptions = {}) => this.#make(key, call, ref.uuid, options);
    const flagged = (ref: DomainRef, _: number, options?: CallOptions) => make(ref, options);
    const client: Record<Exclude<Call, 'press' | 'wake_up' | 'guest_reboot' | 'cut_power'>, typeof make> = {
      ...{ start: make, resume: make, suspend: make, reset: make },
    };
    const others = { wakeUp: make, shutdown: flagged, reboot: flagged, destroy: flagged };
    return { ...client, ...others } as unknown as Libvirt;
  }

  /** A call as `Calls` makes it: it leaves at once, or waits behind others until nobody wants it any more. */
  #make(key: string, call: Call, uuid: string, { signal, timeout = 10_000 }: CallOptions): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const owner = this.#pending(key).find(({ word }) => word !== null && causes[call].includes(word)) ?? null;
    this.#made += 1;
    return new Promise((resolve, reject) => {
      const settle = settler<void>(resolve, reject);
      const made: Made = {
        ...{ key, call, uuid, owner, left: false, open: true, refused: false },
        settle: failure => {
          if (!made.open) return;
          made.open = false;
          made.refused = failure instanceof LibvirtError;
          this.timers.delete(timer);
          signal?.removeEventListener('abort', abort);
          settle(failure ?? undefined);
        },
      };
      const abort = () => made.settle(signal?.reason);
      const late = () => made.settle(new TimeoutError(`no reply within ${timeout} ms`, { sent: made.left }));
      const timer = this.setTimeout(late, timeout);
      signal?.addEventListener('abort', abort, { once: true });
      this.#calls.push(made);
      this.#permit(made);
      owner?.calls.push(made);
      if (!this.#stuck) this.#leave(made);
    });
  }

  /** Whether the call may be made at all. */
  #permit({ key, call, owner, uuid }: Made): void {
    if (!owner) {
      this.broken(`nobody has asked for ${call}`);
      return;
    }
    const { word, taken, id } = owner;
    const { policy, readOnly } = this.#rules;
    owner.begunAt ??= this.now;
    this.seen.add(`${word} calls ${call}`);
    this.#mustBeMeant(owner, `calling ${call}`);
    if (word === 'start' && owner.expiresAt !== null && this.date > owner.expiresAt)
      this.broken('started after its time');
    if (!taken?.up) this.broken(`${call} for ${word}, which was given while libvirt was away`);
    if (uuid !== taken?.uuid) this.broken(`${call} of another domain than ${word} was accepted for`);
    if (readOnly) this.broken(`${call}, and libvirt is only to be read`);
    if (word && !policy.commands.includes(word)) this.broken(`${word} is not listed`);
    if (call === 'press' && this.#verdict(key) === 'updating') this.broken('pressed while DSM updates');
    const offAt = this.#offAt.get(key) ?? Number.NEGATIVE_INFINITY;
    if (call === 'start' && this.now - offAt < restartPause) this.broken('started without a pause');
    if (call === 'cut_power') this.#mayCut(key, owner);
    const twin = this.#sent.find(sent => id !== null && sent !== owner && isTwin(sent, owner));
    if (twin) this.broken(`${word} and ${twin.word} have one id, and both act`);
    const { vms } = this.#life.state.snapshot;
    // One whose domain is gone is about to end.
    const others = keys.filter(other => other !== key && vms[other]?.domain?.uuid === uuid);
    if (others.some(other => this.#live(other).some(sent => sent.taken?.uuid === uuid))) {
      this.broken('two jobs are at one domain');
    }
  }

  #mayCut(key: string, owner: Sent): void {
    const { commands, shutdown } = this.#rules.policy;
    if (!commands.includes('force_off')) this.broken('its power is cut, which is not allowed');
    if (owner.word === 'force_off') return;
    const verdict = this.#verdict(key);
    if (verdict === 'updating' || verdict === 'recoverable') this.broken(`its power is cut while DSM is ${verdict}`);
    // What is said while libvirt is away changes nothing later.
    const asking = this.#live(key).filter(({ word, taken }) => word === owner.word && taken?.up);
    const said = asking.map(({ onTimeout }) => onTimeout).filter(policy => policy !== null);
    const policy = said.at(-1) ?? (owner.word === 'shutdown' ? shutdown.onTimeout : 'report');
    if (policy !== 'force_off') this.broken('its power is cut, which nobody asked for');
    if (this.now - (owner.begunAt ?? this.now) < leastBeforeCut) this.broken('its power is cut within a minute');
  }

  #leave(made: Made): void {
    const { call, owner, uuid, key } = made;
    if (made.left) return;
    made.left = true;
    if (!this.#linked) this.broken(`${call} leaves while libvirt is away`);
    if (owner && owner.finals.length > 0) this.broken(`${call} leaves after ${owner.word} has ended`);
    if (call === 'press' && this.#verdict(key) === 'updating') this.broken('a press leaves while DSM updates');
    // It is addressed by its UUID.
    if (this.#real.get(key)?.uuid !== uuid) made.settle(refusal('no such domain'));
    else if (this.#rules.takes) made.settle(null);
  }

  /** What is believed of DSM now. */
  #verdict(key: string): Verdict {
    const { verdict, until } = this.#told.get(key) ?? { verdict: 'unknown', until: 0 };
    return this.now < until ? verdict : 'unknown';
  }

  /** As `Watch`: what has not changed is not told. */
  #look(key: string): void {
    const { state } = this.#life;
    if (!this.#linked) return;
    const before = state.snapshot.vms[key];
    const is = this.#real.get(key) ?? null;
    if (before?.seen && before.domain === is) return;
    const other = before?.domain?.active !== is?.active || before?.domain?.uuid !== is?.uuid;
    if (other) this.#told.delete(key);
    if (is?.active) this.#offAt.set(key, null);
    else if (this.#offAt.get(key) === null) this.#offAt.set(key, this.now);
    state.dispatch({ type: 'domain', key, domain: is, at: this.iso });
    if (other) this.examine(key, is?.active ? 'booting' : 'off');
  }

  async #read(key: string): Promise<void> {
    const { reads } = this.#rules;
    if (reads === 'hangs') return new Promise(() => {});
    if (reads === 'fails') throw new Error('no read');
    this.#look(key);
  }

  #simple(word: CommandWord): Promise<string> {
    const { commands } = this.#rules.policy;
    const listed =
      word === 'arm' ? commands.includes('rebuild') || commands.includes('rollback') : commands.includes(word);
    if (!listed) this.broken(`${word} is not listed`);
    if (this.#rules.readOnly) this.broken(`${word}, and libvirt is only to be read`);
    this.seen.add(`simple ${word}`);
    return new Promise((resolve, reject) => this.#simples.push(settler(resolve, reject)));
  }

  // A rebuild, as far as power is concerned.

  /** It is bound to the domain with which it began, as `loader/job` is. */
  async #rebuild(state: State, key: string, steps: VmPower, signal: AbortSignal): Promise<Outcome> {
    const begun = state.snapshot.vms[key]?.domain?.uuid;
    try {
      const down = await steps.shutDown(signal);
      if (down.status !== 'succeeded') return failed('rebuild_failed', down.message);
      await this.#writing(signal);
      if (state.snapshot.vms[key]?.domain?.uuid !== begun) return failed('rebuild_failed', 'it is another domain');
      const up = await steps.start(signal);
      return up.status === 'succeeded' ? succeeded('done', 'rebuilt') : failed('rebuild_failed', up.message);
    } catch {
      // It puts back what it has begun to change.
      await this.#writing();
      return cancelled('cancelled', 'it was cancelled');
    }
  }

  /** Until the story says that it is done. */
  #writing(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#written.push(resolve);
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  }
}

export function refusal(message: string): LibvirtError {
  return new LibvirtError({ code: 55, domain: 10, message }, 'a call');
}

/** Both have one id, and both were taken by one process within ten minutes. */
function isTwin(sent: Sent, { key, id, life, taken }: Sent): boolean {
  if (sent.key !== key || sent.id !== id || sent.life !== life || !sent.counts || !sent.taken || !taken) return false;
  return Math.abs(sent.taken.at - taken.at) < memory;
}

/** Where its answers are to go is somewhere that they may go to. */
function isBound(topic: string | null, mark: Buffer | null, key: string): boolean {
  if (mark && mark.length > largestMark) return false;
  if (topic === null || topic === topics.vm(key).response) return true;
  return !/[+#$]/.test(topic) && !reserved.some(root => `${topic}/`.startsWith(`${root}/`));
}
