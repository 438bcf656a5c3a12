/** A reboot: seen off and then started, or by the guest itself. */
import { describe, expect, test } from 'vitest';
import { active, domain, off, offBy, otherUuid } from '../samples.ts';
import { away, back, failures, first, ports, Rig, rebooted } from './rig.ts';

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

  test('is pressed and its ports are watched as a shutdown', () => {
    const rig = new Rig('reboot', { ...patient, watched: true });
    expect(rig.asks).toEqual(['call press', 'probe']);
    rig.hears(ports(true));
    expect(rig.waits(60_000)).toEqual(['probe']);
    expect(rig.hears(ports(false))).toEqual(['closing']);
    expect(rig.sees(off)).toEqual(['off']);
  });

  test('the guest restarts itself: it still has to power off', () => {
    expect(new Rig('reboot', patient).hears(rebooted)).toEqual(['rebooted']);
  });

  test.each([
    ['refused', 'failed/libvirt_error: no'],
    ['lost', 'failed/outcome_unknown: lost'],
    ['unsent', 'rejected/libvirt_unavailable: away'],
    ['denied', 'rejected/read_only: denied'],
  ] as const)('the press is %s: %s', (how, expected) => {
    const rig = new Rig('reboot', patient);
    rig.answers(failures[how]);
    expect(outcome(rig)).toBe(expected);
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
    ['power_cut', offBy('destroyed')],
    ['crashed', offBy('crashed')],
    ['interfered', offBy('saved')],
    ['interfered', offBy('migrated')],
    ['io_error', active('paused', 'io_error')],
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

  test('the start is unanswered, and it runs after all', () => {
    const rig = starting();
    expect(rig.answers(failures.silent)).toEqual(['no_answer']);
    rig.waits(100_000);
    expect(rig.sees(domain)).toEqual(['end succeeded/done']);
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

describe('by the guest', () => {
  const guest = () => new Rig('reboot', { call: 'guest_reboot', startTimeout: 120_000 });

  test('it restarts without ever being off', () => {
    const rig = guest();
    expect(rig.asks).toEqual(['call guest_reboot']);
    expect(rig.deadline).toBe(300_000);
    expect(rig.answers(null)).toEqual([]);
    expect(rig.sees(domain)).toEqual([]);
    expect(rig.waits(100_000)).toEqual([]);
    expect(rig.hears(rebooted)).toEqual(['end succeeded/done']);
    expect(outcome(rig)).toBe('succeeded/done: it has restarted');
  });

  test('it restarts before libvirt answers', () => {
    expect(guest().hears(rebooted)).toEqual(['end succeeded/done']);
  });

  test('it does nothing', () => {
    const rig = guest();
    expect(rig.waits(299_999)).toEqual([]);
    expect(rig.waits(1)).toEqual(['end failed/timed_out']);
    expect(outcome(rig)).toBe('failed/timed_out: it was not seen to restart within 300 s');
  });

  test('its power is never cut, whatever was said', () => {
    const rig = new Rig('reboot', { call: 'guest_reboot', onTimeout: 'force_off' });
    expect(rig.waits(300_000)).toEqual(['end failed/timed_out']);
  });

  test.each([
    ['refused', 'failed/libvirt_error: no'],
    ['lost', 'failed/outcome_unknown: lost'],
    ['unsent', 'rejected/libvirt_unavailable: away'],
    ['denied', 'rejected/read_only: denied'],
  ] as const)('%s', (how, expected) => {
    const rig = guest();
    rig.answers(failures[how]);
    expect(outcome(rig)).toBe(expected);
  });

  test.each([
    ['powers off', off, 'failed/interfered: it powered off instead of restarting'],
    ['is gone', null, 'failed/interfered: it powered off instead of restarting'],
    ['crashes', offBy('crashed'), 'failed/crashed: it is off: QEMU crashed'],
    ['is cut off', offBy('destroyed'), 'failed/power_cut: it is off: somebody at libvirt cut its power'],
    ['is saved', offBy('saved'), 'failed/interfered: it is off: somebody at libvirt saved it to disk'],
    ['is paused', active('paused', 'user'), 'failed/interfered: it was paused meanwhile (user)'],
    ['loses a disk', active('paused', 'io_error'), /^failed\/io_error: /],
    ['panics', active('crashed', 'panicked'), 'failed/crashed: the guest has crashed (panicked)'],
    ['sleeps', active('pmsuspended'), 'failed/interfered: it was suspended meanwhile'],
    ['is another', { ...domain, uuid: otherUuid }, 'failed/domain_gone: the domain was replaced by another'],
  ] as const)('it %s', (_, now, expected) => {
    const rig = guest();
    expect(rig.sees(now)).toHaveLength(1);
    expect(outcome(rig)).toMatch(expected);
  });
});
