/** A shutdown: how often the guest is asked, what its ports tell, and what becomes of it when libvirt is away. */
import { describe, expect, test } from 'vitest';
import { active, domain, off } from '../samples.ts';
import { away, back, failures, first, ports, Rig, rebooted } from './rig.ts';

describe('presses', () => {
  test('once at the beginning, then every resend_every, max_presses in all', () => {
    const rig = new Rig('shutdown');
    expect(rig.asks).toEqual(['call press']);
    expect(rig.answers(null)).toEqual([]);
    expect(rig.waits(59_999)).toEqual([]);
    expect(rig.waits(1)).toEqual(['call press', 'pressed']);
    expect(rig.waits(60_000)).toEqual(['call press', 'pressed']);
    expect(rig.waits(179_999)).toEqual([]);
    expect(rig.sees(off)).toEqual(['end succeeded/done']);
    expect(rig.outcomes.get(first)).toBe('succeeded/done: it is off');
    expect(rig.job).toBeNull();
  });

  test.each([
    [1, 1],
    [2, 2],
    [5, 5],
    [9, 5],
  ])('max_presses %i in five minutes: %i', (maxPresses, times) => {
    const rig = new Rig('shutdown', { maxPresses });
    const asked = [...rig.asks, ...rig.waits(299_999)].filter(what => what === 'call press');
    expect(asked).toHaveLength(times);
    expect(rig.waits(1)).toEqual(['end failed/timed_out']);
  });

  test('not at the moment at which the time is up', () => {
    const rig = new Rig('shutdown', { timeout: 60_000 });
    expect(rig.waits(60_000)).toEqual(['end failed/timed_out']);
  });

  test('a clock that jumps over several of them presses once', () => {
    const rig = new Rig('shutdown');
    rig.now += 200_000;
    expect(rig.hears({ type: 'tick' })).toEqual(['call press', 'pressed']);
    expect(rig.waits(59_999)).toEqual([]);
  });

  test('that are on their way, an idle guest, and a restart are no end', () => {
    const rig = new Rig('shutdown');
    for (const now of [domain, active('shutting_down'), active('idle'), active('unknown')]) {
      expect(rig.sees(now)).toEqual([]);
    }
    expect(rig.hears(rebooted)).toEqual(['rebooted']);
    expect(rig.waits(60_000)).toEqual(['call press', 'pressed']);
  });
});

describe('ports', () => {
  const watched = (more = {}) => new Rig('shutdown', { watched: true, ...more });

  test('are tried at the beginning and before each press', () => {
    const rig = watched();
    expect(rig.asks).toEqual(['call press', 'probe']);
    expect(rig.hears(ports(true))).toEqual([]);
    expect(rig.waits(60_000)).toEqual(['probe']);
    expect(rig.hears(ports(true))).toEqual(['call press', 'pressed']);
    expect(rig.waits(60_000)).toEqual(['probe']);
    expect(rig.hears(ports(true))).toEqual(['call press', 'pressed']);
    expect(rig.waits(100_000)).toEqual([]);
  });

  test('that have closed: it is not asked again, and waited for', () => {
    const rig = watched();
    rig.hears(ports(true));
    rig.waits(60_000);
    expect(rig.hears(ports(false))).toEqual(['closing']);
    expect(rig.hears(ports(false))).toEqual([]);
    expect(rig.waits(239_999)).toEqual([]);
    expect(rig.waits(1)).toEqual(['end failed/timed_out']);
  });

  test('that never were open tell nothing', () => {
    const rig = watched();
    rig.hears(ports(false));
    for (const _ of [2, 3]) {
      expect(rig.waits(60_000)).toEqual(['probe']);
      expect(rig.hears(ports(false))).toEqual(['call press', 'pressed']);
    }
  });

  test('that opened only later, because the guest had been booting, tell as much', () => {
    const rig = watched();
    rig.hears(ports(false));
    rig.waits(60_000);
    expect(rig.hears(ports(true))).toEqual(['call press', 'pressed']);
    rig.waits(60_000);
    expect(rig.hears(ports(false))).toEqual(['closing']);
  });

  test('an answer from the beginning that comes late is not the one for the press', () => {
    const rig = watched();
    expect(rig.waits(60_000)).toEqual(['probe']);
    expect(rig.hears(ports(true))).toEqual([]);
    expect(rig.waits(0)).toEqual(['probe']);
    expect(rig.hears(ports(false))).toEqual(['closing']);
    expect(rig.hears(ports(false))).toEqual([]);
  });

  test('that never answer: no press, but an end', () => {
    const rig = watched();
    expect(rig.waits(299_999)).toEqual(['probe']);
    expect(rig.waits(1)).toEqual(['end failed/timed_out']);
  });

  test('are not tried when there is nothing to be decided', () => {
    expect(watched({ maxPresses: 1 }).waits(299_999)).toEqual([]);
  });

  test('that answer when libvirt has gone: it is asked when libvirt is back, and they are tried again', () => {
    const rig = watched();
    rig.hears(ports(true));
    expect(rig.waits(60_000)).toEqual(['probe']);
    expect(rig.hears(away)).toEqual([]);
    expect(rig.hears(ports(true))).toEqual([]);
    expect(rig.waits(30_000)).toEqual([]);
    expect(rig.hears(back)).toEqual(['probe']);
    expect(rig.hears(ports(true))).toEqual(['call press', 'pressed']);
  });
});

describe('libvirt is away', () => {
  test('when a press is due: it is made up for, once', () => {
    const rig = new Rig('shutdown');
    expect(rig.hears(away)).toEqual([]);
    expect(rig.waits(130_000)).toEqual([]);
    expect(rig.hears(back)).toEqual(['call press', 'pressed']);
    expect(rig.waits(59_999)).toEqual([]);
    expect(rig.waits(1)).toEqual(['call press', 'pressed']);
  });

  test('at the very moment at which a press is due', () => {
    const rig = new Rig('shutdown');
    rig.now += 60_000;
    expect(rig.hears(away)).toEqual([]);
    expect(rig.hears(back)).toEqual(['call press', 'pressed']);
  });

  test('and the guest is off meanwhile: found out before libvirt counts as there', () => {
    const rig = new Rig('shutdown');
    rig.hears(away);
    rig.waits(100_000);
    expect(rig.sees(off)).toEqual(['end succeeded/done']);
  });
});

describe('a press that fails', () => {
  test.each([
    ['refused', 'failed/libvirt_error: no'],
    ['lost', 'failed/outcome_unknown: lost'],
    ['unsent', 'rejected/libvirt_unavailable: away'],
    ['denied', 'rejected/read_only: denied'],
  ] as const)('the first one, %s: %s', (how, outcome) => {
    const rig = new Rig('shutdown');
    expect(rig.answers(failures[how])).toHaveLength(1);
    expect(rig.outcomes.get(first)).toBe(outcome);
    expect(rig.job).toBeNull();
  });

  test.each(['refused', 'lost', 'unsent', 'denied'] as const)('a later one, %s: told, and waited on', how => {
    const rig = new Rig('shutdown');
    rig.answers(null);
    rig.waits(60_000);
    expect(rig.answers(failures[how])).toEqual(['press_failed']);
    expect(rig.waits(60_000)).toEqual(['call press', 'pressed']);
    expect(rig.sees(off)).toEqual(['end succeeded/done']);
  });

  test.each([0, 60_000])('unanswered after %i ms: libvirt may still be at it', wait => {
    const rig = new Rig('shutdown');
    rig.waits(wait);
    expect(rig.answers(failures.silent)).toEqual(['no_answer']);
    expect(rig.waits(60_000)).toEqual(['call press', 'pressed']);
    expect(rig.sees(off)).toEqual(['end succeeded/done']);
  });

  test.each(['refused', 'lost', 'unsent', 'silent'] as const)('late, %s, when the next one was made', how => {
    const rig = new Rig('shutdown');
    rig.waits(60_000);
    expect(rig.answers(failures[how], 1)).toEqual([]);
    expect(rig.answers(failures.refused)).toEqual(['press_failed']);
  });
});

test('a transient domain is gone when it is off', () => {
  expect(new Rig('shutdown').sees(null)).toEqual(['end succeeded/done']);
});
