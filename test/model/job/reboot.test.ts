/** A reboot: seen off and then started, or by the guest itself. */
import { describe, expect, test } from 'vitest';
import { domain, off, offBy, otherUuid } from '../samples.ts';
import { away, back, failures, first, Rig, rebooted } from './rig.ts';

const outcome = (rig: Rig) => rig.outcomes.get(first);

describe('by a shutdown', () => {
  const patient = { startTimeout: 120_000 };
  const offNow = () => {
    const rig = new Rig('reboot', patient);
    rig.answers(null);
    rig.waits(20_000);
    expect(rig.sees(off)).toEqual(['off']);
    return rig;
  };
  const starting = () => {
    const rig = offNow();
    expect(rig.waits(10_000)).toEqual(['starting', 'call start']);
    return rig;
  };

  test('off, ten seconds, and on', () => {
    const rig = offNow();
    expect(rig.waits(9_999)).toEqual([]);
    expect(rig.waits(1)).toEqual(['starting', 'call start']);
    expect(rig.deadline).toBe(120_000);
    expect(rig.answers(null)).toEqual([]);
    expect(rig.sees(off)).toEqual([]);
    expect(rig.sees(domain)).toEqual(['end succeeded/done']);
    expect(outcome(rig)).toBe('succeeded/done: it runs');
  });

  test('the time is up: left running, and not started', () => {
    const rig = new Rig('reboot', patient);
    expect(rig.waits(300_000)).toEqual(['call press', 'pressed', 'call press', 'pressed', 'end failed/timed_out']);
    expect(outcome(rig)).toContain('it is left running');
  });

  test('the time is up, and its power is cut, if that was said: then it is started', () => {
    const rig = new Rig('reboot', { ...patient, onTimeout: 'force_off', maxPresses: 1 });
    expect(rig.waits(300_000)).toEqual(['cutting_power', 'call cut_power']);
    expect(rig.sees(offBy('destroyed'))).toEqual(['off']);
    expect(rig.waits(10_000)).toEqual(['starting', 'call start']);
    expect(rig.sees(domain)).toEqual(['end succeeded/done']);
  });

  test('it powers off at the last moment before the cut: then it is started', () => {
    const rig = new Rig('reboot', { ...patient, onTimeout: 'force_off', maxPresses: 1 });
    rig.waits(300_000);
    expect(rig.sees(off)).toEqual(['off']);
  });

  test.each([
    ['domain_gone', null],
    ['domain_gone', { ...off, uuid: otherUuid }],
  ] as const)('it ends otherwise, %s: nobody starts it', (code, now) => {
    const rig = new Rig('reboot', patient);
    expect(rig.sees(now)).toEqual([`end failed/${code}`]);
    expect(rig.job).toBeNull();
  });

  test.each([
    ['somebody else starts it', domain, 'succeeded/done: it runs; somebody else started it'],
    ['it is undefined', null, 'failed/domain_gone: the domain was undefined'],
    ['it is replaced', { ...domain, uuid: otherUuid }, 'failed/domain_gone: the domain was replaced by another'],
  ] as const)('in the pause, %s', (_, now, expected) => {
    const rig = offNow();
    rig.waits(5_000);
    expect(rig.sees(offBy('unknown'))).toEqual([]);
    expect(rig.hears(rebooted)).toEqual([]);
    rig.sees(now);
    expect(outcome(rig)).toBe(expected);
    expect(rig.job).toBeNull();
  });

  test.each([
    ['is back in time', 100_000, ['starting', 'call start']],
    ['is back when its time is up', 130_000, undefined],
  ] as const)('in the pause libvirt goes, and %s', (_, wait, then) => {
    const rig = offNow();
    rig.hears(away);
    const asks = rig.waits(wait);
    if (then) expect(rig.hears(back)).toEqual(then);
    else {
      expect(asks).toEqual(['end failed/outcome_unknown']);
      expect(outcome(rig)).toContain('it is off, and libvirt is away: it was not started');
    }
  });

  test('its turn comes too late, though libvirt is there', () => {
    const rig = offNow();
    rig.now += 130_000;
    expect(rig.hears({ type: 'tick' })).toEqual(['end failed/timed_out']);
    expect(outcome(rig)).toContain('it is off, and the time was up before it could be started');
  });

  test.each([
    ['refused', 'failed/libvirt_error: no'],
    ['lost', 'failed/outcome_unknown: lost'],
    // The guest was shut down, so nothing is rejected any more.
    ['unsent', 'failed/libvirt_error: it is off, and starting it failed: away'],
    ['denied', 'failed/libvirt_error: it is off, and starting it failed: denied'],
  ] as const)('the start is %s', (how, expected) => {
    const rig = starting();
    expect(rig.answers(failures[how])).toHaveLength(1);
    expect(outcome(rig)).toBe(expected);
  });

  test('the start comes to nothing', () => {
    const rig = starting();
    rig.answers(null);
    expect(rig.waits(120_000)).toEqual(['end failed/timed_out']);
    expect(outcome(rig)).toContain('it was not seen to run');
  });

  test('the press’s late answer is not the start’s', () => {
    const rig = starting();
    for (const failure of Object.values(failures)) expect(rig.answers(failure, 1)).toEqual([]);
    expect(rig.sees(domain)).toEqual(['end succeeded/done']);
  });

  test('while it starts, it is undefined or replaced', () => {
    for (const now of [null, { ...off, uuid: otherUuid }])
      expect(starting().sees(now)).toEqual(['end failed/domain_gone']);
  });
});

test('by the guest: its power is never cut, whatever was said', () => {
  const rig = new Rig('reboot', { call: 'guest_reboot', onTimeout: 'force_off' });
  expect(rig.deadline).toBe(300_000);
  expect(rig.waits(300_000)).toEqual(['end failed/timed_out']);
});
