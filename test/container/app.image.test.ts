/**
 * Home Assistant's app, built from the folder for its Supervisor, from its first start to the device: with a stand-in of
 * the Supervisor, a real Mosquitto, and libvirt on the other side of a real SSH server.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { isFinal, type Json, Listener, vmTopic } from '../e2e/bridge.ts';
import { type Supervisor, startSupervisor } from '../fakes/supervisor.ts';
import { address, domainState, guest, inLab, type Mosquitto, poll, startMosquitto } from '../lab/lab.ts';
import { appImage, loadImage, podman } from '../lab/podman.ts';
import { type Sshd, startSshd } from '../lab/sshd.ts';

const run = promisify(execFile);
const addon = (path: string) => fileURLToPath(new URL(`../../addon/${path}`, import.meta.url));
const manifest = parse(await readFile(addon('config.yaml'), 'utf8'));
const name = `app-${randomUUID()}`;
const login = { username: 'addons', password: 'of-addons' };

let folder: string;
let broker: Mosquitto;
let listener: Listener;
let sshd: Sshd;
let supervisor: Supervisor;

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in scripts/lab --with container');
  await Promise.all([loadImage('app.tar'), guest.start()]);
  folder = await mkdtemp(join(tmpdir(), 'app-'));
  const passwords = join(folder, 'passwords');
  await run('mosquitto_passwd', ['-b', '-c', passwords, login.username, login.password]);
  broker = await startMosquitto({ anonymous: false, config: [`password_file ${passwords}`] });
  listener = await Listener.on(broker.url, login);
  // The keys of root's own home, as on a real host.
  sshd = await startSshd(['AuthorizedKeysFile .ssh/authorized_keys']);
  supervisor = await startSupervisor({ host: '127.0.0.1', port: broker.port, ssl: false, ...login }, 80);
  await mkdir(join(folder, 'data'));
  await mkdir(join(folder, 'config'));
  await setOptions({});
});

afterAll(async () => {
  await podman('rm', '--force', '--time', '0', name).catch(() => {});
  for (const each of [supervisor, sshd, listener]) await each?.[Symbol.asyncDispose]();
  await broker?.stop();
  if (inLab()) await guest.off();
  await rm(folder, { recursive: true, force: true });
});

/** What the Supervisor writes of the form. */
async function setOptions(changes: object): Promise<void> {
  const uri = `qemu+ssh://root@127.0.0.1:${sshd.port}/system`;
  const options = {
    libvirt: { uri, read_only: false, stats_interval: '1s' },
    vms: [{ domain: 'DSM', address: address.guest, commands: manifest.options.vms[0].commands }],
    log_level: 'info',
    ...changes,
  };
  await writeFile(join(folder, 'data/options.json'), JSON.stringify(options));
}

/** As the Supervisor starts it; the profile of AppArmor leaves it no capability. */
async function start(): Promise<void> {
  await podman('rm', '--force', '--ignore', '--time', '0', name);
  await podman(
    ...['run', '--detach', '--name', name, '--network=host', '--add-host', 'supervisor:127.0.0.1'],
    ...['--env', 'SUPERVISOR_TOKEN=token', '--cap-drop=all', '--security-opt=no-new-privileges'],
    ...['--volume', `${folder}/data:/data`, '--volume', `${folder}/config:/config:ro`, appImage],
  );
}

async function logged(words: string): Promise<string> {
  const find = async () => {
    const { stdout, stderr } = await run('podman', ['logs', name], { maxBuffer: 64 << 20 });
    return `${stdout}${stderr}`.split('\n').find(line => line.includes(words)) ?? null;
  };
  return (await poll(find, { what: `a line of the app's log with '${words}'` })) ?? '';
}

const healthy = () =>
  podman('healthcheck', 'run', name).then(
    () => true,
    () => false,
  );
const state = async () => JSON.parse(await podman('inspect', '--format', '{{json .State}}', name));

let line: string;

test('its labels are what the Supervisor asks for', async () => {
  const [{ Config: about }]: Json[] = JSON.parse(await podman('image', 'inspect', appImage));
  expect(about.Labels).toMatchObject({ 'io.hass.type': 'app', 'io.hass.version': manifest.version });
  expect(manifest.arch).toContain(about.Labels['io.hass.arch']);
  expect(about.Labels['org.opencontainers.image.version']).toBe(manifest.version);
});

test('AppArmor reads its profile', async () => {
  await run('apparmor_parser', ['--skip-kernel-load', '--skip-cache', addon('apparmor.txt')]);
});

test('at its first start it makes a key, and its log has the line for libvirt’s host', async () => {
  // The host is off, and is found when it is on.
  await sshd.kill();
  await start();
  line = await logged('authorized_keys');
  expect(await logged('is not known yet')).toContain('ECONNREFUSED');
  await listener.text('dsm2mqtt/bridge/state', text => text === 'online');
  await sshd.start();
  expect(await logged('is trusted with it from now on')).toMatch(/^127\.0\.0\.1 has the key SHA256:/);
  for (const [file, mode] of [
    ['.ssh', 0o700],
    ['.ssh/id_ed25519', 0o600],
    ['config.yaml', 0o600],
  ] as const) {
    expect((await stat(join(folder, 'data', file))).mode & 0o777, file).toBe(mode);
  }
  expect(supervisor.asked).toEqual(['GET /services/mqtt Bearer token']);
});

test('until the line was run it is refused, says so, and is healthy: nothing is to be restarted', async () => {
  expect(await logged('refuses the login')).toContain('SSH to root@127.0.0.1');
  await poll(healthy, { what: 'health' });
});

test('with that line the device appears, and DSM is asked', async () => {
  await run('sh', ['-c', line], { env: { ...process.env, HOME: '/root' } });
  await listener.text(vmTopic('availability'), text => text === 'online');
  await listener.document(vmTopic('stats'), ({ cpu }) => cpu.percent !== null);
  await listener.document(vmTopic('check'), ({ verdict }) => verdict === 'up');
  const device = listener.heard.find(({ topic }) => /^homeassistant\/device\/.*\/config$/.test(topic));
  expect(device?.retain).toBeDefined();
  expect((await podman('exec', name, 'node', '/app/bin/dsm2mqtt.js', 'status')).trim()).toContain('DSM (DSM): running');
});

test('the key opens libvirt’s socket and no shell', async () => {
  const key = join(folder, 'data/.ssh/id_ed25519');
  const hosts = join(folder, 'data/.ssh/known_hosts');
  const options = ['-i', key, '-o', `UserKnownHostsFile=${hosts}`, '-o', 'BatchMode=yes', '-p', `${sshd.port}`];
  await expect(run('ssh', [...options, 'root@127.0.0.1', 'id'])).rejects.toMatchObject({ stdout: '' });
});

test('it obeys a shutdown and a start', async () => {
  for (const command of ['shutdown', 'start']) {
    await listener.publish(vmTopic('command'), JSON.stringify({ command, id: `app-${command}` }));
    const answer = await listener.document(vmTopic('response'), one => one.id === `app-${command}` && isFinal(one));
    expect(answer.status).toBe('succeeded');
  }
  expect(await domainState()).toBe('running');
});

test('while libvirt’s host and the broker are away it stays healthy', async () => {
  await sshd.kill();
  await listener.text(vmTopic('availability'), text => text === 'offline');
  await broker.kill();
  expect(await healthy()).toBe(true);
  await broker.start();
  await sshd.start();
  await listener.text(vmTopic('availability'), text => text === 'online', { from: listener.now });
});

test('started again with a file of its own, it has the same key and every setting', async () => {
  const uri = `qemu+ssh://root@127.0.0.1:${sshd.port}/system`;
  const text = `libvirt: { uri: "${uri}" }\nvms:\n  - domain: DSM\n    id: nas\n    address: ${address.guest}\n    shutdown: { timeout: 1m }\n`;
  await writeFile(join(folder, 'config/config.yaml'), text);
  await setOptions({ config_file: 'config.yaml' });
  await podman('stop', '--time', '20', name);
  expect((await state()).ExitCode).toBe(0);
  await start();
  expect(await logged('authorized_keys')).toBe(line);
  await listener.text('dsm2mqtt/nas/availability', value => value === 'online');
});

test('a process that hangs is unhealthy', async () => {
  const { Pid } = await state();
  process.kill(Pid, 'SIGSTOP');
  expect(await healthy()).toBe(false);
  process.kill(Pid, 'SIGCONT');
  await poll(healthy, { what: 'health' });
});

test('with no broker it says so and ends', async () => {
  await supervisor[Symbol.asyncDispose]();
  supervisor = await startSupervisor(null, 80);
  await start();
  expect(await logged('knows no broker')).toContain('install and start the Mosquitto app');
  await poll(async () => (await state()).Status === 'exited', { what: 'its end' });
  expect((await state()).ExitCode).toBe(1);
});
