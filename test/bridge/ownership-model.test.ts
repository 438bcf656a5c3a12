import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Habits, type Peer, slowest, World } from './ownership-world.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 0, 1) });
});
afterEach(() => {
  vi.useRealTimers();
});

const habits: fc.Arbitrary<Habits> = fc.record({
  echo: fc.boolean(),
  hasty: fc.boolean(),
  late: fc.constantFrom(0, 0, 30, 500),
});
const peers = fc.uniqueArray(
  fc.record({
    session: fc.constantFrom('a', 'b', 'c', 'd'),
    at: fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 6_000 })),
    /** Its clock is wrong, milliseconds. */
    clock: fc.constantFrom(0, 0, -60_000, 60_000),
  }),
  { selector: ({ session }) => session, minLength: 1, maxLength: 3 },
);
const when = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 10_000 }));
const noticed = fc.constantFrom(0, 10, 100, 1_500, 20_000);
const victim = fc.nat(2);
const freeze = fc.record({
  what: fc.constant('freeze'),
  at: when,
  victim,
  duration: fc.integer({ min: 1, max: 8_000 }),
});
const cut = fc.record({ what: fc.constant('cut'), at: when, victim, noticed, back: fc.constantFrom(0, 100, 3_000) });
const death = fc.record({ what: fc.constant('death'), at: when, victim, noticed });
const ways = fc.array(fc.nat(slowest), { minLength: 1, maxLength: 40 });
/** What an earlier bridge left on the broker. */
const past = fc.constantFrom('nothing', 'ghost', 'gone', 'old version');

type Trouble = { at: number; victim: number } & (
  | { what: 'freeze'; duration: number }
  | { what: 'cut'; noticed: number; back: number }
  | { what: 'death'; noticed: number }
);

interface RunLog {
  habits: Habits;
  peers: { session: string; at: number; clock: number }[];
  troubles: Trouble[];
  ways: number[];
  past: string;
}

const runLog = (trouble: fc.Arbitrary<unknown>) =>
  fc.record({ habits, peers, troubles: fc.array(trouble, { maxLength: 4 }), ways, past }) as fc.Arbitrary<RunLog>;

function prepare({ habits, ways, past }: RunLog): World {
  let next = 0;
  const world = new World(habits, limit => {
    next += 1;
    return Math.min(limit, ways[next % ways.length] ?? 0);
  });
  if (past !== 'nothing') {
    world.retained.set('b/bridge/info', past === 'old version' ? '{"version":"0.1.0"}' : '{"session":"0"}');
    world.retained.set('b/bridge/state', past === 'gone' ? 'offline' : 'online');
  }
  return world;
}

/** Runs it until nothing is to come; `watch` sees every moment at which something happened. */
function run(world: World, { peers, troubles }: RunLog, watch: () => void = () => {}): void {
  for (const { session, at, clock } of peers) setTimeout(() => world.start(session, clock), at);
  for (const trouble of troubles) {
    setTimeout(() => {
      const peer = world.peers[trouble.victim];
      if (trouble.what === 'freeze') peer?.freeze(trouble.duration);
      else if (trouble.what === 'cut') peer?.cut(trouble.noticed, trouble.back);
      else peer?.die(trouble.noticed);
    }, trouble.at);
  }
  while (vi.getTimerCount() > 0) {
    vi.advanceTimersToNextTimer();
    watch();
  }
}

/** One holds it, what the broker keeps is its, and one that comes now is told so. */
function expectOrder(world: World): void {
  const [holder, ...others] = world.holders();
  expect(others).toEqual([]);
  expect(world.kept()).toEqual({ state: 'online', session: holder?.session });
  const late = world.start('0 the smallest', -3_600_000);
  vi.runAllTimers();
  expect(late.fate).toBe('refused');
  expect(world.holders()).toEqual([holder]);
  expect(world.kept()).toEqual({ state: 'online', session: holder?.session });
}

const runs = { numRuns: 2_000 };

test('of bridges that live, whatever freezes, exactly one gets it and keeps it', () => {
  fc.assert(
    fc.property(runLog(freeze), runLog => {
      const world = prepare(runLog);
      run(world, runLog);
      expect(world.holders()).toHaveLength(1);
      expect(world.peers.filter(({ fate }) => fate === 'refused')).toHaveLength(runLog.peers.length - 1);
      expectOrder(world);
    }),
    runs,
  );
});

test('bridges die and lose the broker: one of the living has it, or the next one gets it', () => {
  fc.assert(
    fc.property(runLog(fc.oneof(freeze, cut, death)), runLog => {
      const world = prepare(runLog);
      run(world, runLog);
      const living = world.peers.filter(({ fate }) => fate === 'alive');
      // Who was refused by one that died a moment later is gone; whoever starts it again sees to the rest.
      if (living.length === 0) {
        const next = world.start('z');
        vi.runAllTimers();
        expect(next.ownership.holding).toBe(true);
      } else expect(world.holders()).toEqual(living);
      expectOrder(world);
    }),
    runs,
  );
});

test('two never hold it for longer than they need to hear of each other', () => {
  const canHear = (peer: Peer) => !peer.frozen && peer.line?.open === true && peer.line.heard;
  fc.assert(
    fc.property(runLog(fc.oneof(freeze, cut, death)), runLog => {
      const world = prepare(runLog);
      const since = new Map<string, number>();
      run(world, runLog, () => {
        const able = world.holders().filter(canHear);
        // Of three, the first two may be done when the third comes: the time is that of each pair.
        for (const [i, a] of world.peers.entries()) {
          for (const b of world.peers.slice(i + 1)) {
            const pair = `${a.session} ${b.session}`;
            if (!able.includes(a) || !able.includes(b)) since.delete(pair);
            else if (!since.has(pair)) since.set(pair, Date.now());
            // There and back between the two, by way of the broker.
            expect(Date.now() - (since.get(pair) ?? Date.now())).toBeLessThanOrEqual(4 * slowest);
          }
        }
      });
    }),
    runs,
  );
});

test('one alone gets it at once, or when a ghost has not answered', () => {
  fc.assert(
    fc.property(runLog(fc.constant(null)), runLog => {
      const alone = { ...runLog, peers: runLog.peers.slice(0, 1), troubles: [] };
      const world = prepare(alone);
      const peer = world.start('m');
      const started = Date.now();
      while (!peer.ownership.holding && vi.getTimerCount() > 0) vi.advanceTimersToNextTimer();
      expect(peer.ownership.holding).toBe(true);
      const waits = runLog.past === 'ghost' || runLog.past === 'old version';
      expect(Date.now() - started).toBeLessThanOrEqual(4 * slowest + (waits ? 2_000 : 0));
      vi.runAllTimers();
      expectOrder(world);
    }),
    runs,
  );
});
