/** A shutdown for which other VMs shut down first. */
import { describe, expect, test } from 'vitest';
import { amend, end, keepStart } from '../../../src/model/job/interrupt.ts';
import { occupation, workOf } from '../../../src/model/job/job.ts';
import { active, domain, off, offBy, otherUuid } from '../samples.ts';
import { away, back, checked, failures, first, guest, ports, Rig, rebooted, second } from './rig.ts';

const needs = (seconds: number | null) => ({
  hold: { reserve: seconds === null ? null : seconds * 1_000, first: 'box' },
});
const held = (changes: ConstructorParameters<typeof Rig>[1] = {}) =>
  new Rig('shutdown', { ...needs(40), guest: guest('up'), ...changes });
const given = (rig: Rig) => {
  if (!rig.job) throw new Error('it is over');
  return rig.job;
};
const amended = (rig: Rig, timeout: number, onTimeout: 'report' | 'force_off' | null = null) => {
  const step = amend(given(rig), { ticket: second, timeout, onTimeout }, rig.now);
  return step && rig.apply(step);
};

describe('the time is enough for others', () => {
  test('they have what it does not need itself; then it is asked, and its deadline stays', () => {
    const rig = held();
    expect(rig.asks).toEqual(['dependents']);
    expect(rig.said.get('dependents')).toBe('before it, box must shut down, within 260 s; then the guest is asked');
    expect(rig.waits(259_999)).toEqual([]);
    expect(rig.waits(1)).toEqual(['call press', 'dependents']);
    expect(rig.deadline).toBe(40_000);
    expect(rig.waits(40_000)).toEqual(['end failed/timed_out']);
  });

  test('nobody is waited for any more: it is asked at once, and has all the rest', () => {
    const rig = held();
    rig.waits(10_000);
    expect(rig.hears({ type: 'released' })).toEqual(['call press', 'dependents']);
    expect(rig.deadline).toBe(290_000);
    expect(rig.hears({ type: 'released' })).toEqual([]);
    expect(rig.waits(60_000)).toEqual(['call press', 'pressed']);
    expect(rig.sees(off)).toEqual(['end succeeded/done']);
  });

  test('its own time counts from when it is asked', () => {
    const rig = held();
    rig.waits(100_000);
    const asked = rig.now;
    rig.hears({ type: 'released' });
    expect(given(rig).begunAt).toBe(asked);
  });

  test('what is shown of it', () => {
    const job = given(held());
    const shown = { activity: 'shutting_down', phase: 'waiting_for_dependents', attempt: null, startAfterOff: false };
    expect(workOf(job, String)).toMatchObject({ ...shown, deadline: `${job.begunAt + 300_000}` });
    expect(occupation(job)).toBe('shutdown');
  });

  test.each([
    ['off by itself', off, 'succeeded/done'],
    ['gone', null, 'succeeded/done'],
    ['crashed', offBy('crashed'), 'failed/crashed'],
    ['paused', active('paused', 'user'), 'failed/interfered'],
    ['another', { ...domain, uuid: otherUuid }, 'failed/domain_gone'],
  ])('meanwhile it is %s', (_, now, outcome) => {
    expect(held().sees(now)).toEqual([`end ${outcome}`]);
  });

  test('what the checks say meanwhile counts when it is asked', () => {
    const rig = held();
    rig.hears(rebooted);
    rig.hears(checked('updating', false, rig.now + 200_000));
    expect(rig.hears({ type: 'released' })).toEqual(['updating', 'dependents']);
  });

  test('it is heard whether its ports close, as ever', () => {
    const rig = held({ watched: true });
    expect(rig.hears({ type: 'released' })).toEqual(['call press', 'probe', 'dependents']);
    rig.hears(ports(true));
    rig.waits(60_000);
    expect(rig.hears(ports(false))).toEqual(['closing']);
  });

  test('a press that libvirt refuses ends it', () => {
    const rig = held();
    rig.hears({ type: 'released' });
    expect(rig.answers(failures.denied)).toEqual(['end rejected/read_only']);
  });
});

describe('nothing is waited for', () => {
  test.each([
    ['how long it takes is not known', null, 'it is not known how long it takes itself'],
    ['the time is enough for itself only', 300, 'the time is only enough for itself'],
    ['the time is not even that', 301, 'the time is only enough for itself'],
  ])('%s: all are asked at once', (_, seconds, why) => {
    const rig = held(needs(seconds));
    expect(rig.asks).toEqual(['call press', 'dependents']);
    expect(rig.said.get('dependents')).toBe(`asked together with box: ${why}`);
    expect(rig.deadline).toBe(300_000);
  });

  test('it updates: it is not asked before that is over, and the others are', () => {
    const rig = held({ ...needs(null), guest: guest('updating') });
    expect(rig.asks).toEqual(['updating', 'dependents']);
  });
});

describe('another command', () => {
  test('a shutdown that grants less: the others get less', () => {
    const rig = held();
    rig.waits(10_000);
    expect(amended(rig, 100_000)).toEqual(['amended']);
    expect(rig.waits(59_999)).toEqual([]);
    expect(rig.waits(1)).toEqual(['call press', 'dependents']);
    expect(rig.deadline).toBe(40_000);
    expect(rig.sees(off)).toEqual(['end succeeded/done']);
    expect([...rig.outcomes.keys()]).toEqual([first, second]);
  });

  test('one that cuts the power at the end: a minute is for that, and the deadline stays', () => {
    const rig = held();
    expect(amended(rig, 120_000, 'force_off')).toEqual(['amended']);
    expect(rig.waits(59_999)).toEqual([]);
    expect(rig.waits(1)).toEqual(['call press', 'dependents']);
    expect(rig.deadline).toBe(60_000);
  });

  test('a shutdown that leaves the others nothing: it is asked at once', () => {
    const rig = held();
    expect(amended(rig, 30_000)).toEqual(['amended']);
    expect(rig.waits(0)).toEqual(['call press', 'dependents']);
    expect(rig.deadline).toBe(30_000);
  });

  test.each(['cancelled', 'superseded'] as const)('it is %s: it was never asked', code => {
    const rig = held();
    expect(rig.apply(end(given(rig), code))).toEqual([`end cancelled/${code}`]);
    expect(rig.outcomes.get(first)).toMatch(/: the guest has not been asked, and runs on$/);
  });

  test('a start is kept', () => {
    const rig = held();
    const step = keepStart(given(rig), second);
    if (step) rig.apply(step);
    expect(rig.sees(off)).toEqual(['end succeeded/done']);
    expect(rig.waits(10_000)).toEqual(['starting', 'call start']);
  });
});

describe('libvirt goes', () => {
  test('and is back: it is asked then, if its turn has come', () => {
    const rig = held();
    rig.hears(away);
    expect(rig.waits(200_000)).toEqual([]);
    expect(rig.hears(back)).toEqual([]);
    rig.hears(away);
    expect(rig.waits(70_000)).toEqual([]);
    expect(rig.hears(back)).toEqual(['call press', 'dependents']);
  });

  test('and nobody else is waited for: it is asked as soon as libvirt is back', () => {
    const rig = held();
    rig.hears(away);
    expect(rig.hears({ type: 'released' })).toEqual([]);
    expect(rig.waits(10_000)).toEqual([]);
    expect(rig.hears(back)).toEqual(['call press', 'dependents']);
  });

  test('and stays away', () => {
    const rig = held();
    rig.hears(away);
    expect(rig.waits(300_000)).toEqual(['end failed/outcome_unknown']);
  });
});

describe('a power cut when the time is up', () => {
  const cutting = { onTimeout: 'force_off', maxPresses: 1, ...needs(60) } as const;

  test('not before a minute after it was asked', () => {
    const rig = held(cutting);
    expect(rig.waits(240_000)).toEqual(['call press', 'dependents']);
    expect(rig.waits(59_999)).toEqual([]);
    expect(rig.waits(1)).toEqual(['cutting_power', 'call cut_power']);
  });

  test('this machine has slept: the guest is asked, and gets its minute', () => {
    const rig = held(cutting);
    rig.now += 1_000_000;
    expect(rig.hears({ type: 'tick' })).toEqual(['call press', 'dependents']);
    expect(rig.deadline).toBe(60_000);
  });

  test('wanted only later: the guest is asked at once, and gets its minute', () => {
    const rig = held({ ...needs(20), maxPresses: 1 });
    rig.waits(250_000);
    amended(rig, 30_000, 'force_off');
    expect(rig.waits(0)).toEqual(['call press', 'dependents']);
    expect(rig.deadline).toBe(60_000);
  });
});
