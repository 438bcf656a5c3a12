/** polkit in the lab: D-Bus, polkitd, its rules, and a libvirtd that asks it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Dialer, unixDialer } from '../../src/libvirt/transport.ts';
import { address, lab, libvirtd, poll } from './lab.ts';

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

export async function startPolkit(): Promise<Polkit> {
  const children: ChildProcess[] = [];
  const files = new Set<string>();
  await mkdir('/run/dbus', { recursive: true });
  children.push(spawn('/usr/bin/dbus-daemon', ['--system', '--nofork', '--nopidfile']));
  await poll(() => existsSync('/run/dbus/system_bus_socket'), { what: 'D-Bus' });
  // Newer ones tell less by themselves.
  const level = lab().release === 'bookworm' ? [] : ['--log-level=info'];
  const polkitd = spawn('/usr/lib/polkit-1/polkitd', level, { stdio: ['ignore', 'pipe', 'pipe'] });
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
      const file = join('/etc/polkit-1/rules.d', name);
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
      await rm('/run/dbus/system_bus_socket', { force: true });
    },
  };
}

/** A prefix that runs a command as this user, who may read this repository wherever it is. */
export function as(user: string): string[] {
  const read = ['--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search'];
  return ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups', ...read, '--'];
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
