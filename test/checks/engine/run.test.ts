import { expect, test } from 'vitest';
import { ageOf, machineOf } from '../../../src/checks/diagnosis/evidence.ts';
import { noActivity, restOf, withSample } from '../../../src/checks/engine/disk-idle.ts';
import {
  type Known,
  nothingKnown,
  rememberedChecks,
  resetAt,
  runOf,
  toKnown,
  upAt,
} from '../../../src/checks/engine/run.ts';
import type { Hardware } from '../../../src/model/domain.ts';
import { type Stats, unknownDisk, unknownStats } from '../../../src/model/stats.ts';
import { active, domain, off, offBy, uuid } from '../../model/samples.ts';
import { workOn } from '../ward.ts';

type KnownRun = NonNullable<Known['run']>;
const host = { boot: 'b1', uptime: () => 60_000 };
const known: KnownRun = { id: 3, since: 1_000, exact: true, wasUp: true, bootSeconds: 40, updating: true, boot: 'b1' };
type Seen = Parameters<typeof runOf>[0];
const seen: Seen = { id: 3, startedAt: null };

test.each<[what: string, about: Partial<Seen>, before: KnownRun | null, since: number | null, exact: boolean]>([
  ['seen to start', { startedAt: '1970-01-01T00:01:00.000Z' }, known, 60_000, true],
  ['the one that was known', {}, known, 1_000, true],
  ['another number', { id: 4 }, known, 40_000, false],
  ['another boot of the host', {}, { ...known, boot: 'b0' }, 40_000, false],
  ['never seen', {}, null, 40_000, false],
])('a run: %s', (_, about, before, since, exact) => {
  const clock = { date: 100_000, now: 1_100_000 };
  expect(runOf({ ...seen, ...about }, before, host, clock)).toMatchObject({ since: since && since + 1_000_000, exact });
});

test('on another host it may have run for ever', () => {
  expect(runOf(seen, null, { ...host, boot: null }, { date: 100_000, now: 5 })).toMatchObject({
    since: null,
    exact: false,
  });
});

test('it is known again by the clock on the wall, and measured by the one that only goes on', () => {
  const clock = { date: 100_000, now: 7_000 };
  const run = runOf({ ...seen, startedAt: '1970-01-01T00:01:40.000Z' }, null, host, clock);
  expect(run.since).toBe(7_000);
  // An hour later by the wall, which was set; a minute by the other.
  expect(toKnown(run, 'b1', { date: 3_700_000, now: 67_000 })).toMatchObject({
    since: 3_640_000,
    boot: 'b1',
  });
  // Set back: what is in the future began now.
  expect(runOf(seen, { ...known, since: 500_000 }, host, clock).since).toBe(7_000);
});

test('how long it took to boot is measured once, and only from a power on that was seen', () => {
  const run = resetAt(known, 5_000);
  expect(run).toEqual({ id: 3, since: 5_000, exact: true, wasUp: false, bootSeconds: null, updating: false });
  const up = upAt(run, 17_340);
  expect(up).toMatchObject({ wasUp: true, bootSeconds: 12.3 });
  expect(upAt(up, 99_000)).toBe(up);
  expect(upAt({ ...run, exact: false }, 17_340).bootSeconds).toBeNull();
  // The clock was set back.
  expect(upAt(run, 0).bootSeconds).toBe(0);
});

test.each([
  [null, 'old'],
  [0, 'young'],
  [899_999, 'young'],
  [900_000, 'grown'],
  [3_599_999, 'grown'],
  [3_600_000, 'old'],
] as const)('%d ms after power on it is %s', (age, word) => expect(ageOf(age, 900_000)).toBe(word));

test.each([
  [domain, 'running'],
  [active('idle'), 'running'],
  [active('shutting_down'), 'stopping'],
  [active('paused', 'user'), 'paused'],
  [active('paused', 'io_error'), 'io_error'],
  [active('pmsuspended'), 'asleep'],
  [active('crashed', 'panicked'), 'crashed'],
  [active('unknown', 'not_readable'), 'unseen'],
  [off, 'off'],
  [offBy('crashed'), 'died'],
  [{ ...active('crashed', 'unknown'), active: false }, 'died'],
  [null, 'absent'],
] as const)('libvirt says %j', (now, machine) => {
  const vm = { domain: now, seen: true, work: null };
  expect(machineOf(vm, true)).toBe(machine);
  expect([machineOf(vm, false), machineOf({ ...vm, seen: false }, true)]).toEqual(['unseen', 'unseen']);
  const asked = machine === 'running' ? 'stopping' : machine;
  expect(machineOf({ ...vm, work: workOn('rebooting') }, true)).toBe(asked);
});

test('disks are quiet after ten minutes without a request, and unknown where libvirt does not count them', () => {
  const sample = (data: number | null, loader: number, stale = false) => ({
    ...unknownStats(null),
    stale,
    disks: {
      sda: { ...unknownDisk, read_operations: data, write_operations: 1 },
      hdz: { ...unknownDisk, read_operations: loader, write_operations: 0 },
    },
  });
  let activity = noActivity;
  const hear = (now: number, stats: Stats, changes: Partial<Hardware> = {}) => {
    activity = withSample(activity, stats, { ...domain.hardware, ...changes }, now);
  };
  expect(restOf(activity, 0)).toBe('awake');
  hear(0, sample(5, 1));
  hear(599_999, sample(5, 2));
  expect(restOf(activity, 599_999)).toBe('awake');
  expect(restOf(activity, 600_000)).toBe('quiet');
  hear(600_001, sample(6, 2));
  expect(restOf(activity, 600_001)).toBe('awake');
  expect(restOf(activity, 1_200_001)).toBe('quiet');
  hear(1_200_002, sample(6, 2, true));
  expect(restOf(activity, 1_200_002)).toBe('awake');
  hear(1_300_000, sample(null, 2));
  expect(restOf(activity, 9_999_999)).toBe('unknown');
  hear(9_999_999, sample(6, 2), { disks: [] });
  expect(restOf(activity, 99_999_999)).toBe('unknown');
  hear(99_999_999, sample(6, 2), { hiddenDisks: true });
  expect(restOf(activity, 999_999_999)).toBe('unknown');
});

test('what is remembered is read back, and anything else is not', () => {
  const { boot, ...run } = known;
  const value = { DSM: { ...nothingKnown, uuid, run: { boot, ...run } }, other: nothingKnown };
  expect(rememberedChecks.parse(JSON.parse(JSON.stringify(value)))).toEqual(value);
  for (const broken of [null, 7, [], { DSM: {} }, { DSM: { ...nothingKnown, address: 5 } }]) {
    expect(rememberedChecks.safeParse(broken).success).toBe(false);
  }
});
