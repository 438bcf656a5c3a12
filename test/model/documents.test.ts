/** The documents on the topics: every key is always there, every number is one, unknown is null. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { unknownDsm, wishes } from '../../src/model/check.ts';
import { bridgeDocument, loaderDocument, stateDocument, statsDocument } from '../../src/model/documents.ts';
import { byKey, type Disk, type Domain, domainStates, type Nic } from '../../src/model/domain.ts';
import { idleLoader, type Loader, loaderPhases, loaderResults } from '../../src/model/loader.ts';
import {
  type Asked,
  activities,
  emptyVm,
  type LastStop,
  type VmSnapshot,
  type Work,
} from '../../src/model/snapshot.ts';
import { type Stats, unknownDisk, unknownNic, unknownStats } from '../../src/model/stats.ts';
import { asked, at, checkOf, domain, off, snapshotOf, vmOf } from './samples.ts';

const identity = { version: '0.1.0', instance: 'nas-host', session: 'a1', startedAt: at };

test('a running VM', () => {
  const stats: Stats = {
    ...unknownStats(at),
    disks: { sda: { ...unknownDisk, capacity: 4e12, read_bytes: 7 } },
    nics: { '525400d53001': { ...unknownNic, rx_bytes: 9 } },
  };
  const vm = vmOf({ stats, startedAt: at, lastStop: { by: 'guest', reason: 'shutdown', at, seconds: null } });
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
      { ...snapshotOf(), hypervisor: { up: false, reason: 'away', info: null }, overdueChecks: ['DSM'] },
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
  const work: Work = {
    ...{ activity: 'shutting_down', phase: 'waiting_for_guest', since: at, deadline: '2026-11-22T08:05:00.000Z' },
    ...{ attempt: 2, startAfterOff: true },
  };
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

const ds918 = { model: 'DS918+', version: '7.2.1-69057' };
const dsm = { ...unknownDsm, model: 'DS918+', version: '7.1.1-42962', update: 6 };

test('a loader that is being rebuilt', () => {
  const loader: Loader = {
    ...idleLoader(ds918),
    ...{ phase: 'building', percent: 62, step: 'It builds the loader.', startedAt: at, elapsed: 312.5 },
    backup: { file: 'DSM-1.img.gz', at, size: 2 ** 27 },
    ...{ bootEntry: 'Tiny Core Image Build', rollback: true, armedUntil: at, log: ['one', 'two'] },
  };
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

const maybe = <T>(some: fc.Arbitrary<T>) => fc.option(some, { nil: null });
const text = fc.string({ unit: 'binary', maxLength: 20 });
const numbers = maybe(fc.double({ noNaN: true, noDefaultInfinity: true }));
const time = fc.constant(at);
const target = fc.stringMatching(/^[shv]d[a-z]{1,2}$/);
const mac = fc.uint8Array({ minLength: 6, maxLength: 6 }).map(b =>
  Buffer.from(b)
    .toString('hex')
    .replace(/..(?!$)/g, '$&:'),
);

const disks: fc.Arbitrary<Disk[]> = fc.array(
  fc.record({
    target,
    role: fc.constantFrom('data', 'loader', 'removable'),
    bus: maybe(text),
    source: maybe(text),
  }),
);
const hexOf = (address: string) => address.toLowerCase().replaceAll(':', '');
const nics: fc.Arbitrary<Nic[]> = fc.array(
  fc.record({
    mac,
    model: maybe(text),
    source: maybe(text),
    tap: maybe(text),
    type: maybe(text),
    link: fc.constantFrom('up' as const, 'down' as const, null),
  }),
);
const domains: fc.Arbitrary<Domain> = fc.record({
  uuid: fc.uuid(),
  name: text,
  active: fc.boolean(),
  state: fc.constantFrom(...domainStates),
  reason: text,
  persistent: fc.boolean(),
  autostart: maybe(fc.boolean()),
  hardware: fc.record({
    ...{ machine: maybe(text), vcpus: maybe(fc.nat()), memory: maybe(fc.nat()), disks, nics },
    ...{ hiddenDisks: fc.boolean(), loaderPassedThrough: fc.boolean() },
  }),
});
const filled = <T extends object>(blank: T) =>
  fc.record(Object.fromEntries(Object.keys(blank).map(key => [key, numbers]))) as unknown as fc.Arbitrary<T>;
const samples: fc.Arbitrary<Stats> = fc.record({
  sampled_at: maybe(time),
  stale: fc.boolean(),
  cpu: filled(unknownStats(null).cpu),
  memory: filled(unknownStats(null).memory),
  disks: fc.dictionary(target, filled(unknownDisk)),
  nics: fc.dictionary(mac.map(hexOf), filled(unknownNic)),
});
const loaders: fc.Arbitrary<Loader> = fc.record({
  phase: fc.constantFrom(...loaderPhases),
  percent: maybe(fc.integer({ min: 0, max: 100 })),
  step: maybe(text),
  startedAt: maybe(time),
  endedAt: maybe(time),
  elapsed: numbers,
  result: maybe(fc.constantFrom(...loaderResults)),
  code: maybe(text),
  error: maybe(text),
  nextStep: maybe(text),
  backup: maybe(fc.record({ file: text, at: time, size: fc.nat() })),
  bootEntry: maybe(text),
  rollback: fc.boolean(),
  armedUntil: maybe(time),
  log: fc.array(text),
  wanted: fc.record({ model: text, version: text }),
});
const vms: fc.Arbitrary<VmSnapshot> = fc.record({
  key: fc.constant('DSM'),
  label: text,
  domain: maybe(domains),
  seen: fc.boolean(),
  selfOffAt: maybe(time),
  remembered: maybe(fc.record({ uuid: fc.uuid(), active: fc.boolean(), boot: maybe(text), thisBoot: fc.boolean() })),
  work: maybe(
    fc.record<Work>({
      activity: fc.constantFrom(...activities),
      phase: maybe(fc.constantFrom('pausing', 'calling', 'waiting_for_guest', 'cutting_power')),
      since: time,
      deadline: time,
      attempt: maybe(fc.nat()),
      startAfterOff: fc.boolean(),
    }),
  ),
  asked: maybe(fc.constant<Asked>(asked)),
  startedAt: maybe(time),
  lastStop: maybe(
    fc.record<LastStop>({
      by: fc.constantFrom(null, 'bridge', 'ups', 'guest', 'host', 'fault'),
      reason: text,
      at: time,
      seconds: numbers,
    }),
  ),
  lastError: maybe(fc.record({ code: text, message: text, at: time })),
  stats: maybe(samples),
  wish: maybe(fc.constantFrom(...wishes)),
  check: maybe(fc.constantFrom(checkOf('off'), { ...checkOf('up'), dsm })),
  loader: maybe(loaders),
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
  const wanted = (document: object) => new Set(shape(document, ''));
  const whole = vmOf({ stats: unknownStats(at) });

  test.each([
    ['state', stateDocument],
    ['stats', statsDocument],
  ] as const)('%s has the same keys, and no number that is none', (_, make) => {
    const keys = wanted(make(whole));
    const fixed = [...keys].filter(key => !key.includes('*'));
    fc.assert(
      fc.property(vms, vm => {
        const document = make(vm);
        const own = wanted(document);
        for (const key of fixed) expect(own).toContain(key);
        for (const key of own) expect(keys.has(key) || key === '.disks' || key === '.nics').toBe(true);
        expect(Object.keys(document.disks)).toEqual(
          expect.arrayContaining((vm.domain?.hardware.disks ?? []).map(disk => disk.target)),
        );
        expect(Object.keys(document.nics)).toEqual(
          expect.arrayContaining(byKey(vm.domain?.hardware.nics ?? []).map(([key]) => key)),
        );
      }),
      { numRuns: 200 },
    );
  });

  test('loader has the same keys, and no number that is none', () => {
    const keys = (document: object | null) => [...wanted({ ...document, log: null })];
    const fixed = keys(loaderDocument(vmOf({ loader: idleLoader(ds918) })));
    fc.assert(
      fc.property(vms, vm => {
        const document = loaderDocument(vm);
        expect(document?.log).toEqual(vm.loader?.log);
        if (vm.loader) expect(keys(document)).toEqual(fixed);
        else expect(document).toBeNull();
      }),
      { numRuns: 200 },
    );
  });
});
