/** The Debian package, in the lab's Debian: installed, run as its unit has it, upgraded, removed and purged. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import manifest from '../../package.json' with { type: 'json' };
import { Listener, usual, vmTopic } from '../e2e/bridge.ts';
import { guest, inLab, type Mosquitto, startMosquitto, virsh } from '../lab/lab.ts';
import { artefact } from './artefacts.ts';

const run = promisify(execFile);
const config = '/etc/dsm2mqtt/config.yaml';
const password = '/etc/dsm2mqtt/mqtt_password';
const unit = '/lib/systemd/system/dsm2mqtt.service';
let broker: Mosquitto;
let folder: string;
let deb: string;

beforeAll(async () => {
  deb = artefact('dsm2mqtt_*_amd64.deb');
  folder = await mkdtemp(join(tmpdir(), 'deb-'));
  await guest.start();
  const users = join(folder, 'users');
  await run('mosquitto_passwd', ['-c', '-b', users, 'dsm2mqtt', 'hunter2']);
  broker = await startMosquitto({ anonymous: false, config: [`password_file ${users}`] });
});

afterAll(async () => {
  await broker?.stop();
  if (folder) await rm(folder, { recursive: true });
  if (inLab()) await guest.off();
});

async function dpkg(...args: string[]): Promise<string> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const { stdout, stderr } = await run('dpkg', args, { env, timeout: 300_000 });
  return stdout + stderr;
}

async function owner(path: string): Promise<string> {
  return (await run('stat', ['--format=%U:%G %a', path])).stdout.trim();
}

/** A value of the unit. */
async function setting(name: string): Promise<string | undefined> {
  return new RegExp(`^${name}=(.*)$`, 'm').exec(await readFile(unit, 'utf8'))?.[1];
}

test('lintian has nothing to say', async () => {
  await run('lintian', ['--allow-root', '--fail-on=error,warning', deb], { timeout: 300_000 });
});

test('for arm64 only Node is another', async () => {
  const trees = await Promise.all(
    [deb, artefact('dsm2mqtt_*_arm64.deb')].map(async (file, at) => {
      const to = join(folder, `${at}`);
      await run('dpkg-deb', ['--extract', file, to]);
      const node = await readFile(join(to, 'usr/lib/dsm2mqtt/node'));
      await rm(join(to, 'usr/lib/dsm2mqtt/node'));
      // e_machine of its ELF header.
      return { to, machine: node.readUInt16LE(18) };
    }),
  );
  expect(trees.map(({ machine }) => machine)).toEqual([62, 183]);
  await run('diff', ['--recursive', ...trees.map(({ to }) => to)]);
});

test('it installs, and says what to do next', async () => {
  expect(await dpkg('--install', deb)).toContain('write your broker and your VM into /etc/dsm2mqtt/config.yaml');
  expect((await run('id', ['--name', '--groups', 'dsm2mqtt'])).stdout.trim()).toBe('dsm2mqtt libvirt');
  expect(await owner(config)).toBe('root:dsm2mqtt 640');
  expect(await owner(password)).toBe('root:root 600');
  expect((await run('dsm2mqtt', ['--version'])).stdout.trim()).toBe(manifest.version);
  // The lab's dpkg leaves man pages and other texts out.
  const changed = (await dpkg('--verify', 'dsm2mqtt')).split('\n').filter(line => line.startsWith('??5'));
  expect(changed).toEqual([]);
  const page = join(folder, '0/usr/share/man/man1/dsm2mqtt.1.gz');
  const { stdout, stderr } = await run('man', ['--warnings', '--locale=C', '--local-file', page]);
  expect(stderr).toBe('');
  expect(stdout).toMatch(/^NAME$/m);
  await run('zsh', ['-n', '/usr/share/zsh/vendor-completions/_dsm2mqtt']);
  await run('fish', ['--no-execute', '/usr/share/fish/vendor_completions.d/dsm2mqtt.fish']);
  const source = '. /usr/share/bash-completion/completions/dsm2mqtt; complete -p dsm2mqtt';
  expect((await run('bash', ['-c', source])).stdout).toContain('dsm2mqtt');
});

test('systemd accepts its unit', async () => {
  const { stdout, stderr } = await run('systemd-analyze', ['verify', '--man=no', unit]);
  expect(`${stdout}${stderr}`.split('\n').filter(line => line.includes('dsm2mqtt.service'))).toEqual([]);
});

test('as its user, with its credential and in its state folder, it is online', async () => {
  const { mqtt, ...rest } = usual(broker.url) as { mqtt: object };
  const written = { mqtt: { ...mqtt, username: 'dsm2mqtt' }, data_dir: '/var/lib/dsm2mqtt', ...rest };
  await writeFile(config, stringify(written));
  await writeFile(password, 'hunter2\n');
  // What systemd does before it starts it.
  await run('install', ['--directory', '--owner=dsm2mqtt', '--group=dsm2mqtt', '--mode=0700', '/var/lib/dsm2mqtt']);
  const credentials = join(folder, 'credentials');
  await run('install', ['--directory', '--owner=dsm2mqtt', '--mode=0500', credentials]);
  const [name, from = ''] = (await setting('LoadCredential'))?.split(':') ?? [];
  await run('install', ['--owner=dsm2mqtt', '--mode=0400', from, join(credentials, `${name}`)]);
  await run('chmod', ['711', folder]);
  const user = await setting('User');
  const ids = [`--reuid=${user}`, `--regid=${user}`, '--init-groups', '--no-new-privs', '--bounding-set=-all'];
  const command = (await setting('ExecStart'))?.split(' ') ?? [];
  await using listener = await Listener.on(broker.url, { username: 'dsm2mqtt', password: 'hunter2' });
  const bridge = spawn('setpriv', [...ids, ...command], {
    env: { PATH: '/usr/bin:/bin', CREDENTIALS_DIRECTORY: credentials },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  try {
    await listener.text(vmTopic('availability'), text => text === 'online');
    // For the administrator, the same configuration and password.
    const { stdout } = await run('dsm2mqtt', ['send', 'DSM', 'refresh', '--wait']);
    expect(stdout).toContain('succeeded');
  } finally {
    bridge.kill('SIGTERM');
  }
  expect(await once(bridge, 'exit')).toEqual([0, null]);
  expect(await owner('/var/lib/dsm2mqtt/vms.json')).toMatch(/^dsm2mqtt:dsm2mqtt /);
});

test('an upgrade keeps what the administrator wrote', async () => {
  const next = join(folder, 'next');
  await run('dpkg-deb', ['--raw-extract', deb, next]);
  const control = join(next, 'DEBIAN/control');
  await writeFile(control, (await readFile(control, 'utf8')).replace(/^Version: .*$/m, 'Version: 99.0.0'));
  await appendFile(join(next, 'etc/dsm2mqtt/config.yaml'), '# new in this version\n');
  await run('dpkg-deb', ['-Zgzip', '-z1', '--root-owner-group', '--build', next, join(folder, 'next.deb')]);
  const mine = await readFile(config, 'utf8');
  const said = await dpkg('--force-confold', '--install', join(folder, 'next.deb'));
  expect(said).not.toContain('write your broker');
  expect(await readFile(config, 'utf8')).toBe(mine);
  expect(await readFile(`${config}.dpkg-dist`, 'utf8')).toContain('# new in this version');
  expect([await owner(config), await owner(password)]).toEqual(['root:dsm2mqtt 640', 'root:root 600']);
  expect(await readFile(password, 'utf8')).toBe('hunter2\n');
});

test('removed, it leaves the configuration and the data; purged, a backup alone; and the VM runs on', async () => {
  await dpkg('--remove', 'dsm2mqtt');
  expect(['/usr/bin/dsm2mqtt', '/usr/lib/dsm2mqtt', unit].filter(existsSync)).toEqual([]);
  await Promise.all([config, password, '/var/lib/dsm2mqtt/vms.json'].map(path => stat(path)));
  const backup = '/var/lib/dsm2mqtt/loader-backups/DSM.img';
  await run('install', ['-D', '/dev/null', backup]);
  expect(await dpkg('--purge', 'dsm2mqtt')).toContain('/var/lib/dsm2mqtt/loader-backups');
  expect(existsSync('/etc/dsm2mqtt')).toBe(false);
  expect(await readdir('/var/lib/dsm2mqtt', { recursive: true })).toEqual(['loader-backups', 'loader-backups/DSM.img']);
  await expect(run('id', ['dsm2mqtt'])).rejects.toThrow(/no such user/);
  expect((await virsh('domstate', 'DSM')).trim()).toBe('running');
});
