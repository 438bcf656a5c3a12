/** What a domain's state means for those who wait for its guest to power off. */
import { describe, expect, test } from 'vitest';
import type { PowerWord } from '../../../src/model/commands.ts';
import { endOf, hindrance } from '../../../src/model/job/ending.ts';
import { keepStart } from '../../../src/model/job/interrupt.ts';
import { occupation, workOf } from '../../../src/model/job/job.ts';
import { active, domain, off, offBy } from '../samples.ts';
import { first, Rig, second } from './rig.ts';

describe('off', () => {
  test.each([
    ['shutdown', 'succeeded/done'],
    ['unknown', 'succeeded/done'],
    ['reason_42', 'succeeded/done'],
    ['destroyed', 'failed/power_cut'],
    ['crashed', 'failed/crashed'],
    ['failed', 'failed/crashed'],
    ['daemon', 'failed/crashed'],
    ['saved', 'failed/interfered'],
    ['migrated', 'failed/interfered'],
    ['from_snapshot', 'failed/interfered'],
  ])('%s: %s', (reason, end) => {
    const { status, code } = endOf(offBy(reason));
    expect(`${status}/${code}`).toBe(end);
    for (const word of ['shutdown', 'reboot'] as const) {
      const rig = new Rig(word);
      expect(rig.sees(offBy(reason))).toEqual([word === 'reboot' && status === 'succeeded' ? 'off' : `end ${end}`]);
    }
  });

  test('gone, and with it the reason', () => {
    expect(endOf(null)).toMatchObject({ status: 'succeeded', code: 'done' });
  });
});

describe('active, and it will not power off', () => {
  test.each([
    ['running', 'booted', null],
    ['running', 'crashed', null],
    ['idle', 'unknown', null],
    ['unknown', 'not_readable', null],
    ['shutting_down', 'user', null],
    // libvirt makes these pauses by itself, and ends them.
    ...['migration', 'save', 'dump', 'snapshot', 'shutting_down', 'starting_up', 'unknown'].map(
      reason => ['paused', reason, null] as const,
    ),
    ['paused', 'user', 'interfered'],
    ['paused', 'watchdog', 'interfered'],
    ['paused', 'from_snapshot', 'interfered'],
    ['paused', 'postcopy_failed', 'interfered'],
    ['paused', 'api_error', 'interfered'],
    ['paused', 'reason_42', 'interfered'],
    ['paused', 'io_error', 'io_error'],
    ['paused', 'crashed', 'crashed'],
    ['crashed', 'panicked', 'crashed'],
    ['crashed', 'unknown', 'crashed'],
    ['pmsuspended', 'unknown', 'interfered'],
  ] as const)('%s (%s): %s', (state, reason, code) => {
    const now = active(state, reason);
    expect(hindrance(now)?.code ?? null).toBe(code);
    const rig = new Rig('shutdown');
    expect(rig.sees(now)).toEqual(code ? [`end failed/${code}`] : []);
    expect(rig.outcomes.has(first)).toBe(code !== null);
  });
});

describe('what is shown of it', () => {
  const began = Date.UTC(2026, 10, 22, 8);
  const shown = (rig: Rig) => {
    if (!rig.job) throw new Error('it is over');
    return { ...workOf(rig.job, at => new Date(began + at).toISOString()), occupation: occupation(rig.job) };
  };
  const cutting = (word: PowerWord) => {
    const rig = new Rig(word, { onTimeout: 'force_off', maxPresses: 1 }, 0);
    rig.waits(300_000);
    return rig;
  };
  const until = (deadline: string) => ({ since: '2026-11-22T08:00:00.000Z', deadline: `2026-11-22T${deadline}.000Z` });

  test.each<[what: string, rig: Rig, expected: [activity: string, phase: string, occupation: string], object?]>([
    ['start', new Rig('start', {}, 0), ['starting', 'calling', 'call'], { attempt: null, startAfterOff: false }],
    ['start, waiting', new Rig('start', { offFor: 4_000 }, 0), ['starting', 'pausing', 'waiting'], until('08:00:36')],
    ['resume', new Rig('resume', {}, 0), ['starting', 'calling', 'call']],
    ['suspend', new Rig('suspend', {}, 0), ['none', 'calling', 'call']],
    ['reset', new Rig('reset', {}, 0), ['rebooting', 'calling', 'call']],
    ['force_off', new Rig('force_off', {}, 0), ['shutting_down', 'cutting_power', 'call']],
    [
      'shutdown',
      new Rig('shutdown', {}, 0),
      ['shutting_down', 'waiting_for_guest', 'shutdown'],
      { ...until('08:05:00'), attempt: 1 },
    ],
    ['shutdown, cutting', cutting('shutdown'), ['shutting_down', 'cutting_power', 'call'], until('08:08:10')],
    ['reboot', new Rig('reboot', {}, 0), ['rebooting', 'waiting_for_guest', 'reboot'], { attempt: 1 }],
    [
      'reboot by the guest',
      new Rig('reboot', { call: 'guest_reboot' }, 0),
      ['rebooting', 'waiting_for_guest', 'reboot'],
      { attempt: null },
    ],
    ['reboot, cutting', cutting('reboot'), ['rebooting', 'cutting_power', 'call']],
  ])('%s', (_, rig, [activity, phase, occupation], more = {}) => {
    expect(shown(rig)).toMatchObject({ activity, phase, occupation, ...more });
  });

  test('presses are counted, and a start for later is seen', () => {
    const rig = new Rig('shutdown', {}, 0);
    rig.waits(60_000);
    expect(shown(rig)).toMatchObject({ attempt: 2, startAfterOff: false });
    const step = rig.job && keepStart(rig.job, second);
    if (step) rig.apply(step);
    expect(shown(rig)).toMatchObject({ attempt: 2, startAfterOff: true });
    rig.sees(off);
    expect(shown(rig)).toMatchObject({ activity: 'starting', phase: 'pausing', startAfterOff: false, attempt: null });
    rig.sees(domain);
    expect(rig.job).toBeNull();
  });

  test('a reboot that is off waits, and then calls', () => {
    const rig = new Rig('reboot', {}, 0);
    rig.sees(off);
    expect(shown(rig)).toMatchObject({ activity: 'rebooting', phase: 'pausing', attempt: null, occupation: 'waiting' });
    rig.waits(10_000);
    expect(shown(rig)).toMatchObject({ activity: 'rebooting', phase: 'calling', occupation: 'call' });
  });
});
