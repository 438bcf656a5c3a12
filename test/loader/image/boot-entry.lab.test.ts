/**
 * A real GRUB's menu, switched: `scripts/lab vitest run --project lab test/loader/image`. The image is what libvirt keeps
 * in a pool, its menu is what QEMU then starts, its environment block is what GRUB's own tool reads.
 */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Libvirt } from '../../../src/libvirt/client.ts';
import { parseUri } from '../../../src/libvirt/uri.ts';
import { backUp } from '../../../src/loader/image/backup.ts';
import { readBoot, readBootPartition, setBootEntry } from '../../../src/loader/image/boot-entry.ts';
import { openFile } from '../../../src/loader/image/file-image.ts';
import { digest, type LoaderImage } from '../../../src/loader/image/image.ts';
import { restore } from '../../../src/loader/image/restore.ts';
import { openVolume } from '../../../src/loader/image/volume-image.ts';
import { bootFiles, recognise } from '../../../src/loader/kinds/recognise.ts';
import { address, inLab } from '../../lab/lab.ts';
import { filesOf } from '../kinds/images.ts';
import { builder, friend, sata, usb } from './grub-files.ts';
import { altered, code, megabyte, unwritten } from './images.ts';

const run = promisify(execFile);
const build = new URL('grub/build.sh', import.meta.url).pathname;
const soon = () => AbortSignal.timeout(60_000);
const entries = [usb, sata, builder, friend];

/** A menu that says which entry it starts, and turns the machine off. */
function config(first: string, second: string): string {
  const menu = entries.map(title => `menuentry '${title}' {\n\tsavedefault\n\techo "started: ${title}"\n\thalt\n}\n`);
  return `serial --unit=0 --speed=115200
terminal_input serial
terminal_output serial
set default=${first}
set timeout="0"
if [ -s $prefix/grubenv ]; then
    load_env --file $prefix/grubenv --skip-sig
    if [ -n "\${saved_entry}" ]; then
set default=${second}
    fi
fi
function savedefault {
    saved_entry="\${chosen}"
    save_env --file $prefix/grubenv saved_entry
}
${menu.join('')}`;
}

let folder: string;
let client: Libvirt;

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  folder = await mkdtemp(join(tmpdir(), 'grub-'));
  client = await Libvirt.open({ uri: parseUri(`qemu+unix:///system?socket=${address.socket}`) });
});

afterAll(async () => {
  await client?.close();
  if (folder) await rm(folder, { recursive: true });
});

interface Parts {
  env?: boolean;
  /** Files by their place among those that the image is built from. */
  files?: Readonly<Record<string, Buffer | string>>;
}

/** A loader of its own, in a folder of its own. */
async function loader(
  name: string,
  grubConfig: string,
  { env = true, files = {} }: Parts = {},
): Promise<{ path: string; scratch: string }> {
  const place = join(folder, name);
  const parts = join(place, 'parts');
  for (const [path, content] of Object.entries({ 'grub.cfg': grubConfig, ...files })) {
    await mkdir(dirname(join(parts, path)), { recursive: true });
    await writeFile(join(parts, path), content);
  }
  if (env) {
    await run('grub-editenv', [join(parts, 'grubenv'), 'create']);
    await run('grub-editenv', [join(parts, 'grubenv'), 'set', 'kept=yes=\\no', `saved_entry=${usb}`]);
  }
  const images = join(place, 'images');
  await mkdir(images);
  const path = join(images, 'loader.img');
  await run('bash', [build, path, parts]);
  const scratch = join(place, 'scratch');
  await mkdir(scratch);
  return { path, scratch };
}

const volume = (path: string) => openVolume(client, { path, transientPool: true, signal: soon() });

/** What GRUB's own tool says of the environment block in an image. */
async function editenv(path: string): Promise<string[]> {
  const copy = join(folder, 'grubenv');
  await run('mcopy', ['-n', '-o', '-i', `${path}@@1M`, '::/boot/grub/grubenv', copy]);
  expect((await stat(copy)).size).toBe(1_024);
  return (await run('grub-editenv', [copy, 'list'])).stdout.trimEnd().split('\n').sort();
}

/** Starts the image as a machine would; what its menu said. */
async function boot(path: string): Promise<string | undefined> {
  const [vars, log] = [join(folder, 'vars.fd'), join(folder, 'serial.log')];
  await copyFile('/usr/share/OVMF/OVMF_VARS_4M.fd', vars);
  const flash = 'if=pflash,format=raw';
  const args = ['-M', 'q35,accel=tcg', '-cpu', 'max', '-m', '256', '-nodefaults', '-display', 'none', '-no-reboot'];
  args.push('-serial', `file:${log}`, '-drive', `${flash},readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd`);
  args.push('-drive', `${flash},file=${vars}`, '-drive', `file=${path},format=raw,if=none,id=loader`);
  args.push('-device', 'qemu-xhci', '-device', 'usb-storage,drive=loader,bootindex=1');
  await run('qemu-system-x86_64', args, { timeout: 100_000, killSignal: 'SIGKILL' });
  return /started: (.*?)\r?\n/.exec(await readFile(log, 'latin1'))?.[1];
}

test('one that remembers: armed, it starts that; GRUB reads it, and nothing else has changed', async () => {
  const { path, scratch } = await loader('remembers', config('"0"', `"\${saved_entry}"`));
  await using image = await volume(path);
  const options = () => ({ signal: soon(), scratch });
  expect(await readBoot(image, options())).toEqual({ entries, next: usb });
  let written = 0;
  const counted = altered(image, {
    write: (offset, bytes, signal) => {
      written += bytes.length;
      return image.write(offset, bytes, signal);
    },
  });
  expect(await setBootEntry(counted, builder, options())).toEqual({ entries, next: builder });
  expect(written).toBeGreaterThan(0);
  expect(written).toBeLessThan(20_000);
  expect(await editenv(path)).toEqual(['kept=yes=\\no', `saved_entry=${builder}`]);
  expect(await boot(path)).toBe(builder);

  expect(await setBootEntry(unwritten(image), builder, options())).toEqual({ entries, next: builder });
  await setBootEntry(image, sata, options());
  expect(await boot(path)).toBe(sata);
  expect(await editenv(path)).toEqual(['kept=yes=\\no', `saved_entry=${sata}`]);
  await run('fsck.fat', ['-n', await partition(path)]);
  await expect(setBootEntry(image, 'DSM 8', options())).rejects.toEqual(code('no_entry', new RegExp(builder)));
  expect(await readdir(scratch)).toEqual([]);
});

test('one whose friend overrules it: both lines are changed, and it starts that, and the friend again', async () => {
  const { path, scratch } = await loader('friend', config('"3"', '"3"'));
  await using image = await volume(path);
  const options = () => ({ signal: soon(), scratch });
  expect(await readBoot(image, options())).toEqual({ entries, next: friend });
  expect(await setBootEntry(image, builder, options())).toEqual({ entries, next: builder });
  expect(await editenv(path)).toContain(`saved_entry=${builder}`);
  const menu = (await run('mcopy', ['-i', `${path}@@1M`, '::/boot/grub/grub.cfg', '-'])).stdout;
  expect(menu).toBe(config('"2"', '"2"').replaceAll(/default="(\d)"/g, 'default="$1"'));
  expect(await boot(path)).toBe(builder);
  await setBootEntry(image, friend, options());
  expect(await readBoot(image, options())).toMatchObject({ next: friend });
});

/** The menu of an image in the fixtures: each entry says its title and halts, and nothing is shown but on the console. */
function speaking(grub: string): string {
  const console = 'serial --unit=0 --speed=115200\nterminal_input serial\nterminal_output serial\n';
  const quiet = grub
    .replaceAll(/^(\s*)(?:terminal_\w+|insmod) .*$/gm, '$1true')
    .replaceAll(/\bbackground_image \S+(?=;)/g, 'true')
    .replaceAll(/timeout="?\d+"?$/gm, 'timeout=0');
  const halting = (_: string, head: string, title: string, body: string) => {
    const saves = body.includes('savedefault') ? 'savedefault\n' : '';
    return `${head}\n${saves}echo "started: ${title}"\nhalt\n}\n`;
  };
  return console + quiet.replaceAll(/^(\s*menuentry '([^']+)'[^\n]*\{)\n(.*?)^\s*\}\n/gms, halting);
}

/** An image in the fixtures, on a disk. `built`: DSM's files are on its third partition. */
async function real(image: string, label: string, { built = true, env }: { built?: boolean; env?: Buffer } = {}) {
  const inRoot = [...filesOf(image, 'p1')].filter(([path]) => !path.includes('/'));
  const block = env ?? filesOf(image, 'p1').get('boot/grub/grubenv') ?? '';
  const files = {
    ...Object.fromEntries(inRoot.map(([path, content]) => [`p1/${path}`, content])),
    ...(built && { 'p3/zImage-dsm': 'kernel', 'p3/initrd-dsm': 'ramdisk' }),
    ...{ grubenv: block, label },
  };
  const grub = filesOf(image, 'p1').get('boot/grub/grub.cfg')?.toString('utf8') ?? '';
  const { path, scratch } = await loader([image, built, env?.length].join('-'), speaking(grub), { env: false, files });
  const disk = await openFile(path);
  const options = () => ({ signal: soon(), scratch });
  return { path, disk, options, [Symbol.asyncDispose]: () => disk[Symbol.asyncDispose]() };
}

describe('menus of other loaders', () => {
  const kinds = [
    { image: 'rr-26.7.4', label: 'RR3', kind: 'rr', config: 'Configure loader', dsm: 'Boot DSM' },
    { image: 'arc-3.1.0', label: 'ARC3', kind: 'arc', config: 'Arc Config Mode', dsm: 'Arc DSM Mode' },
  ] as const;

  test.for(kinds)('$image: what is armed starts once, and then DSM', async ({ image, label, kind, config, dsm }) => {
    await using it = await real(image, label);
    const { boot: menu, files } = await readBootPartition(it.disk, bootFiles, it.options());
    expect(recognise({ boot: menu, files }, null)).toMatchObject({ kind, model: expect.stringMatching(/^(?:DS|SA)/) });
    expect(menu.next).toBe(dsm);
    const armed = await setBootEntry(it.disk, config, { ...it.options(), variable: 'next_entry' });
    expect(armed.next).toBe(config);
    expect(await editenv(it.path)).toContain('next_entry=config');
    expect(await boot(it.path)).toBe(config);
    expect((await editenv(it.path)).join()).not.toContain('next_entry=config');
    expect((await readBoot(it.disk, it.options())).next).toBe(dsm);
    expect(await boot(it.path)).toBe(dsm);
  });

  test('an environment block of 1042 bytes: GRUB reads it, and so do we; the next change repairs it', async () => {
    const env = filesOf('facts-rr', 'p1').get('boot/grub/grubenv');
    expect(env).toHaveLength(1_042);
    await using it = await real('rr-26.7.4', 'RR3', { ...(env && { env }) });
    expect(await boot(it.path)).toBe('Boot DSM');
    expect(await readBoot(it.disk, it.options())).toMatchObject({ next: 'Boot DSM', envBytes: 1_042 });
    const armed = await setBootEntry(it.disk, 'Configure loader', { ...it.options(), variable: 'next_entry' });
    expect(armed).toMatchObject({ next: 'Configure loader' });
    expect(armed).not.toHaveProperty('envBytes');
    expect(await editenv(it.path)).toEqual(['linux_gfx_mode=keep', 'next_entry=config']);
    expect(await boot(it.path)).toBe('Configure loader');
    expect(await boot(it.path)).toBe('Boot DSM');
  });

  test('RR and Arc without DSM: the entries have other places, and the armed one starts', async () => {
    for (const [image, label, config] of [
      ['rr-26.7.4', 'RR3', 'Configure loader'],
      ['arc-3.1.0', 'ARC3', 'Arc Config Mode'],
    ] as const) {
      await using it = await real(image, label, { built: false });
      await setBootEntry(it.disk, config, { ...it.options(), variable: 'next_entry' });
      expect(await boot(it.path)).toBe(config);
    }
  });

  test('M-shell: what is armed stays, until DSM is', async () => {
    const [dsm, config] = ['Tiny Core Friend SA6400 7.2.2-72806 Update 3 DDSML', builder];
    await using it = await real('facts-mshell', 'RP3');
    const { boot: menu, files } = await readBootPartition(it.disk, bootFiles, it.options());
    expect(recognise({ boot: menu, files }, null)).toMatchObject({
      kind: 'mshell',
      model: 'SA6400',
      dsm: '7.2.2-72806',
    });
    expect(menu.next).toBe(dsm);
    await setBootEntry(it.disk, config, it.options());
    expect(await boot(it.path)).toBe(config);
    expect(await boot(it.path)).toBe(config);
    await setBootEntry(it.disk, dsm, it.options());
    expect(await boot(it.path)).toBe(dsm);
    // It has nothing that starts an entry once.
    const once = setBootEntry(it.disk, config, { ...it.options(), variable: 'next_entry' });
    await expect(once).rejects.toEqual(code('cannot_arm'));
  });

  test('M-shell after a build, whose fixed numbers overrule what is saved', async () => {
    const [dsm, config] = [
      'Tiny Core Friend SA6400 7.2.2-72806 Update 3 EUDEV',
      'xTCRP Configure Boot Loader (Loader Build)',
    ];
    await using it = await real('mshell-1.2.3.8', 'RP3');
    expect((await readBoot(it.disk, it.options())).next).toBe(dsm);
    await setBootEntry(it.disk, config, it.options());
    expect(await boot(it.path)).toBe(config);
    await setBootEntry(it.disk, dsm, it.options());
    expect(await boot(it.path)).toBe(dsm);
  });
});

describe('on the file itself', () => {
  test('without an environment block a fixed number will do', async () => {
    const { path, scratch } = await loader('no-env', config('"0"', `"\${saved_entry}"`), { env: false });
    await using image = await openFile(path);
    const options = () => ({ signal: soon(), scratch });
    expect(await readBoot(image, options())).toEqual({ entries, next: usb });
    expect(await setBootEntry(image, builder, options())).toMatchObject({ next: builder });
  });

  test('damaged, or without a menu: refused, and not a byte is written', async () => {
    const { path, scratch } = await loader('damaged', config('"0"', '"1"'));
    await using real = await openFile(path);
    const image = unwritten(real);
    const options = () => ({ signal: soon(), scratch });
    const damaged = join(scratch, 'damaged');
    await writeFile(damaged, 'saved_entry=x\n');
    await run('mcopy', ['-o', '-i', `${path}@@1M`, damaged, '::/boot/grub/grubenv']);
    await expect(setBootEntry(image, builder, options())).rejects.toEqual(code('bad_grubenv'));
    await expect(readBoot(image, options())).rejects.toEqual(code('bad_grubenv'));
    await run('mdel', ['-i', `${path}@@1M`, '::/boot/grub/grub.cfg']);
    await expect(readBoot(image, options())).rejects.toEqual(code('no_grub'));
  });

  test('what is written and is not there afterwards', async () => {
    const { path, scratch } = await loader('lying', config('"0"', `"\${saved_entry}"`));
    await using real = await openFile(path);
    const image = altered(real, { write: async () => {} });
    await expect(setBootEntry(image, builder, { signal: soon(), scratch })).rejects.toEqual(code('mismatch'));
  });

  test('interrupted after any of its writes, the menu is the old one or the new, and can be armed again', async () => {
    const { path, scratch } = await loader('interrupted', config('"0"', `"\${saved_entry}"`));
    await using real = await openFile(path);
    for (let after = 0; ; after++) {
      let left = after;
      const dying = altered(real, {
        write: async (offset, bytes, signal) => {
          if (left-- <= 0) throw new Error('dead');
          await real.write(offset, bytes, signal);
        },
      });
      const target = after % 2 === 0 ? builder : sata;
      const options = () => ({ signal: soon(), scratch });
      const outcome = await setBootEntry(dying, target, options()).catch(error => error);
      expect(entries).toContain((await readBoot(real, options())).next);
      await setBootEntry(real, target, options());
      expect((await readBoot(real, options())).next).toBe(target);
      if (!(outcome instanceof Error)) break;
    }
  });
});

describe('backed up and restored', () => {
  const owner = { name: 'DSM', domain: 'DSM', uuid: 'u', source: null, keep: 2 };
  let path: string;
  let image: LoaderImage;

  beforeAll(async () => {
    ({ path } = await loader('backup', config('"0"', `"\${saved_entry}"`)));
    image = await volume(path);
  });
  afterAll(() => image?.[Symbol.asyncDispose]());

  test('by libvirt, a gigabyte with its holes', async () => {
    const backups = join(folder, 'backups');
    const backup = await backUp(image, { folder: backups, ...owner }, soon());
    expect(backup).toMatchObject({ size: 1024 ** 3, image: path });
    expect((await stat(backup.file)).blocks * 512).toBeLessThan(20 * megabyte);
    await setBootEntry(image, builder, { signal: soon(), scratch: folder });
    const { written } = await restore(image, backup.file, soon());
    expect(written).toBeGreaterThan(0);
    expect(written).toBeLessThan(megabyte);
    expect((await digest(image, soon())).sha256).toBe(backup.sha256);
  });

  test('a folder that fills up meanwhile: no space, and nothing is left', async () => {
    const small = join(folder, 'small');
    await mkdir(small);
    await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'small', small]);
    try {
      const optimistic = altered(image, { allocated: async () => megabyte });
      for (const each of [optimistic, image]) {
        await expect(backUp(each, { folder: small, ...owner }, soon())).rejects.toEqual(code('no_space'));
        expect(await readdir(small)).toEqual([]);
      }
    } finally {
      await run('umount', [small]);
    }
  });

  test('room for all of the boot partition but its end: no space, and not a copy without it', async () => {
    const small = join(folder, 'scratch');
    await mkdir(small);
    await run('mount', ['-t', 'tmpfs', '-o', `size=${48 * 1024 - 64}k`, 'small', small]);
    try {
      await expect(readBoot(image, { scratch: small, signal: soon() })).rejects.toEqual(code('no_space'));
      expect(await readdir(small)).toEqual([]);
    } finally {
      await run('umount', [small]);
    }
  });
});

async function partition(path: string): Promise<string> {
  const part = join(folder, 'part');
  await run('dd', [`if=${path}`, `of=${part}`, 'bs=1M', 'skip=1', 'count=48', 'status=none']);
  return part;
}
