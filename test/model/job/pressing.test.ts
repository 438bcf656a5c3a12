/** What DSM is at while it is to power off: which presses count, when none is made, and when its power is not cut. */
import { describe, expect, test } from 'vitest';
import { guestOf, unknownGuest } from '../../../src/model/job/guest.ts';
import { left } from '../../../src/model/job/interrupt.ts';
import { at, checkOf, off, offBy } from '../samples.ts';
import { checked, failures, first, guest, ports, Rig, rebooted } from './rig.ts';

const pressed = ['call press', 'pressed'];
const presses = (asks: string[]) => asks.filter(what => what === 'call press').length;

describe('a guest that boots', () => {
  test('presses that nobody hears do not count: max_presses are left when DSM is up', () => {
    const rig = new Rig('shutdown', { guest: guest('booting'), timeout: 600_000 });
    expect(rig.asks).toEqual(['call press', 'not_heard']);
    expect(rig.said.get('not_heard')).toMatch(/^the guest still boots: nobody hears .* every 60 s .* does not count$/);
    expect(presses(rig.waits(250_000))).toBe(4);
    expect(rig.said.get('pressed')).toContain('5 times so far; none counts before the guest is up');
    rig.hears(checked('up'));
    expect(presses(rig.waits(349_999))).toBe(3);
    expect(rig.said.get('pressed')).toBe('asked to power off, 3 of 3');
    expect(rig.waits(1)).toEqual(['end failed/timed_out']);
  });

  test('is pressed until the end, if it never comes up', () => {
    const rig = new Rig('shutdown', { guest: guest('booting'), maxPresses: 1 });
    expect(presses(rig.waits(299_999))).toBe(4);
    expect(rig.waits(1)).toEqual(['end failed/timed_out']);
    expect(rig.outcomes.get(first)).toContain('within 300 s: the guest still boots; it is left running');
  });

  test('of which its ports alone tell: likewise', () => {
    const rig = new Rig('shutdown', { watched: true, timeout: 600_000 });
    expect(rig.hears(ports(false))).toEqual(['not_heard']);
    for (const _ of [2, 3, 4, 5]) {
      expect(rig.waits(60_000)).toEqual(['probe']);
      expect(rig.hears(ports(false))).toEqual(pressed);
    }
    for (const _ of [1, 2, 3]) {
      expect(rig.waits(60_000)).toEqual(['probe']);
      expect(rig.hears(ports(true))).toEqual(pressed);
    }
    expect(rig.waits(119_999)).toEqual([]);
  });

  test('again, by itself, while it is asked: all begins anew', () => {
    const rig = new Rig('shutdown', { guest: guest('up'), watched: true, timeout: 900_000 });
    rig.hears(ports(true));
    rig.waits(60_000);
    expect(rig.hears(ports(false))).toEqual(['closing']);
    expect(rig.hears(rebooted)).toEqual(['rebooted']);
    expect(rig.hears(checked('booting'))).toEqual(['probe']);
    // Ports that are closed while it boots are not closing.
    expect(rig.hears(ports(false))).toEqual(['not_heard']);
    for (const _ of [1, 2, 3, 4]) {
      expect(rig.waits(60_000)).toContain('probe');
      expect(rig.hears(ports(false))).toEqual(pressed);
    }
    rig.hears(checked('up'));
    for (const open of [true, false]) {
      expect(rig.waits(60_000)).toEqual(['probe']);
      expect(rig.hears(ports(open))).toEqual(open ? pressed : ['closing']);
    }
  });

  test('of which the checks do not know yet that its ports are open: it hears', () => {
    const rig = new Rig('shutdown', { guest: guest('starting'), watched: true, maxPresses: 1 });
    expect(rig.asks).toEqual(['call press', 'probe']);
    expect(rig.hears(ports(true))).toEqual([]);
    expect(rig.waits(60_000)).toEqual(['probe']);
    expect(rig.hears(ports(true))).toEqual(pressed);
    expect(rig.waits(239_999)).toEqual([]);
  });

  test('again, when all presses were spent: it is asked again', () => {
    const rig = new Rig('shutdown', { guest: guest('up'), maxPresses: 1 });
    expect(rig.waits(100_000)).toEqual([]);
    expect(rig.hears(rebooted)).toEqual(['rebooted']);
    expect(rig.waits(0)).toEqual(pressed);
  });
});

describe('with nothing that tells', () => {
  test('it counts from the first press, and that is said', () => {
    const rig = new Rig('shutdown');
    expect(1 + presses(rig.waits(240_000))).toBe(3);
    expect(rig.said.get('pressed')).toBe('asked to power off, 3 of 3; nothing tells whether it hears the power button');
    rig.waits(60_000);
    expect(rig.outcomes.get(first)).toContain(': nothing tells whether it hears the power button; it is left running');
  });

  test('and then a check that finds it up: it is asked max_presses times from then on', () => {
    const rig = new Rig('shutdown', { maxPresses: 1 });
    expect(rig.waits(100_000)).toEqual([]);
    expect(rig.hears(checked('up'))).toEqual(pressed);
    expect(rig.waits(199_999)).toEqual([]);
  });
});

describe('while DSM updates', () => {
  const updating = (more = {}) => new Rig('shutdown', { guest: guest('updating'), ...more });

  test('it is not asked, and as soon as that is over it is', () => {
    const rig = updating({ timeout: 600_000 });
    expect(rig.asks).toEqual(['updating']);
    expect(rig.said.get('updating')).toMatch(/^DSM is being installed or updated: .* not pressed before that is over$/);
    expect(rig.waits(400_000)).toEqual([]);
    if (rig.job) expect(left(rig.job)).toBe('the guest has not been asked, and runs on');
    expect([...rig.hears(checked('up')), ...rig.waits(0)]).toEqual(pressed);
    expect(rig.sees(off)).toEqual(['end succeeded/done']);
  });

  test.each(['updating', 'recoverable'] as const)('or is %s, a time-out never cuts its power', verdict => {
    for (const word of ['shutdown', 'reboot'] as const) {
      const rig = new Rig(word, { guest: guest(verdict), onTimeout: 'force_off' });
      rig.waits(299_999);
      expect(rig.waits(1)).toEqual(['end failed/timed_out']);
      expect(rig.outcomes.get(first)).toMatch(/: DSM.* so that its power is not cut; it is left running$/);
    }
  });

  test('that began when it had been asked: no more presses, no cut', () => {
    const rig = new Rig('shutdown', { guest: guest('up'), onTimeout: 'force_off' });
    rig.waits(30_000);
    expect(rig.hears(checked('updating', true))).toEqual(['updating']);
    expect(rig.hears(checked('updating', true))).toEqual([]);
    expect(rig.waits(269_999)).toEqual([]);
    expect(rig.waits(1)).toEqual(['end failed/timed_out']);
  });

  test('a check that cannot tell is no end of it', () => {
    const rig = updating({ onTimeout: 'force_off' });
    expect(rig.hears(checked('unknown'))).toEqual([]);
    expect(rig.waits(299_999)).toEqual([]);
    expect(rig.waits(1)).toEqual(['end failed/timed_out']);
  });

  test('as was said long ago, and never since: nobody knows, and it is asked, and cut', () => {
    const rig = updating({ guest: guest('updating', false, 1_100_000), onTimeout: 'force_off' });
    expect(rig.waits(99_999)).toEqual([]);
    expect(presses(rig.waits(1))).toBe(1);
    expect(rig.waits(200_000)).toEqual([...pressed, ...pressed, ...pressed, 'cutting_power', 'call cut_power']);
    expect(rig.said.get('cutting_power')).toContain('no check tells whether it is being updated');
  });

  test('its first press is refused: nothing was done', () => {
    const rig = updating();
    rig.waits(60_000);
    rig.hears(checked('up'));
    expect(rig.answers(failures.unsent)).toEqual(['end rejected/libvirt_unavailable']);
  });

  test.each(['updating', 'recoverable'] as const)('or is %s, force_off cuts its power, and says so', verdict => {
    const rig = new Rig('force_off', { guest: guest(verdict) });
    expect(rig.asks).toEqual(['call cut_power']);
    rig.sees(offBy('destroyed'));
    expect(rig.outcomes.get(first)).toMatch(/^succeeded\/done: its power was cut\. The checks had said: DSM/);
  });

  test('is over: force_off has nothing to say', () => {
    const rig = new Rig('force_off', { guest: guest('up') });
    rig.sees(offBy('destroyed'));
    expect(rig.outcomes.get(first)).toBe('succeeded/done: its power was cut');
  });
});

describe('where nobody hears', () => {
  test.each([
    ['loader', 'the loader runs instead of DSM'],
    ['installer', "DSM's installer runs"],
    ['recoverable', "DSM's system is damaged"],
  ] as const)('%s: said at once and at the end, and it is pressed all the same', (verdict, words) => {
    const rig = new Rig('shutdown', { guest: guest(verdict), watched: true, maxPresses: 1 });
    expect(rig.asks).toEqual(['call press', 'probe', 'not_heard']);
    expect(rig.said.get('not_heard')).toContain(`${words}`);
    // Its page is not DSM's.
    expect(rig.hears(ports(true))).toEqual([]);
    expect(rig.waits(60_000)).toEqual(['probe']);
    expect(rig.hears(ports(true))).toEqual(pressed);
    expect(rig.waits(60_000)).toEqual(['probe']);
    expect(rig.hears(ports(false))).toEqual(pressed);
    rig.waits(180_000);
    expect(rig.outcomes.get(first)).toContain(words);
  });

  test.each(['loader', 'installer'] as const)('%s: a time-out may cut its power, there is nothing to lose', verdict => {
    const rig = new Rig('shutdown', { guest: guest(verdict), onTimeout: 'force_off' });
    expect(rig.waits(300_000).slice(-2)).toEqual(['cutting_power', 'call cut_power']);
  });
});

describe('what a check says is believed', () => {
  const began = Date.parse(at);
  const row = { outcome: 'ok', ms: 1, explanation: 'It answers.', at } as const;
  const check = (more = {}) => ({ ...checkOf('updating'), checkedAt: at, wasUp: true, probes: { web: row }, ...more });
  const minutes = (count: number) => new Date(began + count * 60_000).toISOString();
  const [known, forgotten] = ['updating', 'unknown'];

  test.each([
    ['just now', {}, 0, known],
    ['with no other to come, for 5 minutes', {}, 4.9, known],
    ['with no other to come, not longer', {}, 5, forgotten],
    ['until 5 minutes after the next is due', { nextAt: minutes(60) }, 64.9, known],
    ['not longer, if none comes', { nextAt: minutes(60) }, 65, forgotten],
    ['if the clock was set back meanwhile', { nextAt: minutes(1) }, -600, known],
    ['of one that is about to be made', { checkedAt: null, nextAt: minutes(1), probes: {} }, 0, known],
    ['not where none is ever made', { checkedAt: null, probes: {} }, 0, forgotten],
    ['of the machine, it says nothing of DSM', { verdict: 'off' }, 0, forgotten],
  ] as const)('%s', (_, changes, later, verdict) => {
    const found = guestOf(check(changes), began + later * 60_000, 7_000);
    expect(found).toMatchObject({ verdict, wasUp: true });
    expect(found.until).toBeLessThanOrEqual(7_000 + 66 * 60_000);
    if (verdict === known) expect(found.until).toBeGreaterThan(7_000);
  });

  test('none: nothing is known', () => {
    expect(guestOf(null, began, 7_000)).toEqual(unknownGuest);
  });
});
