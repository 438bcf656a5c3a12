/** What the checks add to the record: how long the guest was up, and the verdicts. */
import { describe, expect, test } from 'vitest';
import type { Check, Verdict } from '../../src/model/check.ts';
import { lineOf, noUptime, tallied as talliedIf, type Uptime, uptimeFrom } from '../../src/model/history/uptime.ts';
import { checkOf } from './samples.ts';

const at = (minute: number) => new Date(Date.parse('2026-11-22T08:00:00.000Z') + minute * 60_000).toISOString();

const tallied = (before: { check: Check | null; uptime: Uptime }, next: Check, when: string) =>
  talliedIf({ ...before, quiet: null }, next, when);

/** A check at that minute; the next one is due a minute later. */
const check = (verdict: Verdict, minute: number, more: Partial<Check> = {}): Check => ({
  ...checkOf(verdict),
  ...{ checkedAt: at(minute), nextAt: at(minute + 1), latency: verdict === 'up' ? 10 : null, ...more },
});

/** `verdictOf`: at each minute. */
function checked(minutes: number, verdictOf: (minute: number) => Verdict, more: Partial<Check> = {}) {
  let before: { check: Check | null; uptime: Uptime } = { check: null, uptime: noUptime };
  const lines: Uptime['added'][number][] = [];
  for (let minute = 0; minute < minutes; minute += 1) {
    const next = check(verdictOf(minute), minute, more);
    const uptime = tallied(before, next, at(minute));
    lines.push(...uptime.added);
    before = { check: next, uptime };
  }
  return { lines, ...before };
}

test('an hour is one line, and then the figures have it', () => {
  const { lines, uptime } = checked(61, minute => (minute >= 15 && minute < 30 ? 'unreachable' : 'up'));
  expect(lines.filter(({ what }) => what === 'checks')).toEqual([
    { what: 'checks', from: at(0), at: at(60), up: 2_700, meant: 3_600, checks: 61, answers: 46, ms: 10 },
  ]);
  expect(uptime.percent).toEqual({ day: 75, week: 75, month: 75 });
  expect(uptime.ms).toEqual({ day: 10, week: 10, month: 10 });
});

test('many restarts in a day, each with a line of its own, do not push out the days before', () => {
  const span = (from: number, to: number, up: number) => {
    return { from: at(from), at: at(to), up, meant: 60 * (to - from), checks: 1, answers: 1, ms: 10 };
  };
  const days = Array.from({ length: 25 }, (_, day) => span(day * 1_440, day * 1_440 + 60, 0));
  const restarts = Array.from({ length: 200 }, (_, i) => span(26 * 1_440 + i * 5, 26 * 1_440 + i * 5 + 5, 300));
  const { closed, percent } = uptimeFrom([...days, ...restarts], [], Date.parse(at(27 * 1_440)));
  expect(closed.length).toBeLessThan(100);
  expect(percent).toMatchObject({ day: 100, month: 40 });
});

test('during the hour nothing is added, and the figures stay', () => {
  const { lines, uptime } = checked(60, () => 'up');
  expect(lines.map(({ what }) => what)).toEqual(['verdict']);
  expect(uptime).toMatchObject({ percent: noUptime.percent, open: { up: 3_540, meant: 3_540 } });
});

test('a guest that was away for a second was not up for all of the time', () => {
  const hour = { from: at(0), at: at(60), up: 3_599, meant: 3_600, checks: 60, answers: 60, ms: 1 };
  const hours = Array.from({ length: 24 }, (_, n) => ({ ...hour, at: at(60 * n), up: n === 0 ? 3_599 : 3_600 }));
  expect(uptimeFrom(hours, [], Date.parse(at(60 * 23))).percent.day).toBe(99.99);
});

test.each<[what: string, more: Partial<Check>]>([
  ['meant to be off', { expected: 'off' }],
  ['of which the bridge cannot tell', { reachable: null }],
  ['that is never checked by itself', { nextAt: null }],
])('a guest %s does not count', (_, more) => {
  const { uptime } = checked(61, () => 'up', more);
  expect(uptime.percent).toEqual({ day: null, week: null, month: null });
});

test('quiet time does not count, neither for the time nor for the response', () => {
  const before = { check: check('up', 0), uptime: noUptime, quiet: { until: at(60), by: null } };
  const first = talliedIf(before, check('up', 0), at(0));
  const { open } = talliedIf({ ...before, uptime: first }, check('up', 1), at(1));
  expect(open).toMatchObject({ meant: 0, up: 0, checks: 1, answers: 0 });
});

test.each<[what: string, from: number, to: number, seconds: number]>([
  ['a minute', 0, 1, 60],
  ['as long as the next check is not late by more than a minute', 0, 30, 120],
  ['and a clock that is set forward by a day', 0, 1_440, 120],
  ['and a clock that is set back', 30, 0, 0],
])('counted is %s', (_, from, to, seconds) => {
  const first = tallied({ check: null, uptime: noUptime }, check('up', from), at(from));
  const { open, closed } = tallied({ check: check('up', from), uptime: first }, check('up', to), at(to));
  expect([...closed, open].reduce((sum, span) => sum + (span?.meant ?? 0), 0)).toBe(seconds);
});

describe('the record that an earlier bridge has written', () => {
  const day = 86_400_000;
  const now = Date.parse('2026-11-29T12:00:00.000Z');
  const hour = (daysAgo: number, up: number) => {
    const then = new Date(now - daysAgo * day).toISOString();
    return { from: then, at: then, up, meant: 3_600, checks: 60, answers: 60, ms: up / 100 };
  };

  test('counts, each period its own part', () => {
    const { percent, ms } = uptimeFrom([hour(40, 0), hour(20, 0), hour(3, 1_800), hour(0.5, 3_600)], [], now);
    expect(percent).toEqual({ day: 100, week: 75, month: 50 });
    expect(ms).toEqual({ day: 36, week: 27, month: 18 });
  });

  test('of 90 days takes little memory, and loses no time', () => {
    const hours = Array.from({ length: 90 * 24 }, (_, n) => hour(90 - (n + 1) / 24, 1_800));
    const { closed, percent } = uptimeFrom(hours, [], now);
    expect(closed.length).toBeLessThanOrEqual(100);
    expect(percent).toEqual({ day: 50, week: 50, month: 50 });
    expect(closed.at(-1)).toEqual({ ...hour(0, 1_800), ms: 18 * 60 });
    expect(closed.at(0)).toMatchObject({ meant: 24 * 3_600 });
  });

  test('survives a clock that is wrong for an hour', () => {
    const uptime = uptimeFrom([hour(3, 1_800)], [], now);
    const year = tallied({ check: null, uptime }, checkOf('up'), '2030-01-01T00:00:00.000Z');
    const later = tallied({ check: checkOf('up'), uptime: year }, checkOf('up'), '2030-01-01T01:00:00.000Z');
    const back = tallied({ check: checkOf('up'), uptime: later }, checkOf('up'), new Date(now).toISOString());
    expect(back.percent.week).toBe(50);
  });

  test('an hour that ends half way is a line, and an empty one is none', () => {
    const { uptime } = checked(30, () => 'up');
    expect(lineOf(uptime.open)).toMatchObject([{ meant: 1_740, up: 1_740, checks: 30 }]);
    expect(lineOf(noUptime.open)).toEqual([]);
    expect(lineOf(checked(30, () => 'off', { checkedAt: null, expected: 'off' }).uptime.open)).toEqual([]);
  });
});

describe('a verdict', () => {
  test('is a line when it changes, with what was asked', () => {
    const probes: Check['probes'] = {
      web: { outcome: 'failed', ms: null, explanation: 'x'.repeat(500), at: at(0) },
    };
    const { lines } = checked(20, minute => (minute < 10 ? 'up' : 'unreachable'), { probes, reason: 'y'.repeat(500) });
    expect(lines).toEqual([
      expect.objectContaining({ at: at(0), what: 'verdict', verdict: 'up', problem: false }),
      {
        ...{ at: at(10), what: 'verdict', verdict: 'unreachable', problem: true, reason: 'y'.repeat(200) },
        probes: { web: { outcome: 'failed', ms: null, explanation: 'x'.repeat(100) } },
      },
    ]);
  });

  test('is none when the bridge begins again and finds the same; another problem is one', () => {
    const { uptime } = checked(2, () => 'up');
    const told = (more: Partial<Check>) => {
      const lines = [{ at: at(0), verdict: 'up', problem: false } as const];
      return tallied({ check: null, uptime: uptimeFrom([], lines, Date.parse(at(0))) }, check('up', 5, more), at(5));
    };
    expect(uptime.told).toMatchObject({ verdict: 'up', count: 1 });
    expect(told({}).added).toEqual([]);
    expect(told({ problem: true }).added).toMatchObject([{ verdict: 'up', problem: true }]);
  });

  test('has at most 24 lines a day', () => {
    const { lines, uptime } = checked(59, minute => (minute % 2 === 0 ? 'up' : 'unreachable'));
    expect(lines).toHaveLength(24);
    const next = tallied({ check: null, uptime }, check('crashed', 24 * 60), at(24 * 60));
    expect(next.added.filter(({ what }) => what === 'verdict')).toHaveLength(1);
    expect(next.told).toMatchObject({ verdict: 'crashed', count: 1 });
  });
});
