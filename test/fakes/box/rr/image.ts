import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatGrubEnv } from '../../../../src/loader/image/grub/env.ts';
import { guestFolder, withPartition, writeImage } from '../image.ts';

/** RR's disk as a small file. What RR has on ext2 and ext4 is an archive here: nothing but RR and GRUB reads that. */

export const rrTitles = { dsm: 'Boot DSM', builder: 'Configure loader' } as const;

/** The lab's files of RR. */
export const labRr = fileURLToPath(new URL('../../../lab/guest/rr', import.meta.url));

export interface RrImageOptions {
  /** Changes user-config.yml. */
  settings?: (text: string) => string;
  /** The language of its words, as `de_DE.UTF-8`; default English. */
  locale?: string;
  /** The size of GRUB's environment block; default as GRUB has it. */
  envBytes?: number;
}

/** Where the files of the second and the third partition are. */
export const archive = 'files';

export async function makeRrImage(path: string, options: RrImageOptions = {}): Promise<void> {
  const { settings: change = same, locale, envBytes = 1_024 } = options;
  const { p2, p3, settings } = disk();
  const own = (name: string) => readFileSync(join(labRr, 'p1', name));
  const block = Buffer.alloc(envBytes, '#');
  formatGrubEnv([{ name: 'linux_gfx_mode', value: 'keep' }]).copy(block);
  await writeImage(path, [
    fat => {
      fat.write('boot/grub/grub.cfg', own('boot/grub/grub.cfg'));
      fat.write('boot/grub/grubenv', block);
      fat.write('user-config.yml', Buffer.from(change(settings)));
      fat.write('RR_VERSION', own('RR_VERSION'));
      if (locale !== undefined) fat.write('.locale', Buffer.from(`${locale}\n`));
    },
    fat => fat.write(archive, p2),
    fat => fat.write(archive, p3),
  ]);
}

let made: { p2: Buffer; p3: Buffer; settings: string } | null = null;

/** The same for every image. */
function disk() {
  made ??= makeDisk();
  return made;
}

function makeDisk() {
  const folder = mkdtempSync(join(tmpdir(), 'rr-'));
  try {
    execFileSync('bash', [join(guestFolder, 'rr', 'disk.sh'), labRr, folder]);
    const sum = (name: string) =>
      createHash('sha256')
        .update(readFileSync(join(folder, 'p2', name)))
        .digest('hex');
    const text = readFileSync(join(labRr, 'p1', 'user-config.yml'), 'utf8');
    const settings = text.replace('ZIMAGE', sum('zImage')).replace('RAMDISK', sum('rd.gz'));
    return { p2: packFolder(join(folder, 'p2')), p3: packFolder(join(folder, 'p3')), settings };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The files below a folder, by their paths. */
export function filesIn(folder: string): string[] {
  const all = readdirSync(folder, { withFileTypes: true, recursive: true });
  return all.filter(entry => entry.isFile()).map(({ parentPath, name }) => relative(folder, join(parentPath, name)));
}

export function packFolder(folder: string): Buffer {
  const files = filesIn(folder).map(path => [path, readFileSync(join(folder, path), 'latin1')]);
  return Buffer.from(JSON.stringify(Object.fromEntries(files)));
}

/** The files of the second or the third partition, by their paths. */
export function unpackFiles(packed: Buffer): Readonly<Record<string, string>> {
  return JSON.parse(packed.toString());
}

/** What `upgrade_file` may be: an update of RR to this version, as the box unpacks it. `damage`: follows its sum. */
export function makeUpdate(path: string, version: string, damage = ''): void {
  const script =
    'cd "$1" && echo "$2" >RR_VERSION && sha256sum RR_VERSION >sha256sum && printf %s "$4" >>RR_VERSION && tar -cf "$3" RR_VERSION sha256sum';
  const folder = mkdtempSync(join(tmpdir(), 'update-'));
  try {
    execFileSync('sh', ['-c', script, 'sh', folder, version, path, damage]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A file of the third partition; null: there is none. */
export function rrFile(image: string, name: string): string | null {
  const packed = withPartition(image, 3, fat => fat.read(archive));
  return packed ? (unpackFiles(packed)[name] ?? null) : null;
}

let listed: string | null = null;

/** What Synology's site lists, a line each: model, version, URL and MD5 sum. */
export function archives(): string {
  const script = 'here=$1; . "$1/rr/image.sh"; synology_pats';
  listed ??= execFileSync('bash', ['-c', script, 'sh', join(labRr, '..')], { encoding: 'utf8' });
  return listed;
}

function same(text: string): string {
  return text;
}
