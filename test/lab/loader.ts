/**
 * The loader's disk from the outside, with the VM off, and what became of it at the next boot. The guest's `rploader.sh`
 * stands in for TCRP's; docs/lab.md has its faults.
 */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { domainState, guest, patience } from './lab.ts';
import { edit, image, keepImage, mtools, scratch } from './loader/image.ts';

const run = promisify(execFile);

/** Titles of GRUB's entries, in the image as it is delivered. */
export const entries = {
  dsm: 'RedPill DS918+ v7.1.1-42962 (USB, Verbose)',
  sata: 'RedPill DS918+ v7.1.1-42962 (SATA, Verbose)',
  builder: 'Tiny Core Image Build',
} as const;
type Entry = keyof typeof entries;

export type LoaderFault =
  | 'backup-failure'
  | 'custom-module'
  | 'drop'
  | 'emulated'
  | 'empty-config'
  | 'ext-unreachable'
  | 'extractor-page'
  | 'first-partition-full'
  | 'half-extension'
  | 'late-failure'
  | 'mount-failure'
  | 'no-config'
  | 'no-friend'
  | 'no-internet'
  | 'no-recipe'
  | 'no-space'
  | 'no-usb'
  | 'reboot'
  | 'second-controller'
  | 'self-update'
  | 'silence'
  | 'unknown-prompt'
  | 'upgrade-page';

/** Where each partition begins, in bytes. */
const offsets = { 1: 1 << 20, 2: 49 << 20, 3: 65 << 20 } as const;
type Partition = keyof typeof offsets;

const grubenv = '/boot/grub/grubenv';
const config = '/boot/grub/grub.cfg';

export const loader = {
  image,

  keep: keepImage,

  /** Of a VM that is off: the entry that GRUB starts next; null: its first, as if it had never started any. */
  async arm(entry: Entry | null): Promise<void> {
    const change = entry === null ? ['unset', 'saved_entry'] : ['set', `saved_entry=${entries[entry]}`];
    await edit(offsets[1], grubenv, async file => {
      await run('grub-editenv', [file, ...change]);
    });
  },

  /** The title that GRUB has written down, or was given; null: none yet. */
  async armed(): Promise<string | null> {
    return await edit(offsets[1], grubenv, async file => {
      const { stdout } = await run('grub-editenv', [file, 'list']);
      return /^saved_entry=(.*)$/m.exec(stdout)?.[1] ?? null;
    });
  },

  /** Of a VM that is off: seconds that GRUB's menu stays, 0 as delivered; a build keeps them. TCRP has 5. */
  async menu(seconds: number): Promise<void> {
    await edit(offsets[1], config, async file => {
      const text = await readFile(file, 'utf8');
      await writeFile(file, text.replace(/^set timeout=.*$/m, `set timeout="${seconds}"`));
    });
  },

  /** Of a VM that is off: more words on the command line of DSM's kernel. */
  async kernel(words: string): Promise<void> {
    await edit(offsets[1], config, async file => {
      const text = await readFile(file, 'utf8');
      await writeFile(file, text.replaceAll(/^(\s*linux .*)$/gm, `$1 ${words}`));
    });
  },

  /** What `rploader.sh` suffers from now on, over boots too; none: it is well. The VM is off, or the builder runs. */
  async fault(...names: LoaderFault[]): Promise<void> {
    await lab('faults', names.join('\n'));
  },

  /** Which release `rploader.sh` is from now on; default 0.9.2.9. The VM is off, or the builder runs. */
  async release(name: string): Promise<void> {
    await lab('release', name);
  },

  /** Seconds before each of its lines. The VM is off, or the builder runs. */
  async pace(seconds: number): Promise<void> {
    await lab('pace', String(seconds));
  },

  /** Starts the VM unless it runs, and says what has come up. */
  async booted(deadline = patience): Promise<'dsm' | 'builder'> {
    await guest.start(deadline);
    return (await hostname()) === 'box' ? 'builder' : 'dsm';
  },

  /** Of the kernel that runs: `loader_build`, `sn`, `SataPortMap`, … */
  async cmdline(): Promise<Record<string, string>> {
    const { output } = await guest.run('cat /proc/cmdline');
    return Object.fromEntries([...output.matchAll(/(\S+)=(\S*)/g)].map(([, name, value]) => [name, value]));
  },

  /** A file of the image. */
  async read(partition: Partition, path: string): Promise<Buffer> {
    return await edit(offsets[partition], path, file => readFile(file));
  },
};

async function hostname(): Promise<string> {
  return (await guest.run('hostname')).output.trim();
}

async function lab(name: string, content: string): Promise<void> {
  if ((await domainState()) === 'shut off') {
    await using folder = await scratch();
    const file = join(folder.path, name);
    await writeFile(file, `${content}\n`);
    await mtools('mcopy', offsets[3], '-o', file, `::/lab/${name}`);
    return;
  }
  if ((await hostname()) !== 'box') throw new Error('DSM runs, which does not touch the loader’s disk');
  const { code, output } = await guest.run(`echo '${content}' >/mnt/sdc3/lab/${name} && sync`);
  if (code !== 0) throw new Error(output.trim());
}
