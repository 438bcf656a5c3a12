/** What is published of a snapshot: all of it, under the same keys whatever is known. */
import { describe, expect, test } from 'vitest';
import { unknownDsm } from '../../src/model/check.ts';
import {
  bridgeDocument,
  checkDocument,
  loaderDocument,
  stateDocument,
  statsDocument,
} from '../../src/model/documents.ts';
import { byKey, unknownHardware } from '../../src/model/domain.ts';
import { idleLoader, type Loader, loaderPhases } from '../../src/model/loader.ts';
import { emptyVm, type VmSnapshot, type Work } from '../../src/model/snapshot.ts';
import { type Stats, unknownDisk, unknownNic, unknownStats } from '../../src/model/stats.ts';
import { asked, at, checkOf, domain, off, snapshotOf, vmOf } from './samples.ts';

const identity = { version: '0.1.0', instance: 'nas-host', session: 'a1', startedAt: at };

const ds918 = { model: 'DS918+', version: '7.2.1-69057' };
const dsm = { ...unknownDsm, model: 'DS918+', version: '7.1.1-42962', update: 6 };

/** VMs of which all is known, nothing, or the one half without the other. */
const work: Work = {
  ...{ activity: 'shutting_down', phase: 'waiting_for_guest', since: at, deadline: '2026-11-22T08:05:00.000Z' },
  ...{ attempt: 2, startAfterOff: true },
};
const loader: Loader = {
  ...idleLoader(ds918),
  ...{ phase: 'building', percent: 62, step: 'It builds the loader.', startedAt: at, elapsed: 312.5 },
  backup: { file: 'DSM-1.img.gz', at, size: 2 ** 27 },
  ...{ bootEntry: 'Tiny Core Image Build', rollback: true, armedUntil: at, log: ['one', 'two'] },
};
const sample: Stats = {
  ...unknownStats(at),
  disks: { sda: { ...unknownDisk, capacity: 4e12, read_bytes: 7 } },
  nics: { '525400d53001': { ...unknownNic, rx_bytes: 9 } },
};
const lastStop = { by: 'guest', reason: 'shutdown', at, seconds: null };
const lastError = { code: 'timed_out', message: 'late', at };
const vms: VmSnapshot[] = [
  emptyVm('DSM', 'DSM VM'),
  vmOf({ stats: sample, work, loader, check: { ...checkOf('up'), dsm }, startedAt: at, lastStop, lastError }),
  vmOf({ domain: null, stats: sample, loader: idleLoader(ds918) }),
  vmOf({ domain: { ...domain, hardware: unknownHardware }, check: checkOf('off') }),
];

test.each([
  ['unreachable', true],
  ['booting', true],
  ['installer', false],
  ['recoverable', false],
  ['up', false],
] as const)('%s: whether it is said where the boot stopped: %s', (verdict, said) => {
  const phases = { menu: 1, loader: null, kernel: null, init: null, up: null };
  const boot = {
    startedAt: at,
    endedAt: null,
    result: 'problem',
    source: 'log',
    phases,
    lines: ['GRUB'],
    next: [],
  } as const;
  const { reason } = checkDocument(vmOf({ check: checkOf(verdict), boot }));
  expect(reason.endsWith(' The boot stopped after: GRUB')).toBe(said);
});

test('a running VM', () => {
  const vm = vmOf({ stats: sample, startedAt: at, lastStop });
  expect(stateDocument(vm)).toEqual({
    state: 'running',
    reason: 'booted',
    power: 'ON',
    activity: 'none',
    phase: null,
    deadline: null,
    attempt: null,
    start_after_off: false,
    started_at: at,
    last_stop: { by: 'guest', reason: 'shutdown', at, seconds: null },
    shutdown_expected_seconds: null,
    boot_expected_seconds: null,
    uptime_percent: { day: null, week: null, month: null },
    response_ms: { day: null, week: null, month: null },
    quiet: { on: false, until: null, by: null },
    last_error: { code: null, message: null, at: null },
    autostart: false,
    persistent: true,
    domain: 'DSM',
    uuid: domain.uuid,
    vcpus: 2,
    memory: 2 ** 30,
    disks: {
      sda: { role: 'data', bus: 'scsi', source: '/dev/sda', capacity: 4e12 },
      hdz: { role: 'loader', bus: 'usb', source: '/image/loader.img', capacity: null },
    },
    nics: { '525400d53001': { mac: '52:54:00:d5:30:01', model: 'virtio', source: 'br0', tap: 'vnet0' } },
  });
  expect(statsDocument(vm)).toMatchObject({
    sampled_at: at,
    disks: { sda: { read_bytes: 7 }, hdz: unknownDisk },
    nics: { '525400d53001': { rx_bytes: 9 } },
  });
});

test('nothing is known', () => {
  const vm = emptyVm('DSM', 'DSM VM');
  expect(stateDocument(vm)).toMatchObject({ state: 'unknown', reason: 'no_such_domain', power: null, disks: {} });
  expect(statsDocument(vm)).toEqual(unknownStats(null));
  expect(
    bridgeDocument(
      [{ ...snapshotOf(), hypervisor: { name: null, up: false, reason: 'away', info: null }, overdueChecks: ['DSM'] }],
      identity,
    ),
  ).toEqual({
    version: '0.1.0',
    instance: 'nas-host',
    session: 'a1',
    started_at: at,
    libvirt: { up: false, reason: 'away', hostname: null, libvirt: null, hypervisor: null },
    vms: ['DSM', 'other'],
    checks: { overdue: true, vms: ['DSM'] },
  });
});

test('what is under way', () => {
  expect(stateDocument(vmOf({ work }))).toMatchObject({
    ...{ activity: 'shutting_down', phase: 'waiting_for_guest', deadline: '2026-11-22T08:05:00.000Z' },
    ...{ attempt: 2, start_after_off: true },
  });
});

test('what was remembered is no domain, and who asked is nobody’s business', () => {
  const vm = {
    ...emptyVm('DSM', 'DSM VM'),
    remembered: { uuid: domain.uuid, active: true, boot: null, thisBoot: true },
    asked,
  };
  expect(stateDocument(vm)).toEqual(stateDocument(emptyVm('DSM', 'DSM VM')));
});

test.each([
  [domain, 'ON'],
  [{ ...domain, state: 'paused' } as const, 'ON'],
  [{ ...domain, state: 'crashed' } as const, 'ON'],
  [off, 'OFF'],
])('power is on exactly while it is active', (now, power) => {
  expect(stateDocument(vmOf({ domain: now })).power).toBe(power);
});

test('a MAC as a word', () => {
  expect(byKey([{ mac: '52:54:00:D5:30:01' }])).toEqual([['525400d53001', { mac: '52:54:00:D5:30:01' }]]);
  // Several of one MAC: none is lost.
  const [one, other] = [{ mac: '52:54:00:d5:30:01' }, { mac: '52:54:00:d5:30:02' }];
  const keys = byKey([one, other, one, one]).map(([key]) => key);
  expect(keys).toEqual(['525400d53001', '525400d53002', '525400d53001_2', '525400d53001_3']);
});

test('a loader that is being rebuilt', () => {
  expect(loaderDocument(vmOf({ loader, check: { ...checkOf('up'), dsm } }))).toEqual({
    phase: 'building',
    percent: 62,
    step: 'It builds the loader.',
    started_at: at,
    ended_at: null,
    elapsed_seconds: 312.5,
    result: null,
    code: null,
    error: null,
    next_step: null,
    backup: { file: 'DSM-1.img.gz', at, size: 2 ** 27 },
    boot_entry: 'Tiny Core Image Build',
    rollback: true,
    armed: true,
    armed_until: at,
    wanted: ds918,
    installed: { model: 'DS918+', version: '7.1.1-42962' },
    loader: { name: null, version: null, model: null, dsm: null, newest_dsm: null },
    under_way: true,
    log: ['one', 'two'],
  });
});

test('a loader that nothing was ever done to, of a DSM that has not been heard of', () => {
  expect(loaderDocument(vmOf({ loader: idleLoader(ds918) }))).toMatchObject({
    phase: 'idle',
    backup: { file: null, at: null, size: null },
    ...{ armed: false, armed_until: null, under_way: false },
    installed: { model: null, version: null },
  });
  expect(loaderDocument(vmOf())).toBeNull();
});

test('nothing is under way before the first phase and after the last ones', () => {
  const underWay = loaderPhases.filter(
    phase => loaderDocument(vmOf({ loader: { ...idleLoader(ds918), phase } }))?.under_way,
  );
  expect(underWay).toEqual(loaderPhases.slice(1, loaderPhases.indexOf('done')));
});

/** Dots for what is named by the hardware, so that only the shape is left. */
function shape(value: unknown, path: string): string[] {
  if (value === undefined) throw new Error(`${path} is undefined`);
  if (typeof value === 'number' && !Number.isFinite(value)) throw new Error(`${path} is ${value}`);
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, part]) =>
    shape(part, /(^|\.)(disks|nics)$/.test(path) ? `${path}.*` : `${path}.${key}`),
  );
}

describe('of any VM', () => {
  const keys = (document: object) => [...new Set(shape(document, ''))].filter(key => !/^\.(disks|nics)/.test(key));

  test.each([
    ['state', stateDocument],
    ['stats', statsDocument],
    ['check', checkDocument],
    ['loader', (vm: VmSnapshot) => ({ ...loaderDocument({ ...vm, loader: vm.loader ?? loader }), log: null })],
  ])('%s has the same keys, and no number that is none', (_, make) => {
    const [first = [], ...others] = vms.map(vm => keys(make(vm)));
    expect(first.length).toBeGreaterThan(3);
    for (const other of others) expect(other).toEqual(first);
  });

  test('every disk and NIC of its hardware has a place in its sample, known or not', () => {
    for (const { disks, nics } of vms.slice(0, 3).map(statsDocument)) {
      for (const disk of Object.values(disks)) expect(Object.keys(disk)).toEqual(Object.keys(unknownDisk));
      for (const nic of Object.values(nics)) expect(Object.keys(nic)).toEqual(Object.keys(unknownNic));
    }
    expect(statsDocument(vmOf({ stats: null }))).toMatchObject({ disks: { sda: unknownDisk, hdz: unknownDisk } });
  });
});
