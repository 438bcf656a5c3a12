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

const sata = { kind: 'ahci', model: null, index: 0, pci: { domain: 0, bus: 0, slot: 0x1f, function: 2 }, disks: [] };
const scsi = {
  kind: 'virtio-scsi',
  model: 'virtio-scsi',
  index: 0,
  pci: { domain: 0, bus: 0, slot: 2, function: 0 },
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
    expect(parseControllers(xml)).toEqual([sata, { ...scsi, pci: { domain: 0, bus: 3, slot: 0, function: 0 } }]);
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

test('a PCI device of the host has two addresses, and the guest sees the outer one', () => {
  const source = `<source><address domain='0x0000' bus='0x0b' slot='0x00' function='0x0'/></source>`;
  const xml = `<hostdev mode='subsystem' type='pci'>${source}${pci('0x05', '0x00', '0x0')}</hostdev><hostdev type='usb'/>`;
  expect(devices(xml)).toEqual([
    { kind: 'passthrough', model: null, index: 0, pci: { domain: 0, bus: 5, slot: 0, function: 0 }, disks: [] },
  ]);
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
