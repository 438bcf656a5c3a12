/** polkit in the lab: D-Bus, polkitd, its rules, and a libvirtd that asks it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, statSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Dialer, unixDialer } from '../../src/libvirt/transport.ts';
import { address, lab, libvirtd, poll } from './lab.ts';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const daemon = '/usr/lib/polkit-1/polkitd';

/** Every call of every client is asked about. */
export const accessControl = 'auth_unix_rw = "polkit"\naccess_drivers = [ "polkit" ]';

/** Restarts libvirtd with these lines of its configuration, and at its end without them. */
export async function configureLibvirtd(lines: string): Promise<AsyncDisposable> {
  const file = '/etc/libvirt/libvirtd.conf';
  const before = await readFile(file, 'utf8');
  const write = async (text: string) => {
    await writeFile(file, text);
    await libvirtd.kill();
    await libvirtd.start();
  };
  await write(`${before.replace(/^auth_unix_rw.*/m, '')}${lines}\n`);
  return { [Symbol.asyncDispose]: () => write(before) };
}

export interface Polkit extends AsyncDisposable {
  /** What it has logged so far, its rules' `polkit.log` included. */
  log(): string;
  /** Puts a file into its rules, or takes it away; resolves when it goes by that. */
  rules(name: string, text: string | null): Promise<void>;
}

/** Where clients of another host's D-Bus find it; `folder`: as of `startPolkit`. */
export function busOf(folder: string): string {
  return `unix:path=${join(folder, 'bus')}`;
}

/** `folder`: of another host, whose D-Bus and rules are its own. */
export async function startPolkit(folder?: string): Promise<Polkit> {
  const children: ChildProcess[] = [];
  const files = new Set<string>();
  const usual = '/etc/polkit-1/rules.d';
  const socket = folder ? join(folder, 'bus') : '/run/dbus/system_bus_socket';
  const place = folder ? join(folder, 'rules.d') : usual;
  for (const path of [dirname(socket), place]) await mkdir(path, { recursive: true });
  const own = folder ? [`--address=${busOf(folder)}`] : [];
  children.push(spawn('/usr/bin/dbus-daemon', ['--system', '--nofork', '--nopidfile', ...own]));
  await poll(() => existsSync(socket), { what: 'D-Bus' });
  // Newer ones tell less by themselves.
  const level = lab().release === 'bookworm' ? [] : ['--log-level=info'];
  const [program, ...args] = folder
    ? (['unshare', '--mount', 'sh', '-c', `mount --bind ${place} ${usual} && exec "$@"`, 'sh', daemon] as const)
    : ([daemon] as const);
  const polkitd = spawn(program, [...args, ...level], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...(folder ? { DBUS_SYSTEM_BUS_ADDRESS: busOf(folder) } : {}) },
  });
  children.push(polkitd);
  let log = '';
  for (const stream of [polkitd.stdout, polkitd.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
  }
  await poll(() => log.includes('Acquired the name'), { what: 'polkitd' });
  const loads = () => log.split('Finished loading').length;
  return {
    log: () => log,
    async rules(name, text) {
      const file = join(place, name);
      const before = loads();
      files.add(file);
      if (text === null) await rm(file, { force: true });
      else await writeFile(file, text);
      await poll(() => loads() > before, { what: 'polkitd’s look at its rules' });
    },
    async [Symbol.asyncDispose]() {
      const ended = children.map(child => once(child, 'exit'));
      for (const child of children) child.kill();
      await Promise.all(ended);
      for (const file of files) await rm(file, { force: true });
      await rm(socket, { force: true });
    },
  };
}

/** A prefix that runs a command as this user, who has no other right, and may read this repository. */
export function as(user: string): string[] {
  if ((statSync(repository).mode & 0o5) !== 0o5)
    throw new Error(`chmod -R o+rX ${repository}: its tests run as others`);
  // The folders above it are the lab's own.
  for (let path = dirname(repository); path !== '/'; path = dirname(path))
    chmodSync(path, (statSync(path).mode & 0o7777) | 0o011);
  return ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups', '--'];
}

/** A prefix that does the same once the folder of its last argument's file is the user's. */
export function asOwner(user: string): string[] {
  const script = `for file; do :; done; chown -R ${user} "$(dirname "$file")"; exec "$@"`;
  return ['sh', '-c', script, 'sh', ...as(user)];
}

/** A user of the lab, made if there is none of that name; its id. */
export function userOf(name: string, ...groups: string[]): number {
  const id = () => Number(execFileSync('id', ['-u', name], { stdio: ['ignore', 'pipe', 'ignore'] }));
  try {
    return id();
  } catch {
    execFileSync('useradd', [
      '--system',
      '--no-create-home',
      // Without it sshd takes the account for locked.
      ...['-p', '*'],
      ...(groups.length > 0 ? ['-G', groups.join()] : []),
      name,
    ]);
    return id();
  }
}

/** Of libvirt's socket. The daemon asks the kernel who connects, so only that moment counts. */
export function dialAs(uid: number): Dialer {
  const dial = unixDialer([address.socket]);
  return async signal => {
    process.seteuid?.(uid);
    try {
      return await dial(signal);
    } finally {
      process.seteuid?.(0);
    }
  };
}
