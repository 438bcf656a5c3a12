/** What other commands do to a job: another shutdown, a start for later, and its end by hand. */
import { describe, expect, test } from 'vitest';
import type { TimeoutPolicy } from '../../../src/model/command.ts';
import { amend, end, expire, keepStart, left } from '../../../src/model/job/interrupt.ts';
import { wakeAt } from '../../../src/model/job/job.ts';
import { active, domain, off, offBy, otherUuid } from '../samples.ts';
import { away, back, failures, first, ports, Rig, second, third } from './rig.ts';

const given = (rig: Rig) => {
  if (!rig.job) throw new Error('it is over');
  return rig.job;
};
/** Null: it would change nothing. */
const amended = (rig: Rig, timeout: number, onTimeout: TimeoutPolicy | null = null) => {
  const step = amend(given(rig), { ticket: second, timeout, onTimeout }, rig.now);
  return step && rig.apply(step);
};
const kept = (rig: Rig, ticket = second) => {
  const step = keepStart(given(rig), ticket);
  return step && rig.apply(step);
};

describe('another shutdown', () => {
  test('that grants less: less it is, and both are told the end', () => {
    const rig = new Rig('shutdown');
    rig.waits(10_000);
    expect(amended(rig, 100_000)).toEqual(['amended']);
    expect(rig.deadline).toBe(100_000);
    // No press is saved or added.
    expect(rig.waits(49_999)).toEqual([]);
    expect(rig.waits(1)).toEqual(['call press', 'pressed']);
    expect(rig.sees(off)).toEqual(['end succeeded/done']);
    expect([...rig.outcomes.keys()]).toEqual([first, second]);
  });

  test.each([290_000, 290_001, 86_400_000])(
    'that grants as much or more, %i ms: joins, and changes nothing',
    timeout => {
      const rig = new Rig('shutdown');
      rig.waits(10_000);
      expect(amended(rig, timeout)).toEqual([]);
      expect(amended(rig, timeout, 'report')).toEqual([]);
      expect(rig.deadline).toBe(290_000);
      expect(rig.sees(off)).toEqual(['end succeeded/done']);
    },
  );

  test('is one too many when 32 ask already', () => {
    const rig = new Rig('shutdown');
    for (let others = 1; others < 32; others++) expect(amended(rig, 300_000)).not.toBeNull();
    expect(amended(rig, 1_000)).toBeNull();
    expect(rig.deadline).toBe(300_000);
  });

  test('that grants more, but with another policy: the policy alone', () => {
    const rig = new Rig('shutdown');
    rig.waits(10_000);
    expect(amended(rig, 86_400_000, 'force_off')).toEqual(['amended']);
    expect(rig.deadline).toBe(290_000);
    expect(rig.waits(290_000)).toContain('call cut_power');
  });

  test('that wants no power cut where one was to come', () => {
    const rig = new Rig('shutdown', { onTimeout: 'force_off' });
    expect(amended(rig, 100_000, 'report')).toEqual(['amended']);
    expect(rig.waits(100_000)).toEqual(['call press', 'pressed', 'end failed/timed_out']);
  });

  test.each([
    ['at once', 0, 1, 60_000],
    ['half a minute later', 30_000, 1, 30_000],
    ['after a minute', 60_000, 1, 1],
    ['after two', 120_000, 5_000, 5_000],
  ])('never cuts within a minute of the first: %s', (_, wait, timeout, least) => {
    for (const before of ['report', 'force_off'] as const) {
      const rig = new Rig('shutdown', { onTimeout: before, maxPresses: 1 });
      rig.waits(wait);
      expect(amended(rig, timeout, 'force_off')).toEqual(['amended']);
      expect(rig.deadline).toBe(least);
      expect(rig.waits(least - 1)).toEqual([]);
      expect(rig.waits(1)).toEqual(['cutting_power', 'call cut_power']);
    }
  });

  test('that wants a cut lengthens a shutdown that had less than a minute', () => {
    const rig = new Rig('shutdown', { timeout: 20_000 });
    rig.waits(5_000);
    expect(amended(rig, 1_000, 'force_off')).toEqual(['amended']);
    expect(rig.deadline).toBe(55_000);
  });

  test('gives up the start that was kept', () => {
    const rig = new Rig('shutdown');
    kept(rig, third);
    expect(amended(rig, 86_400_000)).toEqual(['end cancelled/superseded']);
    expect([...rig.outcomes.keys()]).toEqual([third]);
    expect(rig.deadline).toBe(300_000);
    expect(rig.sees(off)).toEqual(['end succeeded/done']);
    expect(rig.job).toBeNull();
  });
});

describe('a start for later', () => {
  test('begins ten seconds after off, and is answered by itself', () => {
    const rig = new Rig('shutdown');
    expect(kept(rig)).toEqual(['start_after_off']);
    rig.waits(20_000);
    expect(rig.sees(off)).toEqual(['end succeeded/done']);
    expect([...rig.outcomes.keys()]).toEqual([first]);
    expect(rig.job).toMatchObject({ word: 'start', tickets: [second], keptStart: null, begunAt: rig.now });
    expect(rig.waits(9_999)).toEqual([]);
    expect(rig.waits(1)).toEqual(['starting', 'call start']);
    expect(rig.deadline).toBe(120_000);
    rig.waits(1_000);
    expect(rig.sees(domain)).toEqual(['end succeeded/done']);
    expect(rig.outcomes.get(second)).toBe('succeeded/done: it runs');
  });

  test('there is one of it', () => {
    const rig = new Rig('shutdown');
    kept(rig);
    expect(kept(rig, third)).toBeNull();
  });

  test('follows a power cut by policy too', () => {
    const rig = new Rig('shutdown', { onTimeout: 'force_off', maxPresses: 1 });
    kept(rig);
    rig.waits(300_000);
    expect(rig.sees(offBy('destroyed'))).toEqual(['end succeeded/forced']);
    expect(rig.waits(10_000)).toEqual(['starting', 'call start']);
  });

  test.each([
    ['it is cancelled', (rig: Rig) => rig.apply(end(given(rig), 'cancelled'))],
    ['another takes its place', (rig: Rig) => rig.apply(end(given(rig), 'superseded'))],
    ['the time is up', (rig: Rig) => rig.waits(300_000)],
    ['the press fails', (rig: Rig) => rig.answers(failures.lost)],
    ['somebody cuts its power', (rig: Rig) => rig.sees(offBy('destroyed'))],
    ['somebody saves it', (rig: Rig) => rig.sees(offBy('saved'))],
    ['it crashes', (rig: Rig) => rig.sees(active('crashed', 'panicked'))],
    ['it is replaced', (rig: Rig) => rig.sees({ ...off, uuid: otherUuid })],
  ])('is given up when %s', (_, happens) => {
    const rig = new Rig('shutdown', { maxPresses: 1 });
    kept(rig);
    expect(happens(rig)).toHaveLength(2);
    expect(rig.outcomes.get(second)).toMatch(/^cancelled\/superseded: /);
    expect(rig.outcomes.get(first)).not.toMatch(/^succeeded/);
    expect(rig.job).toBeNull();
  });

  test.each([
    ['is over when somebody else starts it', domain, 'succeeded/done: it runs; somebody else started it'],
    ['cannot be of a domain that is gone', null, 'failed/domain_gone: the domain was undefined'],
    ['cannot be of another', { ...off, uuid: otherUuid }, 'failed/domain_gone: the domain was replaced by another'],
  ] as const)('in the pause it %s', (_, now, outcome) => {
    const rig = new Rig('shutdown');
    kept(rig);
    rig.sees(off);
    rig.waits(5_000);
    expect(rig.sees(offBy('unknown'))).toEqual([]);
    rig.sees(now);
    expect(rig.outcomes.get(second)).toBe(outcome);
  });

  test('whose command has expired in the pause has not been carried out', () => {
    const rig = new Rig('shutdown');
    kept(rig);
    rig.sees(off);
    expect(rig.apply(expire(given(rig)))).toEqual(['end rejected/expired']);
  });

  test.each([
    ['back in the pause', 5_000, [], 5_000, ['starting', 'call start']],
    ['back after it', 60_000, ['starting', 'call start'], 0, []],
  ] as const)('libvirt goes and is %s', (_, wait, atOnce, later, then) => {
    const rig = new Rig('shutdown');
    kept(rig);
    rig.sees(off);
    rig.hears(away);
    expect(rig.waits(wait)).toEqual([]);
    expect(rig.hears(back)).toEqual(atOnce);
    expect(rig.waits(later)).toEqual(then);
  });

  test('is not called for while libvirt is away, even without a pause', () => {
    const rig = new Rig('shutdown', { pause: 0 });
    kept(rig);
    rig.hears(away);
    expect(rig.sees(off)).toEqual(['end succeeded/done']);
    expect(rig.waits(1_000)).toEqual([]);
    expect(rig.hears(back)).toEqual(['starting', 'call start']);
  });

  test('libvirt stays away: nothing was done', () => {
    const rig = new Rig('shutdown');
    kept(rig);
    rig.sees(off);
    rig.hears(away);
    expect(rig.waits(130_000)).toEqual(['end rejected/libvirt_unavailable']);
  });

  test('whose turn comes too late, though libvirt is there, has expired', () => {
    const rig = new Rig('shutdown');
    kept(rig);
    rig.sees(off);
    rig.now += 130_000;
    expect(rig.hears({ type: 'tick' })).toEqual(['end rejected/expired']);
  });

  test('the shutdown’s late answers are not its own', () => {
    const rig = new Rig('shutdown', { watched: true });
    kept(rig);
    rig.sees(off);
    for (const failure of [null, ...Object.values(failures)]) expect(rig.answers(failure)).toEqual([]);
    expect(rig.hears(ports(true))).toEqual([]);
    rig.waits(10_000);
    expect(rig.answers(failures.refused, 1)).toEqual([]);
    expect(rig.answers(failures.refused)).toEqual(['end failed/libvirt_error']);
  });
});

describe('ended by hand', () => {
  const asked = 'the guest is not asked again, but it has been asked and may still';
  test.each<[what: string, rig: Rig, rest: string]>([
    ['a shutdown at its beginning', new Rig('shutdown'), `${asked} power off`],
    ['a shutdown in its middle', moved(new Rig('shutdown'), rig => rig.waits(100_000)), `${asked} power off`],
    ['a reboot that presses', new Rig('reboot'), `${asked} be off and stay so`],
    ['a reboot by the guest', new Rig('reboot', { call: 'guest_reboot' }), `${asked} be off and stay so`],
    ['a reboot that is off', moved(new Rig('reboot'), rig => rig.sees(off)), 'it is off, and stays off'],
    ['a start that waits', new Rig('start', { offFor: 0 }), 'it is off, and stays off'],
  ])('%s', (_, rig, rest) => {
    const job = given(rig);
    expect(left(job)).toBe(rest);
    expect(rig.apply(end(job, 'cancelled'))).toEqual(['end cancelled/cancelled']);
    expect(rig.outcomes.get(first)).toBe(`cancelled/cancelled: cancelled: ${rest}`);
    expect(rig.job).toBeNull();
    rig.apply(end(job, 'superseded'));
    expect(rig.outcomes.get(first)).toBe(`cancelled/superseded: another command took its place: ${rest}`);
  });
});

test('whatever has happened, it never wants to be woken in the past', () => {
  const rig = new Rig('shutdown', { watched: true, onTimeout: 'force_off' });
  const deeds = [
    ...[() => rig.hears(ports(true)), () => rig.waits(60_000), () => rig.hears(away), () => rig.hears(ports(true))],
    ...[() => rig.waits(70_000), () => rig.hears(back), () => rig.hears(ports(true)), () => kept(rig)],
    ...[() => amended(rig, 1, 'force_off'), () => rig.waits(1), () => rig.answers(failures.silent)],
  ];
  for (const deed of deeds) {
    deed();
    rig.waits(0);
    expect(wakeAt(given(rig))).toBeGreaterThan(rig.now);
  }
});

function moved(rig: Rig, move: (rig: Rig) => unknown): Rig {
  move(rig);
  return rig;
}
