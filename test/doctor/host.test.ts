/** What a machine says of a VM's disks, bridges and end, in a folder with its files. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lookAtHost } from '../../src/doctor/host.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'doctor-host-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function put(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(`${root}${path}`), { recursive: true });
    writeFileSync(`${root}${path}`, text);
  }
}

const uuid = '186682f9-0f0b-4a9e-867b-364706339405';
const look = (more: Partial<Parameters<typeof lookAtHost>[0]> = {}) =>
  lookAtHost({ uuid, disks: ['/dev/sdb'], pci: [], bridges: [], ...more }, root);
const block = '/sys/class/block/sdb';
const disk = {
  '/dev/sdb': '',
  [`${block}/dev`]: '8:16\n',
  [`${block}/sdb1/partition`]: '1\n',
  [`${block}/sdb1/dev`]: '8:17\n',
};
const mount = (device: string, source: string) =>
  `36 35 ${device} / /srv/data rw,noatime shared:1 - ext4 ${source} rw\n`;

describe('a disk', () => {
  test.each<[string, Record<string, string>, string | null]>([
    ['that nothing uses', { '/proc/1/mountinfo': mount('8:33', '/dev/sdc1') }, null],
    ['with a mounted partition', { '/proc/1/mountinfo': mount('8:17', '/dev/sdb1') }, 'is mounted at /srv/data'],
    ['that is mounted whole', { '/proc/1/mountinfo': mount('8:16', '/dev/root') }, 'is mounted at /srv/data'],
    [
      'with btrfs, whose number is its own',
      { '/proc/1/mountinfo': mount('0:45', '/dev/sdb') },
      'is mounted at /srv/data',
    ],
    [
      'seen by a process without the first one',
      { '/proc/self/mountinfo': mount('8:17', '/dev/sdb1') },
      'is mounted at /srv/data',
    ],
    ['that is swap', { '/proc/swaps': 'Filename Type\n/dev/sdb1 partition 1 0 -2\n' }, 'is swap'],
    ['of an md array', { [`${block}/sdb1/holders/md0/dev`]: '9:0' }, 'is a part of /dev/md0'],
    ['of a volume group', { [`${block}/holders/dm-0/dm/name`]: 'vg-root\n' }, 'is a part of /dev/mapper/vg-root'],
    ['beside one whose name begins alike', { '/proc/1/mountinfo': mount('0:45', '/dev/sdba') }, null],
    ['beside a file system without a device', { '/proc/1/mountinfo': '22 1 0:21 / /sys rw - sysfs sysfs rw\n' }, null],
  ])('%s', async (_, files, usedBy) => {
    put({ ...disk, ...files });
    expect((await look()).disks.get('/dev/sdb')).toEqual({ usedBy, byId: null, identity: null });
  });

  test('under its lasting name; and that name, if it has another', async () => {
    put(disk);
    mkdirSync(`${root}/dev/disk/by-id`, { recursive: true });
    for (const name of ['wwn-0x5000', 'ata-DISK_1']) symlinkSync('../../sdb', `${root}/dev/disk/by-id/${name}`);
    symlinkSync('../../sdc', `${root}/dev/disk/by-id/ata-AAA`);
    const { disks } = await look({ disks: ['/dev/disk/by-id/wwn-0x5000', '/dev/sdb'] });
    expect([...disks]).toEqual([
      ['/dev/disk/by-id/wwn-0x5000', { usedBy: null, byId: '/dev/disk/by-id/ata-DISK_1', identity: null }],
      ['/dev/sdb', { usedBy: null, byId: '/dev/disk/by-id/ata-DISK_1', identity: null }],
    ]);
  });

  test('is known by what it says it is, its partitions apart', async () => {
    put({
      ...disk,
      [`${block}/device/wwid`]: 't10.ATA     DISK 1\n',
      '/dev/sdc': '',
      '/sys/class/block/sdc/device/wwid': 'naa.5\n',
    });
    const identities = async () => {
      const { disks } = await look({ disks: ['/dev/sdb', '/dev/sdc'] });
      return [...disks.values()].map(({ identity }) => identity);
    };
    const [one, other] = await identities();
    expect(one).toMatch(/^[0-9a-f]{32}$/);
    expect(other).not.toBe(one);
    expect(one).not.toContain('DISK');
    put({ [`${block}/device/wwid`]: 'naa.5\n' });
    expect(await identities()).toEqual([other, other]);
  });

  test('that is not there is not seen', async () => {
    expect((await look()).disks.size).toBe(0);
  });
});

test('classes of PCI devices', async () => {
  put({ '/sys/bus/pci/devices/0000:04:00.0/class': '0x010700\n' });
  const { classes } = await look({ pci: ['0000:04:00.0', '0000:05:00.0'] });
  expect([...classes]).toEqual([['0000:04:00.0', '0x010700']]);
});

test.each([
  ['STP and the usual delay', '1', '1500', 30],
  ['a delay without STP, which the kernel ignores', '0', '1500', 0],
  ["libvirt's own bridge", '1', '200', 4],
])('a bridge with %s', async (_, stp, delay, seconds) => {
  put({ '/sys/class/net/br0/bridge/stp_state': `${stp}\n`, '/sys/class/net/br0/bridge/forward_delay': `${delay}\n` });
  expect([...(await look({ bridges: ['br0', 'default', '../x'] })).bridgeDelays]).toEqual([['br0', seconds]]);
});

describe('what stops VMs', () => {
  test.each([
    ['libvirt-guests', '# SHUTDOWN_TIMEOUT=9\nON_SHUTDOWN=shutdown\nSHUTDOWN_TIMEOUT="30"\n', [30]],
    ['with its default', 'ON_SHUTDOWN=shutdown\n', [300]],
    ['with no limit', 'ON_SHUTDOWN=shutdown\nSHUTDOWN_TIMEOUT=0\n', []],
    ['that suspends', 'ON_SHUTDOWN=suspend\nSHUTDOWN_TIMEOUT=30\n', []],
    ['that says nothing', '#ON_SHUTDOWN=shutdown\n', []],
  ])('%s', async (_, text, seconds) => {
    put({ '/etc/default/libvirt-guests': text });
    expect((await look()).stoppers.map(each => each.seconds)).toEqual(seconds);
  });

  const id = 'c'.repeat(64);
  const qemu = (cgroup: string) => ({
    '/proc/41/cmdline': 'bash\0',
    '/proc/42/cmdline': ['/usr/bin/qemu-system-x86_64', '-uuid', uuid, ''].join('\0'),
    '/proc/42/cgroup': `0::${cgroup}\n`,
  });
  test.each([
    ['its limit', `/system.slice/docker-${id}.scope`, '{"Config":{"StopTimeout":120}}', [120]],
    ['its default', `/docker/${id}/machine/qemu-1-DSM`, '{"Config":{}}', [10]],
    ['a damaged file', `/docker/${id}`, '{"Config"', []],
    ['none', '/machine.slice/machine-qemu.scope', '{"Config":{}}', []],
  ])('Docker, with %s', async (_, cgroup, config, seconds) => {
    put({ ...qemu(cgroup), [`/var/lib/docker/containers/${id}/config.v2.json`]: config });
    expect((await look()).stoppers.map(each => each.seconds)).toEqual(seconds);
  });
});

test.each([
  ['vnc_password = "XYZ12345"', true],
  ['#vnc_password = "XYZ12345"', false],
  ['spice_sasl = 1', true],
  ['spice_sasl = 0\nvnc_listen = "0.0.0.0"', false],
])('qemu.conf: %s', async (text, guarded) => {
  put({ '/etc/libvirt/qemu.conf': `# comment\n${text}\n` });
  expect((await look()).graphicsGuarded).toBe(guarded);
});

test('on a machine where nothing can be read, nothing is claimed', async () => {
  expect(await look({ pci: ['0000:04:00.0'], bridges: ['br0'] })).toEqual({
    ...{ cpuinfo: '', disks: new Map(), classes: new Map(), bridgeDelays: new Map(), stoppers: [] },
    graphicsGuarded: null,
  });
});
