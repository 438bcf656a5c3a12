/** Which lines the record of a VM gets, each once, and what a shutdown and a boot are expected to take. */
import { describe, expect, test } from 'vitest';
import type { Verdict } from '../../src/model/check.ts';
import { stateDocument } from '../../src/model/documents.ts';
import type { Domain } from '../../src/model/domain.ts';
import { type History, longest, noHistory, type PowerLine, withLines } from '../../src/model/history/history.ts';
import { reduce } from '../../src/model/reduce.ts';
import type { Event, LastStop, Snapshot, VmSnapshot } from '../../src/model/snapshot.ts';
import { asked, checkOf, domain, at as early, off, offBy, otherUuid, snapshotOf, uuid, vmOf } from './samples.ts';

const at = '2026-11-22T09:00:00.000Z';
const shutdown = { ...asked, at: '2026-11-22T08:59:17.700Z', until: '2026-11-22T09:34:00.000Z' };
const starting = { ...shutdown, word: 'start', by: 'dad', at, until: at };
const last = (what: PowerLine['what'], when = early) => ({ ...noHistory, last: { what, at: when } });

const seen = (now: Domain | null): Event => ({ type: 'domain', key: 'DSM', domain: now, at });
const checked = (verdict: Verdict, bootSeconds: number | null = null): Event => {
  return { type: 'checked', key: 'DSM', check: { ...checkOf(verdict), bootSeconds }, at };
};
const rebooted = (when = at): Event => ({ type: 'rebooted', key: 'DSM', at: when });
const up: Event = { type: 'hypervisor_up', info: { hostname: 'h', libvirt: '9.0.0', hypervisor: 'QEMU' } };
const away: Event = { type: 'hypervisor_down', reason: 'gone' };

/** All lines that the events add, in order. */
function linesOf(vm: Partial<VmSnapshot>, ...events: Event[]): PowerLine[] {
  const lines: PowerLine[] = [];
  let snapshot: Snapshot = snapshotOf(vm);
  for (const event of events) {
    const before = snapshot.vms['DSM']?.history;
    snapshot = reduce(snapshot, event);
    const { history } = snapshot.vms['DSM'] ?? {};
    if (history && history !== before) lines.push(...history.added);
  }
  return lines;
}

const nothing = { by: null, how: null, why: null, seconds: null, seen: true, good: false };

describe('a stop', () => {
  test.each<[what: string, vm: Partial<VmSnapshot>, now: Domain | null, line: Partial<PowerLine>]>([
    ['as it was asked', { asked: shutdown }, off, { by: 'ups', why: 'shutdown', seconds: 42.3, good: true }],
    ['of its own', {}, off, { by: 'guest' }],
    [
      'by a power cut that was asked',
      { asked: { ...shutdown, cut: true } },
      offBy('destroyed'),
      { by: 'ups', how: 'destroyed', why: 'shutdown', seconds: 42.3 },
    ],
    ['by somebody at libvirt', { asked: shutdown }, offBy('destroyed'), { by: 'host', how: 'destroyed' }],
    ['by a crash', {}, offBy('crashed'), { by: 'fault', how: 'crashed' }],
    ['of a transient domain', {}, null, { by: 'host', how: 'gone' }],
    ['that nobody knows the cause of', {}, offBy('unknown'), { how: 'unknown' }],
  ])('%s', (_, vm, now, line) => {
    expect(linesOf(vm, seen(now))).toEqual([{ ...nothing, at, what: 'stop', how: 'shutdown', ...line }]);
  });

  test.each<[what: string, vm: Partial<VmSnapshot>]>([
    ['while DSM boots', { check: checkOf('booting') }],
    ['of the image builder', { check: checkOf('loader') }],
    ['that was asked before DSM was up', { check: checkOf('up'), history: last('up', '2026-11-22T08:59:30.000Z') }],
  ])('%s has seconds, but does not count', (_, vm) => {
    expect(linesOf({ asked: shutdown, ...vm }, seen(off))).toMatchObject([{ seconds: 42.3, good: false }]);
  });

  test('of a DSM that was up for long counts', () => {
    const vm = { asked: shutdown, check: checkOf('up'), history: last('up') };
    expect(linesOf(vm, seen(off))).toMatchObject([{ seconds: 42.3, good: true }]);
  });

  test('while libvirt is away has a cause, but no seconds', () => {
    expect(linesOf({ asked: shutdown }, away, seen(off), up)).toEqual([
      { ...nothing, at, what: 'stop', by: 'ups', how: 'shutdown', why: 'shutdown', seen: false },
    ]);
  });
});

describe('a start', () => {
  test.each<[what: string, vm: Partial<VmSnapshot>, now: Domain, line: Partial<PowerLine>]>([
    ['by a command', { asked: starting }, domain, { by: 'dad', why: 'start' }],
    ['by somebody at libvirt', {}, domain, { by: 'host' }],
    ['from a saved state', {}, { ...domain, reason: 'restored' }, { by: 'host', how: 'restored' }],
    ['of a transient domain', { domain: null }, domain, { by: 'host' }],
  ])('%s', (_, vm, now, line) => {
    expect(linesOf({ domain: off, ...vm }, seen(now))).toEqual([
      { ...nothing, at, what: 'start', how: 'booted', ...line },
    ]);
  });

  test('of another domain in its place, which also ends the one before', () => {
    const lines = linesOf({}, seen({ ...domain, uuid: otherUuid }));
    expect(lines.map(({ what, how }) => [what, how])).toEqual([
      ['stop', 'gone'],
      ['start', 'booted'],
    ]);
  });

  test('while libvirt is away is noticed later, and nothing measures its boot', () => {
    expect(linesOf({ domain: off }, away, seen(domain), up)).toMatchObject([{ what: 'start', by: null, seen: false }]);
    const { DSM } = [away, seen(domain)].reduce(reduce, snapshotOf({ domain: off })).vms;
    expect(DSM?.startedAt).toBeNull();
  });

  test('what it is otherwise adds nothing', () => {
    const paused = { ...domain, state: 'paused', reason: 'user' } as const;
    expect(linesOf({}, seen(paused), seen(domain), away, seen(domain), up, checked('up', 9))).toEqual([]);
  });
});

describe('DSM is up', () => {
  test('once after a start, with the seconds from power on', () => {
    const lines = linesOf({ domain: off }, seen(domain), checked('booting'), checked('up', 83.4), checked('up', 83.4));
    expect(lines.slice(1)).toEqual([{ ...nothing, at, what: 'up', seconds: 83.4, good: true }]);
  });

  test('without seconds where power on was not seen', () => {
    expect(linesOf({ history: last('start') }, checked('up'))).toMatchObject([{ seconds: null, good: false }]);
  });

  test('again after a restart of the guest, which libvirt reports several times', () => {
    const later = rebooted('2026-11-22T09:00:00.900Z');
    const lines = linesOf({ history: last('up') }, rebooted(), later, later, checked('booting'), checked('up', 50));
    expect(lines.map(({ what, seconds }) => [what, seconds])).toEqual([
      ['reboot', null],
      ['up', 50],
    ]);
  });

  test('a restart that was asked here has its command', () => {
    expect(linesOf({ asked: { ...shutdown, word: 'reboot' } }, rebooted())).toMatchObject([
      { what: 'reboot', by: 'ups', why: 'reboot' },
    ]);
  });

  describe('a reset by a command', () => {
    const reset = { ...shutdown, word: 'reset', until: shutdown.at };
    const byUps = { what: 'reboot', by: 'ups', why: 'reset' };
    const later = (seconds: number) => rebooted(new Date(Date.parse(at) + seconds * 1_000).toISOString());

    test.each([
      ['while it is asked', true],
      ['after its answer', false],
    ])('told %s', (_, open) => {
      expect(linesOf({ asked: { ...reset, open } }, rebooted(), later(5))).toMatchObject([
        byUps,
        // That it has restarted already is known: this one has another cause.
        { what: 'reboot', by: null, why: null },
      ]);
    });

    test('an hour later, a restart has another cause, and a stop at once has, too', () => {
      const asked = { ...reset, open: false };
      expect(linesOf({ asked }, later(3_600))).toMatchObject([{ what: 'reboot', by: null }]);
      expect(linesOf({ asked }, seen(off))).toMatchObject([{ what: 'stop', by: 'guest', why: null }]);
    });
  });
});

describe('at the first look after a while without the bridge', () => {
  const left = (active: boolean, history: History = noHistory, more: Partial<VmSnapshot> = {}) => ({
    ...{ domain: null, seen: false, remembered: { uuid, active, boot: null, thisBoot: true }, history },
    ...more,
  });
  const stop: LastStop = { by: 'ups', reason: 'shutdown', at: '2026-11-22T08:30:00.000Z', seconds: 41 };
  const stopped = { ...nothing, at, what: 'stop' as const, by: 'guest', how: 'shutdown', seen: false };
  const started = { ...nothing, at, what: 'start' as const, how: 'booted', seen: false };

  test.each<[what: string, vm: Partial<VmSnapshot>, now: Domain | null, lines: Partial<PowerLine>[]]>([
    ['nothing is known of it', { domain: null, seen: false }, domain, []],
    ['it runs on', left(true, last('up')), domain, []],
    ['it is off as before', left(false, last('stop')), off, []],
    ['it has stopped', left(true, last('up')), off, [stopped]],
    [
      'it has stopped as it was asked',
      left(true, last('up'), { asked: shutdown }),
      off,
      [{ ...stopped, by: 'ups', why: 'shutdown' }],
    ],
    ['it has started', left(false, last('stop')), domain, [started]],
    ['it is gone', left(true, last('start')), null, [{ ...stopped, by: 'host', how: 'gone' }]],
    ['there is no record yet', left(true), off, [stopped]],
    // The bridge was killed between the two files.
    ['the stop was written, and the VM was not stored', left(true, last('stop')), off, []],
    ['the start was written, and the VM was not stored', left(false, last('start')), domain, []],
    [
      'the VM was stored, and the stop was not written',
      left(false, last('up'), { lastStop: stop }),
      off,
      [{ ...stopped, ...{ at: stop.at, by: 'ups', seconds: 41, seen: true } }],
    ],
    [
      'only the record is there: it has stopped',
      left(true, last('up'), { remembered: null }),
      off,
      [{ ...stopped, by: null }],
    ],
    ['only the record is there: it has started', left(true, last('stop'), { remembered: null }), domain, [started]],
  ])('%s', (_, vm, now, lines) => {
    expect(linesOf(vm, away, seen(now), up)).toEqual(lines);
    expect(linesOf(vm, away, seen(now), seen(now), up)).toHaveLength(lines.length);
  });

  test('DSM came up meanwhile: the checks know how long it took', () => {
    expect(linesOf(left(true, last('start')), away, seen(domain), up, checked('up', 77))).toMatchObject([
      { what: 'up', seconds: 77, good: true },
    ]);
  });
});

describe('what is expected', () => {
  const line = (what: 'stop' | 'up', seconds: number | null, good = true): PowerLine => {
    return { ...nothing, at, what, seconds, good };
  };
  const stops = (...seconds: number[]) => seconds.map(each => line('stop', each));

  test.each<[what: string, seconds: number[], expected: number | null]>([
    ['nothing', [], null],
    ['two', [40, 50], null],
    ['three', [40, 52.5, 41], 52.5],
    ['eleven, of which the first is forgotten', [99, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 10],
  ])('of %s', (_, seconds, expected) => {
    expect(longest(withLines(noHistory, stops(...seconds)).stops)).toBe(expected);
  });

  test('counts only good ones, of stops and boots apart; on B/V/state', () => {
    const bad = [line('stop', 500, false), line('up', 500, false), line('stop', null)];
    const boots = [80, 90, 70].map(seconds => line('up', seconds));
    const history = withLines(noHistory, [...stops(40, 50, 45), ...bad, ...boots]);
    expect(stateDocument(vmOf({ history }))).toMatchObject({
      shutdown_expected_seconds: 50,
      boot_expected_seconds: 90,
    });
  });
});
