/** The image, run as Unraid runs it from deploy/unraid/dsm2mqtt.xml, with the users, groups and folders of Unraid. */
import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Listener, vmTopic } from '../e2e/bridge.ts';
import { address, libvirtd, type Mosquitto, poll, startMosquitto } from '../lab/lab.ts';
import { image, loadImage, podman } from '../lab/podman.ts';
import { createArguments } from './unraid.ts';

const run = promisify(execFile);
/** Unraid's nobody and users; it gives them every folder that it makes for a container. */
const nobody = 99;
const users = 100;

let broker: Mosquitto;
let listener: Listener;
let appdata: string;
let values: Record<string, string>;

beforeAll(async () => {
  await loadImage();
  // Debian has the group, and another nobody.
  await run('useradd', ['--uid', `${nobody}`, '--gid', `${users}`, '--no-create-home', 'unraid-nobody']);
  broker = await startMosquitto();
  listener = await Listener.on(broker.url);
});

beforeEach(async () => {
  appdata = await mkdtemp(join(tmpdir(), 'appdata-'));
  values = {
    DSM2MQTT_MQTT__URL: broker.url,
    DSM2MQTT_MQTT__USERNAME: 'dsm2mqtt',
    DSM2MQTT_MQTT__PASSWORD: 'hunter2',
    DSM2MQTT_VMS__0__DOMAIN: 'DSM',
    '/config': join(appdata, 'config'),
    '/data': join(appdata, 'data'),
  };
  await chmod(appdata, 0o755);
  for (const name of ['config', 'data']) {
    await mkdir(join(appdata, name), { mode: 0o755 });
    await chown(join(appdata, name), nobody, users);
  }
  return async () => {
    await podman('rm', '--force', '--time', '5', 'dsm2mqtt');
    await rm(appdata, { recursive: true });
  };
});

afterAll(async () => {
  await listener?.[Symbol.asyncDispose]();
  await broker?.stop();
  // Makes the socket anew.
  await libvirtd.kill();
  await libvirtd.start();
});

async function start(change: (option: string) => string[] = option => [option]): Promise<void> {
  await podman('create', ...createArguments(values, image).flatMap(change));
  await podman('start', 'dsm2mqtt');
}

const inContainer = (...command: string[]) => podman('exec', 'dsm2mqtt', ...command);
const healthy = async () => (await podman('healthcheck', 'run', 'dsm2mqtt').catch(() => 'no')) !== 'no';

test('where the socket belongs to the users, it serves the VM as nobody, without any capability', async () => {
  await chown(address.socket, 0, users);
  await chmod(address.socket, 0o770);
  const from = listener.now;
  await start();
  await listener.document(vmTopic('state'), ({ power }) => power === 'OFF', { from });
  await poll(healthy, { what: 'health' });
  expect(await inContainer('id')).toMatch(/^uid=99\S* gid=100\S* groups=100\S*$/);
  expect(await inContainer('grep', 'CapEff\\|NoNewPrivs', '/proc/1/status')).toMatch(/^CapEff:\s+0+\nNoNewPrivs:\s+1$/);
  await expect(inContainer('touch', '/run/libvirt/x')).rejects.toThrow(/Read-only file system/);
  await expect(inContainer('touch', '/config/x')).rejects.toThrow(/Read-only file system/);
  await inContainer('touch', '/data/x');
  expect(await stat(join(appdata, 'data/x'))).toMatchObject({ uid: nobody, gid: users });
});

test('where it belongs to another group, the bridge joins that one', async () => {
  await chown(address.socket, 0, 4242);
  await chmod(address.socket, 0o770);
  const from = listener.now;
  await start(option => (option.startsWith('--user=') ? [option, '--group-add=4242'] : [option]));
  await listener.document(vmTopic('state'), ({ power }) => power === 'OFF', { from });
});

test('where it belongs to root alone, the bridge says so, and serves the VM as root', async () => {
  await chown(address.socket, 0, 0);
  await chmod(address.socket, 0o700);
  await start();
  const log = async () => (await podman('logs', 'dsm2mqtt')).includes('permission denied');
  await poll(log, { what: 'the complaint' });
  await podman('rm', '--force', '--time', '5', 'dsm2mqtt');

  const from = listener.now;
  await start(option => (option.startsWith('--user=') ? ['--user=0:0', '--cap-add=DAC_OVERRIDE'] : [option]));
  await listener.document(vmTopic('state'), ({ power }) => power === 'OFF', { from });
  await poll(healthy, { what: 'health' });
});
