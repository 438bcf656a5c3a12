/**
 * Who may have the base topic. PURE: what one bridge knows and an input in, what it knows then and its effects out.
 *
 * One that asks takes the topic as soon as the broker has acknowledged its question, if nothing says that another one
 * is online and nobody else was heard asking; it says so, and whoever still asks is then refused. Otherwise it waits
 * for an answer: `patience` once, or twice if another one that asks has the smaller session. So of two that ask at
 * the same moment the one whose question reaches the broker first has it, if the broker keeps their order; if each
 * hears the other first, the smaller session.
 *
 * Two may still hold it for as long as a message takes: a broker acknowledged before it passed on, or one was frozen.
 * Each has answered the other's question or said `since` while the other listened, so both know, and the later `since`
 * gives way, in a tie the larger session. `since` only ever becomes earlier, so the earliest stays. It does so when
 * somebody asked after us and yet says that it was earlier: its clock is behind ours.
 */

/** What one bridge says of itself on the claim topic. */
export interface Saying {
  readonly session: string;
  readonly instance: string;
  /** When it was granted the topic, ISO with milliseconds, UTC; null: it asks. */
  readonly since: string | null;
  /** The session whose question this answers. */
  readonly to: string | null;
}

export interface OwnershipState {
  readonly phase: 'idle' | 'asking' | 'holding' | 'refused';
  readonly since: string | null;
  /** Whose questions it has answered, the newest last. */
  readonly answered: readonly string[];
  /** The question was acknowledged: what the broker keeps has normally been heard. */
  readonly fenced: boolean;
  /** What the state topic says. */
  readonly online: boolean;
  /** Whose document is on the info topic: the session; null if it has none or was not heard. */
  readonly info: string | null;
  /** Others that were heard asking. */
  readonly rival: 'none' | 'larger' | 'smaller';
  /** While holding: somebody else has spoken as if it held too, and it is not yet known what becomes of it. */
  readonly settling: boolean;
  /** How often in a row that came to nothing. */
  readonly unanswered: number;
}

export type Input = { type: 'begin' } | { type: 'lost' } | Heard;

type Heard =
  | { type: 'timeout' }
  /** The fate of the question. */
  | { type: 'fence'; delivered: boolean }
  /** `retain`: kept from before this session. */
  | { type: 'state'; word: string; retain: boolean }
  | { type: 'info'; session: string | null; retain: boolean }
  | { type: 'claim'; from: Saying };

export type Effect =
  /** Publish the claim, and tell what becomes of it if it asks. */
  | { do: 'say'; to: string | null }
  /** Time out after so many patiences, and not when it would have before. */
  | { do: 'wait'; patiences: number }
  /** `ghost`: although somebody seemed to be there. */
  | { do: 'granted'; ghost: boolean }
  | { do: 'refused'; by: Saying }
  | { do: 'restate'; ghost: boolean };

export type Step = readonly [OwnershipState, readonly Effect[]];

export interface Self {
  readonly session: string;
  /** ISO with milliseconds, UTC. */
  readonly now: string;
}

export const idle: OwnershipState = {
  phase: 'idle',
  since: null,
  answered: [],
  fenced: false,
  online: false,
  info: null,
  rival: 'none',
  settling: false,
  unanswered: 0,
};

/** So that two that cannot hear each other's claims do not write over each other every two seconds. */
const MOST_PATIENCES = 32;
const MOST_ANSWERED = 100;

export function step(state: OwnershipState, input: Input, self: Self): Step {
  if (state.phase === 'refused') return [state, []];
  if (input.type === 'begin') return [{ ...idle, phase: 'asking' }, [{ do: 'say', to: null }]];
  if (input.type === 'lost') return [idle, []];
  if (state.phase === 'asking') return asking(state, input, self);
  return state.phase === 'holding' ? holding(state, input, self) : [state, []];
}

function asking(state: OwnershipState, input: Heard, self: Self): Step {
  switch (input.type) {
    case 'fence': {
      // What was not delivered is no fence: the session may be at its end, or the broker forbids us the topic.
      const next = { ...state, fenced: input.delivered };
      const waiting = state.rival === 'smaller';
      return isFree(next, self) ? grant(next, self) : [next, waiting ? [] : [{ do: 'wait', patiences: 1 }]];
    }
    case 'state':
      return reconsider({ ...state, online: input.word === 'online' }, self);
    case 'info':
      return reconsider({ ...state, info: input.session }, self);
    case 'claim': {
      if (input.from.since !== null) return refuse(state, input.from);
      if (state.rival === 'smaller') return [state, []];
      if (input.from.session > self.session) return [{ ...state, rival: 'larger' }, []];
      return [{ ...state, rival: 'smaller' }, [{ do: 'wait', patiences: 2 }]];
    }
    case 'timeout':
      return grant(state, self);
  }
}

function holding(state: OwnershipState, input: Heard, self: Self): Step {
  switch (input.type) {
    case 'fence':
      return [state, []];
    case 'state':
      if (input.retain) return doubt({ ...state, online: input.word === 'online' }, self);
      // Another one's will, or ours of an earlier session.
      if (input.word !== 'offline') return [state, []];
      return [{ ...state, unanswered: 0 }, [{ do: 'restate', ghost: false }]];
    case 'info':
      if (input.retain) return doubt({ ...state, info: input.session }, self);
      return input.session === self.session ? [state, []] : settle(state, input.session);
    case 'claim':
      return challenged({ ...state, unanswered: 0 }, input.from, self);
    case 'timeout': {
      const next = { ...state, settling: false, unanswered: state.unanswered + 1 };
      return [next, [{ do: 'restate', ghost: true }]];
    }
  }
}

function challenged(state: OwnershipState, from: Saying, self: Self): Step {
  const { session, since, to } = from;
  if (since === null) return answer(state, session);
  const ours = { session: self.session, since: state.since ?? self.now };
  if (precedes(ours, { session, since })) return settle(state, session);
  // One that answered us as well asked when we did: of the two, only one may become earlier.
  const junior = state.answered.includes(session) && to !== self.session;
  return junior ? settle({ ...state, since: justBefore(since) }, session) : refuse(state, from);
}

function reconsider(state: OwnershipState, self: Self): Step {
  return isFree(state, self) ? grant(state, self) : [state, []];
}

/** What was kept came late, as some brokers send it; ours is newer. */
function doubt(state: OwnershipState, { session }: Self): Step {
  const { online, info } = state;
  return online && info !== session ? settle(state, info) : [state, []];
}

function isFree({ fenced, online, info, rival }: OwnershipState, { session }: Self): boolean {
  return fenced && rival === 'none' && !(online && info !== session);
}

function grant(state: OwnershipState, { session, now }: Self): Step {
  const ghost = state.online && state.info !== session;
  return [
    { ...idle, phase: 'holding', since: now, online: state.online, info: state.info },
    [
      { do: 'say', to: null },
      { do: 'granted', ghost },
    ],
  ];
}

function refuse(state: OwnershipState, by: Saying): Step {
  return [{ ...state, phase: 'refused' }, [{ do: 'refused', by }]];
}

function answer(state: OwnershipState, to: string): Step {
  const answered = [...state.answered.filter(session => session !== to), to].slice(-MOST_ANSWERED);
  return [{ ...state, answered }, [{ do: 'say', to }]];
}

/** If the other one lives it hears this and gives way, or says why we have to. */
function settle(state: OwnershipState, session: string | null): Step {
  const say = { do: 'say', to: state.answered.find(each => each === session) ?? null } as const;
  if (state.settling) return [state, [say]];
  const patiences = Math.min(2 ** state.unanswered, MOST_PATIENCES);
  return [{ ...state, settling: true }, [say, { do: 'wait', patiences }]];
}

interface Rank {
  readonly session: string;
  readonly since: string;
}

function precedes(one: Rank, other: Rank): boolean {
  return one.since === other.since ? one.session < other.session : one.since < other.since;
}

function justBefore(since: string): string {
  return new Date(Date.parse(since) - 1).toISOString();
}
