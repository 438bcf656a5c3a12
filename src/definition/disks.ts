import { closeSync, constants, openSync, readdirSync, readFileSync, readSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';
import type { HostDisk } from '../doctor/host.ts';
import { orNull } from '../util/or-null.ts';

/** Which disks of the host a new domain may take. DSM's installer formats what it gets. */

export interface WantedDisk {
  byId: string;
  containsData: 'dsm_migration' | 'erase' | null;
  serial: string | null;
}

/** What this machine, on which libvirt runs, sees of a disk. */
export interface SeenDisk extends Pick<HostDisk, 'usedBy'> {
  /** Where the name leads: `/dev/sdb`. */
  device: string;
  serial: string | null;
  /** What is on it, a phrase; empty: only zeros at its beginning and its end; null: it cannot be read. */
  content: string | null;
}

/** Why it cannot be had, a sentence; null: it can. `seen` null: not from here; `'missing'`: there is none. */
export function refusalOf(
  { byId, containsData, serial }: WantedDisk,
  seen: SeenDisk | 'missing' | null,
): string | null {
  if (seen === 'missing') return `There is no disk ${byId}: \`ls -l /dev/disk/by-id\` shows those that are there.`;
  if (seen?.usedBy) return `${byId} ${seen.usedBy}: a disk that the host uses is never taken.`;
  const content = seen?.content ?? null;
  if (containsData === null) {
    if (content === '') return null;
    const on = content === null ? 'cannot be read from here, and may have data' : `has ${content}`;
    return `${byId} ${on}; DSM's installer formats it. If it is meant, add \`contains_data: erase\` (or dsm_migration) and its \`serial\`.`;
  }
  // The names that makers give end with it.
  const proven = seen?.serial ? seen.serial === serial : serial !== null && byId.endsWith(`_${serial}`);
  return proven ? null : `The serial number of ${byId} is not the configured \`serial\`: is it the disk that is meant?`;
}

/** `root`: for tests, a folder with another machine's `dev`, `run` and `sys`. */
export function lookAtDisk(byId: string, usedBy: string | null, root = ''): SeenDisk | 'missing' | null {
  const device = orNull(() => realpathSync(`${root}${byId}`).slice(root.length));
  // A container may hide all of them.
  if (device === null) return orNull(() => readdirSync(`${root}/dev/disk/by-id`)) === null ? null : 'missing';
  return { device, usedBy, serial: serialOf(basename(device), root), content: contentOf(device, root) };
}

/** By udev, else of NVMe, virtio and SCSI by the kernel. */
function serialOf(name: string, root: string): string | null {
  const folder = `${root}/sys/class/block/${name}`;
  const read = (path: string) => orNull(() => readFileSync(path, 'latin1'));
  const udev = read(`${root}/run/udev/data/b${read(`${folder}/dev`)?.trim()}`);
  const [, short] = /^E:ID_SERIAL_SHORT=(.+)$/m.exec(udev ?? '') ?? [];
  // Page 0x80 has four bytes before it.
  const page = read(`${folder}/device/vpd_pg80`)?.slice(4);
  const own = [short, read(`${folder}/device/serial`), read(`${folder}/serial`), page];
  return own.map(text => text?.replaceAll('\0', '').trim()).find(text => text) ?? null;
}

/** Every signature that `wipefs` knows is within these bytes of the beginning, or of the end. */
const margin = 2 ** 20;
const signatures: readonly (readonly [what: string, at: number, magic: string])[] = [
  ['a GPT partition table', 512, 'EFI PART'],
  ['a GPT partition table', 4_096, 'EFI PART'],
  ['an md array', 4_096, '\xfc\x4e\x2b\xa9'],
  ['an md array', 0, '\xfc\x4e\x2b\xa9'],
  ['an LVM volume', 512, 'LABELONE'],
  ['a LUKS container', 0, 'LUKS\xba\xbe'],
  ['an ext file system', 1_080, '\x53\xef'],
  ['an XFS file system', 0, 'XFSB'],
  ['a btrfs file system', 65_600, '_BHRfS_M'],
  ['a partition table or a boot sector', 510, '\x55\xaa'],
];

function contentOf(device: string, root: string): string | null {
  const sectors = Number(orNull(() => readFileSync(`${root}/sys/class/block/${basename(device)}/size`, 'utf8')));
  return orNull(() => {
    const file = openSync(`${root}${device}`, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const part = (at: number) => {
        const bytes = Buffer.alloc(margin);
        return bytes.subarray(0, readSync(file, bytes, 0, margin, Math.max(0, at)));
      };
      const [head, tail] = [part(0), part(sectors * 512 - margin)];
      if (head.length === 0) return null;
      const known = signatures.find(([, at, magic]) => head.toString('latin1', at, at + magic.length) === magic);
      const blank = [head, tail].every(bytes => bytes.every(byte => byte === 0));
      return known?.[0] ?? (blank ? '' : 'something at its beginning or its end');
    } finally {
      closeSync(file);
    }
  });
}
