/** Quiet times: when they begin and end, whatever the clock does. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { QuietTimes } from '../../src/app/quiet.ts';
import { type Command, command } from '../../src/model/command.ts';
import type { Quiet } from '../../src/model/notice/quiet.ts';
import { type Event, emptyVm } from '../../src/model/snapshot.ts';
import { State, States } from '../../src/model/state.ts';

const start = Date.parse('2026-11-22T08:00:00.000Z');
const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const iso = (milliseconds: number) => new Date(start + milliseconds).toISOString();

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'], now: start });
});
afterEach(() => {
  vi.useRealTimers();
});

type Told = Pick<Extract<Event, { type: 'quiet' }>, 'quiet' | 'by'>;

function set(stored: Quiet | null = null) {
  const state = new State({ DSM: { ...emptyVm('DSM', 'DSM'), quiet: stored } });
  const told: Told[] = [];
  state.subscribe(event => event.type === 'quiet' && told.push({ quiet: event.quiet, by: event.by }));
  const times = new QuietTimes(new States([state]));
  const give = (options: Partial<Command>) => times.command('DSM', command('quiet', options));
  return { give, told, times, quiet: () => state.vm('DSM').quiet };
}

test('begins, and ends by itself', () => {
  const { give, told, quiet } = set();
  expect(give({ duration: 2 * hour, by: 'dad' })).toContain(iso(2 * hour));
  expect(quiet()).toEqual({ until: iso(2 * hour), by: 'dad' });
  vi.advanceTimersByTime(2 * hour - 1);
  expect(quiet()).not.toBeNull();
  vi.advanceTimersByTime(1);
  expect(told).toEqual([
    { quiet: { until: iso(2 * hour), by: 'dad' }, by: 'dad' },
    { quiet: null, by: null },
  ]);
});

test.each<[what: string, options: Partial<Command>, until: string]>([
  ['until a time', { until: start + day }, iso(day)],
  ['by a switch', { enabled: true }, iso(2 * hour)],
  ['for 30 days', { duration: 30 * day }, iso(30 * day)],
  ['until just now', { until: start + 1 }, iso(1)],
])('%s', (_, options, until) => {
  const { give, quiet } = set();
  give(options);
  expect(quiet()).toEqual({ until, by: 'bridge' });
  vi.advanceTimersByTime(Date.parse(until) - start);
  expect(quiet()).toBeNull();
});

test.each<[what: string, until: number, message: RegExp]>([
  ['has passed', start - 1, /^until has passed: it is 2026-11-22T08:00:00.000Z here$/],
  ['is now', start, /^until has passed/],
  ['is too far away', start + 30 * day + 1, /^until is more than 30 days from now/],
])('an end that %s is refused, and changes nothing', (_, until, message) => {
  const { give, told } = set({ until: iso(hour), by: 'dad' });
  expect(give({ until })).toEqual({
    kind: 'rejected',
    code: 'invalid_payload',
    message: expect.stringMatching(message),
  });
  expect(told).toEqual([]);
});

test('another command changes its end, and off ends it, once', () => {
  const { give, told, quiet } = set();
  give({ duration: hour });
  give({ duration: 3 * hour, by: 'mum' });
  vi.advanceTimersByTime(2 * hour);
  expect(quiet()).toEqual({ until: iso(3 * hour), by: 'mum' });
  expect(give({ enabled: false, by: 'dad' })).toBe('the quiet time is over');
  expect(give({ enabled: false })).toBe('it was not quiet');
  vi.advanceTimersByTime(day);
  expect(told.slice(2)).toEqual([{ quiet: null, by: 'dad' }]);
});

describe('the clock is set', () => {
  test.each([day, -day, 400 * day, -400 * day])(
    'by %d ms: two hours stay two hours, and the end is told anew',
    step => {
      const { give, told, quiet } = set();
      give({ duration: 2 * hour, by: 'dad' });
      vi.setSystemTime(start + step);
      vi.advanceTimersByTime(minute);
      expect(quiet()).toEqual({ until: iso(step + 2 * hour), by: 'dad' });
      vi.advanceTimersByTime(2 * hour - minute - 1);
      expect(quiet()).not.toBeNull();
      vi.advanceTimersByTime(1);
      expect(told.at(-1)).toEqual({ quiet: null, by: null });
      expect(told).toHaveLength(3);
    },
  );

  test('a time of the clock is one of the new clock', () => {
    const { give, quiet } = set();
    give({ until: start + day });
    vi.setSystemTime(start + day - 2 * minute);
    vi.advanceTimersByTime(minute);
    expect(quiet()).not.toBeNull();
    vi.advanceTimersByTime(minute);
    expect(quiet()).toBeNull();
  });

  test('far back: no alarm is held back for a year', () => {
    const { give, quiet } = set();
    give({ until: start + day });
    vi.setSystemTime(start - 365 * day);
    vi.advanceTimersByTime(minute);
    expect(quiet()).toBeNull();
  });
});

describe('after a restart of the bridge', () => {
  test('it goes on', () => {
    const { times, told, quiet } = set({ until: iso(hour), by: 'dad' });
    times.start();
    vi.advanceTimersByTime(hour - 1);
    expect([quiet(), told]).toEqual([{ until: iso(hour), by: 'dad' }, []]);
    vi.advanceTimersByTime(1);
    expect(told).toEqual([{ quiet: null, by: null }]);
  });

  test('or has ended meanwhile', () => {
    const { times, told } = set({ until: iso(-1), by: 'dad' });
    times.start();
    expect(told).toEqual([{ quiet: null, by: null }]);
  });
});

test('closed, nothing more is told', () => {
  const { give, told, times } = set();
  give({ duration: hour });
  times.close();
  vi.advanceTimersByTime(day);
  expect(told).toHaveLength(1);
});
