/** Whether a copy's disks are still those of then, and which passwords it gets. */
import { expect, test } from 'vitest';
import type { Copy } from '../../src/definition/copies.ts';
import { strangeDisks, withPasswords } from '../../src/definition/restore.ts';
import type { HostDisk } from '../../src/doctor/host.ts';

const disk = (type: string, source: string, target: string) =>
  `<disk type='${type}' device='disk'><source ${source}/><target dev='${target}' bus='sata'/></disk>`;
const copyOf = (devices: string, disks: Record<string, string> = {}): Copy => ({
  ...{ number: 1, at: '', uuid: '', changed: [], nvram: null, loader: null, disks },
  xml: `<domain type='kvm'><devices>${devices}</devices></domain>`,
});
const hostDisk = (identity: string | null): HostDisk => ({ usedBy: null, byId: null, identity });

test.each<[what: string, then: string | undefined, now: HostDisk | null, strange: boolean]>([
  ['the same disk', 'A', hostDisk('A'), false],
  ['another disk', 'A', hostDisk('B'), true],
  ['one that says no more what it is', 'A', hostDisk(null), true],
  ['no disk', 'A', null, true],
  ['no disk, and nobody knows which it was', undefined, null, true],
  ['some disk, and nobody knows which it was', undefined, hostDisk('B'), false],
])('where its source leads to %s', async (_, then, now, strange) => {
  const copy = copyOf(disk('block', "dev='/dev/sdb'", 'sda'), then === undefined ? {} : { '/dev/sdb': then });
  const look = async () => new Map(now ? [['/dev/sdb', now]] : []);
  const found = await strangeDisks(copy, async () => false, look);
  expect(found).toEqual(strange ? [expect.stringContaining('/dev/sdb, the source of the disk sda, is not ')] : []);
});

test('a file has to be there; a volume and a disk of the network are not looked for', async () => {
  const copy = copyOf(
    disk('file', "file='/a.img'", 'sda') +
      disk('file', "file='/gone.img'", 'sdb') +
      disk('volume', "pool='p' volume='v'", 'sdc') +
      disk('network', "protocol='rbd' name='p/i'", 'sdd'),
  );
  const found = await strangeDisks(
    copy,
    async path => path === '/a.img',
    async () => new Map(),
  );
  expect(found).toEqual(['/gone.img, the source of the disk sdb, is not there.']);
});

const graphics = (attributes: string) => `<graphics ${attributes}><listen type='none'/></graphics>`;

test.each<[what: string, copy: string, present: string | null, is: string, open: number]>([
  [
    'is taken from the present one',
    "type='vnc' port='-1'",
    "type='vnc' port='1' passwd='p'",
    "type='vnc' passwd='p' port='-1'",
    0,
  ],
  [
    ...['comes with its end', "type='spice'", "type='spice' port='1' passwd='p' passwdValidTo='t' connected='keep'"],
    ...["type='spice' passwd='p' passwdValidTo='t' connected='keep'", 0],
  ] as [string, string, string, string, number],
  ['is none in the present one', "type='vnc'", "type='vnc' port='1'", "type='vnc'", 1],
  ['is of other graphics', "type='vnc'", "type='spice' passwd='p'", "type='vnc'", 1],
  ['is not told', "type='vnc'", null, "type='vnc'", 1],
  ['is in the copy', "type='vnc' passwd='q'", "type='vnc' passwd='p'", "type='vnc' passwd='q'", 0],
  ['is of what has none', "type='egl-headless'", null, "type='egl-headless'", 0],
  [
    'has a character that means something to replace',
    "type='vnc'",
    "type='vnc' passwd='$&amp;'",
    "type='vnc' passwd='$&amp;'",
    0,
  ],
])('a password that %s', (_, copy, present, is, open) => {
  const done = withPasswords(copyOf(graphics(copy)).xml, present === null ? null : copyOf(graphics(present)).xml);
  expect(done.xml).toBe(copyOf(graphics(is)).xml);
  expect(done.open).toHaveLength(open);
});
