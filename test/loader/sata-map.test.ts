/** The maps of every arrangement of disks that people build, and what is said of them. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { explainDifference, satamapOf } from '../../src/loader/kinds/tcrp/satamap.ts';
import { platformOf } from '../../src/loader/platforms.ts';
import { sataMap } from '../../src/loader/sata-map.ts';
import { parseControllers, type StorageController } from '../../src/vm/controllers.ts';
import { ahci, card, cdrom, loaderDisk, onUnits, virtio } from './guest.ts';

const read = (name: string) =>
  parseControllers(readFileSync(new URL(`../fixtures/${name}.xml`, import.meta.url), 'utf8'));
const seed = read('seed');
const ds918 = { model: 'DS918+', deviceTree: false, maxDisks: 16 };

function mapOf(controllers: readonly StorageController[], platform = ds918) {
  const map = sataMap(controllers, platform);
  if ('refusal' in map) throw new Error(map.refusal.message);
  return map;
}

const unused = ahci('00:1f.2');
const four = onUnits(0, 1, 2, 3);

test.each<[string, readonly StorageController[], string, string]>([
  ['A: the seed', seed, '12', '1000'],
  ['B: the q35 controller with one disk', [ahci('00:1f.2', onUnits(0))], '1', '00'],
  ['B: and with six', [ahci('00:1f.2', onUnits(0, 1, 2, 3, 4, 5))], '6', '00'],
  ['C: unused, another before it', [unused, ahci('00:07.0', four, 1)], '41', '0010'],
  ['C: unused, another behind a root port', [unused, ahci('03:00.0', four, 1)], '14', '1000'],
  ['C: by place, not by index or order', [ahci('03:00.0', four, 0), ahci('00:1f.2', [], 1)], '14', '1000'],
  ['D: both in use', [ahci('00:1f.2', onUnits(0, 1)), ahci('01:01.0', onUnits(0, 1, 2), 1)], '23', '0002'],
  ['E: no SATA, virtio-scsi only', [virtio(four)], '1', '00'],
  ['E: nothing at all', [], '1', '00'],
  ['F: the loader on its own', [ahci('00:07.0', [loaderDisk]), ahci('00:1f.2', four, 1)], '14', '1000'],
  ['G: gaps', [ahci('00:1f.2', onUnits(0, 3))], '4', '00'],
  ['a CD drive is no disk', [ahci('00:1f.2', [cdrom]), virtio(onUnits(0, 1))], '12', '1000'],
  ['the loader among the disks', [ahci('00:1f.2', [loaderDisk, ...onUnits(1, 2)])], '3', '00'],
  ['SATA, then two of virtio-scsi', [ahci('00:1f.2', onUnits(0, 1)), virtio(four), virtio(four, 1)], '244', '000206'],
  ['virtio-scsi without disks', [unused, virtio([])], '1', '10'],
  ['two unused', [unused, ahci('01:00.0', [], 1), virtio(four)], '114', '101000'],
  ['a place unknown, of the only one', [ahci(null, four), virtio(onUnits(0))], '41', '0004'],
  ['units unknown', [ahci('00:1f.2', onUnits(null, null, null))], '3', '00'],
])('%s', (_, controllers, SataPortMap, DiskIdxMap) => {
  expect(mapOf(controllers).map).toEqual({ SataPortMap, DiskIdxMap });
});

test.each([
  ['DS3622xs+', '12', '1800'],
  ['DS3615xs', '12', '1000'],
])('%s puts what is unused behind every slot', (model, SataPortMap, DiskIdxMap) => {
  const platform = platformOf(model);
  if (!platform) throw new Error('no such model');
  expect(sataMap(seed, platform)).toMatchObject({ map: { SataPortMap, DiskIdxMap } });
});

test('a device tree needs neither', () => {
  expect(mapOf(seed, { model: 'DS920+', deviceTree: true, maxDisks: 16 })).toEqual({
    map: { SataPortMap: '', DiskIdxMap: '' },
    notes: ['DS920+ finds its disks by a device tree: SataPortMap and DiskIdxMap mean nothing to it and stay empty.'],
  });
});

test.each<[string, readonly StorageController[], string]>([
  [
    'ports',
    [ahci('00:1f.2', onUnits(9))],
    'The SATA controller 0 at 0000:00:1f.2 needs 10 ports, and a digit of SataPortMap says 9 at most: spread its disks over more controllers.',
  ],
  [
    'controllers',
    ['1', '2', '3', '4', '5', '6', '7', '8'].map((slot, nth) => ahci(`00:0${slot}.0`, [], nth)),
    'There are 8 controllers, and SataPortMap has room for 7: put the disks on fewer.',
  ],
  [
    'disks',
    [ahci('00:1f.2', onUnits(5)), ahci('01:00.0', onUnits(5), 1), ahci('02:00.0', onUnits(4), 2)],
    'The controllers take 17 slots, and DS918+ has 16: take disks away, or close gaps between ports.',
  ],
])('too many %s', (what, controllers, message) => {
  const advice = 'Or set `sata_map` yourself.';
  expect(sataMap(controllers, ds918)).toEqual({ refusal: { code: `too_many_${what}`, message, advice } });
});

test('SATA behind a pcie-to-pci-bridge: the guest walks the PCI tree, not the bus numbers of the XML', () => {
  const platform = platformOf('DS3622xs+');
  if (!platform) throw new Error('no such model');
  const map = sataMap(read('field/02-sata-order'), platform);
  expect(map).toMatchObject({ map: { SataPortMap: '112', DiskIdxMap: '180001' } });
});

describe('a map that nobody can be sure of is refused, with what to write instead', () => {
  const host = '04:00.0';
  const unknownPorts = 'N is the number of ports of the device.';

  test('a card passed through, SATA unused, disks on virtio-scsi: host and guest address are told the right way round', () => {
    expect(sataMap(read('field/03-hba-map'), ds918)).toHaveProperty('refusal', {
      code: 'sata_map_unknown',
      message:
        'The passed-through device 0000:04:00.0 of the host, in the VM at 0000:01:00.0, may be a SATA controller, and how many ports it has is not known. ' +
        "The passed-through device 0000:04:00.0 of the host, in the VM at 0000:01:00.0, has an unknown place in the guest's order of controllers; `dmesg` of DSM shows it. " +
        '`sata_map: auto` cannot be sure of the map.',
      advice:
        'Set `sata_map: { SataPortMap: "1N", DiskIdxMap: "1000" }` yourself. N is the number of ports of the device. A device that is no SATA controller has no digit and no pair.',
    });
  });

  test.each<[string, readonly StorageController[], string, string, string]>([
    ['a SATA card', [unused, card('ahci', '01:00.0', host)], '1N', '1000', unknownPorts],
    ['a SATA card alone', [card('ahci', '00:05.0', host), virtio(four)], 'N', '00', unknownPorts],
    ['what may be one alone', [card('passthrough', null, host)], 'N', '00', unknownPorts],
    [
      'a card between controllers with disks',
      [ahci('00:1f.2', onUnits(0, 1)), card('ahci', '01:00.0', host), ahci('02:00.0', onUnits(0), 1)],
      ...(['2N1', '000302', unknownPorts] as const),
    ],
    [
      'two cards',
      [unused, card('ahci', '01:00.0', host), card('passthrough', '02:00.0', '05:00.0')],
      ...(['1NN', '1000??', '?? is the first slot'] as const),
    ],
    ['a card of no known address', [unused, card('passthrough', null, null)], '1N', '1000', unknownPorts],
    ['a controller without address', [ahci(null, four, 1), ahci('00:1f.2', onUnits(0))], '14', '0001', 'Set'],
  ])('%s', (_, controllers, SataPortMap, DiskIdxMap, advice) => {
    const proposal = `SataPortMap: "${SataPortMap}", DiskIdxMap: "${DiskIdxMap}"`;
    const found = sataMap(controllers, ds918);
    expect(found).toMatchObject({
      refusal: { code: 'sata_map_unknown', message: expect.stringMatching(/^The .*\.$/) },
    });
    for (const words of [proposal, advice])
      expect(found).toMatchObject({ refusal: { advice: expect.stringContaining(words) } });
  });

  test('with a device tree there is nothing to be sure of', () => {
    const platform = { model: 'DS920+', deviceTree: true, maxDisks: 16 };
    expect(sataMap([unused, card('ahci', '01:00.0', host)], platform)).toMatchObject({ map: { SataPortMap: '' } });
  });
});

describe('what is said of a map', () => {
  test('of the seed: what is unused, and what is inert', () => {
    expect(mapOf(seed).notes).toEqual([
      'The SATA controller 0 at 0000:00:1f.2 is unused: it gets one port behind the last slot.',
      'The last digit of SataPortMap means virtio-scsi; only SATA controllers are known to heed it, so this is inert.',
    ]);
  });

  test.each<[string, readonly StorageController[], string]>([
    ['gaps', [ahci('00:1f.2', onUnits(0, 3))], 'has 2 empty ports before its last disk'],
    ['one gap', [ahci('00:1f.2', onUnits(0, 2))], 'has 1 empty port before its last disk'],
    ['the loader alone', [ahci('00:1f.2', [loaderDisk])], 'carries the loader only'],
    ['the loader in company', [ahci('00:1f.2', [loaderDisk, ...onUnits(1)])], 'the loader takes a slot'],
    ['no SATA', [virtio(four)], 'There is no SATA controller'],
    ['other SCSI', [unused, { ...virtio(four), kind: 'scsi', model: 'lsilogic' }], 'other than virtio-scsi'],
    ['two of virtio-scsi', [unused, virtio(four), virtio(four, 1)], 'The last 2 digits'],
  ])('%s', (_, controllers, expected) => {
    const { notes } = mapOf(controllers);
    expect(notes.join(' ')).toContain(expected);
    for (const note of notes) expect(note).toMatch(/^[A-Z].*\.$/);
  });
});

test('whatever the VM: digits 1 to 9, a pair each, no slot twice but behind the last', () => {
  const controller = fc.record({
    kind: fc.constantFrom('ahci' as const, 'virtio-scsi' as const, 'scsi' as const),
    bus: fc.nat(4),
    slot: fc.nat(31),
    units: fc.uniqueArray(fc.nat(11), { maxLength: 6 }),
  });
  fc.assert(
    fc.property(fc.array(controller, { maxLength: 9 }), made => {
      const controllers = made.map(({ kind, bus, slot, units }, index) => {
        const pci = { domain: 0, bus, slot, function: 0 };
        return { kind, model: null, index, pci, busOrder: bus, host: null, disks: onUnits(...units) };
      });
      const computed = sataMap(controllers, ds918);
      if ('refusal' in computed) return;
      const { map } = computed;
      expect(map.SataPortMap).toMatch(/^[1-9]{1,7}$/);
      expect(map.DiskIdxMap).toMatch(/^([0-9A-F]{2}){1,7}$/);
      expect(map.DiskIdxMap.length).toBe(map.SataPortMap.length * 2);
      const slots = [...map.SataPortMap].flatMap((digit, nth) => {
        const first = Number.parseInt(map.DiskIdxMap.slice(nth * 2, nth * 2 + 2), 16);
        return first === 16 ? [] : Array.from({ length: Number(digit) }, (__, more) => first + more);
      });
      expect(new Set(slots).size).toBe(slots.length);
      expect(Math.max(0, ...slots)).toBeLessThan(16);
    }),
  );
});

describe('beside what satamap makes of it', () => {
  const pair = (SataPortMap: string, DiskIdxMap: string) => ({ SataPortMap, DiskIdxMap });
  const parked = 'takes the SATA controller at 00:1f.2 for unused';

  test.each([
    ['the seed', pair('12', '1000'), pair('1', '10'), 'counts SATA controllers only'],
    ['disks on the q35 controller', pair('4', '00'), pair('1', '10'), parked],
    ['the same of a model with 15 slots', pair('4', '00'), pair('1', '0F'), parked],
    ['more than nine ports', pair('9', '00'), pair(':', '00'), 'experimental'],
    ['all six ports', pair('14', '1000'), pair('16', '1000'), 'where ours ends at the last disk'],
    ['a controller unknown to libvirt', pair('1', '10'), pair('18', '1000'), 'may be passed through'],
    ['nothing left of it', pair('1', '10'), pair('', ''), 'satamap proposes SataPortMap (none) with DiskIdxMap (none)'],
  ])('%s', (_, ours, theirs, expected) => {
    const reasons = explainDifference(ours, theirs);
    expect(reasons.length).toBeGreaterThan(1);
    expect(reasons.join(' ')).toContain(expected);
  });

  test('both the same', () => {
    expect(explainDifference(pair('14', '0A00'), pair('14', '0a00'))).toEqual([]);
  });

  test.each([
    ['{"extra_cmdline":{"SataPortMap":"1","DiskIdxMap":"10","sn":""}}', pair('1', '10')],
    ['{"extra_cmdline":{"SataPortMap":"1"}}', null],
    ['{"extra_cmdline":null}', null],
    ['null', null],
    ['', null],
  ])('read from %s', (text, expected) => {
    expect(satamapOf(text)).toEqual(expected);
  });
});
