/** A definition of any depth, width and size that libvirt may write is read; what is not ours in it changes nothing. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseControllers } from '../../src/vm/controllers.ts';
import { parseDomainXml } from '../../src/vm/domain-xml.ts';

const seed = readFileSync(new URL('../lab/dsm.xml', import.meta.url), 'utf8');

/** A chain of backing files, as libvirt writes it of a running domain. */
const chain = (depth: number, layer: string) =>
  `<backingStore type='file' index='1'><format type='qcow2'/>${layer}`.repeat(depth) +
  `<backingStore/>${'</backingStore>'.repeat(depth)}`;

const name = fc.stringMatching(/^[a-z]{1,8}$/);
const words = fc.string({ unit: 'grapheme', maxLength: 20 });
const escaped = (text: string) =>
  [...text].map(each => (/[&<>'"]|\p{C}/u.test(each) ? `&#x${each.codePointAt(0)?.toString(16)};` : each)).join('');

const definition = fc
  .record({
    depth: fc.integer({ min: 0, max: 1_000 }),
    mirror: fc.integer({ min: 0, max: 300 }),
    path: words.map(escaped),
    description: words.map(escaped),
    repeat: fc.integer({ min: 1, max: 2_000 }),
    arguments: fc.array(words.map(escaped), { maxLength: 200 }),
    attributes: fc.dictionary(name, words.map(escaped), { noNullPrototype: true }),
    comment: fc.stringMatching(/^[a-z <>&]{0,20}$/),
    cdata: fc.stringMatching(/^[a-z <>&]{0,20}$/),
  })
  .map(({ depth, mirror, path, repeat, attributes, ...rest }) => {
    const layer = `<source file='${path}'/>`;
    const inner = `${chain(depth, layer)}<mirror type='file' job='copy'>${layer}${chain(mirror, layer)}</mirror>`;
    const more = Object.entries(attributes).map(([key, value]) => ` ${key}='${value}'`);
    const qemu = `<qemu:commandline>${rest.arguments.map(value => `<qemu:arg value='${value}'/>`).join('')}</qemu:commandline>`;
    return seed
      .replace('<target dev', () => `${inner}<target dev`)
      .replace(
        '<uuid>',
        () => `<description>${rest.description.repeat(repeat)}</description><!--${rest.comment}--><uuid>`,
      )
      .replace('<acpi/>', () => `<acpi/><x${more.join('')}><![CDATA[${rest.cdata}]]></x>`)
      .replace('</devices>', () => `</devices>${qemu}`);
  });

test('a definition with long chains, many arguments, attributes, entities, comments and CDATA is the same machine', () => {
  fc.assert(
    fc.property(definition, xml => {
      expect(parseDomainXml(xml)).toEqual(parseDomainXml(seed));
      expect(parseControllers(xml)).toEqual(parseControllers(seed));
    }),
    { numRuns: 25 },
  );
});

test.each([
  ['a chain of 101 backing files', chain(101, "<source file='/a'/>")],
  ['a chain of 100 000', chain(100_000, "<source file='/a'/>")],
])('%s', (_, inner) => {
  const xml = seed.replace('<target dev', () => `${inner}<target dev`);
  expect(parseDomainXml(xml)).toEqual(parseDomainXml(seed));
});

test('a megabyte', () => {
  const rows = Array.from({ length: 5_000 }, (_, i) => {
    return `<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/images/disk-${i}.img'/><backingStore/><target dev='vd${i}' bus='virtio'/><address type='pci' slot='0x01'/></disk>`;
  });
  const { disks } = parseDomainXml(seed.replace('</devices>', () => `${rows.join('')}</devices>`));
  expect(disks).toHaveLength(5_003);
});
