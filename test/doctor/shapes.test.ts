/** Machines as people have them, with what is to be found in each written in it; and the seed's, lesson by lesson. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { examine } from '../../src/doctor/examine.ts';
import { type LoaderFacts, readFacts } from '../../src/doctor/facts.ts';
import { factsOf, type More, seedLoader } from './facts.ts';

const folder = new URL('../fixtures/doctor/', import.meta.url);

/** `loader: JSON`, `host: JSON` and `finds: codes` in its first comment. */
function shape(file: string) {
  const xml = readFileSync(new URL(file, folder), 'utf8');
  const line = (key: string) => new RegExp(`^${key}: (.*)$`, 'm').exec(xml)?.[1];
  const { classes = {} } = JSON.parse(line('host') ?? '{}') as { classes?: Record<string, string> };
  const loader = JSON.parse(line('loader') ?? '{}') as Partial<LoaderFacts>;
  const more: More = { loader, host: { classes: new Map(Object.entries(classes)) } };
  const finds = line('finds')?.split(', ') ?? [];
  return { xml, more, finds: finds.filter(code => code !== 'nothing') };
}

const files = readdirSync(folder).filter(file => file.endsWith('.xml'));

test('there are enough shapes', () => expect(files.length).toBeGreaterThanOrEqual(15));

test.each(files)('%s: what is to be found, and nothing else', file => {
  const { xml, more, finds } = shape(file);
  expect(codes(xml, more).toSorted()).toEqual(finds.toSorted());
});

function codes(xml: string, more: More): string[] {
  return [...new Set(examine(factsOf(xml, more)).findings.map(({ code }) => code))];
}

const seed = readFileSync(new URL('../fixtures/seed.xml', import.meta.url), 'utf8');
const still = ['open_graphics', 'disk_by_letter'];

/** Without the mere information. */
function problems(xml: string, more: More = {}): string[] {
  const { findings } = examine(factsOf(xml, { loader: seedLoader, ...more }));
  return [...new Set(findings.filter(({ level }) => level !== 'info').map(({ code }) => code))];
}

describe('the seed', () => {
  test('as published: what is still so', () => {
    expect(problems(seed)).toEqual(still);
    const { findings } = examine(factsOf(seed, { loader: seedLoader }));
    expect(findings.filter(({ code }) => still.includes(code)).map(({ seen }) => seen)).toEqual([
      "`<graphics type='spice' listen='0.0.0.0'>`.",
      "`<source dev='/dev/sdb'/>` of the disk sda.",
      "`<source dev='/dev/sdc'/>` of the disk sdb.",
    ]);
    expect(findings.filter(({ level }) => level === 'info').map(({ code }) => code)).toEqual(['no_serial_log']);
  });

  const onSata = seed.replaceAll(/<target dev='(sd[ab])' bus='scsi'\/>/g, "<target dev='$1' bus='sata'/>");
  test.each<[lesson: string, code: string, xml: string, loader?: Partial<LoaderFacts>]>([
    ['disks on the SATA of Q35', 'q35_sata', onSata, { map: { SataPortMap: '2', DiskIdxMap: '00' } }],
    ['USB 2', 'usb2_loader', seed.replace("model='qemu-xhci'", "model='ich9-ehci1'")],
    ['e1000e', 'nic_model', seed.replace("<model type='virtio'/>", "<model type='e1000e'/>")],
    ['vmxnet3', 'nic_model', seed.replace("<model type='virtio'/>", "<model type='vmxnet3'/>")],
    ['no driver for virtio', 'virtio_driver', seed, { virtio: false }],
    ['no ACPI', 'no_acpi', seed.replace('<acpi/>', '')],
    ['no acpid', 'no_acpid', seed, { acpid: false }],
    [
      'an old CPU',
      'cpu_lacks',
      seed.replace("<cpu mode='host-passthrough' check='none'/>", '<cpu><model>Westmere</model></cpu>'),
    ],
    ['a map that does not fit', 'sata_map', seed, { map: { SataPortMap: '58', DiskIdxMap: '0A00' } }],
    ['Q35’s controller not put aside', 'sata_map', seed, { map: { SataPortMap: '12', DiskIdxMap: '0001' } }],
    ['little memory', 'little_memory', seed.replaceAll('4194304', '1048576')],
    ['emulation', 'tcg', seed.replace("type='kvm'", "type='qemu'")],
    ['the loader on virtio', 'loader_bus', seed.replace("bus='usb'/>\n      <boot", "bus='virtio'/>\n      <boot")],
  ])('%s, undone: %s and nothing else', (_, code, xml, loader = {}) => {
    expect(problems(xml, { loader: { ...seedLoader, ...loader } })).toEqual(expect.arrayContaining([code, ...still]));
    expect(problems(xml, { loader: { ...seedLoader, ...loader } })).toHaveLength(still.length + 1);
  });

  test('mended, there is nothing left', () => {
    const mended = seed
      .replaceAll(/dev='\/dev\/sd([bc])'/g, "dev='/dev/disk/by-id/ata-$1'")
      .replaceAll('0.0.0.0', '127.0.0.1');
    expect(problems(mended)).toEqual([]);
  });
});

test.each([
  ['nothing', ''],
  ['no XML', 'error: failed to get domain'],
  ['binary', '\u0000\u0001<\u0002'],
  ['another document', '<network><name>default</name></network>'],
  ['a domain that is only text', '<domain>DSM</domain>'],
  ['an end without a beginning', '</domain>'],
])('%s is no definition', (_, text) => expect(readFacts(text)).toBe(null));

test('an empty domain, and one cut in the middle, are judged by what they have', () => {
  expect(codes("<domain type='kvm'/>", {})).toContain('no_acpi');
  expect(() => codes(seed.slice(0, 2_000), {})).not.toThrow();
});
