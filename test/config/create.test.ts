import { expect, test } from 'vitest';
import { complaints, load, withLoader } from './harness.ts';

const section = (create: string) => withLoader().replace('domain: DSM,', `domain: DSM, create: { ${create} },`);
const rest = 'bridge: br0, image: /i/loader.img';
const disks = 'disks: [{ pool: default, size: 20GiB }]';

test('of a new VM only memory, bridge, image and disks are required; sizes are bytes', async () => {
  expect((await load(section(`memory: 4GiB, ${rest}, ${disks}`))).vms[0]?.create).toEqual({
    ...{ memory: 4 * 2 ** 30, vcpus: 2, firmware: 'uefi', bridge: 'br0', mac: null, image: '/i/loader.img' },
    disks: [{ byId: null, containsData: null, serial: null, pool: 'default', size: 20 * 2 ** 30, name: null }],
  });
  const sizes = async (size: string) =>
    (await load(section(`memory: ${size}, ${rest}, ${disks}`))).vms[0]?.create?.memory;
  expect([await sizes('512MiB'), await sizes("'1 TiB'")]).toEqual([512 * 2 ** 20, 2 ** 40]);
});

test("the loader's image is that of the loader, if that is a path", async () => {
  const text = section(`memory: 4GiB, bridge: br0, ${disks}`);
  const image = text.replace('model: DS918+,', 'model: DS918+, image: /images/l.img,');
  expect((await load(image)).vms[0]?.create?.image).toBe('/images/l.img');
  expect(await complaints(text)).toEqual([
    expect.stringMatching(/^config\.yaml:2:\d+ .*create: needs the path of the loader's image$/),
  ]);
});

test.each<[string, string]>([
  [`memory: 4, ${rest}, ${disks}`, 'create.memory: expected text, found a number'],
  [`memory: '4', ${rest}, ${disks}`, 'create.memory: expected a size with its unit'],
  [`memory: 4GB, ${rest}, ${disks}`, 'create.memory: expected a size with its unit'],
  [`memory: 4GiB, ${rest}, disks: []`, 'create.disks: must name at least one disk'],
  [`memory: 4GiB, ${rest}, disks: [{}]`, 'create.disks[0]: needs `by_id`, or `pool` and `size`'],
  [`memory: 4GiB, ${rest}, disks: [{ pool: x }]`, 'create.disks[0]: needs `by_id`, or `pool` and `size`'],
  [`memory: 4GiB, ${rest}, disks: [{ by_id: /dev/sdb }]`, 'by_id: expected the lasting name of a whole disk'],
  [
    `memory: 4GiB, ${rest}, disks: [{ by_id: /dev/disk/by-id/x-part1 }]`,
    'by_id: expected the lasting name of a whole disk',
  ],
  [`memory: 4GiB, ${rest}, disks: [{ by_id: /dev/disk/by-id/x, size: 1GiB }]`, 'size: does not go with `by_id`'],
  [
    `memory: 4GiB, ${rest}, disks: [{ by_id: /dev/disk/by-id/x, contains_data: erase }]`,
    'needs both `contains_data` and `serial`',
  ],
  [
    `memory: 4GiB, ${rest}, disks: [{ by_id: /dev/disk/by-id/x, contains_data: keep, serial: y }]`,
    'contains_data: expected',
  ],
  [`memory: 4GiB, mac: 01:00:00:00:00:01, ${rest}, ${disks}`, 'create.mac: expected the MAC of one NIC'],
])('%s', async (create, complaint) => {
  const [first = ''] = await complaints(section(create));
  expect(first).toMatch(/^config\.yaml:2:\d+ /);
  expect(first).toContain(complaint);
});

test('it needs a loader beside it, and a name; the serial number is a secret', async () => {
  const create = `create: { memory: 4GiB, ${rest}, ${disks} }`;
  const bare = `mqtt: { url: mqtt://b }\nvms: [{ domain: 186682f9-0f0b-4a9e-867b-364706339405, id: a, ${create} }]`;
  const told = await complaints(bare);
  expect(told).toEqual([
    expect.stringContaining('needs a name as `domain`'),
    expect.stringContaining('needs a `loader`'),
  ]);
  const wrong = `memory: 4GiB, ${rest}, disks: [{ by_id: /dev/disk/by-id/x, contains_data: erase, serial: [hunter2] }]`;
  const shown = await complaints(section(wrong));
  expect(shown).not.toEqual([]);
  expect(shown.join()).not.toContain('hunter2');
});
