/** Commands that libvirt carries out by itself: start, suspend, resume, reset, force_off. */
import { describe, expect, test } from 'vitest';
import type { Call, PowerWord } from '../../../src/model/commands.ts';
import type { Domain } from '../../../src/model/domain.ts';
import type { JobInput } from '../../../src/model/job/job.ts';
import { active, domain, off, offBy, otherUuid } from '../samples.ts';
import { away, back, failures, first, Rig, rebooted, saw } from './rig.ts';

const replaced = 'failed/domain_gone: the domain was replaced by another';
const other = { ...domain, uuid: otherUuid };
const paused = active('paused', 'user');
const wentOff = 'failed/interfered: it went off meanwhile';
const crash = 'failed/crashed: it is off: QEMU crashed';
const cut = 'failed/power_cut: it is off: somebody at libvirt cut its power';

/** What comes, and how that ends it; null: not yet. */
type Row = [what: string, input: JobInput | Domain | null, end: string | null];

describe.each<[word: PowerWord, call: Call, rows: Row[]]>([
  [
    'start',
    'start',
    [
      ['still off', off, null],
      ['off for another reason', offBy('failed'), null],
      ['it runs', domain, 'succeeded/done: it runs'],
      ['it runs, paused', active('paused', 'starting_up'), 'succeeded/done: it runs'],
      ['undefined', null, 'failed/domain_gone: the domain was undefined'],
      ['another one runs', other, replaced],
      ['a restart', rebooted, null],
    ],
  ],
  [
    'start',
    'resume',
    [
      ['still paused', paused, null],
      ['it runs', domain, 'succeeded/done: it runs'],
      ['it idles', active('idle'), 'succeeded/done: it runs'],
      ['off', off, wentOff],
    ],
  ],
  [
    'start',
    'wake_up',
    [
      ['still asleep', active('pmsuspended'), null],
      ['it runs', domain, 'succeeded/done: it runs'],
      ['QEMU dies', offBy('crashed'), crash],
    ],
  ],
  [
    'resume',
    'resume',
    [
      ['still paused', paused, null],
      ['paused again, by a disk', active('paused', 'io_error'), null],
      ['it runs', domain, 'succeeded/done: it runs'],
      ['off', off, wentOff],
      ['gone', null, wentOff],
      ['its power is cut', offBy('destroyed'), cut],
      ['QEMU dies', offBy('crashed'), crash],
      ['another', other, replaced],
    ],
  ],
  [
    'resume',
    'wake_up',
    [
      ['still asleep', active('pmsuspended'), null],
      ['it runs', domain, 'succeeded/done: it runs'],
      ['off', off, wentOff],
    ],
  ],
  [
    'suspend',
    'suspend',
    [
      ['still running', domain, null],
      ['paused', paused, 'succeeded/done: it is paused'],
      ['off', off, wentOff],
      ['gone', null, wentOff],
      ['its power is cut', offBy('destroyed'), cut],
      ['QEMU dies', offBy('failed'), 'failed/crashed: it is off: QEMU failed'],
      ['another', other, replaced],
    ],
  ],
  [
    'reset',
    'reset',
    [
      ['still running', domain, null],
      ['libvirt says so', rebooted, 'succeeded/done: it was reset'],
      ['off', off, wentOff],
      ['QEMU dies', offBy('crashed'), crash],
      ['its power is cut', offBy('destroyed'), cut],
      ['another', other, replaced],
    ],
  ],
  [
    'force_off',
    'cut_power',
    [
      ['still running', domain, null],
      ['on its way', active('shutting_down'), null],
      ['off', offBy('destroyed'), 'succeeded/done: its power was cut'],
      ['off by itself at that moment', off, 'succeeded/done: it is off'],
      ['a transient one is gone', null, 'succeeded/done: its power was cut'],
      ['another', other, replaced],
    ],
  ],
  [
    'reboot',
    'guest_reboot',
    [
      ['still running', domain, null],
      ['libvirt says so', rebooted, 'succeeded/done: it has restarted'],
      ['off', off, 'failed/interfered: it powered off instead of restarting'],
      ['gone', null, 'failed/interfered: it powered off instead of restarting'],
      ['QEMU dies', offBy('crashed'), crash],
      ['its power is cut', offBy('destroyed'), cut],
      ['paused', paused, 'failed/interfered: it was paused meanwhile (user)'],
      ['asleep', active('pmsuspended'), 'failed/interfered: it was suspended meanwhile'],
      ['another', other, replaced],
    ],
  ],
])('%s by %s', (word, call, rows) => {
  test.each(rows)('%s', (_, input, end) => {
    const rig = new Rig(word, { call });
    expect(rig.asks).toEqual([`call ${call}`]);
    rig.hears(input && 'type' in input ? input : saw(input));
    expect(rig.outcomes.get(first) ?? null).toBe(end);
    expect(rig.job === null).toBe(end !== null);
  });

  test.each([
    ['refused', 'failed/libvirt_error: no'],
    ['lost', 'failed/outcome_unknown: lost'],
    ['unsent', 'rejected/libvirt_unavailable: away'],
    ['denied', 'rejected/read_only: denied'],
  ] as const)('%s: %s', (how, end) => {
    const rig = new Rig(word, { call });
    expect(rig.answers(failures[how])).toHaveLength(1);
    expect(rig.outcomes.get(first)).toBe(end);
  });

  test('done, says libvirt: only a reset has nothing else to show', () => {
    const rig = new Rig(word, { call });
    expect(rig.answers(null)).toEqual(word === 'reset' ? ['end succeeded/done'] : []);
  });

  test('unanswered: waited on until the time is up', () => {
    const rig = new Rig(word, { call });
    expect(rig.answers(failures.silent)).toEqual(['no_answer']);
    expect(rig.waits(rig.deadline)).toEqual(['end failed/timed_out']);
  });

  test('libvirt goes and comes: nothing is called again', () => {
    const rig = new Rig(word, { call });
    expect(rig.hears(away)).toEqual([]);
    expect(rig.waits(10_000)).toEqual([]);
    expect(rig.hears(back)).toEqual([]);
    expect(rig.hears({ type: 'ports', open: true })).toEqual([]);
    expect(rig.waits(rig.deadline)).toEqual(['end failed/timed_out']);
  });
});

describe('a start keeps its distance from off', () => {
  test.each([
    ['nobody saw it go off', null, 0],
    ['long ago', 3_600_000, 0],
    ['ten seconds ago', 10_000, 0],
    ['just now', 0, 10_000],
    ['a moment ago', 1, 9_999],
    ['nine seconds ago', 9_000, 1_000],
  ])('%s', (_, offFor, pause) => {
    const rig = new Rig('start', { offFor });
    if (pause === 0) {
      expect(rig.asks).toEqual(['call start']);
      return;
    }
    expect(rig.asks).toEqual([]);
    expect(rig.waits(pause - 1)).toEqual([]);
    expect(rig.waits(1)).toEqual(['starting', 'call start']);
    expect(rig.deadline).toBe(30_000);
    expect(rig.sees(domain)).toEqual(['end succeeded/done']);
  });

  test('but a paused one is resumed at once', () => {
    expect(new Rig('start', { call: 'resume', offFor: 0 }).asks).toEqual(['call resume']);
  });
});
