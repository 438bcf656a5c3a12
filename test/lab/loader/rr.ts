/**
 * The RR loader's image in the place of TCRP's, from the outside, with the VM off, and what became of it at the next
 * boot. The guest's `menu.sh` stands in for RR's; docs/lab.md has its faults.
 */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Box, login, users } from '../box.ts';
import { address, domainState, guest, patience } from '../lab.ts';
import { loader } from '../loader.ts';
import { clone, edit, image, keepImage, mtools, scratch } from './image.ts';

const run = promisify(execFile);

/** GRUB's entries by their ids. */
type Entry = 'boot' | 'recovery' | 'junior' | 'config' | 'verbose';

export type RrFault =
  | 'drop'
  | 'first-partition-full'
  | 'no-extractor'
  | 'no-internet'
  | 'no-space'
  | 'no-synology'
  | 'pat-breaks'
  | 'pat-corrupt'
  | 'pat-invalid'
  | 'pat-md5'
  | 'pat-stalls'
  | 'ramdisk-not-patched'
  | 'reboot'
  | 'reconfigure-failed'
  | 'second-partition-full'
  | 'silence'
  | 'stale-success'
  | 'unknown-prompt'
  | 'zimage-not-patched';

/** Where each partition begins, in bytes: FAT, ext2 and ext4. */
const offsets = { 1: 1 << 20, 2: 17 << 20, 3: 49 << 20 } as const;
type Partition = keyof typeof offsets;

const grubenv = '/boot/grub/grubenv';
const menu = '/boot/grub/grub.cfg';
const config = '/user-config.yml';
const layers = fileURLToPath(new URL('../guest/rr/initrd/usr/lib/rr/layer.sh', import.meta.url));

export const rr = {
  image,

  /** Of a VM that is off: it boots from RR's image from now on; the end puts the one back that it has now. */
  async insert(): Promise<AsyncDisposable> {
    const kept = await keepImage();
    await clone(join(address.images, 'loader-rr.img'), image);
    return kept;
  },

  /** Of a VM that is off: the entry that GRUB starts next, once; null: none, so `boot`. */
  async arm(entry: Entry | null): Promise<void> {
    await edit(offsets[1], grubenv, async file => {
      await run('grub-editenv', [file, ...(entry === null ? ['unset', 'next_entry'] : ['set', `next_entry=${entry}`])]);
    });
  },

  /** The entry that GRUB starts next, once; null: none. */
  async armed(): Promise<string | null> {
    return await edit(offsets[1], grubenv, async file => {
      const { stdout } = await run('grub-editenv', [file, 'list']);
      return /^next_entry=(.*)$/m.exec(stdout)?.[1] ?? null;
    });
  },

  /** Of a VM that is off: seconds that GRUB's menu stays, 0 as delivered. RR has 5. */
  async menu(seconds: number): Promise<void> {
    await replace(menu, /^set timeout="\d+"/m, `set timeout="${seconds}"`);
  },

  /** Of a VM that is off: DSM has updated itself, to `7.1.1-42962` and this number; its files are on the second partition. */
  async updateDsm(version: string, number: string): Promise<void> {
    await using folder = await scratch();
    const file = join(folder.path, 'rd.gz');
    const make = `. "$0" && dsm_layer '${version}' '${number}' | cat - "$1" >"$2"`;
    await writeFile(join(folder.path, 'dsm'), await rr.read(3, '/lab/rd.gz'));
    await run('bash', ['-c', make, layers, join(folder.path, 'dsm'), file]);
    for (const command of ['rm rd.gz', `write ${file} rd.gz`]) {
      await run('debugfs', ['-w', '-R', command, `${image}?offset=${offsets[2]}`]);
    }
  },

  /** Of a VM that is off: GRUB starts `boot`, whatever `next_entry` is. */
  async ignoreNextEntry(): Promise<void> {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is GRUB's.
    await replace(menu, 'set default="${next_entry}"', 'set default="boot"');
  },

  /** Of a VM that is off: seconds that `boot` waits for somebody who logs in, 2 as delivered. RR has 10. */
  async bootWait(seconds: number): Promise<void> {
    await replace(config, /^bootwait: .*$/m, `bootwait: "${seconds}"`);
  },

  /** What `menu.sh` suffers from now on, over boots too; none: it is well. The VM is off, or RR runs. */
  async fault(...names: RrFault[]): Promise<void> {
    await put('/lab/faults', `${names.join('\n')}\n`);
  },

  /** Seconds before each of its lines. The VM is off, or RR runs. */
  async pace(seconds: number): Promise<void> {
    await put('/lab/pace', `${seconds}\n`);
  },

  /** Of RR's user from its next boot on; null: `rr`, as delivered. */
  async password(text: string | null): Promise<void> {
    await put('/lab/password', text ?? '');
  },

  /** The language of its words, as RR writes it down; null: English. The VM is off, or RR runs. */
  async locale(name: string | null): Promise<void> {
    await put('/.locale', name === null ? '' : `${name}\n`);
  },

  /** Starts the VM unless it runs, and says what has come up. */
  async booted(deadline = patience): Promise<'dsm' | 'rr'> {
    await guest.start(deadline);
    return (await guest.run('hostname')).output.trim() === 'rr' ? 'rr' : 'dsm';
  },

  login: (deadline = patience): Promise<Box> => login(deadline, users.rr),
  cmdline: loader.cmdline,

  /** A file of the image. The second and the third partition are right with the VM off only. */
  async read(partition: Partition, path: string): Promise<Buffer> {
    if (partition === 1) return await edit(offsets[1], path, file => readFile(file));
    await using folder = await scratch();
    const file = join(folder.path, 'file');
    await run('debugfs', ['-R', `dump ${path} ${file}`, `${image}?offset=${offsets[partition]}`]);
    return await readFile(file);
  },
};

async function replace(path: string, from: string | RegExp, to: string): Promise<void> {
  await edit(offsets[1], path, async file => {
    const text = await readFile(file, 'utf8');
    const changed = text.replace(from, () => to);
    if (changed === text && !text.includes(to)) throw new Error(`${path} has no ${from}`);
    await writeFile(file, changed);
  });
}

/** A file of the first partition. */
async function put(path: string, content: string): Promise<void> {
  if ((await domainState()) === 'shut off') {
    await using folder = await scratch();
    const file = join(folder.path, 'file');
    await writeFile(file, content);
    await mtools('mcopy', offsets[1], '-o', file, `::${path}`);
    return;
  }
  const { code, output } = await guest.run(`[ -d /mnt/p1 ] && printf '%s' '${content}' >/mnt/p1${path} && sync`);
  if (code !== 0) throw new Error(`RR does not run: ${output.trim()}`);
}
