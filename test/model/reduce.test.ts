/** What events mean: who stopped a VM, since when it runs, what was interrupted, and that nothing else moves. */
import { describe, expect, test } from 'vitest';
import type { Wish } from '../../src/model/check.ts';
import type { Domain } from '../../src/model/domain.ts';
import { reduce } from '../../src/model/reduce.ts';
import {
  type Asked,
  type Event,
  emptyVm,
  type Snapshot,
  type VmSnapshot,
  type Work,
} from '../../src/model/snapshot.ts';
import { unknownStats } from '../../src/model/stats.ts';
import { active, domain, off, offBy, otherUuid, snapshotOf, uuid } from './samples.ts';

const at = '2026-11-22T09:00:00.000Z';

const seen = (now: Domain | null): Event => ({ type: 'domain', key: 'DSM', domain: now, at });
const vmAfter = (vm: Partial<VmSnapshot>, ...events: Event[]): VmSnapshot => {
  const { DSM } = events.reduce(reduce, snapshotOf(vm)).vms;
  if (!DSM) throw new Error('the VM is gone');
  return DSM;
};

const stats = { ...unknownStats('2026-11-22T08:59:00.000Z'), cpu: { percent: 3, vcpus: 2, seconds: 9 } };
const asked: Asked = {
  ...{ word: 'shutdown', id: 'ups-1', by: 'ups', at: '2026-11-22T08:59:17.700Z', until: '2026-11-22T09:34:00.000Z' },
  ...{ cut: false, open: true },
};
const work: Work = {
  ...{ activity: 'shutting_down', phase: 'waiting_for_guest', since: at, deadline: 'later' },
  ...{ attempt: 1, startAfterOff: false },
};

describe('a VM stops', () => {
  const cut = { asked: { ...asked, cut: true } };
  const closed = { asked: { ...asked, open: false } };
  test.each<
    [what: string, before: Partial<VmSnapshot>, now: Domain | null, by: string | null, reason: string, s: number | null]
  >([
    ['the guest by itself', {}, off, 'guest', 'shutdown', null],
    ['the guest as it was asked here', { asked }, off, 'ups', 'shutdown', 42.3],
    ['the guest, after it was given up', closed, off, 'ups', 'shutdown', 42.3],
    ['by one who did not say who it was', { asked: { ...asked, by: 'bridge' } }, off, 'bridge', 'shutdown', 42.3],
    ['its power is cut as it was asked here', cut, offBy('destroyed'), 'ups', 'destroyed', 42.3],
    ['it powers off before its power is cut', cut, off, 'ups', 'shutdown', 42.3],
    ['somebody at libvirt', {}, offBy('destroyed'), 'host', 'destroyed', null],
    ['somebody at libvirt, while we asked', { asked }, offBy('destroyed'), 'host', 'destroyed', null],
    ['QEMU dies', {}, offBy('crashed'), 'fault', 'crashed', null],
    ['QEMU is killed', { asked }, offBy('killed'), 'fault', 'killed', null],
    ['QEMU dies while we asked', { asked }, offBy('crashed'), 'fault', 'crashed', null],
    ['QEMU dies while its power is cut', cut, offBy('crashed'), 'fault', 'crashed', null],
    ['the start fails', {}, offBy('failed'), 'fault', 'failed', null],
    ['the daemon lost it', { asked }, offBy('daemon'), 'fault', 'daemon', null],
    ['saved', { asked }, offBy('saved'), 'host', 'saved', null],
    ['migrated', { asked }, offBy('migrated'), 'host', 'migrated', null],
    ['back to a snapshot', {}, offBy('from_snapshot'), 'host', 'from_snapshot', null],
    ['nobody saw how', { asked }, offBy('unknown'), null, 'unknown', null],
    ['in a way that is not known yet', { asked }, offBy('reason_42'), null, 'reason_42', null],
    ['it is gone', {}, null, 'host', 'gone', null],
    ['a transient one is gone as it was asked', { asked }, null, 'ups', 'gone', 42.3],
    ['another runs in its place', {}, { ...domain, uuid: otherUuid }, 'host', 'gone', null],
    ['another, off, is in its place', {}, { ...off, uuid: otherUuid }, 'host', 'gone', null],
  ])('%s', (_, before, now, by, reason, seconds) => {
    const vm = vmAfter({ stats, startedAt: '2026-11-22T07:00:00.000Z', ...before }, seen(now));
    expect(vm.lastStop).toEqual({ by, reason, at, seconds });
    expect(vm.startedAt).toBeNull();
    expect(vm.stats).toEqual(unknownStats(at));
    expect(vm.domain).toBe(now);
    // Whoever asked has what was asked for, or never will.
    expect(vm.asked).toBeNull();
  });

  test('crashed but kept is not yet stopped', () => {
    const vm = vmAfter({ stats, asked }, seen(active('crashed', 'panicked')));
    expect(vm).toMatchObject({ lastStop: null, stats, asked });
  });

  test('only once', () => {
    const later = { ...seen(offBy('unknown')), at: '2026-11-22T10:00:00.000Z' } as Event;
    expect(vmAfter({}, seen(off), later).lastStop).toEqual({ by: 'guest', reason: 'shutdown', at, seconds: null });
  });
});

describe('off by the guest itself', () => {
  const later = (domain: Domain | null): Event => ({
    type: 'domain',
    key: 'DSM',
    domain,
    at: '2026-11-22T09:00:00.000Z',
  });
  const ran = { domain: null, seen: false, remembered: { uuid, active: true, boot: null, thisBoot: true } };

  test.each<[what: string, before: Partial<VmSnapshot>, now: Domain | null, since: string | null]>([
    ['it powered itself off', {}, off, at],
    ['it was asked here', { asked }, off, null],
    ['its power was cut', {}, offBy('destroyed'), null],
    ['QEMU crashed', {}, offBy('crashed'), null],
    ['QEMU was killed', {}, offBy('killed'), null],
    ['libvirt ended it', {}, offBy('daemon'), null],
    ['nobody saw how', {}, offBy('unknown'), null],
    ['nobody looked', ran, off, null],
    ['a transient one is gone', {}, null, null],
    ['another is in its place', {}, { ...off, uuid: otherUuid }, null],
  ])('%s', (_, before, now, since) => {
    expect(vmAfter(before, seen(now)).selfOffAt).toBe(since);
  });

  test('is known until it starts, or libvirt has forgotten it', () => {
    expect(vmAfter({}, seen(off), later({ ...off, autostart: true })).selfOffAt).toBe(at);
    for (const now of [domain, offBy('unknown'), null]) expect(vmAfter({}, seen(off), later(now)).selfOffAt).toBeNull();
  });
});

describe('how long a stop is put down to who asked', () => {
  const starting = { at: '2026-11-22T08:59:50.000Z', until: '2026-11-22T08:59:50.000Z' };
  test.each<[what: string, asked: Partial<Asked>, by: string, seconds: number | null]>([
    ['given up, at the very end', { open: false, until: at }, 'ups', 42.3],
    ['given up, a millisecond later', { open: false, until: '2026-11-22T08:59:59.999Z' }, 'guest', null],
    ['the clock was set forward while it is carried out', { until: '2026-11-22T08:59:59.999Z' }, 'ups', 42.3],
    ['the clock was set back while it is carried out', { at: '2026-11-22T09:30:00.000Z' }, 'ups', null],
    ['it was to start', starting, 'guest', null],
    ['it was to start, and that is over', { ...starting, open: false }, 'guest', null],
  ])('%s', (_, more, by, seconds) => {
    expect(vmAfter({ asked: { ...asked, ...more } }, seen(off)).lastStop).toMatchObject({ by, seconds });
  });

  test('a start ends it', () => {
    expect(vmAfter({ domain: off, asked }, seen(domain)).asked).toBeNull();
  });

  test('what goes on does not', () => {
    expect(vmAfter({ asked }, seen(active('paused', 'user')), seen(active('shutting_down'))).asked).toBe(asked);
  });
});

describe('the first look at libvirt after a while without the bridge', () => {
  const left = (more: Partial<VmSnapshot> = {}, ran = true): Partial<VmSnapshot> => ({
    ...{ domain: null, seen: false, remembered: { uuid, active: ran, boot: null, thisBoot: true } },
    ...more,
  });
  const lastStop = { by: 'guest', reason: 'shutdown', at: '2026-11-21T09:00:00.000Z', seconds: null };
  const closed = { ...asked, open: false };

  test.each<[what: string, before: Partial<VmSnapshot>, now: Domain | null, stop: object | null]>([
    ['nothing was known', { domain: null, seen: false }, off, null],
    ['it runs on', left(), domain, null],
    ['it was off and is off', left({ lastStop }, false), off, lastStop],
    ['it was off and runs', left({ lastStop }, false), domain, lastStop],
    ['it is off', left(), off, { by: 'guest', reason: 'shutdown', at, seconds: null }],
    ['it is off, as it was asked', left({ asked }), off, { by: 'ups', reason: 'shutdown', at, seconds: null }],
    [
      'it is off, after it was given up',
      left({ asked: closed }),
      off,
      { by: 'ups', reason: 'shutdown', at, seconds: null },
    ],
    [
      'it is off, long after it was asked',
      left({ asked: { ...asked, until: '2026-11-22T08:59:59.999Z' } }),
      off,
      { by: 'guest', reason: 'shutdown', at, seconds: null },
    ],
    ['its power was cut', left({ asked }), offBy('destroyed'), { by: 'host', reason: 'destroyed', at, seconds: null }],
    [
      'its power was cut as it was asked',
      left({ asked: { ...asked, cut: true } }),
      offBy('destroyed'),
      { by: 'ups', reason: 'destroyed', at, seconds: null },
    ],
    ['the host was restarted', left({ asked }), offBy('unknown'), { by: null, reason: 'unknown', at, seconds: null }],
    ['it is gone, nobody saw how', left({ asked }), null, { by: 'host', reason: 'gone', at, seconds: null }],
    ['another is in its place', left({ asked }), { ...domain, uuid: otherUuid }, { by: 'host', reason: 'gone', at }],
  ])('%s', (_, vm, now, stop) => {
    const after = vmAfter(vm, seen(now));
    if (stop) expect(after.lastStop).toMatchObject(stop);
    else expect(after.lastStop).toBeNull();
    expect(after).toMatchObject({ seen: true, remembered: null, startedAt: null });
  });

  const ended = 'the bridge was ended in the middle of it, and does not resume it';
  test.each<[what: string, asked: Partial<Asked>, now: Domain | null, message: string]>([
    ['a shutdown, and it runs', {}, domain, `shutdown: ${ended}; it runs, and may still power off`],
    ['a shutdown, and it is off', {}, off, `shutdown: ${ended}; it is off`],
    ['a reboot, and it is gone', { word: 'reboot' }, null, `reboot: ${ended}; it is off`],
    ['a start, and it runs', { word: 'start', until: asked.at }, domain, `start: ${ended}; it runs`],
    ['a start, and it is off', { word: 'start', until: asked.at }, off, `start: ${ended}; it is off`],
  ])('what was under way has been interrupted: %s', (_, more, now, message) => {
    const vm = vmAfter(left({ asked: { ...asked, ...more } }, now?.active ?? false), seen(now));
    expect(vm.lastError).toEqual({ code: 'interrupted', message, at });
    expect(vm.asked?.open ?? false).toBe(false);
  });

  test('a guest that was asked before may power off later, and is not interrupted twice', () => {
    const vm = vmAfter(left({ asked }), seen(domain));
    expect(vm.asked).toEqual({ ...asked, open: false });
    const later = { ...seen(off), at: '2026-11-22T09:05:00.000Z' } as Event;
    const off2 = vmAfter(vm, later);
    expect(off2.lastStop).toMatchObject({ by: 'ups', seconds: 342.3 });
    expect(off2.lastError?.at).toBe(at);
  });

  test('what had been given up before is no interruption', () => {
    expect(vmAfter(left({ asked: closed }), seen(domain))).toMatchObject({ asked: closed, lastError: null });
  });

  test('a start that nobody saw has no time', () => {
    expect(vmAfter(left({}, false), seen(domain)).startedAt).toBeNull();
  });
});

describe('since when it runs', () => {
  const since = '2026-11-22T07:00:00.000Z';
  test.each<[what: string, before: Partial<VmSnapshot>, now: Domain | null, startedAt: string | null]>([
    ['seen to start', { domain: off }, domain, at],
    ['seen for the first time', { domain: null, seen: false }, domain, null],
    ['runs on', { startedAt: since }, active('paused'), since],
    ['runs since before the bridge', { startedAt: null }, active('paused'), null],
    ['off', { domain: off }, off, null],
    ['another one, running', { startedAt: since }, { ...domain, uuid: otherUuid }, null],
    ['gone', { startedAt: since }, null, null],
  ])('%s', (_, before, now, startedAt) => {
    expect(vmAfter(before, seen(now)).startedAt).toBe(startedAt);
  });
});

test('what it did is not forgotten when it starts, nor what failed', () => {
  const lastStop = { by: 'guest', reason: 'shutdown', at, seconds: null };
  const lastError = { code: 'timed_out', message: 'late', at };
  expect(vmAfter({ domain: off, lastStop, lastError }, seen(domain))).toMatchObject({ lastStop, lastError });
});

test('libvirt comes and goes, and what was known of the VMs stays', () => {
  const before = snapshotOf();
  const down = reduce(before, { type: 'hypervisor_down', reason: 'killed' });
  expect(down).toEqual({ ...before, hypervisor: { ...before.hypervisor, up: false, reason: 'killed' } });
  expect(down.vms).toBe(before.vms);
  const info = { hostname: 'h', libvirt: '12.8.0', hypervisor: 'QEMU 11.1.0' };
  const up = reduce(down, { type: 'hypervisor_up', info });
  expect(up.hypervisor).toEqual({ name: null, up: true, reason: null, info });
  expect(up.vms).toBe(before.vms);
});

test('what is under way, who asked, and what went wrong are taken as they come', () => {
  const error = { code: 'timed_out', message: 'late', at };
  const vm = vmAfter(
    {},
    { type: 'work', key: 'DSM', work },
    { type: 'asked', key: 'DSM', asked },
    { type: 'error', key: 'DSM', error },
  );
  expect([vm.work, vm.asked, vm.lastError]).toEqual([work, asked, error]);
  const after = vmAfter(vm, { type: 'work', key: 'DSM', work: null }, { type: 'asked', key: 'DSM', asked: null });
  expect([after.work, after.asked, after.lastError]).toEqual([null, null, error]);
});

test('a restart changes nothing but the record', () => {
  const before = snapshotOf({ asked });
  const { DSM } = reduce(before, { type: 'rebooted', key: 'DSM', at }).vms;
  expect(DSM).toEqual({ ...before.vms['DSM'], history: expect.anything() });
});

test('but who had asked it to stop, and has given up, is not behind its next stop', () => {
  const rebooted: Event = { type: 'rebooted', key: 'DSM', at };
  expect(reduce(snapshotOf({ asked: { ...asked, open: false } }), rebooted).vms['DSM']?.asked).toBeNull();
  expect(reduce(snapshotOf({ asked: { ...asked, open: true } }), rebooted).vms['DSM']?.asked).toEqual({
    ...asked,
    open: true,
  });
});

const events: Event[] = [
  seen(off),
  seen(null),
  { type: 'stats', stats: new Map([['DSM', stats]]) },
  { type: 'work', key: 'DSM', work },
  { type: 'asked', key: 'DSM', asked },
  { type: 'error', key: 'DSM', error: { code: 'x', message: 'y', at } },
];

test.each(events)('$type leaves all else as it was, to the very object', event => {
  const before = snapshotOf({ stats });
  const frozen = deepFreeze(before);
  const after = reduce(frozen, event);
  expect(after.vms['other']).toBe(before.vms['other']);
  expect(after.hypervisor).toBe(before.hypervisor);
  expect(after.vms['DSM']).not.toBe(before.vms['DSM']);
  if (event.type !== 'domain') expect(after.vms['DSM']?.domain).toBe(before.vms['DSM']?.domain);
  if (event.type !== 'domain' && event.type !== 'stats') expect(after.vms['DSM']?.stats).toBe(stats);
});

test.each(['nobody', 'constructor', '__proto__', 'toString'])('an event of %s changes nothing', key => {
  const before: Snapshot = { ...snapshotOf(), vms: { DSM: emptyVm('DSM', 'DSM') } };
  const sample = { stats: new Map([[key, stats]]) };
  for (const event of events) {
    const more = event.type === 'stats' ? sample : { key };
    expect(reduce(before, { ...event, ...more } as Event)).toBe(before);
  }
});

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) deepFreeze(part);
    Object.freeze(value);
  }
  return value;
}

describe('what it is meant to be', () => {
  const ran = { uuid, active: true, boot: 'b1', thisBoot: true };

  test.each<[what: string, before: Partial<VmSnapshot>, now: Domain | null, wish: Wish | null]>([
    ['it runs when it is first seen', { domain: null, seen: false }, domain, 'running'],
    ['it is off when it is first seen', { domain: null, seen: false }, off, null],
    ['it stops', { domain, wish: 'running' }, off, 'running'],
    ['it stops as it was told', { domain, wish: 'off' }, off, 'off'],
    ['somebody starts it', { domain: off, wish: 'off' }, domain, 'running'],
    ['somebody resumes it', { domain: active('paused', 'user'), wish: 'paused' }, domain, 'running'],
    ['it is paused as it was told', { domain, wish: 'paused' }, active('paused', 'user'), 'paused'],
    ['it runs on, though it was told to stop', { domain, wish: 'off' }, active('running', 'unpaused'), 'off'],
    ['a transient one was gone, and is started again', { domain: null, seen: true, wish: 'off' }, domain, 'running'],
    ['another one is started under its name', { domain: off, wish: 'off' }, { ...domain, uuid: otherUuid }, 'running'],
    ['the bridge was away, and it runs on', { domain: null, seen: false, remembered: ran, wish: 'off' }, domain, 'off'],
    [
      'the bridge was away, and the host has booted',
      { domain: null, seen: false, remembered: { ...ran, thisBoot: false }, wish: 'off' },
      domain,
      'running',
    ],
    [
      'the host has booted, and it has not started',
      { domain: null, seen: false, remembered: { ...ran, thisBoot: false }, wish: 'running' },
      off,
      'running',
    ],
  ])('%s', (_, before, now, wish) => {
    const snapshot = snapshotOf({ wish: null, remembered: null, ...before });
    expect(reduce(snapshot, seen(now)).vms['DSM']?.wish).toBe(wish);
  });
});
