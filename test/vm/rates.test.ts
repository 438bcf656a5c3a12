/** Two samples make a rate; one makes totals; what is missing or went back makes nothing at all. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Hardware } from '../../src/model/domain.ts';
import { unknownDisk, unknownNic } from '../../src/model/stats.ts';
import type { Counters } from '../../src/vm/counters.ts';
import { toStats } from '../../src/vm/rates.ts';
import { readCounters } from '../libvirt/params.ts';
import { at, domain } from '../model/samples.ts';

const hardware: Hardware = {
  ...domain.hardware,
  disks: domain.hardware.disks.filter(disk => disk.target === 'sda'),
};

const base = {
  'state.state': 1,
  'cpu.time': 1e9,
  'vcpu.current': 2,
  'vcpu.0.time': 4e8,
  'vcpu.1.time': 4e8,
  'balloon.current': 1_024,
  'balloon.rss': 2_048,
  'net.count': 1,
  'net.0.name': 'vnet0',
  'net.0.rx.bytes': 1_000,
  'net.0.rx.pkts': 10,
  'net.0.rx.errs': 1,
  'net.0.rx.drop': 2,
  'net.0.tx.bytes': 5_000,
  'net.0.tx.pkts': 50,
  'net.0.tx.errs': 3,
  'net.0.tx.drop': 4,
  'block.count': 1,
  'block.0.name': 'sda',
  'block.0.rd.reqs': 10,
  'block.0.rd.bytes': 10_000,
  'block.0.rd.times': 10e6,
  'block.0.wr.reqs': 20,
  'block.0.wr.bytes': 20_000,
  'block.0.wr.times': 20e6,
  'block.0.fl.reqs': 1,
  'block.0.fl.times': 1e6,
  'block.0.capacity': 4e12,
  'block.0.allocation': 3e12,
  'block.0.physical': 2e12,
};
type Values = Partial<Record<keyof typeof base | (string & {}), number | string | undefined>>;

function counters(changes: Values = {}): Counters {
  const values = Object.entries({ ...base, ...changes }).filter(([, value]) => value !== undefined);
  return readCounters(values.map(([field, value]) => ({ field, value: value as number })));
}

const grown = (increments: Partial<Record<keyof typeof base, number>>): Counters =>
  counters(
    Object.fromEntries(
      Object.entries(increments).map(([key, by]) => [key, Number(base[key as keyof typeof base]) + by]),
    ),
  );

/** What is made of `now`, 2 s after the base. */
const later = (now: Counters, { before = counters(), seconds = 2, machine = hardware } = {}) =>
  toStats(machine, { counters: now, at: 10_000 + seconds * 1_000 }, { counters: before, at: 10_000 }, at);
const diskAfter = (now: Counters, more: Parameters<typeof later>[1] = {}) => later(now, more).disks['sda'];
const nicAfter = (now: Counters, more: Parameters<typeof later>[1] = {}) => later(now, more).nics['525400d53001'];

test('one sample: totals, and no rates', () => {
  const stats = toStats(hardware, { counters: counters(), at: 0 }, null, at);
  expect(stats).toMatchObject({
    sampled_at: at,
    stale: false,
    cpu: { percent: null, vcpus: 2, seconds: 0.8 },
    memory: { total: 1_048_576, resident: 2_097_152, used: null, used_percent: null },
  });
  expect(stats.disks['sda']).toEqual({
    ...unknownDisk,
    read_bytes: 10_000,
    write_bytes: 20_000,
    read_operations: 10,
    write_operations: 20,
    capacity: 4e12,
    allocation: 3e12,
    physical: 2e12,
  });
  expect(stats.nics['525400d53001']).toEqual({
    ...unknownNic,
    rx_bytes: 1_000,
    tx_bytes: 5_000,
    rx_packets: 10,
    tx_packets: 50,
    rx_errors: 1,
    tx_errors: 3,
    rx_drops: 2,
    tx_drops: 4,
  });
});

test('two samples: each rate of its own counter, in its own direction', () => {
  expect(
    diskAfter(
      grown({
        'block.0.rd.bytes': 2_000,
        'block.0.wr.bytes': 8_000,
        'block.0.rd.reqs': 4,
        'block.0.wr.reqs': 16,
        'block.0.fl.reqs': 2,
        'block.0.rd.times': 8e6,
        'block.0.wr.times': 80e6,
        'block.0.fl.times': 20e6,
      }),
    ),
  ).toMatchObject({
    read_bytes_per_second: 1_000,
    write_bytes_per_second: 4_000,
    read_operations_per_second: 2,
    write_operations_per_second: 8,
    flush_operations_per_second: 1,
    read_latency_ms: 2,
    write_latency_ms: 5,
    flush_latency_ms: 10,
  });
  expect(
    nicAfter(grown({ 'net.0.rx.bytes': 300, 'net.0.tx.bytes': 700, 'net.0.rx.pkts': 3, 'net.0.tx.pkts': 7 })),
  ).toMatchObject({
    rx_bytes_per_second: 150,
    tx_bytes_per_second: 350,
    rx_packets_per_second: 1.5,
    tx_packets_per_second: 3.5,
  });
});

test('an idle disk reads at zero, and has no latency', () => {
  expect(diskAfter(counters())).toMatchObject({
    read_bytes_per_second: 0,
    write_operations_per_second: 0,
    read_latency_ms: null,
    write_latency_ms: null,
    flush_latency_ms: null,
  });
});

test('a counter that went down starts anew: nothing for this sample, its total stays', () => {
  expect(diskAfter(counters({ 'block.0.rd.bytes': 5, 'block.0.rd.times': 1 }))).toMatchObject({
    read_bytes_per_second: null,
    write_bytes_per_second: 0,
    read_latency_ms: null,
    read_bytes: 5,
  });
  expect(nicAfter(counters({ 'net.0.tx.bytes': 0 }))).toMatchObject({ tx_bytes_per_second: null, tx_bytes: 0 });
});

test.each([0, -1])('%i s between the samples: no rates', seconds => {
  const stats = later(grown({ 'block.0.rd.bytes': 9, 'net.0.rx.bytes': 9, 'vcpu.0.time': 9 }), { seconds });
  expect(stats.cpu.percent).toBeNull();
  expect(stats.disks['sda']?.read_bytes_per_second).toBeNull();
  expect(stats.nics['525400d53001']?.rx_bytes_per_second).toBeNull();
});

describe('CPU', () => {
  test.each<[what: string, now: Counters, percent: number | null]>([
    ['half of one of two', grown({ 'vcpu.0.time': 1e9 }), 25],
    ['all of both', grown({ 'vcpu.0.time': 2e9, 'vcpu.1.time': 2e9 }), 100],
    ['more than there is', grown({ 'vcpu.0.time': 3e9, 'vcpu.1.time': 3e9 }), 100],
    ['nothing', counters(), 0],
    ['the vCPUs’ own time rather than all of QEMU’s', grown({ 'vcpu.0.time': 1e9, 'cpu.time': 4e9 }), 25],
    ['all of QEMU where a vCPU does not tell', counters({ 'cpu.time': 3e9, 'vcpu.1.time': undefined }), 50],
    ['a new boot', counters({ 'vcpu.0.time': 0, 'cpu.time': 0 }), null],
    ['vCPUs unknown', counters({ 'vcpu.current': undefined }), null],
  ])('%s', (_, now, percent) => {
    expect(later(now).cpu.percent).toBe(percent);
  });
});

describe('memory', () => {
  const memory = (values: Values) => later(counters(values)).memory;
  test('used is what cannot be given away', () => {
    expect(memory({ 'balloon.available': 1_000, 'balloon.usable': 600, 'balloon.unused': 200 })).toMatchObject({
      used: 400 * 1_024,
      used_percent: 40,
      usable: 600 * 1_024,
      unused: 200 * 1_024,
    });
  });
  test.each<[Values, number | null, number | null]>([
    [{ 'balloon.available': 0, 'balloon.usable': 0 }, 0, null],
    // An older driver: what is not unused is mostly cache.
    [{ 'balloon.available': 1_000, 'balloon.unused': 200 }, null, null],
    [{ 'balloon.available': 100, 'balloon.usable': 300 }, 0, 0],
    [{ 'balloon.usable': 300 }, null, null],
    [{ 'balloon.available': 300 }, null, null],
  ])('%j', (values, used, used_percent) => {
    expect(memory(values)).toMatchObject({ used, used_percent });
  });
});

describe('NICs', () => {
  test('two of one MAC have numbers of their own', () => {
    const nics = [...hardware.nics, ...hardware.nics.map(nic => ({ ...nic, tap: 'vnet1' }))];
    const second = { 'net.count': 2, 'net.1.name': 'vnet1', 'net.1.rx.bytes': 77 };
    const stats = later(counters(second), { machine: { ...hardware, nics } });
    expect(stats.nics).toMatchObject({ '525400d53001': { rx_bytes: 1_000 }, '525400d53001_2': { rx_bytes: 77 } });
  });
  test('one is known by its MAC, whatever its tap is called', () => {
    const [nic] = hardware.nics;
    const renamed = { ...hardware, nics: nic ? [{ ...nic, tap: 'vnet8' }] : [] };
    const now = counters({ 'net.0.name': 'vnet8', 'net.0.rx.bytes': 3_000 });
    expect(later(now, { machine: renamed }).nics).toEqual({
      '525400d53001': expect.objectContaining({ rx_bytes: 3_000, rx_bytes_per_second: null }),
    });
  });
  test('whose tap is not known is unknown, and a tap that nobody knows is not told', () => {
    expect(later(counters({ 'net.0.name': 'vnet9' })).nics).toEqual({ '525400d53001': unknownNic });
    const [nic] = hardware.nics;
    const off = { ...hardware, nics: nic ? [{ ...nic, tap: null }] : [] };
    expect(later(counters(), { machine: off }).nics).toEqual({ '525400d53001': unknownNic });
  });
});

describe('stale', () => {
  const silent = Object.fromEntries(
    Object.keys(base)
      .filter(key => /^block\.0\.(?!name)/.test(key))
      .map(key => [key, undefined]),
  );
  test('when libvirt names the disks and QEMU tells nothing of them', () => {
    const stats = later(counters(silent));
    expect(stats).toMatchObject({ stale: true, disks: { sda: unknownDisk } });
    // What libvirt knows by itself is told all the same.
    expect(stats.cpu.percent).toBe(0);
    expect(stats.nics['525400d53001']?.rx_bytes).toBe(1_000);
  });
  test('not when a disk of many is unknown, or there is none', () => {
    const two = { ...hardware, disks: domain.hardware.disks };
    expect(later(counters(), { machine: two })).toMatchObject({ stale: false, disks: { hdz: unknownDisk } });
    const none = { ...hardware, disks: [] };
    expect(later(counters({ 'block.count': 0 }), { machine: none })).toMatchObject({ stale: false, disks: {} });
    expect(later(counters({ 'block.count': 0 }))).toMatchObject({ stale: true, disks: { sda: unknownDisk } });
  });
  test('and the next sample after it has totals, and no rate of a time it does not know', () => {
    expect(diskAfter(counters(), { before: counters(silent) })).toMatchObject({
      read_bytes: 10_000,
      read_bytes_per_second: null,
    });
  });
});

test('any two samples make numbers or null, and no rate below zero', () => {
  const number = fc.oneof(fc.integer({ min: 0 }), fc.constantFrom(0, Number.MAX_SAFE_INTEGER, 2 ** 64, undefined));
  const values = fc.record(
    Object.fromEntries(Object.keys(base).map(key => [key, /name|count/.test(key) ? fc.constant(undefined) : number])),
  );
  const named = { 'net.count': 1, 'net.0.name': 'vnet0', 'block.count': 1, 'block.0.name': 'sda' };
  fc.assert(
    fc.property(values, values, fc.double({ noNaN: true, min: -10, max: 1e9 }), (first, second, seconds) => {
      const [before, now] = [counters({ ...first, ...named, 'vcpu.current': 2 }), counters({ ...second, ...named })];
      const stats = later(now, { before, seconds });
      const rows = [stats.cpu, stats.memory, ...Object.values(stats.disks), ...Object.values(stats.nics)];
      for (const [key, value] of rows.flatMap(row => Object.entries(row))) {
        expect(value === null || (Number.isFinite(value) && value >= 0), `${key}: ${value}`).toBe(true);
      }
    }),
    { numRuns: 500 },
  );
});
