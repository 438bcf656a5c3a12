/** Whom a stop is put down to, from the first request until half an hour after it was given up. */
import { describe, expect, test } from 'vitest';
import { askedAfter, askedOf, lateness } from '../../src/commands/stop-cause.ts';
import { cancelled, failed, type Outcome, rejected, succeeded } from '../../src/model/codes.ts';
import { type Command, command } from '../../src/model/command.ts';
import type { PowerWord } from '../../src/model/commands.ts';
import type { Job } from '../../src/model/job/job.ts';
import type { Asked } from '../../src/model/snapshot.ts';
import { guest, Rig } from '../model/job/rig.ts';
import { at, off } from '../model/samples.ts';

const began = Date.parse(at);
const time = (ms: number) => new Date(began + ms).toISOString();
const job = (rig: Rig): Job => {
  if (!rig.job) throw new Error('it is over');
  return rig.job;
};
const rig = (word: PowerWord, more: ConstructorParameters<typeof Rig>[1] = {}) => new Rig(word, more, 0);
const moved = (one: Rig, ...moves: ((rig: Rig) => unknown)[]): Rig => {
  for (const move of moves) move(one);
  return one;
};
const ofUps = (word: PowerWord, more: Partial<Command> = {}) => command(word, { id: 'ups-1', by: 'ups', ...more });
const daring = { onTimeout: 'force_off', maxPresses: 1 } as const;

const open: Asked = {
  ...{ word: 'shutdown', id: 'ups-1', by: 'ups', at, until: time(300_000 + lateness) },
  ...{ cut: false, open: true },
};
const starting: Asked = { ...open, word: 'start', until: at };
const resetting: Asked = { ...starting, word: 'reset' };

test('half an hour', () => {
  expect(lateness).toBe(30 * 60_000);
});

describe('while it is under way', () => {
  test.each<[what: string, rig: Rig, word: PowerWord, expected: Partial<Asked> | null]>([
    ['a shutdown', rig('shutdown'), 'shutdown', {}],
    ['a reboot', rig('reboot'), 'reboot', {}],
    ['a reboot by the guest', rig('reboot', { call: 'guest_reboot' }), 'reboot', {}],
    ['a power cut', rig('force_off'), 'force_off', { cut: true, until: time(190_000 + lateness) }],
    [
      'a power cut by policy',
      moved(rig('shutdown', daring), one => one.waits(300_000)),
      'shutdown',
      { cut: true, until: time(490_000 + lateness) },
    ],
    [
      'a shutdown before which others go off',
      rig('shutdown', { hold: { reserve: 1_000, first: 'box' } }),
      'shutdown',
      { until: at },
    ],
    // It is off, or about to run: no stop is theirs; but that they are under way has to be known after a crash.
    ['a start', rig('start'), 'start', { until: at }],
    ['a start that waits', rig('start', { offFor: 0 }), 'start', { until: at }],
    ['a reboot that is off', moved(rig('reboot'), one => one.sees(off)), 'reboot', { until: at }],
    [
      'a reboot that starts',
      moved(
        rig('reboot'),
        one => one.sees(off),
        one => one.waits(10_000),
      ),
      'reboot',
      { until: at },
    ],
    // Its restart is told perhaps after its answer.
    ['a reset', rig('reset'), 'reset', { until: at }],
    // These neither stop nor start it.
    ['a suspend', rig('suspend'), 'suspend', null],
    ['a resume', rig('resume'), 'resume', null],
    ['a start that resumes', rig('start', { call: 'resume' }), 'start', null],
  ])('%s', (_, one, word, expected) => {
    const asked = askedOf(job(one), ofUps(word), null, time);
    expect(asked).toEqual(expected && { ...open, word, ...expected });
  });

  test('who gives no mark is the bridge', () => {
    expect(askedOf(job(rig('shutdown')), command('shutdown'), null, time)).toMatchObject({ by: 'bridge', id: null });
  });

  test('what does not change is the very same', () => {
    const one = rig('shutdown');
    const asked = askedOf(job(one), ofUps('shutdown'), null, time);
    one.waits(60_000);
    expect(askedOf(job(one), ofUps('shutdown'), asked, time)).toBe(asked);
  });

  test('the first request counts, even if the clock was set meanwhile', () => {
    const one = moved(rig('shutdown', daring), rig => rig.waits(300_000));
    const later = (ms: number) => new Date(began + 7_200_000 + ms).toISOString();
    expect(askedOf(job(one), ofUps('shutdown'), open, later)).toMatchObject({ at, cut: true });
  });

  test.each<[what: string, before: Asked]>([
    ['was given up', { ...open, open: false, at: '2026-11-22T07:00:00.000Z' }],
    ['had another id', { ...open, id: 'ups-0', at: '2026-11-22T07:00:00.000Z' }],
    ['was another command', { ...open, word: 'reboot', at: '2026-11-22T07:00:00.000Z' }],
  ])('a request that %s is another one', (_, before) => {
    expect(askedOf(job(rig('shutdown')), ofUps('shutdown'), before, time)).toEqual(open);
  });

  test('a suspend leaves what was asked before as it is', () => {
    const before = { ...open, open: false };
    expect(askedOf(job(rig('suspend')), ofUps('suspend'), before, time)).toBe(before);
  });
});

describe('when it has ended', () => {
  const now = time(400_000);
  const given = { ...open, open: false, until: time(400_000 + lateness) };
  const pressing = rig('shutdown');
  const cutting = moved(rig('shutdown', daring), one => one.waits(300_000));
  const byGuest = rig('reboot', { call: 'guest_reboot' });

  test.each<[what: string, rig: Rig, before: Asked | null, outcome: Outcome | null, after: Asked | null]>([
    ['done', pressing, open, succeeded('done', ''), null],
    ['forced', cutting, { ...open, cut: true }, succeeded('forced', ''), null],
    ['rejected after all', pressing, open, rejected({ code: 'read_only', message: '' }), null],
    ['refused: it never was asked', pressing, open, failed('libvirt_error', ''), null],
    ['a restart refused: it never was asked', byGuest, open, failed('libvirt_error', ''), null],
    ['the time is up', pressing, open, failed('timed_out', ''), given],
    [
      'the time is up, and DSM was not asked while it updated',
      rig('shutdown', { guest: guest('updating') }),
      open,
      failed('timed_out', ''),
      null,
    ],
    ['nobody knows', pressing, open, failed('outcome_unknown', ''), given],
    ['cancelled', pressing, open, cancelled('cancelled', ''), given],
    ['replaced', pressing, open, cancelled('superseded', ''), given],
    ['paused by a disk', pressing, open, failed('io_error', ''), given],
    ['a restart that nobody saw', byGuest, open, failed('timed_out', ''), given],
    [
      'the cut refused, the guest had been asked',
      cutting,
      { ...open, cut: true },
      failed('libvirt_error', ''),
      { ...given, cut: false },
    ],
    ['a start that failed', rig('start'), starting, failed('timed_out', ''), null],
    ['a start that was cancelled', rig('start', { offFor: 0 }), starting, cancelled('cancelled', ''), null],
    [
      'a reboot that did not start',
      moved(
        rig('reboot'),
        one => one.sees(off),
        one => one.waits(10_000),
      ),
      { ...starting, word: 'reboot' },
      failed('libvirt_error', ''),
      null,
    ],
    ['a stop that was seen has taken it already', pressing, null, succeeded('done', ''), null],
    [
      'a reset whose restart is told later',
      rig('reset'),
      resetting,
      succeeded('done', ''),
      { ...resetting, open: false },
    ],
    [
      'a reset that nobody knows',
      rig('reset'),
      resetting,
      failed('outcome_unknown', ''),
      { ...resetting, open: false },
    ],
    ['a reset whose restart was told', rig('reset'), null, succeeded('done', ''), null],
    ['a reset that was refused', rig('reset'), resetting, failed('libvirt_error', ''), null],
    ['a reset that was rejected', rig('reset'), resetting, rejected({ code: 'read_only', message: '' }), null],
    ['what was given up before stays', rig('suspend'), given, succeeded('done', ''), given],
  ])('%s', (_, one, before, outcome, after) => {
    expect(askedAfter(job(one), outcome, before, now)).toEqual(after);
  });
});
