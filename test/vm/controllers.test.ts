/** What disks hang on, from XML as libvirt writes it. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { procedures } from '../../src/libvirt/procedures.ts';
import { XdrReader } from '../../src/libvirt/xdr.ts';
import { formatPci, parseControllers } from '../../src/vm/controllers.ts';
import { recording, releases } from '../libvirt/recordings.ts';

const seed = readFileSync(new URL('../fixtures/seed.xml', import.meta.url), 'utf8');
const devices = (inner: string) => parseControllers(`<domain><devices>${inner}</devices></domain>`);
const pci = (bus: string, slot: string, part: string) =>
  `<address type='pci' domain='0x0000' bus='${bus}' slot='${slot}' function='${part}'/>`;
const disk = (target: string, bus: string, controller: number, unit: number, more = '') =>
  `<disk type='file' device='disk'><target dev='${target}' bus='${bus}'/>${more}
  <address type='drive' controller='${controller}' bus='0' target='0' unit='${unit}'/></disk>`;

const root = { busOrder: 0, host: null };
const sata = {
  ...{ kind: 'ahci', model: null, index: 0, pci: { domain: 0, bus: 0, slot: 0x1f, function: 2 }, ...root },
  disks: [],
};
const scsi = {
  kind: 'virtio-scsi',
  model: 'virtio-scsi',
  index: 0,
  pci: { domain: 0, bus: 0, slot: 2, function: 0 },
  ...root,
  disks: [
    { target: 'sda', role: 'data', unit: 0 },
    { target: 'sdb', role: 'data', unit: 1 },
  ],
};

test('of a DSM with disks on virtio-scsi and the loader on USB', () => {
  expect(parseControllers(seed)).toEqual([sata, scsi]);
});

test.each(releases)('recorded with libvirt %s', release => {
  const replies = recording(release).filter(
    ({ procedure, type, status }) => procedure === procedures.domainGetXmlDesc.number && type === 1 && !status,
  );
  expect(replies.length).toBeGreaterThan(1);
  for (const { bytes } of replies) {
    const { xml } = procedures.domainGetXmlDesc.reply.decode(new XdrReader(bytes.subarray(28)));
    expect(parseControllers(xml)).toEqual([
      sata,
      { ...scsi, pci: { domain: 0, bus: 3, slot: 0, function: 0 }, busOrder: 3 },
    ]);
  }
});

test('disks on their own controller, by bus and index', () => {
  const [first, second, scsi] = devices(
    `<controller type='sata' index='0'>${pci('0x00', '0x1f', '0x2')}</controller>
    <controller type='sata' index='1'>${pci('0x0a', '0x01', '0x0')}</controller>
    <controller type='scsi' index='0' model='lsilogic'/><controller type='usb' index='0'/>
    ${disk('sda', 'sata', 1, 3)}${disk('sdb', 'sata', 0, 5, "<boot order='1'/>")}${disk('sdc', 'scsi', 0, 7)}
    <disk type='file' device='cdrom'><target dev='sdd' bus='sata'/></disk>
    <disk type='file' device='disk'><target dev='vda' bus='virtio'/></disk>`,
  );
  expect(first?.disks).toEqual([
    { target: 'sdb', role: 'loader', unit: 5 },
    { target: 'sdd', role: 'removable', unit: null },
  ]);
  expect(second).toMatchObject({ pci: { bus: 10, slot: 1 }, disks: [{ target: 'sda', unit: 3 }] });
  expect(scsi).toMatchObject({ kind: 'scsi', model: 'lsilogic', pci: null, disks: [{ target: 'sdc', unit: 7 }] });
});

describe('what kind it is', () => {
  test.each([
    ["type='sata'", 'ahci'],
    ["type='scsi' model='virtio-scsi'", 'virtio-scsi'],
    ["type='scsi' model='virtio-transitional'", 'virtio-scsi'],
    ["type='scsi' model='virtio-non-transitional'", 'virtio-scsi'],
    ["type='scsi' model='lsisas1068'", 'scsi'],
    ["type='scsi'", 'scsi'],
  ])('%s', (attributes, kind) => {
    expect(devices(`<controller ${attributes} index='0'/>`)).toMatchObject([{ kind }]);
  });

  test.each(["type='ide' index='0'", "type='pci' index='0'", "type='sata'", "type='sata' index='x'"])(
    '%s is none',
    attributes => {
      expect(devices(`<controller ${attributes}/>`)).toEqual([]);
    },
  );
});

describe('the order in which a Linux guest finds the buses', () => {
  const bridge = (index: number, bus: string, slot: string, part: string, model = 'pcie-root-port') =>
    `<controller type='pci' index='${index}' model='${model}'>${pci(bus, slot, part)}</controller>`;
  const on = (...buses: string[]) =>
    buses.map((bus, index) => `<controller type='sata' index='${index}'>${pci(bus, '0x01', '0x0')}</controller>`);
  const order = (...parts: string[]) =>
    devices(parts.join(''))
      .filter(({ busOrder }) => busOrder !== null)
      .toSorted((a, b) => (a.busOrder ?? 0) - (b.busOrder ?? 0))
      .map(({ pci: at }) => at?.bus);

  // The first two are as Linux 6.1 found them in QEMU 7.2. Of two expander buses the one that QEMU made last came first.
  test.each<[string, string[], number[]]>([
    [
      'behind a pcie-to-pci-bridge before a later root port, all of bus 0 first',
      [
        ...on('0x02', '0x03', '0x00'),
        bridge(1, '0x00', '0x02', '0x0'),
        bridge(2, '0x00', '0x02', '0x1'),
        bridge(3, '0x01', '0x00', '0x0', 'pcie-to-pci-bridge'),
      ],
      [0, 3, 2],
    ],
    [
      'i440fx: a bus before the bridge on it, even when the bridge has a lower slot',
      [
        ...on('0x02', '0x01', '0x00'),
        "<controller type='pci' index='0' model='pci-root'/>",
        bridge(1, '0x00', '0x02', '0x0', 'pci-bridge'),
        bridge(2, '0x01', '0x01', '0x0', 'pci-bridge'),
      ],
      [0, 1, 2],
    ],
    [
      'an expander bus is where QEMU wants it: unknown, and so is what is behind it',
      [
        ...on('0x02', '0x01', '0x00'),
        bridge(1, '0x00', '0x03', '0x0', 'pcie-expander-bus'),
        bridge(2, '0x01', '0x00', '0x0'),
      ],
      [0],
    ],
    [
      'by slot and function, not by index or place in the XML',
      [
        ...on('0x01', '0x02', '0x03', '0x04'),
        bridge(1, '0x00', '0x05', '0x1'),
        bridge(2, '0x00', '0x05', '0x0'),
        bridge(3, '0x00', '0x1c', '0x0'),
        bridge(4, '0x00', '0x02', '0x7'),
      ],
      [4, 2, 1, 3],
    ],
    [
      'a PCIe switch',
      [
        ...on('0x03', '0x04', '0x05'),
        bridge(1, '0x00', '0x02', '0x0'),
        bridge(5, '0x00', '0x03', '0x0'),
        bridge(2, '0x01', '0x00', '0x0', 'pcie-switch-upstream-port'),
        bridge(3, '0x02', '0x01', '0x0', 'pcie-switch-downstream-port'),
        bridge(4, '0x02', '0x00', '0x0', 'pcie-switch-downstream-port'),
      ],
      [4, 3, 5],
    ],
    ['a bridge without address', [...on('0x01', '0x00'), "<controller type='pci' index='1'/>"], [0]],
    ['a bus that nothing leads to', on('0x01', '0x00'), [0]],
    [
      'a bridge on itself, an index twice',
      [...on('0x00'), ...[0, 1, 1].map(i => bridge(i, '0x00', '0x02', '0x0'))],
      [0],
    ],
  ])('%s', (_, parts, expected) => {
    expect(order(...parts)).toEqual(expected);
  });
});

describe('a PCI device of the host', () => {
  const source = `<source><address domain='0x0000' bus='0x0b' slot='0x00' function='0x1'/></source>`;
  const passed = {
    ...{ kind: 'passthrough', model: null, index: 0, disks: [] },
    host: { domain: 0, bus: 11, slot: 0, function: 1 },
  };

  test('has two addresses: the inner one is of the host, the outer one of the guest', () => {
    const xml = `<hostdev mode='subsystem' type='pci'>${source}${pci('0x00', '0x05', '0x0')}</hostdev>`;
    expect(devices(xml)).toEqual([{ ...passed, pci: { domain: 0, bus: 0, slot: 5, function: 0 }, busOrder: 0 }]);
  });

  test('has no address yet in the guest', () => {
    expect(devices(`<hostdev type='pci'>${source}</hostdev>`)).toEqual([{ ...passed, pci: null, busOrder: null }]);
  });

  test.each([
    ["<hostdev mode='subsystem' type='usb'/>"],
    ["<hostdev mode='subsystem' type='mdev' model='vfio-pci'/>"],
    [`<interface type='hostdev'>${source}</interface>`],
  ])('is none: %s', xml => {
    expect(devices(xml)).toEqual([]);
  });
});

test.each([
  ['ich9-ahci,id=sata9', true],
  ['vfio-pci,host=04:00.0', true],
  ['{"driver":"ahci","id":"sata9"}', true],
  ['usb-storage,drive=synoboot', false],
])('given to QEMU without libvirt: %s', (value, found) => {
  const more = `<qemu:commandline><qemu:arg value='-device'/><qemu:arg value='${value}'/></qemu:commandline>`;
  const parsed = parseControllers(`<domain><devices/>${more}</domain>`);
  const none = { index: 0, pci: null, busOrder: null, host: null, disks: [] };
  expect(parsed).toEqual(found ? [{ kind: 'passthrough', model: value, ...none }] : []);
});

test('of a domain without devices: none', () => {
  expect(parseControllers('<domain/>')).toEqual([]);
  expect(devices("<controller type='sata' index='0'><address type='ccw' bus='0'/></controller>")).toMatchObject([
    { pci: null },
  ]);
});

test('a place on the PCI bus, written out', () => {
  expect(formatPci({ domain: 0, bus: 10, slot: 31, function: 2 })).toBe('0000:0a:1f.2');
});
