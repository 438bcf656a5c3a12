import { mkdirSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import type { Answer, Call } from '../calls.ts';
import type { BoxFault } from '../faults.ts';
import { guestFolder, labScripts, pack, unpack, withPartition } from '../image.ts';
import { done, goDown, type Inside, runAny, type System } from '../system.ts';
import { jq } from './jq.ts';
import { dsmLine, freshConfig, parse, withSetting } from './user-config.ts';

/** TinyCore, whose home is made from what the image has saved. */
export class TcrpSystem implements System {
  readonly login = { user: 'tc', password: 'P@ssw0rd' };
  readonly home: string;
  readonly env: Readonly<Record<string, string>>;
  readonly scripts = [join(guestFolder, 'tcrp', 'sudo')];
  readonly programs = [
    ...['exitcheck.sh', 'filetool.sh', 'hostname', 'jq', 'killall', 'mount', 'poweroff', 'readlink', 'reboot', 'sync'],
    ...['umount', 'user-config'],
  ];
  readonly #inside: Inside;
  readonly #release: string;
  /** Partition by folder. */
  readonly #mounts = new Map<string, number>();

  /** `release`: of rploader.sh. */
  constructor(inside: Inside, release: string) {
    this.#inside = inside;
    this.#release = release;
    this.home = join(inside.folder, 'home');
    this.env = { HOME: this.home, BOX: inside.folder, BOX_GUEST: join(guestFolder, 'tcrp'), BOX_LAB: labScripts };
  }

  begin(): void {
    mkdirSync(this.home);
    writeFileSync(join(this.#inside.folder, 'release'), this.#release);
    const saved = withPartition(this.#inside.image, 3, fat => fat.read('mydata.tgz'));
    if (saved) unpack(saved, this.home);
  }

  translate(command: string): string {
    return command;
  }

  suffer(faults: readonly BoxFault[]): void {
    writeFileSync(join(this.#inside.folder, 'faults'), faults.join(' '));
  }

  async run(call: Call): Promise<Answer> {
    const { name, args, cwd } = call;
    const last = args.at(-1) ?? '';
    switch (name) {
      case 'mount':
        if (this.#inside.has('hang-mount')) return null;
        return args.length === 0 ? { status: 0, text: mounts } : this.#mount(args.at(-2) ?? '', resolve(cwd, last));
      case 'umount':
        return this.#unmount(resolve(cwd, last));
      case 'readlink':
        return readlink(resolve(cwd, last), args.includes('-f'));
      case 'jq':
        return jq(args, file => readFileSync(resolve(cwd, file), 'utf8'));
      case 'user-config':
        return this.#userConfig(args);
      case 'hostname':
        return { status: 0, text: 'box\n' };
      case 'filetool.sh':
        return this.#save();
      case 'exitcheck.sh':
        return goDown(last === 'reboot' ? 'reboot' : 'poweroff', false, this.#inside);
      default:
        return runAny(call, this.#inside);
    }
  }

  /** The folders that are mounted go with what is in them, as memory does. */
  forget(): void {
    for (const folder of this.#mounts.keys()) rmSync(folder, { recursive: true, force: true });
    this.#mounts.clear();
  }

  #mount(device: string, folder: string): Answer {
    const [, number] = /^\/dev\/sdc([123])$/.exec(device) ?? [];
    if (number === undefined) return failed(`mount: mounting ${device} on ${folder} failed: No such file or directory`);
    if (this.#mounts.has(folder) || readdirSync(folder).length > 0) {
      return failed(`mount: mounting ${device} on ${folder} failed: Device or resource busy`);
    }
    withPartition(this.#inside.image, Number(number), fat => {
      for (const path of fat.list()) {
        mkdirSync(dirname(join(folder, path)), { recursive: true });
        writeFileSync(join(folder, path), fat.read(path) ?? '');
      }
    });
    this.#mounts.set(folder, Number(number));
    return done;
  }

  #unmount(folder: string): Answer {
    const number = this.#mounts.get(folder);
    if (number === undefined) return failed(`umount: can't unmount ${folder}: Invalid argument`);
    const files = readdirSync(folder, { withFileTypes: true, recursive: true }).filter(entry => entry.isFile());
    withPartition(this.#inside.image, number, fat => {
      for (const { parentPath, name } of files) {
        const file = join(parentPath, name);
        const content = readFileSync(file);
        const path = relative(folder, file);
        if (!fat.read(path)?.equals(content)) fat.write(path, content);
      }
    });
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
    this.#mounts.delete(folder);
    return done;
  }

  async #save(): Promise<Answer> {
    const { image } = this.#inside;
    const text = 'Backing up files to /mnt/sdc3/mydata.tgz ';
    if (this.#inside.has('backup-failure')) return { status: 1 };
    const packed = await pack(this.home);
    withPartition(image, 3, fat => fat.write('mydata.tgz', packed));
    return { status: 0, text: `${text}Done.\n` };
  }

  /** Of rploader.sh alone: `check`, `fresh`, `line MODEL BUILD KIND`, `set PATH VALUE …`. */
  #userConfig([action, ...args]: readonly string[]): Answer {
    const file = join(this.home, 'user_config.json');
    if (action === 'fresh') {
      writeFileSync(file, freshConfig());
      return done;
    }
    const text = readFileSync(file, 'utf8');
    if (action === 'check') return { status: text.trim() === '' || parse(text) ? 0 : 1 };
    if (action === 'line') {
      const [model = '', build = '', kind] = args;
      return { status: 0, text: dsmLine(text, model, build, kind === 'SATA' ? kind : 'USB') };
    }
    if (text.trim() !== '' && !parse(text)) return { status: 4, text: parseError.repeat(args.length / 2) };
    let changed = text;
    for (let at = 0; at < args.length; at += 2) changed = withSetting(changed, args[at] ?? '', args[at + 1] ?? '');
    // As it goes when a file is written over that is still read.
    writeFileSync(file, this.#inside.has('empty-config') ? '' : changed);
    return done;
  }
}

const mounts = `rootfs on / type rootfs (rw,size=3670016k)
/dev/sdc3 on /mnt/sdc3 type vfat (rw,relatime,fmask=0000,dmask=0000)
/mnt/sdc3/cde/optional/openssh.tcz on /tmp/tcloop/openssh type squashfs (ro,relatime)
/mnt/sdc3/cde/optional/bash.tcz on /tmp/tcloop/bash type squashfs (ro,relatime)
`;

function readlink(path: string, wholly: boolean): Answer {
  try {
    if (path === '/etc/sysconfig/tcedir') return { status: 0, text: '/mnt/sdc3/cde\n' };
    return { status: 0, text: `${wholly ? realpathSync(path) : readlinkSync(path)}\n` };
  } catch {
    return { status: 1 };
  }
}

/** jq's. */
const parseError = 'parse error: Unfinished JSON term at EOF at line 2, column 0\n';

function failed(text: string): Answer {
  return { status: 1, text: `${text}\n` };
}
