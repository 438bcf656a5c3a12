/**
 * One bridge per base topic. A bridge asks for the topic at the start of each session, then keeps it, unless another
 * bridge has had it for longer.
 *
 * An asking bridge takes the topic when the broker has acknowledged its question, unless another bridge is online or has
 * also asked. It says so, and then refuses every bridge that still asks. Otherwise it waits for an answer: one
 * `patience`, or two if another asking bridge has the smaller session. So if two ask at the same moment and the broker
 * keeps the order, the first question wins; if each hears the other's first, the smaller session wins.
 *
 * For as long as a message takes, two bridges may hold the topic: the broker acknowledged a question before it passed it
 * on, or one bridge was frozen. Each has answered the other or has sent its `since`, so both know. The one with the later
 * `since` gives way; if they are equal, the larger session. A `since` only ever moves back, so the earliest one stays. A
 * bridge moves its own back when another one asked after it and yet has an earlier `since`: that one's clock is behind.
 *
 * The owner of this object subscribes to the three topics, puts `session` into its info document, and publishes nothing
 * before `granted`. When it is refused, it leaves silently: it sends neither `offline` nor its will.
 */
import { EventEmitter } from 'node:events';
import * as z from 'zod';
import type { Message, Publication } from '../model/topics.ts';
import type { Logger } from '../util/logger.ts';
import { orNull } from '../util/or-null.ts';

export interface OwnershipOptions {
  topics: { state: string; info: string; claim: string };
  /** Of this process, made at random: at most 64 characters. */
  session: string;
  /** For people: the name that others report. */
  instance: string;
  send: (publication: Publication) => boolean;
  now: () => Date;
  /** How long another one may take to answer, milliseconds; default 2 000. */
  patience?: number;
  logger: Logger;
}

const sessionSchema = z.string().min(1).max(64);
const infoSchema = z.object({ session: sessionSchema });
/** What a bridge publishes on the claim topic. */
const claimSchema = z.object({
  session: sessionSchema,
  // Even a bridge with a too long name exists, so the name is cut, and the claim is not ignored.
  instance: z.string().transform(name => name.slice(0, 200)),
  /** When it was granted the topic; null: it asks. One notation only, so that two bridges compare it alike. */
  since: z.iso.datetime({ precision: 3 }).nullable(),
  /** The session whose question this answers. */
  to: sessionSchema.nullable().default(null),
});
type Claim = z.infer<typeof claimSchema>;

/** Limits how often two bridges that cannot hear each other's claims overwrite each other. */
const mostPatiences = 32;
const mostAnswered = 100;

/** What is known in one session. */
class Round {
  readonly phase: 'idle' | 'asking' | 'holding';
  /** When the topic was granted, ISO with milliseconds, UTC. */
  since = '';
  /** The broker has our question, so its retained messages have normally arrived. */
  acknowledged = false;
  /** What the state topic says. */
  online = false;
  /** The session in the info document; null if the document has none, or has not arrived. */
  info: string | null = null;
  rival: 'none' | 'larger' | 'smaller' = 'none';
  /** While holding: the sessions whose questions it has answered, the newest last. */
  answered: readonly string[] = [];
  /** How often in a row another bridge seemed to hold the topic too, and then did not answer. */
  unanswered = 0;
  timer: NodeJS.Timeout | undefined;

  constructor(phase: Round['phase']) {
    this.phase = phase;
  }
}

export class Ownership extends EventEmitter<{
  /** Publish everything. Again in each session. */
  granted: [];
  /** Once, and for good: this process never gets the topic. */
  refused: [{ instance: string; since: string | null }];
  /** Another bridge may have overwritten our state and info: publish both again. */
  restate: [];
}> {
  readonly #options: OwnershipOptions;
  /** Refused or closed: nothing more happens. */
  #over = false;
  #round = new Round('idle');

  constructor(options: OwnershipOptions) {
    super();
    this.#options = options;
  }

  get holding(): boolean {
    return this.#round.phase === 'holding';
  }

  /** A session has begun and listens. */
  begin(): void {
    const round = this.#next('asking');
    if (!this.#over) this.#say(null, delivered => round === this.#round && this.#acknowledged(delivered));
  }

  lost(): void {
    this.#next('idle');
  }

  close(): void {
    this.#next('idle');
    this.#over = true;
  }

  /** True: the message was on one of its topics. */
  hear({ topic, payload, retain }: Pick<Message, 'topic' | 'payload' | 'retain'>): boolean {
    const { topics, session } = this.#options;
    if (topic === topics.state) this.#hearState(payload.toString(), retain);
    else if (topic === topics.info) {
      // Null: another document, or a bridge of a version that knows no sessions.
      if (payload.length > 0) this.#hearInfo(parse(infoSchema, payload)?.session ?? null, retain);
    } else if (topic === topics.claim) {
      const claim = retain ? null : parse(claimSchema, payload);
      // MQTT 3.1.1 has no `no local`, so we receive our own messages.
      if (claim && claim.session !== session) this.#hearClaim(claim);
    } else return false;
    return true;
  }

  #next(phase: Round['phase']): Round {
    clearTimeout(this.#round.timer);
    this.#round = new Round(this.#over ? 'idle' : phase);
    return this.#round;
  }

  /** Whether the broker took the question. A failure proves nothing: the broker may forbid us the topic. */
  #acknowledged(delivered: boolean): void {
    const round = this.#round;
    round.acknowledged = delivered;
    if (!this.#takeIfFree() && round.rival !== 'smaller') this.#wait(1);
  }

  #hearState(word: string, retain: boolean): void {
    const round = this.#round;
    if (!this.holding || retain) {
      round.online = word === 'online';
      this.#heardWhatWasKept();
    } else if (word === 'offline') {
      // Another bridge's will, or our own from an earlier session.
      round.unanswered = 0;
      this.emit('restate');
    }
  }

  #hearInfo(session: string | null, retain: boolean): void {
    if (!this.holding || retain) {
      this.#round.info = session;
      this.#heardWhatWasKept();
    } else if (session !== this.#options.session) this.#insist(session);
  }

  /** Some brokers send a retained message late; then ours is newer. */
  #heardWhatWasKept(): void {
    if (!this.holding) this.#takeIfFree();
    else if (this.#isOtherOnline()) this.#insist(this.#round.info);
  }

  #hearClaim(claim: Claim): void {
    const round = this.#round;
    const own = this.#options.session;
    const { session, since, to } = claim;
    if (round.phase === 'asking') {
      if (since !== null) this.#refuse(claim);
      else if (round.rival !== 'smaller') {
        round.rival = session < own ? 'smaller' : 'larger';
        if (round.rival === 'smaller') this.#wait(2);
      }
    } else if (round.phase === 'holding') {
      round.unanswered = 0;
      if (since === null) {
        round.answered = [...round.answered.filter(each => each !== session), session].slice(-mostAnswered);
        this.#say(session);
        return;
      }
      const oursIsFirst = round.since === since ? own < session : round.since < since;
      // If it answered our question too, both asked at the same time: then only one may move its `since`.
      const askedLater = round.answered.includes(session) && to !== own;
      if (!oursIsFirst && !askedLater) {
        this.#refuse(claim);
        return;
      }
      if (!oursIsFirst) round.since = new Date(Date.parse(since) - 1).toISOString();
      this.#insist(session);
    }
  }

  #isOtherOnline(): boolean {
    const { online, info } = this.#round;
    return online && info !== this.#options.session;
  }

  #takeIfFree(): boolean {
    const { phase, acknowledged, rival } = this.#round;
    const free = phase === 'asking' && acknowledged && rival === 'none' && !this.#isOtherOnline();
    if (free) this.#take();
    return free;
  }

  #take(): void {
    const { logger, now } = this.#options;
    const { online, info } = this.#round;
    const ghost = this.#isOtherOnline();
    const since = now().toISOString();
    Object.assign(this.#next('holding'), { since, online, info });
    this.#say(null);
    if (ghost) this.#logGhost();
    logger.info({ event: 'bridge.claimed', since }, 'this bridge has the base topic');
    this.emit('granted');
  }

  #refuse({ instance, since }: Claim): void {
    this.close();
    this.#options.logger.error(
      { event: 'bridge.refused', other: instance, since },
      'another bridge has this base topic: stop it, or give this one another mqtt.base_topic',
    );
    this.emit('refused', { instance, since });
  }

  /** If the other bridge is alive, it hears this and gives way, or tells why we must. */
  #insist(session: string | null): void {
    const { answered, timer, unanswered } = this.#round;
    this.#say(answered.find(each => each === session) ?? null);
    if (!timer) this.#wait(Math.min(2 ** unanswered, mostPatiences));
  }

  #wait(patiences: number): void {
    const { patience = 2_000 } = this.#options;
    const round = this.#round;
    clearTimeout(round.timer);
    round.timer = setTimeout(() => {
      round.timer = undefined;
      if (round.phase === 'asking') {
        this.#take();
        return;
      }
      round.unanswered += 1;
      this.#logGhost();
      this.emit('restate');
    }, patiences * patience);
  }

  #logGhost(): void {
    const words = 'another bridge left its traces on the base topic, and is gone';
    this.#options.logger.warn({ event: 'bridge.ghost' }, words);
  }

  #say(to: string | null, settled?: (delivered: boolean) => void): void {
    const { topics, session, instance, send } = this.#options;
    const claim: Claim = { session, instance, since: this.holding ? this.#round.since : null, to };
    const publication = { topic: topics.claim, payload: JSON.stringify(claim), qos: 1, retain: false } as const;
    send(settled ? { ...publication, settled } : publication);
  }
}

function parse<T>(schema: z.ZodType<T>, payload: Buffer): T | null {
  return orNull(() => schema.parse(JSON.parse(payload.toString())));
}
