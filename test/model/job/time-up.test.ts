/** The time is up: the guest is left running, or its power is cut, and then never within a minute. */
import { describe, expect, test } from 'vitest';
import { commandWords } from '../../../src/model/commands.ts';
import { mayCutPower } from '../../../src/model/job/job.ts';
import { active, off, offBy } from '../samples.ts';
import { away, back, failures, first, guest, Rig } from './rig.ts';

const minute = 60_000;

const cutting = (more = {}) => new Rig('shutdown', { onTimeout: 'force_off', maxPresses: 1, ...more });

describe('report', () => {
  test.each([1, 1_000, 300_000, 86_400_000])('after %i ms: told, and left running', timeout => {
    const rig = new Rig('shutdown', { timeout, maxPresses: 1 });
    expect(rig.deadline).toBe(timeout);
    expect(rig.waits(timeout - 1)).toEqual([]);
    expect(rig.waits(1)).toEqual(['end failed/timed_out']);
    expect(rig.outcomes.get(first)).toBe(
      `failed/timed_out: the guest did not power off within ${Math.round(timeout / 100) / 10} s: nothing tells whether it hears the power button; it is left running`,
    );
  });

  test('while libvirt is away: nobody knows', () => {
    const rig = new Rig('shutdown');
    rig.waits(1_000);
    rig.hears(away);
    expect(rig.waits(299_000)).toEqual(['end failed/outcome_unknown']);
    expect(rig.outcomes.get(first)).toContain('libvirt is away');
  });

  test('found out when libvirt goes or comes', () => {
    for (const [input, end] of [
      [away, 'end failed/outcome_unknown'],
      [back, 'end failed/timed_out'],
    ] as const) {
      const rig = new Rig('shutdown');
      rig.now += 300_000;
      expect(rig.hears(input)).toEqual([end]);
    }
  });
});

describe('force_off', () => {
  test.each([
    [1, minute],
    [30_000, minute],
    [59_999, minute],
    [60_000, minute],
    [60_001, 60_001],
    [300_000, 300_000],
  ])('a timeout of %i ms is one of %i', (timeout, least) => {
    const rig = cutting({ timeout });
    expect(rig.waits(least - 1)).toEqual([]);
    expect(rig.waits(1)).toEqual(['cutting_power', 'call cut_power']);
  });

  test('and then it is off: that is told as what it is', () => {
    const rig = cutting({ timeout: minute });
    rig.waits(minute);
    expect(rig.answers(null)).toEqual([]);
    expect(rig.sees(active('paused', 'user'))).toEqual([]);
    rig.waits(500);
    expect(rig.sees(offBy('destroyed'))).toEqual(['end succeeded/forced']);
    expect(rig.outcomes.get(first)).toMatch(/did not power off within 60.5 s; its power was cut$/);
  });

  test('at the last moment it did power off by itself', () => {
    const rig = cutting();
    rig.waits(300_000);
    expect(rig.sees(off)).toEqual(['end succeeded/done']);
    expect(rig.outcomes.get(first)).toBe('succeeded/done: it is off');
  });

  test.each([
    ['refused', /^failed\/libvirt_error: .*cutting its power failed too: no$/],
    ['unsent', /^failed\/libvirt_error: .*cutting its power failed too: away$/],
    ['denied', /^failed\/libvirt_error: .*cutting its power failed too: denied$/],
    ['lost', /^failed\/outcome_unknown: .*nobody knows whether its power was cut: lost$/],
  ] as const)('cutting fails too, %s', (how, outcome) => {
    const rig = cutting();
    rig.waits(300_000);
    expect(rig.answers(failures[how])).toHaveLength(1);
    expect(rig.outcomes.get(first)).toMatch(outcome);
    expect(rig.job).toBeNull();
  });

  test('cutting is not answered: told, then given up', () => {
    const rig = cutting();
    rig.waits(300_000);
    expect(rig.answers(failures.silent)).toEqual(['no_answer']);
    expect(rig.waits(rig.deadline - 1)).toEqual([]);
    expect(rig.waits(1)).toEqual(['end failed/timed_out']);
    expect(rig.outcomes.get(first)).toContain('was not seen to go off');
  });

  test.each(['refused', 'unsent', 'lost', 'silent'] as const)('a press’s late answer, %s, is not the cut’s', how => {
    const rig = cutting();
    rig.waits(300_000);
    expect(rig.answers(failures[how], 1)).toEqual([]);
    expect(rig.sees(offBy('destroyed'))).toEqual(['end succeeded/forced']);
  });

  test('not while libvirt is away, nor later', () => {
    const rig = cutting();
    rig.hears(away);
    expect(rig.waits(300_000)).toEqual(['end failed/outcome_unknown']);
  });

  test('libvirt is back at the very end', () => {
    const rig = cutting();
    rig.hears(away);
    rig.waits(299_999);
    expect(rig.hears(back)).toEqual([]);
    expect(rig.waits(1)).toEqual(['cutting_power', 'call cut_power']);
  });
});

describe('power may be cut', () => {
  const all = commandWords;
  const harmless = commandWords.filter(word => word !== 'force_off');
  test.each([
    ['the command', new Rig('force_off'), 0, true],
    ['a shutdown that says so, after a minute', new Rig('shutdown', { onTimeout: 'force_off' }), minute, true],
    ['a shutdown that says so, too soon', new Rig('shutdown', { onTimeout: 'force_off' }), minute - 1, false],
    ['a shutdown that does not', new Rig('shutdown'), 86_400_000, false],
    [
      'a shutdown that says so, while DSM updates',
      new Rig('shutdown', { onTimeout: 'force_off', guest: guest('updating') }),
      minute,
      false,
    ],
    [
      'a shutdown that says so, of a DSM that is damaged',
      new Rig('shutdown', { onTimeout: 'force_off', guest: guest('recoverable') }),
      minute,
      false,
    ],
    ['the command, while DSM updates', new Rig('force_off', { guest: guest('updating') }), 0, true],
    ['a reboot that says so', new Rig('reboot', { onTimeout: 'force_off' }), minute, true],
    ['a reboot that does not', new Rig('reboot'), 86_400_000, false],
  ] as const)('%s', (_, { job, now }, later, allowed) => {
    if (!job) throw new Error('it is over');
    expect(mayCutPower(job, all, now + later)).toBe(allowed);
    expect(mayCutPower(job, harmless, now + later)).toBe(false);
  });
});

test.each([
  ['start', 'start', 'run'],
  ['start', 'wake_up', 'wake up'],
  ['resume', 'resume', 'run'],
  ['suspend', 'suspend', 'pause'],
  ['reset', 'reset', 'be reset'],
  ['force_off', 'cut_power', 'go off'],
  ['reboot', 'guest_reboot', 'restart'],
] as const)('%s by %s was not seen to %s', (word, call, aim) => {
  const rig = new Rig(word, { call });
  const time = rig.deadline;
  rig.answers(word === 'reset' ? failures.silent : null);
  expect(rig.waits(time - 1)).toEqual([]);
  expect(rig.waits(1)).toEqual(['end failed/timed_out']);
  expect(rig.outcomes.get(first)).toBe(`failed/timed_out: it was not seen to ${aim} within ${time / 1_000} s`);
  const blind = new Rig(word, { call });
  blind.hears(away);
  expect(blind.waits(time)).toEqual(['end failed/outcome_unknown']);
});

describe('libvirt has time limits of its own, and its answer counts', () => {
  /** Milliseconds: for a busy domain; and for a QEMU that does not obey, with ten passed-through devices. */
  const busy = 30_000;
  const killing = 2 * (15_000 + 10 * 2_000);

  test.each([
    ['resume', 'resume', busy],
    ['start', 'wake_up', busy],
    ['suspend', 'suspend', busy],
    ['reset', 'reset', busy],
    ['force_off', 'cut_power', busy + killing],
  ] as const)('%s by %s is not told as timed out while libvirt is still at it', (word, call, limit) => {
    const rig = new Rig(word, { call });
    expect(rig.waits(limit)).toEqual([]);
    expect(rig.answers(failures.refused)).toEqual(['end failed/libvirt_error']);
  });

  test('a power cut by policy neither', () => {
    const rig = cutting();
    rig.waits(300_000);
    expect(rig.waits(busy + killing)).toEqual([]);
    expect(rig.sees(offBy('destroyed'))).toEqual(['end succeeded/forced']);
  });
});
