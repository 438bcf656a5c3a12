import { expect, test } from 'vitest';
import type { Verdict } from '../../src/model/check.ts';
import type { CheckDocument } from '../../src/model/documents.ts';
import { barsOf, currentLine, edgesOf, type Line, marksOf, toneOf, withoutProblem } from '../../web/model/timeline.ts';

const hour = 3_600_000;
const now = Date.parse('2026-11-30T14:20:00Z');
const ago = (hours: number) => new Date(now - hours * hour).toISOString();
const edges = (count: number) => Array.from({ length: count + 1 }, (_, index) => now - (count - index) * hour);

function verdict(hours: number, word: string, problem: boolean | null = false): Line {
  return { at: ago(hours), what: 'verdict', verdict: word as Verdict, problem, reason: 'So it is.', probes: {} };
}

function shares(lines: readonly Line[], count: number) {
  return barsOf(lines, edges(count), now).map(bar =>
    bar.shares.map(([tone, share]) => `${tone} ${Math.round(share * 100)}`).join(', '),
  );
}

test('a verdict holds until the next, and before the first nothing is known', () => {
  expect(shares([verdict(2.5, 'up'), verdict(1.25, 'unreachable', true), verdict(1, 'up')], 4)).toEqual([
    'unknown 100',
    'good 50, unknown 50',
    'bad 25, good 75',
    'good 100',
  ]);
});

test('a verdict from before the range counts, in whatever order the lines are', () => {
  expect(shares([verdict(0.5, 'off'), verdict(100, 'degraded')], 2)).toEqual(['warn 100', 'warn 50, off 50']);
});

test('the verdict that holds now fills what its own line is too old for', () => {
  const check = { since: ago(50), verdict: 'up', problem: false, reason: '', probes: {} } as CheckDocument;
  expect(shares(currentLine(check), 1)).toEqual(['good 100']);
  expect(currentLine({ ...check, since: null })).toEqual([]);
  // Quiet time has taken its problem back, and not what was before that.
  expect(currentLine(check, [verdict(50, 'up', true)])).toEqual([]);
  expect(currentLine(check, [verdict(51, 'up', true), verdict(49, 'off')])).toHaveLength(1);
});

test('while the bridge was away nothing is known, except of a VM that was off', () => {
  const counts = { up: 1, meant: 1, checks: 1, answers: 1, ms: null };
  const sums: Line[] = [
    { ...counts, at: ago(3), from: ago(4), what: 'checks' },
    { ...counts, at: ago(1), from: ago(1.5), what: 'checks' },
  ];
  expect(shares([verdict(9, 'up'), ...sums], 4)).toEqual([
    'good 100',
    'unknown 100',
    'good 50, unknown 50',
    'good 100',
  ]);
  expect(shares([verdict(9, 'off'), ...sums], 4)).toEqual(Array(4).fill('off 100'));
  const near = sums.map((sum, index) => (index === 1 ? { ...sum, from: ago(2.9) } : sum));
  expect(shares([verdict(9, 'up'), ...near], 4)).toEqual(Array(4).fill('good 100'));
});

test('the time to come is in no bar', () => {
  const [past, coming] = barsOf([verdict(9, 'up')], [now - hour, now, now + hour], now);
  expect(past?.spans).toHaveLength(1);
  expect(coming).toMatchObject({ shares: [], spans: [] });
});

test('a bar is quiet where quiet time touches it, and the next line ends it early', () => {
  const quiet = (lines: readonly Line[]) => barsOf(lines, edges(4), now).map(bar => bar.quiet);
  const told: Line = { at: ago(3.5), what: 'quiet', until: ago(1.5), by: null };
  expect(quiet([told])).toEqual([true, true, true, false]);
  const ended: Line = { at: ago(3.2), what: 'quiet', until: null, by: null };
  expect(quiet([told, ended])).toEqual([true, false, false, false]);
});

test('each verdict has a tone, a problem before all', () => {
  expect(toneOf({ verdict: 'off', problem: true })).toBe('bad');
  expect(toneOf({ verdict: 'paused', problem: false })).toBe('off');
  expect(toneOf({ verdict: 'updating', problem: false })).toBe('busy');
  expect(toneOf({ verdict: 'unreachable', problem: false })).toBe('warn');
  expect(toneOf({ verdict: 'unknown', problem: null })).toBe('unknown');
});

test('bars begin at whole hours or days, and the last one is under way', () => {
  const hours = edgesOf(now, 'hours');
  expect(hours).toHaveLength(25);
  expect([hours.at(-2), hours.at(-1)]).toEqual([now - hour / 3, now + (2 * hour) / 3]);
  const days = edgesOf(now, 'days');
  expect(days).toHaveLength(31);
  expect(days.at(-2)).toBeLessThanOrEqual(now);
  expect(days.at(-1)).toBeGreaterThan(now);
  expect(days.every(day => new Date(day).getHours() === 0)).toBe(true);
});

test('what happened is told in words, the newest first', () => {
  const lines = [
    { at: ago(30), what: 'start', by: 'host', how: 'booted', why: null, seconds: null, seen: true },
    { at: ago(5), what: 'stop', by: 'anna', how: 'shutdown', why: 'shutdown', seconds: 43, seen: true },
    { at: ago(4), what: 'stop', by: 'guest', how: 'shutdown', why: null, seconds: null, seen: false },
    { at: ago(3), what: 'stop', by: 'anna', how: 'destroyed', why: 'force_off', seconds: 1, seen: true },
    { at: ago(2), what: 'rebuild', by: 'anna', result: 'failed', seconds: 80 },
    { at: ago(1), what: 'sneeze' },
  ] as Line[];
  expect(marksOf(lines, now - 10 * hour).map(({ text, seconds, late }) => ({ text, seconds, late }))).toEqual([
    { text: 'Loader rebuilt by anna: failed', seconds: 80, late: false },
    { text: 'Power cut by anna, force off', seconds: 1, late: false },
    { text: 'Shut down by the guest itself', seconds: null, late: true },
    { text: 'Shut down by anna', seconds: 43, late: false },
  ]);
});

test('the share without a problem leaves out what is not known', () => {
  const lines = [verdict(3, 'up'), verdict(1, 'unreachable', true)];
  expect(withoutProblem(barsOf(lines, edges(4), now))).toBeCloseTo(2 / 3);
  expect(withoutProblem(barsOf([], edges(4), now))).toBeNull();
});
