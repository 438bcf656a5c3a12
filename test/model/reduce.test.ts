/** What events mean: who stopped a VM, since when it runs, and that nothing else moves. */
import { describe, expect, test } from 'vitest';
import type { Domain } from '../../src/model/domain.ts';
import type { Event } from '../../src/model/event.ts';
import { reduce } from '../../src/model/reduce.ts';
import { emptyVm, type Snapshot, type VmSnapshot } from '../../src/model/snapshot.ts';
import { unknownStats } from '../../src/model/stats.ts';
import { domain, off, otherUuid, snapshotOf } from './samples.ts';

const at = '2026-11-22T09:00:00.000Z';

const seen = (now: Domain | null): Event => ({ type: 'domain', key: 'DSM', domain: now, at });
const vmAfter = (vm: Partial<VmSnapshot>, ...events: Event[]): VmSnapshot => {
  const { DSM } = events.reduce(reduce, snapshotOf(vm)).vms;
  if (!DSM) throw new Error('the VM is gone');
  return DSM;
};

const stats = { ...unknownStats('2026-11-22T08:59:00.000Z'), cpu: { percent: 3, vcpus: 2, seconds: 9 } };
const asked = { activity: 'shutting_down', activeSince: '2026-11-22T08:59:17.700Z' } as const;

describe('a VM stops', () => {
  test.each<
    [what: string, before: Partial<VmSnapshot>, now: Domain | null, by: string | null, reason: string, s: number | null]
  >([
    ['the guest by itself', {}, off, 'guest', 'shutdown', null],
    ['the guest as it was asked here', asked, off, 'bridge', 'shutdown', 42.3],
    ['somebody at libvirt', {}, { ...off, reason: 'destroyed' }, 'host', 'destroyed', null],
    ['somebody at libvirt, while we asked', asked, { ...off, reason: 'destroyed' }, 'host', 'destroyed', 42.3],
    ['QEMU dies', {}, { ...off, reason: 'crashed' }, 'fault', 'crashed', null],
    ['QEMU dies while we asked', asked, { ...off, reason: 'crashed' }, 'fault', 'crashed', 42.3],
    ['the start fails', {}, { ...off, reason: 'failed' }, 'fault', 'failed', null],
    ['the daemon lost it', {}, { ...off, reason: 'daemon' }, 'fault', 'daemon', null],
    ['saved', {}, { ...off, reason: 'saved' }, 'host', 'saved', null],
    ['nobody saw how', {}, { ...off, reason: 'unknown' }, null, 'unknown', null],
    ['in a way that is not known yet', asked, { ...off, reason: 'reason_42' }, null, 'reason_42', 42.3],
    ['it is gone', {}, null, 'host', 'gone', null],
    ['a transient one is gone as it was asked', asked, null, 'bridge', 'gone', 42.3],
    ['another runs in its place', {}, { ...domain, uuid: otherUuid }, 'host', 'gone', null],
    ['another, off, is in its place', {}, { ...off, uuid: otherUuid }, 'host', 'gone', null],
    [
      'it was starting',
      { activity: 'starting', activeSince: at },
      { ...off, reason: 'crashed' },
      'fault',
      'crashed',
      null,
    ],
  ])('%s', (_, before, now, by, reason, seconds) => {
    const vm = vmAfter({ stats, startedAt: '2026-11-22T07:00:00.000Z', ...before }, seen(now));
    expect(vm.lastStop).toEqual({ by, reason, at, seconds });
    expect(vm.startedAt).toBeNull();
    expect(vm.stats).toEqual(unknownStats(at));
    expect(vm.domain).toBe(now);
  });

  test('a clock that is set back makes no negative duration', () => {
    const vm = vmAfter({ ...asked, activeSince: '2026-11-22T09:30:00.000Z' }, seen(off));
    expect(vm.lastStop?.seconds).toBeNull();
  });

  test('crashed but kept is not yet stopped', () => {
    const vm = vmAfter({ stats }, seen({ ...domain, state: 'crashed', reason: 'panicked' }));
    expect(vm).toMatchObject({ lastStop: null, stats });
  });

  test('only once', () => {
    const later = { ...seen({ ...off, reason: 'unknown' }), at: '2026-11-22T10:00:00.000Z' } as Event;
    expect(vmAfter({}, seen(off), later).lastStop).toEqual({ by: 'guest', reason: 'shutdown', at, seconds: null });
  });
});

describe('since when it runs', () => {
  const since = '2026-11-22T07:00:00.000Z';
  test.each<[what: string, before: Partial<VmSnapshot>, now: Domain | null, startedAt: string | null]>([
    ['seen to start', { domain: off }, domain, at],
    ['seen for the first time', { domain: null }, domain, null],
    ['runs on', { startedAt: since }, { ...domain, state: 'paused' }, since],
    ['runs since before the bridge', { startedAt: null }, { ...domain, state: 'paused' }, null],
    ['off', { domain: off }, off, null],
    ['another one, running', { startedAt: since }, { ...domain, uuid: otherUuid }, null],
    ['gone', { startedAt: since }, null, null],
  ])('%s', (_, before, now, startedAt) => {
    expect(vmAfter(before, seen(now)).startedAt).toBe(startedAt);
  });
});

test('what it did is not forgotten when it starts, nor what failed', () => {
  const lastStop = { by: 'guest', reason: 'shutdown', at, seconds: null } as const;
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
  expect(up.hypervisor).toEqual({ up: true, reason: null, info });
  expect(up.vms).toBe(before.vms);
});

test('activity with its beginning and its end', () => {
  const begin: Event = { type: 'activity', key: 'DSM', activity: 'shutting_down', at, deadline: 'later' };
  expect(vmAfter({}, begin)).toMatchObject({ activity: 'shutting_down', activeSince: at, deadline: 'later' });
  expect(vmAfter({}, begin, { ...begin, activity: 'none', deadline: null })).toMatchObject({
    activity: 'none',
    activeSince: null,
    deadline: null,
  });
});

const events: Event[] = [
  seen(off),
  seen(null),
  { type: 'stats', key: 'DSM', stats },
  { type: 'activity', key: 'DSM', activity: 'starting', at, deadline: null },
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
  for (const event of events) expect(reduce(before, { ...event, key } as Event)).toBe(before);
});

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) deepFreeze(part);
    Object.freeze(value);
  }
  return value;
}
