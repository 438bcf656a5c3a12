/** What a rebuild finds out of SataPortMap and DiskIdxMap before it touches anything: of cards that are passed through. */
import { expect, test, vi } from 'vitest';
import type { Inspection } from '../../../src/loader/plan/inspect.ts';
import { rebuildWorld } from '../rebuild-world.ts';

const address = (bus: string, slot: string) =>
  `<address type='pci' domain='0x0000' bus='${bus}' slot='${slot}' function='0x0'/>`;
const card = `<hostdev mode='subsystem' type='pci' managed='yes'><source>${address('0x04', '0x00').replace("type='pci'", '')}
  </source>${address('0x00', '0x06')}</hostdev>`;
const withCard = (xml: string) => xml.replace('</devices>', `${card}</devices>`);
const refusals = ({ findings }: Inspection) => findings.filter(({ level }) => level === 'refuse');
const unsure = (verb: string, advice: string) => ({
  code: 'sata_map_unknown',
  message: expect.stringContaining(`0000:04:00.0 of the host, in the VM at 0000:00:06.0, ${verb} a SATA controller`),
  advice: expect.stringContaining(advice),
});
const proposal = 'SataPortMap: "N1", DiskIdxMap: "0010"';

test.each([
  ['a SATA controller', '0x010601', 'is'],
  ['a RAID controller, which may be AHCI', '0x010400', 'may be'],
  ['IDE, which may be AHCI', '0x010185', 'may be'],
  ['something unreadable', 'nonsense', 'may be'],
])('a passed-through card takes no digit that is called inert: %s refuses the rebuild', async (_, code, verb) => {
  await using it = await rebuildWorld(withCard);
  const pciClass = vi.fn(async () => `${code}\n`);
  const found = await it.inspect({ pciClass });
  expect(pciClass).toHaveBeenCalledWith('0000:04:00.0', expect.anything());
  expect(refusals(found)).toMatchObject([unsure(verb, proposal)]);
  expect(found).toMatchObject({ refused: true, facts: null, steps: [], mapNotes: [] });
});

test.each([
  ['SCSI', '0x010000'],
  ['SAS', '0x010700'],
  ['NVMe', '0x010802'],
  ['a graphics card', '0x030000'],
  ['a NIC', '0x020000'],
  ['a USB controller', '0x0c0330'],
])('a passed-through card that is surely no SATA controller changes nothing: %s', async (_, code) => {
  await using it = await rebuildWorld(withCard);
  const found = await it.inspect({ pciClass: async () => `${code}\n` });
  expect(refusals(found)).toEqual([]);
  expect(found.facts?.map).toEqual({ SataPortMap: '12', DiskIdxMap: '1000' });
});

test.each([
  ['whose class cannot be read', true, 1],
  ['of another host, which is not looked up on this one', false, 0],
])('a card %s may be a SATA controller', async (_, local, calls) => {
  await using it = await rebuildWorld(withCard);
  const pciClass = vi.fn(() => Promise.reject(new Error('ENOENT')));
  expect(refusals(await it.inspect({ local, pciClass }))).toMatchObject([unsure('may be', proposal)]);
  expect(pciClass).toHaveBeenCalledTimes(calls);
});

test('a configured map is taken as it is, with the reason why none could be worked out', async () => {
  await using it = await rebuildWorld(withCard);
  const sataMap = { SataPortMap: '41', DiskIdxMap: '0010' };
  const found = await it.inspect({ settings: { sataMap }, pciClass: async () => '0x010601' });
  expect(refusals(found)).toEqual([]);
  expect(found.facts?.map).toEqual(sataMap);
  expect(found.mapNotes).toEqual([
    'It is the configured map, not one that was computed from the VM.',
    expect.stringContaining('is a SATA controller, and how many ports it has is not known'),
  ]);
});
