import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { formatGrubEnv, parseGrubEnv, withGrubEnv } from '../../../../src/loader/image/grub/env.ts';
import type { Answer, Call } from '../calls.ts';
import type { BoxFault } from '../faults.ts';
import { guestFolder, withPartition } from '../image.ts';
import { done, type Inside, runAny, type System } from '../system.ts';
import { archive, archives, filesIn, labRr, packFolder, unpackFiles } from './image.ts';

/** Of the guest, in commands: they are below the root of its system here. RR's scripts know that by CHROOT_PATH. */
const paths = /\/(?:opt\/rr|mnt\/p\d|proc\/cmdline|tmp)(?![\w-])/g;

/** What a test has put there is no part of the disk. */
const faults = 'lab/faults';

/**
 * RR's own system: the lab's stand-in for its scripts, in another root folder. What they write to the loader's partitions
 * is in the image when the system syncs, or goes down in peace.
 */
export class RrSystem implements System {
  readonly login = { user: 'root', password: 'rr' };
  readonly home: string;
  readonly env: Readonly<Record<string, string>>;
  readonly scripts = ['sleep', 'unzip'].map(name => join(guestFolder, 'rr', name));
  readonly programs = ['grub-editenv', 'hostname', 'killall', 'poweroff', 'reboot', 'sync'];
  readonly #inside: Inside;
  readonly #root: string;
  readonly #armed: boolean;

  /** `armed`: it was started to be configured. */
  constructor(inside: Inside, armed: boolean) {
    this.#inside = inside;
    this.#armed = armed;
    this.#root = join(inside.folder, 'root');
    this.home = join(this.#root, 'root');
    this.env = { HOME: this.home, CHROOT_PATH: this.#root };
  }

  begin(): void {
    const at = (path: string) => join(this.#root, path);
    for (const folder of ['root', 'tmp', 'proc']) mkdirSync(at(folder), { recursive: true });
    this.#mount();
    for (const folder of ['opt/rr', 'usr/lib/rr', 'srv/synology']) this.#install(join(labRr, 'initrd', folder), folder);
    writeFileSync(at('srv/synology/pats'), archives());
    writeFileSync(at('root/.mountloader'), 'export LOADER_DISK="/dev/sdc"\n');
    writeFileSync(at('proc/cmdline'), `loglevel=3${this.#armed ? ' IWANTTOCHANGETHECONFIG' : ''}\n`);
  }

  translate(command: string): string {
    return command.replaceAll(paths, path => `${this.#root}${path}`);
  }

  run(call: Call): Answer | Promise<Answer> {
    const { name, args, cwd } = call;
    if (name === 'grub-editenv') return editEnv(resolve(cwd, args[0] ?? ''), args.slice(1));
    if (['sync', 'poweroff', 'reboot'].includes(name) && !args.includes('-f')) this.#sync();
    return runAny(call, this.#inside);
  }

  suffer(names: readonly BoxFault[]): void {
    const file = join(this.#root, 'mnt/p1', faults);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${names.join('\n')}\n`);
  }

  forget(): void {}

  /** Scripts that know where they are. */
  #install(from: string, to: string): void {
    for (const path of filesIn(from)) {
      const file = join(this.#root, to, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, this.#adapted(path, readFileSync(join(from, path), 'utf8')), { mode: 0o755 });
    }
  }

  #adapted(path: string, script: string): string {
    if (path === 'include/consts.sh') return script.replace(/^RR_VERSION=.*/m, () => `RR_VERSION="${this.#version()}"`);
    if (path === 'include/functions.sh') return `${script}\n. ${join(guestFolder, 'rr', 'extra.sh')}\n`;
    return script;
  }

  /** Of RR: an update has written it down. */
  #version(): string {
    return readFileSync(join(this.#root, 'mnt/p1/RR_VERSION'), 'utf8').trim();
  }

  #mount(): void {
    for (const number of [1, 2, 3]) {
      const folder = join(this.#root, 'mnt', `p${number}`);
      mkdirSync(folder, { recursive: true });
      withPartition(this.#inside.image, number, fat => {
        const packed = fat.read(archive);
        if (packed) for (const [path, text] of Object.entries(unpackFiles(packed))) put(join(folder, path), text);
        else for (const path of fat.list()) put(join(folder, path), fat.read(path) ?? '');
      });
    }
  }

  #sync(): void {
    for (const number of [1, 2, 3]) {
      const folder = join(this.#root, 'mnt', `p${number}`);
      withPartition(this.#inside.image, number, fat => {
        const files = new Map<string, Buffer>();
        if (number > 1) files.set(archive, packFolder(folder));
        else for (const path of filesIn(folder)) if (path !== faults) files.set(path, readFileSync(join(folder, path)));
        for (const path of fat.list()) if (!files.has(path)) fat.remove(path);
        for (const [path, content] of files) if (!fat.read(path)?.equals(content)) fat.write(path, content);
      });
    }
  }
}

function editEnv(file: string, [action, ...words]: readonly string[]): Answer {
  if (action !== 'set') return { status: 1, text: `grub-editenv: ${action} is beyond the fake one\n` };
  const env = words.reduce(
    (before, word) => {
      const [, name = '', value = ''] = /^([^=]+)=(.*)$/.exec(word) ?? [];
      return withGrubEnv(before, name, value);
    },
    parseGrubEnv(readFileSync(file)),
  );
  writeFileSync(file, formatGrubEnv(env));
  return done;
}

function put(file: string, content: Buffer | string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content, 'latin1');
}
