/** An OpenSSH server of the test’s own, on loopback, that lets users of this machine in with a key. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { poll } from './lab.ts';
import { freePort, reachable } from './processes.ts';

const run = promisify(execFile);

export interface Sshd extends AsyncDisposable {
  readonly port: number;
  /** A key that it lets in. */
  readonly keyFile: string;
  /** Knows it. */
  readonly knownHosts: string;
  /** Ends it, and every connection to it. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** `options` are further lines of sshd_config, which count before the usual ones. */
export async function startSshd(options: readonly string[] = []): Promise<Sshd> {
  const folder = await mkdtemp(join(tmpdir(), 'sshd-'));
  // It looks at `authorized_keys` as the user who logs in.
  await chmod(folder, 0o755);
  const port = await freePort();
  const [hostKey, keyFile, knownHosts] = ['host_key', 'user_key', 'known_hosts'].map(name => join(folder, name)) as [
    string,
    string,
    string,
  ];
  for (const key of [hostKey, keyFile]) await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  // As docs/security.md has it.
  const restricted = `restrict,port-forwarding,command="/bin/false" ${await readFile(`${keyFile}.pub`, 'utf8')}`;
  await writeFile(join(folder, 'authorized_keys'), restricted);
  await writeFile(knownHosts, `[127.0.0.1]:${port} ${await readFile(`${hostKey}.pub`, 'utf8')}`);
  const config = join(folder, 'sshd_config');
  await writeFile(
    config,
    [
      ...options,
      `ListenAddress 127.0.0.1:${port}`,
      `HostKey ${hostKey}`,
      `AuthorizedKeysFile ${join(folder, 'authorized_keys')}`,
      'StrictModes no',
      'UsePAM no',
      'PidFile none',
      'PasswordAuthentication no',
      '',
    ].join('\n'),
  );
  await mkdir('/run/sshd', { recursive: true });
  let child: ChildProcess | undefined;
  const sshd: Sshd = {
    port,
    keyFile,
    knownHosts,
    async start() {
      // In a group of its own, with the processes of its connections. It wants to be called by its full path.
      child = spawn('/usr/sbin/sshd', ['-D', '-f', config], { stdio: 'ignore', detached: true });
      await poll(() => reachable({ host: '127.0.0.1', port }), { what: 'sshd' });
    },
    async kill() {
      if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      for (const pid of await children(child.pid)) endOf(pid);
      child.kill('SIGKILL');
      await exited;
    },
    async [Symbol.asyncDispose]() {
      await sshd.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
  await sshd.start();
  return sshd;
}

/** It may have ended by itself meanwhile. */
function endOf(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Of one process, and theirs. */
async function children(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const own = text.split(' ').filter(Boolean).map(Number);
  return [...own, ...(await Promise.all(own.map(children))).flat()];
}
