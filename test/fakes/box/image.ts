import { execFile, execFileSync } from 'node:child_process';
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { copyFile, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { formatGrubEnv } from '../../../src/loader/image/grub/env.ts';
import { parseMbr, sectorBytes } from '../../../src/loader/image/mbr.ts';
import { mbr } from '../../loader/image/disk.ts';
import { Fat } from './fat.ts';
import { format } from './format.ts';
import { defaultConfig, dsmLine } from './tcrp/user-config.ts';

/** A loader's disk as a small file: made, and looked into while its machine is off or does the looking itself. */

export const titles = {
  usb: 'RedPill DS918+ v7.1.1-42962 (USB, Verbose)',
  sata: 'RedPill DS918+ v7.1.1-42962 (SATA, Verbose)',
  builder: 'Tiny Core Image Build',
} as const;

/** The builder's scripts, and those of the lab's that it shares. */
export const guestFolder = fileURLToPath(new URL('guest', import.meta.url));
export const labScripts = fileURLToPath(new URL('../../lab/guest/builder/usr/lib/rploader', import.meta.url));

export interface ImageOptions {
  /** What `saved_entry` is; null: not set. Default: DSM on USB. */
  saved?: string | null;
  /** Of `extra_cmdline` in the saved user_config.json: `{ sn: '', mac1: '' }` is a loader without an identity. */
  cmdline?: Readonly<Record<string, string>>;
  /** All of that file, as it is to be. */
  config?: string;
  /** False: without what the builder's home is made from. */
  home?: boolean;
}

/** The ids that its release has. */
const lists = {
  'custom_config.json': ['ds918p-7.1.0-42661', 'ds918p-7.1.1-42962', 'ds3622xsp-7.1.1-42962'],
  'custom_config_jun.json': [],
};

/** Sectors; more than 4200, for FAT16. */
const size = 8_192;
const start = 2_048;

/** TCRP's: menu and kernel, DSM's own files, the builder's saved home. */
export async function makeLoaderImage(path: string, options: ImageOptions = {}): Promise<void> {
  const { saved = titles.usb, cmdline, config = defaultConfig(cmdline), home = true } = options;
  const kept = home ? await savedHome(config) : null;
  await writeImage(path, [
    fat => {
      fat.write('boot/grub/grub.cfg', grubConfig(config));
      fat.write('boot/grub/grubenv', formatGrubEnv(saved === null ? [] : [{ name: 'saved_entry', value: saved }]));
      fat.write('custom.gz', Buffer.from('layer 0'));
    },
    fat => fat.write('rd.gz', Buffer.from('DSM 7.1.1-42962 ramdisk')),
    fat => kept && fat.write('mydata.tgz', kept),
  ]);
}

/** Three partitions of 4 MiB, each filled as told. */
export async function writeImage(path: string, fill: readonly ((fat: Fat) => void)[]): Promise<void> {
  const starts = fill.map((_, nth) => start + nth * size);
  const parts = starts.map(at => format(size, at));
  for (const [nth, bytes] of parts.entries()) fill[nth]?.(new Fat(bytes));
  await using file = await open(path, 'w');
  await file.truncate((start + 3 * size) * sectorBytes);
  await file.write(mbr(starts.map(at => [at, size])), 0, sectorBytes, 0);
  for (const [nth, bytes] of parts.entries()) {
    writeChanges(file.fd, Buffer.alloc(bytes.length), bytes, (starts[nth] ?? 0) * sectorBytes);
  }
}

/** Hands over the files of a partition; what is written to them is in the image afterwards. Throws as reading does. */
export function withPartition<T>(path: string, number: number, use: (fat: Fat) => T): T {
  return withFile(path, file => {
    const place = parseMbr(readAt(file, 0, sectorBytes), fstatSync(file).size).find(each => each.number === number);
    if (!place) throw new Error(`${path} has no partition ${number}`);
    return withFat(file, place.offset, use);
  });
}

/** Of the file system that begins at this byte. */
export function withFatAt<T>(path: string, offset: number, use: (fat: Fat) => T): T {
  return withFile(path, file => withFat(file, offset, use));
}

function withFile<T>(path: string, use: (file: number) => T): T {
  const file = openSync(path, 'r+');
  try {
    return use(file);
  } finally {
    closeSync(file);
  }
}

function withFat<T>(file: number, offset: number, use: (fat: Fat) => T): T {
  const bytes = readAt(file, offset, Fat.bytes(readAt(file, offset, sectorBytes)));
  const fat = new Fat(bytes);
  const result = use(fat);
  if (fat.changed) writeChanges(file, readAt(file, offset, bytes.length), bytes, offset);
  return result;
}

/** Up to the end of the file. */
function readAt(file: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(file, bytes, 0, length, offset));
}

/** Holes stay holes. */
function writeChanges(file: number, before: Buffer, after: Buffer, offset: number): void {
  for (let at = 0; at < after.length; at += sectorBytes) {
    if (before.compare(after, at, at + sectorBytes, at, at + sectorBytes) === 0) continue;
    writeSync(file, after, at, sectorBytes, offset + at);
  }
}

function grubConfig(config: string): Buffer {
  const lines = (['USB', 'SATA'] as const).map(kind => dsmLine(config, 'DS918+', '0', kind));
  const script = '. "$1" && shift && grub_cfg "$@"';
  return execFileSync('/bin/sh', [
    '-c',
    script,
    'sh',
    join(labScripts, 'grub.sh'),
    'DS918+',
    'v7.1.1-42962',
    ...lines,
    '5',
  ]);
}

/** The archive of a home with this `user_config.json`. */
export async function savedHome(config: string): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'home-'));
  try {
    await writeFile(join(folder, 'user_config.json'), config);
    // For who looks whether they are there.
    for (const name of ['custom_config', 'custom_config_jun', 'global_config', 'rpext-index']) {
      await writeFile(join(folder, `${name}.json`), '{"build_configs":[]}\n');
    }
    await copyFile(join(guestFolder, 'tcrp', 'rploader.sh'), join(folder, 'rploader.sh'));
    for (const [name, ids] of Object.entries(lists)) {
      await writeFile(join(folder, name), JSON.stringify({ build_configs: ids.map(id => ({ id })) }));
    }
    return await pack(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A folder as the builder saves its home, which is `home/tc` there. */
export async function pack(folder: string): Promise<Buffer> {
  const args = ['-czf', '-', '-C', folder, '--transform', 's,^\\.,home/tc,', '.'];
  const { stdout } = await promisify(execFile)('tar', args, { encoding: 'buffer' });
  return stdout;
}

/** The other way, into a folder. */
export function unpack(saved: Buffer, folder: string): void {
  execFileSync('tar', ['-xzf', '-', '-C', folder, '--strip-components=2'], { input: saved });
}
