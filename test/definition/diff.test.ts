/** What differs between two definitions: by the paths of elements, and never by how they are written. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { changedElements, changesOf, type Values, valuesOf } from '../../src/definition/diff.ts';
import { dsmXml } from '../fakes/libvirtd/xml.ts';

function values(xml: string): Values {
  const read = valuesOf(xml);
  if (!read) throw new Error('no definition');
  return read;
}

const devices = (inside: string, more = '') =>
  `<domain type='kvm'><name>DSM</name>${more}<devices>${inside}</devices></domain>`;
const disk = (target: string, source: string, more = '') =>
  `<disk type='block' device='disk'><source dev='${source}'/><target dev='${target}' bus='sata'/>${more}</disk>`;
const nic = (mac: string, bridge = 'br0') =>
  `<interface type='bridge'><mac address='${mac}'/><source bridge='${bridge}'/></interface>`;

test('white space, the order of attributes and of disks, and quotes are no difference', () => {
  const one = devices(disk('sda', '/dev/x') + disk('sdb', '/dev/y'));
  const other = devices(`\n  ${disk('sdb', '/dev/y')}\n  ${disk('sda', '/dev/x')}`)
    .replaceAll("type='block' device='disk'", 'device="disk"   type="block"')
    .replace('<name>DSM</name>', '<name>\n DSM </name>');
  expect(changesOf(values(one), values(other))).toEqual([]);
});

test('an attribute, a text, what is added and what is removed', () => {
  const was = devices(disk('sda', '/dev/x', '<serial>A</serial>'), "<memory unit='KiB'>1024</memory>");
  const is = devices(disk('sda', '/dev/y', '<readonly/>'), "<memory unit='KiB'>2048</memory>");
  expect(changesOf(values(was), values(is))).toEqual([
    { path: 'memory', was: '1024', is: '2048' },
    { path: 'devices/disk[sda]/source@dev', was: '/dev/x', is: '/dev/y' },
    { path: 'devices/disk[sda]/readonly', was: null, is: '' },
    { path: 'devices/disk[sda]/serial', was: 'A', is: null },
  ]);
  expect(changedElements(values(was), values(is))).toEqual([
    ...['memory', 'devices/disk[sda]/source', 'devices/disk[sda]/readonly', 'devices/disk[sda]/serial'],
  ]);
});

test.each<[what: string, was: string, is: string, elements: string[]]>([
  ['a disk', disk('sda', '/a'), disk('sda', '/a') + disk('sdb', '/b'), ['devices/disk[sdb]']],
  ['a disk from the middle', disk('sda', '/a') + disk('sdb', '/b'), disk('sdb', '/b'), ['devices/disk[sda]']],
  [
    ...['a NIC, which is known by its MAC', nic('52:54:00:00:00:01') + nic('52:54:00:00:00:02')],
    nic('52:54:00:00:00:02', 'br1'),
    ['devices/interface[52:54:00:00:00:02]/source', 'devices/interface[52:54:00:00:00:01]'],
  ] as [string, string, string, string[]],
  ['a second of what has no name', '<hub/>', '<hub/><hub/>', ['devices/hub[2]']],
  ['a disk with a slash in its name', '', disk('a/b', '/b'), ['devices/disk[a/b]']],
  ['an attribute of an element that stays', "<rng model='a'/>", "<rng model='b'/>", ['devices/rng']],
])('one line for %s', (_, was, is, elements) => {
  const kept = '<emulator>/q</emulator>';
  expect(changedElements(values(devices(kept + was)), values(devices(kept + is)))).toEqual(elements);
});

test("QEMU's own arguments, metadata and backing files are told apart too", () => {
  const own = (...args: string[]) =>
    `<qemu:commandline xmlns:qemu='q'>${args.map(each => `<qemu:arg value='${each}'/>`).join('')}</qemu:commandline>`;
  const one = devices('', own('-a', '-b'));
  expect(changedElements(values(one), values(devices('', own('-a', '-c'))))).toEqual(['qemu:commandline/qemu:arg[2]']);
  const noted = devices('', '<metadata><x:y xmlns:x="z">1</x:y></metadata>');
  expect(changedElements(values(noted), values(noted.replace('>1<', '>2<')))).toEqual(['metadata']);
});

test.each(['', 'no XML', '<network/>', '<domain>'.repeat(2_000), '{"a":1}'])('%# is no definition', xml => {
  expect(valuesOf(xml)).toBeNull();
});

test('every definition of the fixtures equals itself, and differs from each other one', () => {
  const folder = new URL('../fixtures/doctor/', import.meta.url);
  const all = readdirSync(folder)
    .filter(name => name.endsWith('.xml'))
    .map(name => readFileSync(new URL(name, folder), 'utf8'));
  expect(all.length).toBeGreaterThan(10);
  for (const xml of [dsmXml(), ...all]) {
    expect(changedElements(values(xml), values(xml.replaceAll('\n', '\n  ')))).toEqual([]);
    expect(changedElements(values(xml), values(xml.replace(/<name>.*?</, '<name>other<')))).toEqual(['name']);
  }
});
