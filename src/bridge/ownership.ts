/**
 * One bridge per base topic. A bridge asks for it at the start of each session, keeps it against others, and gives way
 * to one that has had it for longer.
 *
 * A bridge that asks takes the topic as soon as the broker has acknowledged its question, if nothing says that another
 * one is online and nobody else was heard asking; it says so, and whoever still asks is then refused. Otherwise it waits
 * for an answer: `patience` once, or twice if another one that asks has the smaller session. So of two that ask at the
 * same moment the one whose question reaches the broker first gets it, if the broker keeps their order; if each hears
 * the other first, the smaller session.
 *
 * Two may still hold it for as long as a message takes: a broker acknowledged before it passed on, or one was frozen.
 * Each has answered the other's question or said `since` while the other listened, so both know, and the later `since`
 * gives way, in a tie the larger session. `since` only ever becomes earlier, so the earliest stays. It does so when
 * somebody asked after us and yet says that it was earlier: its clock is behind ours.
 *
 * The owner of this object subscribes to the three topics, puts `session` into its info document, publishes nothing
 * before `granted`, and leaves without a word, neither `offline` nor its will, when it is refused.
 */
import { EventEmitter } from 'node:events';
import { z } from 'zod';
import type { Message, Publication } from '../model/message.ts';
import type { Logger } from '../util/logger.ts';

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
/** What one bridge says of itself on the claim topic. */
const claimSchema = z.object({
  session: sessionSchema,
  // Whoever speaks is there, however long its name is: cut, not ignored.
  instance: z.string().transform(name => name.slice(0, 200)),
  /** When it was granted the topic; null: it asks. One spelling only, so that two bridges compare alike. */
  since: z.iso.datetime({ precision: 3 }).nullable(),
  /** The session whose question this answers. */
  to: sessionSchema.nullable().default(null),
});
type Claim = z.infer<typeof claimSchema>;

/** So that two that cannot hear each other's claims do not write over each other every two seconds. */
const mostPatiences = 32;
const mostAnswered = 100;

/** What is known in one session. */
class Round {
  readonly phase: 'idle' | 'asking' | 'holding';
  /** When the topic was granted, ISO with milliseconds, UTC. */
  since = '';
  /** The broker has our question: what it keeps has normally been heard. */
  acknowledged = false;
  /** What the state topic says. */
  online = false;
  /** Whose document is on the info topic: the session; null if it has none or was not heard. */
  info: string | null = null;
  /** Others that were heard asking. */
  rival: 'none' | 'larger' | 'smaller' = 'none';
  /** While holding: whose questions it has answered, the newest last. */
  answered: readonly string[] = [];
  /** How often in a row somebody spoke as if it held the topic too, and then did not answer. */
  unanswered = 0;
  timer: NodeJS.Timeout | undefined;

  constructor(phase: Round['phase']) {
    this.phase = phase;
  }
}

export class Ownership extends EventEmitter<{
  /** Publish everything. Again in each session. */
  granted: [];
  /** Once, and for good: whatever this process does, it does not get the topic. */
  refused: [{ instance: string; since: string | null }];
  /** Somebody else may have written over our state and info: publish both again. */
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

  /** The session is over. */
  lost(): void {
    this.#next('idle');
  }

  /** Says nothing more; idempotent. */
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
      // MQTT 3.1.1 knows no `no local`: we hear ourselves.
      if (claim && claim.session !== session) this.#hearClaim(claim);
    } else return false;
    return true;
  }

  #next(phase: Round['phase']): Round {
    clearTimeout(this.#round.timer);
    this.#round = new Round(this.#over ? 'idle' : phase);
    return this.#round;
  }

  /** The fate of the question. What was not delivered proves nothing: the broker may forbid us the topic. */
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
      // Another one's will, or ours of an earlier session.
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

  /** Some brokers send it late; then ours is newer. */
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
      // One that answered us as well asked when we did: of the two, only one may become earlier.
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

  /** If the other one lives it hears this and gives way, or says why we have to. */
  #insist(session: string | null): void {
    const { answered, timer, unanswered } = this.#round;
    this.#say(answered.find(each => each === session) ?? null);
    if (!timer) this.#wait(Math.min(2 ** unanswered, mostPatiences));
  }

  /** Nobody has answered when the time is over. */
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
  try {
    return schema.parse(JSON.parse(payload.toString()));
  } catch {
    return null;
  }
}
