/** The image, built from the Dockerfile as it stands, and run hardened beside a real libvirtd and Mosquitto. */
import { execFile } from 'node:child_process';
import { chmod, chown, readFile, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Json, Listener, vmTopic } from '../e2e/bridge.ts';
import { address, domainState, guest, inLab, libvirtd, type Mosquitto, poll, startMosquitto } from '../lab/lab.ts';
import { archive, type Container, image, loadImage, podman, startContainer } from '../lab/podman.ts';

const run = promisify(execFile);
const socketGroup = 4242;

let broker: Mosquitto;
let listener: Listener;
let container: Container;
let config: Record<string, unknown>;

beforeAll(async () => {
  await Promise.all([loadImage(), guest.start()]);
  broker = await startMosquitto();
  listener = await Listener.on(broker.url);
  config = {
    mqtt: { url: broker.url },
    libvirt: { stats_interval: '1s' },
    vms: [{ domain: 'DSM', shutdown: { timeout: '1m' } }],
  };
});

afterAll(async () => {
  await container?.[Symbol.asyncDispose]();
  await listener?.[Symbol.asyncDispose]();
  await broker?.stop();
  if (inLab()) await guest.off();
});

/** As Debian leaves it: for the group alone. */
async function guardSocket(): Promise<void> {
  await chown(address.socket, 0, socketGroup);
  await chmod(address.socket, 0o770);
}

test('what is in it', async () => {
  const [{ Config: about, Healthcheck: health }]: Json[] = JSON.parse(await podman('image', 'inspect', image));
  expect(about.User).toBe('node');
  expect(Object.keys(about.Volumes)).toEqual(['/data']);
  expect(about.StopSignal).toBe('SIGTERM');
  expect(health.Test).toEqual(['CMD', 'node', '/app/bin/dsm2mqtt.js', 'health']);
  expect(Object.keys(about.Labels)).toEqual(
    expect.arrayContaining(['title', 'description', 'licenses'].map(name => `org.opencontainers.image.${name}`)),
  );
  const shell = (script: string) => podman('run', '--rm', '--network=host', '--entrypoint', 'sh', image, '-c', script);
  expect(await shell("find /app -name '*.node'"), 'native addons').toBe('');
  expect(await shell('ls -a /app')).not.toMatch(/src|test|\.git|node_modules/);
  expect(await shell('id -u; mdir --version | head -n 1')).toMatch(/^1000\n.*mtools/);
});

test('it is at most 60 MB above its base', async () => {
  const { stdout: manifest } = await run('tar', ['-xOf', archive, 'manifest.json']);
  const [{ Layers: layers }] = JSON.parse(manifest);
  const { stdout: base } = await run('tar', ['-xOf', archive, JSON.parse(manifest)[0].Config]);
  // The stand-in has a layer for each of its instructions, up to the first of ours.
  const history: Json[] = JSON.parse(base).history.filter(({ empty_layer }: Json) => !empty_layer);
  const own = history.findIndex(({ created_by }) => /mtools/.test(created_by));
  expect(own).toBeGreaterThan(0);
  let bytes = 0;
  for (const layer of layers.slice(own)) {
    const { stdout } = await run('tar', ['-xOf', archive, layer], { encoding: 'buffer', maxBuffer: 1 << 30 });
    bytes += (await promisify(gzip)(stdout)).length;
  }
  console.log(`${(bytes / 1e6).toFixed(1)} MB compressed above the base`);
  expect(bytes).toBeLessThan(60e6);
});

/** Why it has no libvirt, once it has said that of itself. */
async function complaint(of: Container, words: string): Promise<void> {
  const told = async () =>
    (await of.log()).some(({ event, reason }) => event === 'libvirt.disconnected' && `${reason}`.includes(words));
  await poll(told, { what: `a complaint of '${words}'` });
}

test('without the group of the socket it says what it needs', async () => {
  await guardSocket();
  await using refused = await startContainer({ config });
  await complaint(refused, 'permission denied: the bridge needs the socket’s group');
  expect(await refused.healthy()).toBe(false);
});

test('libvirtd looks its user up on the host: where there is none with its number, it says so', async () => {
  await guardSocket();
  container = await startContainer({ config, group: socketGroup });
  await complaint(container, 'Failed to find user record for uid');
  await run('useradd', ['--uid', '1000', '--no-create-home', 'somebody']);
  await listener.text(vmTopic('availability'), text => text === 'online');
});

test('with both, it tells of the VM and asks DSM', async () => {
  await listener.document(vmTopic('state'), ({ state, power }) => state === 'running' && power === 'ON');
  await listener.document(vmTopic('stats'), ({ cpu }) => cpu.percent !== null);
  await listener.document(vmTopic('check'), ({ verdict }) => verdict === 'up');
  await poll(() => container.healthy(), { what: 'health' });
});

test('it can write nothing but its data', async () => {
  await expect(container.exec('touch', '/app/x')).rejects.toThrow(/Read-only file system/);
  await expect(container.exec('touch', '/config/x')).rejects.toThrow(/Read-only file system/);
  await container.exec('touch', '/data/x');
  expect(await container.exec('ls', '/data')).toContain('announced');
  expect(await container.exec('ls', '/data/cache/dsm2mqtt')).toContain('health.json');
  expect(await container.exec('grep', 'CapEff\\|NoNewPrivs', '/proc/1/status')).toMatch(
    /^CapEff:\s+0+\nNoNewPrivs:\s+1$/,
  );
});

test('it obeys a shutdown and a start', async () => {
  await listener.publish(vmTopic('power/set'), 'OFF');
  await poll(async () => (await domainState()) === 'shut off', { what: 'the shutdown' });
  await listener.document(vmTopic('state'), ({ power }) => power === 'OFF');
  expect(await container.exec('node', '/app/bin/dsm2mqtt.js', 'send', 'DSM', 'start', '--wait')).toContain('succeeded');
  expect(await domainState()).toBe('running');
});

test('it is unhealthy while the broker is away, and alive', async () => {
  await broker.kill();
  await poll(async () => !(await container.healthy()), { what: 'the end of its health' });
  expect(
    await container.exec('node', '-e', 'fetch("http://127.0.0.1:8099/health").then(r => console.log(r.status))'),
  ).toBe('200');
  await broker.start();
  await poll(() => container.healthy(), { what: 'health' });
});

test('a libvirtd that was restarted has another socket, and is found', async () => {
  const { ino } = await stat(address.socket);
  await libvirtd.kill();
  await poll(async () => !(await container.healthy()), { what: 'the end of its health' });
  await libvirtd.start();
  expect((await stat(address.socket)).ino).not.toBe(ino);
  await poll(() => container.healthy(), { what: 'health' });
});

test('SIGTERM ends it with 0, and it says goodbye', async () => {
  const from = listener.now;
  expect(await container.stop()).toBe(0);
  await listener.text('dsm2mqtt/bridge/state', text => text === 'offline', { from });
  expect(await domainState()).toBe('running');
  const complaints = (await container.log()).filter(({ level }) => level === 'error');
  expect(complaints).toEqual([]);
});

test('compose.yaml has what was tried here', async () => {
  const compose = await readFile(new URL('../../compose.yaml', import.meta.url), 'utf8');
  for (const line of [
    'read_only: true',
    'cap_drop: [ALL]',
    'no-new-privileges:true',
    'network_mode: host',
    '/run/libvirt:/run/libvirt',
  ]) {
    expect(compose).toContain(line);
  }
});
