/** Which disks of the host may be taken, by the bytes and files of a machine in a folder. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lookAtDisk, refusalOf, type SeenDisk, type WantedDisk } from '../../src/definition/disks.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'disks-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const byId = '/dev/disk/by-id/ata-MAKER_S3RIAL';
const megabytes = 4;

function put(path: string, text: string | Buffer): void {
  mkdirSync(dirname(`${root}${path}`), { recursive: true });
  writeFileSync(`${root}${path}`, text);
}

/** A disk of 4 MiB with these bytes at their places. */
function disk(...parts: [at: number, bytes: string][]): void {
  const bytes = Buffer.alloc(megabytes * 2 ** 20);
  for (const [at, text] of parts) bytes.write(text, at < 0 ? bytes.length + at : at, 'latin1');
  put('/dev/sdb', bytes);
  put('/sys/class/block/sdb/size', `${bytes.length / 512}\n`);
  put('/sys/class/block/sdb/dev', '8:16\n');
  mkdirSync(`${root}/dev/disk/by-id`, { recursive: true });
  symlinkSync('../../sdb', `${root}${byId}`);
}

const look = () => lookAtDisk(byId, null, root);

describe('what is on it', () => {
  test.each<[string, [number, string][], string]>([
    ['nothing', [], ''],
    [
      'GPT',
      [
        [510, '\x55\xaa'],
        [512, 'EFI PART'],
      ],
      'a GPT partition table',
    ],
    ['GPT of 4 KiB sectors', [[4_096, 'EFI PART']], 'a GPT partition table'],
    ['MBR', [[510, '\x55\xaa']], 'a partition table or a boot sector'],
    ['md 1.2', [[4_096, '\xfc\x4e\x2b\xa9']], 'an md array'],
    ['md 0.90, at the end', [[-65_536, '\xfc\x4e\x2b\xa9']], 'something at its beginning or its end'],
    ['LVM', [[512, 'LABELONE']], 'an LVM volume'],
    ['LUKS', [[0, 'LUKS\xba\xbe']], 'a LUKS container'],
    ['ext4', [[1_080, '\x53\xef']], 'an ext file system'],
    ['XFS', [[0, 'XFSB']], 'an XFS file system'],
    ['btrfs', [[65_600, '_BHRfS_M']], 'a btrfs file system'],
    ['ZFS', [[131_072, '\x0c\xb1\xba\x00']], 'something at its beginning or its end'],
    ['the last byte', [[-1, 'x']], 'something at its beginning or its end'],
  ])('%s', (_, parts, content) => {
    disk(...parts);
    expect(look()).toMatchObject({ device: '/dev/sdb', content });
  });

  test('it cannot be read', () => {
    disk();
    rmSync(`${root}/dev/sdb`);
    mkdirSync(`${root}/dev/sdb`);
    expect(look()).toMatchObject({ content: null });
  });

  test('an empty one, as a drive without a medium', () => {
    disk();
    truncateSync(`${root}/dev/sdb`);
    expect(look()).toMatchObject({ content: null });
  });
});

test.each<[string, string, string]>([
  ['udev', '/run/udev/data/b8:16', 'S:x\nE:ID_SERIAL=MAKER_S3RIAL\nE:ID_SERIAL_SHORT=S3RIAL\n'],
  ['NVMe', '/sys/class/block/sdb/device/serial', ' S3RIAL  \n'],
  ['virtio', '/sys/class/block/sdb/serial', 'S3RIAL'],
  ['SCSI', '/sys/class/block/sdb/device/vpd_pg80', '\0\x80\0\x06S3RIAL\0'],
])('its serial number by %s', (_, path, text) => {
  disk();
  put(path, Buffer.from(text, 'latin1'));
  expect(look()).toMatchObject({ serial: 'S3RIAL' });
});

test('no such disk, or none can be seen at all', () => {
  expect(look()).toBe(null);
  mkdirSync(`${root}/dev/disk/by-id`, { recursive: true });
  expect(look()).toBe('missing');
});

describe('whether it may be taken', () => {
  const seen: SeenDisk = { device: '/dev/sdb', usedBy: null, serial: 'S3RIAL', content: '' };
  const meant = { containsData: 'erase', serial: 'S3RIAL' } as const;
  test.each<[string, Partial<WantedDisk>, Partial<SeenDisk> | 'missing' | null, RegExp | null]>([
    ['an empty one', {}, {}, null],
    ['an empty one that is meant', meant, {}, null],
    ['a mounted one', {}, { usedBy: 'is mounted at /srv' }, /is mounted at \/srv: .* never taken/],
    ['a mounted one that is meant', meant, { usedBy: 'is mounted at /srv' }, /never taken/],
    ['one with data', {}, { content: 'an md array' }, /has an md array.*contains_data/],
    ['one with data that is meant', meant, { content: 'an md array' }, null],
    ['the disks of another DSM', { ...meant, containsData: 'dsm_migration' }, { content: 'an md array' }, null],
    ['another one than is meant', { ...meant, serial: 'OTHER' }, { content: 'an md array' }, /not the configured/],
    ['another one, and empty', { ...meant, serial: 'OTHER' }, {}, /not the configured/],
    ['an unreadable one', {}, { content: null }, /cannot be read from here/],
    ['an unreadable one that is meant', meant, { content: null }, null],
    ['one that does not tell its number', meant, { serial: null }, null],
    ['one that does not tell it, and has no such name', { ...meant, serial: 'RIAL' }, { serial: null }, /not the conf/],
    ['from afar', {}, null, /cannot be read from here/],
    ['from afar, and meant', meant, null, null],
    ['from afar, with another number', { ...meant, serial: 'OTHER' }, null, /not the configured/],
    ['a missing one', meant, 'missing', /There is no disk/],
  ])('%s', (_, wanted, sees, refusal) => {
    const it = sees && sees !== 'missing' ? { ...seen, ...sees } : sees;
    const said = refusalOf({ byId, containsData: null, serial: null, ...wanted }, it);
    if (refusal === null) expect(said).toBe(null);
    else expect(said).toMatch(refusal);
    // No serial number appears in words of ours; the name of the disk is the user's own.
    expect(said?.replaceAll(byId, '') ?? '').not.toMatch(/S3RIAL|OTHER/);
  });
});
