import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Ownership } from '../../src/bridge/ownership.ts';
import { recorder } from '../mqtt/inbox.ts';

const topics = { state: 'b/bridge/state', info: 'b/bridge/info', claim: 'b/bridge/claim' };
const start = Date.UTC(2026, 0, 1);
const moment = (milliseconds: number) => new Date(start + milliseconds).toISOString();

/** A bridge `m`, and what came of what it heard. */
function subject() {
  const log = recorder();
  const said: { session: string; instance: string; since: string | null; to: string | null }[] = [];
  const told: unknown[] = [];
  let settle: (delivered: boolean) => void = () => {};
  const ownership = new Ownership({
    ...{ topics, session: 'm', instance: 'nas', now: () => new Date(), logger: log },
    send: ({ payload, settled }) => {
      said.push(JSON.parse(String(payload)));
      if (settled) settle = settled;
      return true;
    },
  });
  ownership.on('granted', () => told.push('granted'));
  ownership.on('restate', () => told.push('restate'));
  ownership.on('refused', other => told.push(other));
  const hear = (topic: string, payload: string | Buffer, retain = false) =>
    ownership.hear({ topic, payload: Buffer.from(payload), retain });
  return {
    ...{ ownership, log, said, told, hear },
    /** What the broker kept. */
    kept(state: string, session?: string) {
      hear(topics.info, JSON.stringify({ version: '1', ...(session && { session }) }), true);
      hear(topics.state, state, true);
    },
    /** The broker has the question, or not. */
    fence: (delivered = true) => settle(delivered),
    from: (session: string, since: string | null, to: string | null = null) =>
      hear(topics.claim, JSON.stringify({ session, instance: `the ${session}`, since, to })),
  };
}

function asking() {
  const it = subject();
  it.ownership.begin();
  return it;
}

function holding() {
  const it = asking();
  it.fence();
  it.told.length = 0;
  it.said.length = 0;
  return it;
}

beforeEach(() => {
  vi.useFakeTimers({ now: start });
});
afterEach(() => {
  vi.useRealTimers();
});

test('nobody is there: granted as soon as the broker has taken the question', () => {
  const { ownership, fence, said, told, log } = asking();
  expect(said).toEqual([{ session: 'm', instance: 'nas', since: null, to: null }]);
  expect(ownership.holding).toBe(false);
  fence();
  expect(ownership.holding).toBe(true);
  expect(told).toEqual(['granted']);
  expect(said.slice(1)).toEqual([{ session: 'm', instance: 'nas', since: moment(0), to: null }]);
  expect(log.entries).toMatchObject([{ level: 'info', event: 'bridge.claimed', since: moment(0) }]);
  expect(vi.getTimerCount()).toBe(0);
});

test.each([
  ['offline', 'other'],
  ['online', 'm'],
  ['', ''],
])('does not wait for what says %j of %j', (state, session) => {
  const { fence, kept, told, log } = asking();
  kept(state, session);
  fence();
  expect(told).toEqual(['granted']);
  expect(log.of('bridge.ghost')).toEqual([]);
});

test.each(['other', ''])('a ghost %j that says online is waited for', session => {
  const { fence, kept, told, log } = asking();
  kept('online', session);
  fence();
  vi.advanceTimersByTime(1_999);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(told).toEqual(['granted']);
  expect(log.of('bridge.ghost')).toMatchObject([{ level: 'warn' }]);
});

test('a ghost whose will comes in time is not waited for any longer', () => {
  const { fence, kept, hear, told } = asking();
  kept('online', 'other');
  fence();
  hear(topics.state, 'offline');
  expect(told).toEqual(['granted']);
  // The one that comes too late writes over what was published.
  hear(topics.state, 'offline');
  expect(told).toEqual(['granted', 'restate']);
});

test('the other one answers: refused, once and for good', () => {
  const { ownership, fence, kept, from, said, told, log } = asking();
  kept('online', 'other');
  fence();
  from('other', moment(-5_000), 'm');
  ownership.begin();
  from('third', moment(-9_000));
  from('fourth', null);
  ownership.lost();
  ownership.begin();
  vi.runAllTimers();
  expect(told).toEqual([{ instance: 'the other', since: moment(-5_000) }]);
  expect(log.of('bridge.refused')).toMatchObject([{ level: 'error', other: 'the other', since: moment(-5_000) }]);
  expect(ownership.holding).toBe(false);
  expect(said).toHaveLength(1);
});

test.each([
  ['smaller', 'a', 4_000],
  ['larger', 'z', 2_000],
])('heard another one ask whose session is %s: waits for what becomes of it', (_, session, patience) => {
  const { fence, from, told } = asking();
  from(session, null);
  fence();
  vi.advanceTimersByTime(patience - 1);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(told).toEqual(['granted']);
});

test('answers who asks', () => {
  const { from, said, told } = holding();
  from('a', null);
  from('z', null);
  expect(said).toMatchObject([
    { since: moment(0), to: 'a' },
    { since: moment(0), to: 'z' },
  ]);
  expect(told).toEqual([]);
});

test.each([
  ['a later one', 'a', 1, true],
  ['an earlier one', 'z', -1, false],
  ['one of the same moment, with a smaller session', 'a', 0, false],
  ['one of the same moment, with a larger session', 'z', 0, true],
])('two hold it: %s', (_, session, since, stays) => {
  const { ownership, from, said, told } = holding();
  from(session, moment(since));
  expect(ownership.holding).toBe(stays);
  expect(said).toHaveLength(stays ? 1 : 0);
  vi.runAllTimers();
  expect(told).toEqual([stays ? 'restate' : { instance: `the ${session}`, since: moment(since) }]);
});

test('one that asked later has a clock that is behind', () => {
  const { ownership, from, said } = holding();
  from('z', null);
  from('z', moment(-60_000));
  expect(ownership.holding).toBe(true);
  expect(said.at(-1)).toMatchObject({ since: moment(-60_001), to: 'z' });
  // Unless it was asked by us, too: then we asked at the same moment.
  from('z', moment(-60_002), 'm');
  expect(ownership.holding).toBe(false);
});

test('somebody else writes on the info topic: asks again, and mends it if there is no answer', () => {
  const { hear, said, told, log } = holding();
  hear(topics.info, '{"session":"other"}');
  hear(topics.state, 'online');
  expect(said).toHaveLength(1);
  vi.advanceTimersByTime(2_000);
  expect(told).toEqual(['restate']);
  expect(log.of('bridge.ghost')).toHaveLength(1);
  // Again and again, with nothing to be heard from it: less and less often.
  for (const _ of [1, 2, 3, 4, 5, 6, 7, 8]) {
    hear(topics.info, '{"session":"other"}');
    vi.advanceTimersByTime(2_000);
  }
  expect(told.length).toBeLessThan(5);
});

test.each([
  ['online', 'other', ['restate']],
  ['offline', 'other', []],
  ['online', 'm', []],
])('a broker sends late that it kept %j of %j', (state, session, expected) => {
  const { kept, said, told } = holding();
  kept(state, session);
  expect(said).toHaveLength(expected.length);
  vi.runAllTimers();
  expect(told).toEqual(expected);
});

test('is not impressed by itself, by what is kept, and by the past', () => {
  const { ownership, from, hear, kept, said, told } = holding();
  from('m', null);
  from('m', moment(-9_000));
  hear(topics.info, '{"session":"m"}');
  hear(topics.state, 'online');
  kept('offline', 'm');
  hear(topics.info, '');
  hear(topics.claim, JSON.stringify({ session: 'a', instance: '', since: moment(-9_000) }), true);
  vi.runAllTimers();
  expect([ownership.holding, said, told]).toEqual([true, [], []]);
});

test('a session that ends takes all with it', () => {
  const { ownership, fence, kept, told, said } = asking();
  kept('online', 'other');
  fence();
  ownership.lost();
  fence();
  vi.runAllTimers();
  expect(told).toEqual([]);
  ownership.begin();
  fence();
  expect(told).toEqual(['granted']);
  ownership.lost();
  expect(ownership.holding).toBe(false);
  expect(said).toHaveLength(3);
});

test('a question that is not delivered gets no hasty answer', () => {
  const { fence, told } = asking();
  fence(false);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(2_000);
  expect(told).toEqual(['granted']);
});

test('closed, it is silent', () => {
  const { ownership, from, fence, hear, said, told } = holding();
  ownership.close();
  ownership.close();
  ownership.begin();
  fence();
  from('a', null);
  expect(hear(topics.state, 'offline')).toBe(true);
  expect(hear('b/DSM/command', 'start')).toBe(false);
  expect([ownership.holding, said, told]).toEqual([false, [], []]);
});

test('what is no claim does nothing', () => {
  const valid = { session: 'a', instance: 'x', since: '2000-01-01T00:00:00.000Z' };
  const broken = fc.oneof(
    fc.json(),
    fc.uint8Array({ maxLength: 64 }),
    fc.constantFrom('', 'null', '[]', '{}', '"a"', `${JSON.stringify(valid)}x`, '['.repeat(10_000)),
    fc
      .record({ key: fc.constantFrom('session', 'instance', 'since', 'to'), value: fc.jsonValue() })
      .filter(({ key, value }) => typeof value !== 'string' && (value !== null || key === 'session'))
      .map(({ key, value }) => JSON.stringify({ ...valid, [key]: value })),
    fc
      .constantFrom('2000', 'now', '2000-01-01', '2000-01-01T00:00:00Z', '2000-01-01T00:00:00.000+01:00', '')
      .map(since => JSON.stringify({ ...valid, since })),
    fc.constantFrom('', 'x'.repeat(65)).map(session => JSON.stringify({ ...valid, session })),
    fc.constant(JSON.stringify({ ...valid, instance: null })),
  );
  const it = holding();
  const other = asking();
  fc.assert(
    fc.property(broken, payload => {
      for (const { hear } of [it, other]) hear(topics.claim, Buffer.from(payload as string));
      expect([it.ownership.holding, it.said, it.told]).toEqual([true, [], []]);
    }),
    { numRuns: 1_000 },
  );
  other.fence();
  expect(other.told).toEqual(['granted']);
});

test.each([201, 20_000])('a holder whose name has %i characters is heard, and its name cut', length => {
  const { ownership, hear, fence, told } = asking();
  hear(
    topics.claim,
    JSON.stringify({ session: 'other', instance: 'n'.repeat(length), since: moment(-5_000), to: 'm' }),
  );
  fence();
  expect(ownership.holding).toBe(false);
  expect(told).toEqual([{ instance: 'n'.repeat(200), since: moment(-5_000) }]);
});

test('its own info is its own, however many VMs it names', () => {
  const { hear, told, said } = holding();
  hear(topics.info, JSON.stringify({ checks_overdue: 'x'.repeat(100_000), session: 'm' }));
  expect([told, said]).toEqual([[], []]);
});
