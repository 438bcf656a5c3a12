/**
 * One bridge per base topic: asks for it at the start of each session, keeps it against others, gives way to one that
 * has had it for longer. The rules are in `claim-rules.ts`.
 *
 * Its owner subscribes to the three topics, puts `session` into its info document, publishes nothing before `granted`
 * and leaves without a word, neither `offline` nor its will, when it is refused.
 */
import { EventEmitter } from 'node:events';
import { z } from 'zod';
import type { Logger } from '../util/logger.ts';
import { type Effect, type Input, idle, type OwnershipState, type Saying, step } from './ownership-rules.ts';

export interface OwnershipOptions {
  topics: { state: string; info: string; claim: string };
  /** Of this process, made at random: at most 64 characters. */
  session: string;
  /** For people: what the other one says of us. */
  instance: string;
  send: (publication: {
    topic: string;
    payload: string;
    qos: 1;
    retain: false;
    settled?: (delivered: boolean) => void;
  }) => boolean;
  now: () => Date;
  /** How long another one may take to answer, milliseconds; default 2 000. */
  patience?: number;
  logger: Logger;
}

interface Heard {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retain: boolean;
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
  #state: OwnershipState = idle;
  /** Counts sessions, so that the fate of an earlier one's question is not taken for this one's. */
  #round = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: OwnershipOptions) {
    super();
    this.#options = options;
  }

  get holding(): boolean {
    return this.#state.phase === 'holding';
  }

  /** A session has begun and listens. Nothing more happens once it was refused or closed. */
  begin(): void {
    this.#round += 1;
    this.#take({ type: 'begin' });
  }

  /** The session is over. */
  lost(): void {
    this.#round += 1;
    this.#take({ type: 'lost' });
  }

  /** True: the message was on one of its topics. */
  hear({ topic, payload, retain }: Heard): boolean {
    const { topics, session } = this.#options;
    if (topic === topics.state) this.#take({ type: 'state', word: read(payload), retain });
    else if (topic === topics.info) {
      if (payload.length > 0) this.#take({ type: 'info', session: readSession(payload), retain });
    } else if (topic === topics.claim) {
      const from = retain ? null : readClaim(payload);
      // MQTT 3.1.1 knows no `no local`: we hear ourselves.
      if (from && from.session !== session) this.#take({ type: 'claim', from });
    } else return false;
    return true;
  }

  /** Says nothing more; idempotent. */
  close(): void {
    this.lost();
    this.#closed = true;
  }

  #take(input: Input): void {
    if (this.#closed) return;
    const { session, now } = this.#options;
    const before = this.#state;
    const [next, effects] = step(before, input, { session, now: now().toISOString() });
    this.#state = next;
    // What was waited for belongs to the phase that is over.
    if (next.phase !== before.phase || input.type === 'begin') clearTimeout(this.#timer);
    for (const effect of effects) this.#do(effect);
  }

  #do(effect: Effect): void {
    const { logger, patience = 2_000 } = this.#options;
    switch (effect.do) {
      case 'say':
        this.#say(effect.to);
        break;
      case 'wait':
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#take({ type: 'timeout' }), effect.patiences * patience);
        break;
      case 'granted':
        if (effect.ghost) this.#tellGhost();
        logger.info({ event: 'bridge.claimed', since: this.#state.since }, 'this bridge has the base topic');
        this.emit('granted');
        break;
      case 'refused': {
        const { instance, since } = effect.by;
        const fields = { event: 'bridge.refused', other: instance, since };
        logger.error(fields, 'another bridge has this base topic: stop it, or give this one another mqtt.base_topic');
        this.emit('refused', { instance, since });
        break;
      }
      case 'restate':
        if (effect.ghost) this.#tellGhost();
        this.emit('restate');
        break;
    }
  }

  #tellGhost(): void {
    this.#options.logger.warn(
      { event: 'bridge.ghost' },
      'another bridge left its traces on the base topic, and is gone',
    );
  }

  #say(to: string | null): void {
    const { topics, session, instance, send } = this.#options;
    const { since } = this.#state;
    const saying: Saying = { session, instance, since, to };
    const publication = { topic: topics.claim, payload: JSON.stringify(saying), qos: 1, retain: false } as const;
    if (since !== null) {
      send(publication);
      return;
    }
    const round = this.#round;
    const settled = (delivered: boolean) => {
      if (round === this.#round) this.#take({ type: 'fence', delivered });
    };
    send({ ...publication, settled });
  }
}

const sessionSchema = z.string().min(1).max(64);
/** One spelling of time only, so that two bridges cannot compare two times differently. */
const claimSchema = z.object({
  session: sessionSchema,
  // Whoever speaks is there, however long its name is: cut, not ignored.
  instance: z.string().transform(name => name.slice(0, 200)),
  since: z.iso.datetime({ precision: 3 }).nullable(),
  to: sessionSchema.nullable().default(null),
});
const infoSchema = z.object({ session: sessionSchema });

function readClaim(payload: Buffer): Saying | null {
  return claimSchema.safeParse(readJson(payload)).data ?? null;
}

/** Null: something else, or a bridge of a version that knows no sessions. */
function readSession(payload: Buffer): string | null {
  return infoSchema.safeParse(readJson(payload)).data?.session ?? null;
}

function readJson(payload: Buffer): unknown {
  try {
    return JSON.parse(read(payload));
  } catch {
    return null;
  }
}

/** Empty if it is longer than anything a bridge says here: the info names each VM whose checks are overdue. */
function read(payload: Buffer): string {
  return payload.length > 262_144 ? '' : payload.toString('utf8');
}
