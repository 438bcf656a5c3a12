/** Machines as people have them, from `fixtures/field`. */

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { TypedParam } from '../../src/libvirt/structs.ts';
import { parseControllers } from '../../src/vm/controllers.ts';
import { parseDomainXml } from '../../src/vm/domain-xml.ts';
import { toStats } from '../../src/vm/rates.ts';
import { FakeStats } from '../fakes/libvirtd/stats.ts';
import { hardware as fakeHardware } from '../fakes/libvirtd/xml.ts';
import { readCounters } from '../libvirt/params.ts';
import { at } from '../model/samples.ts';

const read = (name: string) => readFileSync(new URL(`../fixtures/field/${name}`, import.meta.url), 'utf8');

interface Numbers {
  set: Record<string, number>;
  drop?: string[];
  add?: Record<string, number>;
}

/** What a machine's numbers come to, a second after they were `set`. */
function stats(machine: string, numbers: string) {
  const xml = read(machine);
  const { set, drop = [], add = {} } = JSON.parse(read(numbers)) as Numbers;
  const fake = new FakeStats();
  fake.reset(fakeHardware(xml), ['vnet0']);
  fake.drop(...drop);
  fake.set(set);
  const sample = (): TypedParam[] => fake.params(0, { state: 1, reason: 1, active: true, monitor: true });
  const before = readCounters(sample());
  fake.add(add);
  const now = readCounters(sample());
  return toStats(parseDomainXml(xml), { counters: now, at: 1_000 }, { counters: before, at: 0 }, at);
}

describe('which disk is the loader', () => {
  test.each([
    ['boot-dev-hd.xml', { sda: 'loader', sdb: 'data' }],
    ['cdrom-first.xml', { hda: 'removable', sda: 'loader', sdb: 'data' }],
    ['second-usb-disk.xml', { sdz: 'loader', sdy: 'data', sda: 'data' }],
    ['hba.xml', { sdz: 'loader', sda: 'data' }],
  ])('%s', (name, roles) => {
    const xml = read(name);
    expect(Object.fromEntries(parseDomainXml(xml).disks.map(({ target, role }) => [target, role]))).toEqual(roles);
    // What the loader is told of its controllers agrees.
    const held = parseControllers(xml).flatMap(({ disks }) => disks.map(({ target, role }) => [target, role]));
    expect(roles).toMatchObject(Object.fromEntries(held));
  });
});

test('a passed-through controller may hold disks of which libvirt counts nothing', () => {
  expect(parseDomainXml(read('hba.xml')).hiddenDisks).toBe(true);
  expect(parseDomainXml(read('second-usb-disk.xml')).hiddenDisks).toBe(false);
});

test('a guest whose kernel does not tell its cache: used is unknown, not 98 %', () => {
  const [old, newer] = [4.4, '5.10'].map(kernel => stats('balloon.xml', `balloon-kernel-${kernel}.json`).memory);
  expect(old).toMatchObject({ used: null, used_percent: null, unused: 180_000 * 1_024, total: 2 ** 33 });
  expect(newer).toMatchObject({ used: (8_161_000 - 6_900_000) * 1_024, used_percent: 15.45 });
});

test('two vCPUs of sixteen, with the numbers 0 and 8', () => {
  expect(parseDomainXml(read('vcpu-online.xml'))).toMatchObject({ vcpus: 2, memory: 2 ** 33 });
  expect(stats('vcpu-online.xml', 'vcpu-online.json').cpu).toMatchObject({ vcpus: 2, percent: 40 });
});
