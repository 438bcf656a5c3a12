/** The drafted XML: nothing to say for the doctor, and a device in every place that the loader's maps expect. */
import { describe, expect, test } from 'vitest';
import { type Draft, draftXml, stableMac } from '../../src/definition/draft.ts';
import { examine } from '../../src/doctor/examine.ts';
import { platformOr } from '../../src/loader/platforms.ts';
import { sataMap } from '../../src/loader/sata-map.ts';
import { parseControllers } from '../../src/vm/controllers.ts';
import { parseDomainXml } from '../../src/vm/domain-xml.ts';
import { factsOf } from '../doctor/facts.ts';

const draft = (changes: Partial<Draft> = {}): Draft => ({
  ...{ name: 'DSM', uuid: '186682f9-0f0b-4a9e-867b-364706339405', kvm: true, memory: 4 * 2 ** 30, vcpus: 2 },
  ...{ firmware: 'uefi', bridge: 'br0', mac: '52:54:00:AB:cd:ef', image: '/images/loader.img', deviceTree: false },
  disks: ['/dev/disk/by-id/ata-a_1', '/images/DSM-2.img'],
  ...changes,
});
const many = (count: number) => Array.from({ length: count }, (_, nth) => `/images/${nth}.img`);

test.each<[string, Partial<Draft>, { kind: string; model: string; dsm: string }]>([
  ['TinyCore RedPill', {}, { kind: 'tcrp', model: 'DS918+', dsm: '7.1.1' }],
  ['RR with a device tree', { deviceTree: true }, { kind: 'rr', model: 'DS920+', dsm: '7.2.2' }],
  ['BIOS', { firmware: 'bios' }, { kind: 'rr', model: 'DS3622xs+', dsm: '7.2.2' }],
  [
    'a device tree and many disks',
    { deviceTree: true, disks: many(16) },
    { kind: 'rr', model: 'DS920+', dsm: '7.2.2' },
  ],
  ['many disks', { disks: many(24) }, { kind: 'tcrp', model: 'DS3622xs+', dsm: '7.1.1' }],
])('%s: the doctor finds nothing', (_, changes, loader) => {
  const facts = factsOf(draftXml(draft(changes)), { loader: { ...loader, acpid: true, virtio: true, map: 'unset' } });
  expect(examine(facts).findings).toEqual([]);
});

/** libvirt's schema takes these two: the lab defines them. */
test.each<[string, Partial<Draft>]>([
  ['virtio-scsi-uefi', {}],
  ['sata-bios', { firmware: 'bios', deviceTree: true, disks: many(7), kvm: false }],
])('%s.xml, as it stands', async (name, changes) => {
  await expect(draftXml(draft(changes))).toMatchFileSnapshot(`../fixtures/definition/${name}.xml`);
});

test('disks, loader, NIC and memory are what was asked for', () => {
  const hardware = parseDomainXml(draftXml(draft()));
  expect(hardware).toMatchObject({ vcpus: 2, memory: 4 * 2 ** 30, machine: 'q35' });
  expect(hardware.disks).toEqual([
    { target: 'sda', role: 'data', bus: 'scsi', source: '/dev/disk/by-id/ata-a_1' },
    { target: 'sdb', role: 'data', bus: 'scsi', source: '/images/DSM-2.img' },
    { target: 'sdz', role: 'loader', bus: 'usb', source: '/images/loader.img' },
  ]);
  expect(hardware.nics).toEqual([
    expect.objectContaining({ mac: '52:54:00:ab:cd:ef', source: 'br0', model: 'virtio' }),
  ]);
});

describe('controllers', () => {
  test('on SATA, six disks each, all on the root bus: the map can be computed', () => {
    const controllers = parseControllers(draftXml(draft({ deviceTree: true, disks: many(14) })));
    expect(controllers.map(({ kind, disks }) => [kind, disks.length])).toEqual([
      ['ahci', 6],
      ['ahci', 6],
      ['ahci', 2],
    ]);
    const slots = controllers.map(({ pci }) => `${pci?.bus}:${pci?.slot}.${pci?.function}`);
    expect(slots).toEqual(['0:31.2', '0:8.0', '0:9.0']);
    expect('map' in sataMap(controllers, { model: 'X', deviceTree: false, maxDisks: 16 })).toBe(true);
  });

  test('on virtio-scsi, in their order', () => {
    const controllers = parseControllers(draftXml(draft({ disks: many(3) })));
    expect(controllers.map(({ kind, disks }) => [kind, disks.map(({ unit }) => unit)])).toEqual([
      ['virtio-scsi', [0, 1, 2]],
    ]);
    expect('map' in sataMap(controllers, platformOr('DS918+'))).toBe(true);
  });

  test('no two devices have one place', () => {
    const places = draftXml(draft({ deviceTree: true, disks: many(25) })).match(/slot='0x\w+' function='0x\w'/g) ?? [];
    expect(new Set(places).size).toBe(places.length);
  });
});

test('without KVM it is emulated, with all that QEMU can', () => {
  const xml = draftXml(draft({ kvm: false }));
  expect(xml).toContain("<domain type='qemu'>");
  expect(xml).toContain("<cpu mode='maximum'/>");
});

test('names with markup stay names', () => {
  const xml = draftXml(draft({ name: `a<b>&'"c/d`, disks: ["/i/it's & <x>.img"] }));
  expect(xml).toContain(`<name>a&lt;b&gt;&amp;&apos;"c/d</name>`);
  expect(parseDomainXml(xml).disks[0]?.source).toBe("/i/it's & <x>.img");
  expect(xml).toMatch(/<log file='\/var\/log\/libvirt\/qemu\/[^/]*-serial\.log'/);
});

test('a MAC is the same for one host and domain, and another one for others', () => {
  expect(stableMac('host', 'DSM')).toBe(stableMac('host', 'DSM'));
  const some = ['DSM', 'NAS', 'a', 'b'].flatMap(name => ['host', 'other'].map(host => stableMac(host, name)));
  expect(new Set(some).size).toBe(8);
  for (const mac of some) expect(mac).toMatch(/^52:54:00(:[\da-f]{2}){3}$/);
});
