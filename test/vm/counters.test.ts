/** Statistics records as real daemons sent them, and as they might. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { procedures } from '../../src/libvirt/procedures.ts';
import type { TypedParam } from '../../src/libvirt/structs.ts';
import { XdrReader } from '../../src/libvirt/xdr.ts';
import { readNamed as readCounters } from '../libvirt/params.ts';
import { recording, releases } from '../libvirt/recordings.ts';

const params = (values: Record<string, TypedParam['value']>): TypedParam[] =>
  Object.entries(values).map(([field, value]) => ({ field, type: 4, value }));

const recorded = (release: (typeof releases)[number]) =>
  recording(release)
    .filter(({ procedure, type, status }) => procedure === 344 && type === 1 && status === 0)
    .map(({ bytes }) => procedures.connectGetAllDomainStats.reply.decode(new XdrReader(bytes.subarray(28))).records[0])
    .map(record => readCounters(record?.params ?? []));

describe.each(releases)('recorded with libvirt %s', release => {
  const [whole, nowait, stateOnly] = recorded(release);

  test('every number that the bridge publishes is there', () => {
    for (const counters of [whole, nowait]) {
      expect(counters?.state).toBe(1);
      // libvirt 6.0 knew no CPU time of the whole where there was no cgroup.
      const total = release === '6.0.0' ? null : expect.any(Number);
      expect(counters?.cpu).toEqual({ total, guest: expect.any(Number), vcpus: 2 });
      // The guest had no balloon driver.
      expect(counters?.balloon).toEqual({
        current: 131_072,
        available: null,
        usable: null,
        unused: null,
        rss: expect.any(Number),
      });
      expect([...(counters?.disks.keys() ?? [])]).toEqual(['sda', 'sdb', 'hdz']);
      for (const disk of counters?.disks.values() ?? []) {
        const { errors, ...known } = disk;
        expect(errors).toBeNull();
        expect(Object.values(known)).toEqual(Object.keys(known).map(() => expect.any(Number)));
        expect(disk.capacity).toBeGreaterThan(60_000_000);
      }
      expect([...(counters?.nics.keys() ?? [])]).toEqual(['vnet0']);
      const nic = Object.values(counters?.nics.get('vnet0') ?? {});
      expect(nic).toEqual(nic.map(() => expect.any(Number)));
    }
  });

  test('asked for the state alone, there is nothing else', () => {
    expect(stateOnly).toEqual({
      state: 1,
      cpu: { total: null, guest: null, vcpus: null },
      balloon: { current: null, available: null, usable: null, unused: null, rss: null },
      disks: new Map(),
      nics: new Map(),
    });
  });
});

test('errors and the balloon, where they are', () => {
  const counters = readCounters(
    params({
      'block.count': 1,
      'block.0.name': 'sda',
      'block.0.errors': 3,
      'balloon.available': 10,
      'balloon.usable': 6,
      'balloon.unused': 4,
    }),
  );
  expect(counters.disks.get('sda')?.errors).toBe(3);
  expect(counters.balloon).toMatchObject({ available: 10, usable: 6, unused: 4 });
});

test('vCPUs count together or not at all', () => {
  const guest = (values: Record<string, number>) => readCounters(params(values)).cpu.guest;
  expect(guest({ 'vcpu.current': 2, 'vcpu.0.time': 3, 'vcpu.1.time': 4 })).toBe(7);
  expect(guest({ 'vcpu.current': 2, 'vcpu.0.time': 3, 'vcpu.2.time': 4 })).toBeNull();
  // Plugged in one by one, they keep their numbers.
  const plugged = { 'vcpu.current': 2, 'vcpu.maximum': 16, 'vcpu.0.time': 3, 'vcpu.8.time': 4 };
  expect(guest(plugged)).toBe(7);
  expect(guest({ ...plugged, 'vcpu.current': 3 })).toBeNull();
  expect(guest({ 'vcpu.0.time': 3 })).toBeNull();
  expect(guest({ 'vcpu.current': 0 })).toBeNull();
});

test('a disk without a name is passed over, one that is announced and missing too', () => {
  const { disks } = readCounters(params({ 'block.count': 3, 'block.0.rd.bytes': 1, 'block.1.name': 'sdb' }));
  expect([...disks]).toEqual([['sdb', expect.objectContaining({ 'rd.bytes': null })]]);
});

test('whatever a daemon sends is read, and unknown is null', () => {
  const field = fc.oneof(
    fc.constantFrom('block.count', 'net.count', 'block.0.name', 'net.0.name', 'vcpu.current', 'cpu.time', '__proto__'),
    fc.string(),
  );
  const value = fc.oneof(fc.integer(), fc.double(), fc.boolean(), fc.string());
  fc.assert(
    fc.property(fc.array(fc.record({ field, type: fc.nat(7), value })), sent => {
      const { state, cpu, balloon, disks, nics } = readCounters(sent);
      const rows = [cpu, balloon, ...disks.values(), ...nics.values()];
      for (const number of [state, ...rows.flatMap(row => Object.values(row))]) {
        expect(number === null || Number.isFinite(number)).toBe(true);
      }
    }),
    { numRuns: 500 },
  );
});
