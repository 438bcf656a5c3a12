import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { writeConfiguration } from '../../addon/start/configuration.ts';
import { loadConfig } from '../../src/config/load.ts';
import { problemsOf } from '../config/harness.ts';
import { startSupervisor } from '../fakes/supervisor.ts';

const manifest = parse(await readFile(new URL('../../addon/config.yaml', import.meta.url), 'utf8'));
const broker = {
  host: 'core-mosquitto',
  port: 1883,
  ssl: false,
  username: 'addons',
  password: 'of-addons',
  protocol: '3.1.1',
};
const usual = { url: 'mqtt://core-mosquitto:1883', username: 'addons', password: 'of-addons' };

let folder: string;
let made: string;
let configDir: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'addon-'));
  made = join(folder, 'config.yaml');
  configDir = join(folder, 'config');
  await mkdir(configDir);
});
afterEach(() => rm(folder, { recursive: true }));

const options = (changes: object = {}) =>
  writeFile(join(folder, 'options.json'), JSON.stringify({ ...manifest.options, ...changes }));
const write = (supervisor: string) => writeConfiguration({ dataDir: folder, configDir, supervisor, token: 'token' });
const load = async () => (await loadConfig({ config: made, env: {} })).config;
/** With this as the user's own file. */
async function writeFrom(text: string, supervisor: string) {
  await writeFile(join(configDir, 'own.yaml'), text);
  await options({ config_file: 'own.yaml' });
  return await write(supervisor);
}

test('the options as they come make a configuration', async () => {
  await using server = await startSupervisor(broker);
  await options();
  expect(await write(server.url)).toEqual({ uri: manifest.options.libvirt.uri, hostKey: null });
  expect(server.asked).toEqual(['GET /services/mqtt Bearer token']);
  expect((await stat(made)).mode & 0o777).toBe(0o600);
  const config = await load();
  expect(config.mqtt).toMatchObject(usual);
  expect(config.hosts[0]?.uri).toBe(manifest.options.libvirt.uri);
  expect(config.vms).toMatchObject([
    { domain: 'DSM', address: '192.168.1.20', commands: manifest.options.vms[0].commands },
  ]);
  expect(config.dataDir).toBe(folder);
});

test('what was left empty in the form is not set', async () => {
  await using server = await startSupervisor({ ...broker, ssl: true, username: null, password: '' });
  const libvirt = { ...manifest.options.libvirt, host_key: '' };
  await options({ libvirt, vms: [{ domain: 'DSM', name: '', address: null, commands: [] }], config_file: '' });
  expect((await write(server.url)).hostKey).toBeNull();
  const config = await load();
  expect(config.mqtt).toMatchObject({ url: 'mqtts://core-mosquitto:1883', username: null, password: null });
  expect(config.vms).toMatchObject([{ label: 'DSM', address: null, commands: [] }]);
});

test('the fingerprint of the host is for the app alone', async () => {
  await using server = await startSupervisor(broker);
  await options({ libvirt: { ...manifest.options.libvirt, host_key: 'SHA256:abc' } });
  expect((await write(server.url)).hostKey).toBe('SHA256:abc');
  await load();
});

test.each([
  ['no mqtt', ''],
  ['an empty mqtt', 'mqtt:\n'],
  ['mqtt without a broker', 'mqtt:\n  base_topic: other\n'],
])('a file replaces the options, with Home Assistant’s broker for %s', async (_, mqtt) => {
  await using server = await startSupervisor(broker);
  const uri = 'qemu+ssh://root@there/system';
  const text = `# mine\n${mqtt}libvirt: { uri: "${uri}" }\nvms:\n  - domain: Other\n    shutdown: { timeout: 10m }\n`;
  expect((await writeFrom(text, server.url)).uri).toBe(uri);
  expect((await stat(made)).mode & 0o777).toBe(0o600);
  const config = await load();
  expect(config.mqtt).toMatchObject({ ...usual, baseTopic: mqtt.includes('other') ? 'other' : 'dsm2mqtt' });
  expect(config.vms).toMatchObject([{ domain: 'Other', shutdown: { timeout: 600_000 } }]);
});

test('a file with a broker: the Supervisor is not asked', async () => {
  const text = 'mqtt: { url: "mqtt://own" }\nvms: [{ domain: DSM }]\n';
  expect(await writeFrom(text, 'http://127.0.0.1:9')).toEqual({ uri: '', hostKey: null });
  expect((await load()).mqtt).toMatchObject({ url: 'mqtt://own', username: null });
});

test.each([
  ['no YAML', 'mqtt: {\nvms: ]\n'],
  ['no mapping', '- domain: DSM\n'],
  ['mqtt is a word', 'mqtt: mosquitto\nvms: [{ domain: DSM }]\n'],
])('the bridge itself tells what is wrong with a file: %s', async (_, text) => {
  await using server = await startSupervisor(broker);
  await writeFrom(text, server.url);
  expect(await problemsOf(load())).not.toEqual([]);
});

test('a mistake in a file is told at its line', async () => {
  await using server = await startSupervisor(broker);
  await writeFrom('# mine\n\nvms:\n  - domain: DSM\n    # a comment\n    adress: 1.2.3.4\n', server.url);
  expect(await problemsOf(load())).toMatchObject([{ where: `${made}:6:5`, path: 'vms[0].adress' }]);
});

test('no options, no broker, no Supervisor, no file: each says so', async () => {
  await expect(write('http://127.0.0.1:9')).rejects.toThrow(/options.json cannot be read/);
  await options();
  await expect(write('http://127.0.0.1:9')).rejects.toThrow(/The Supervisor does not answer/);
  await using server = await startSupervisor(null);
  await expect(write(server.url)).rejects.toThrow(/install and start the Mosquitto app/);
  await options({ vms: 'DSM' });
  await expect(write(server.url)).rejects.toThrow(/options.json is not as expected: .*array.*\n.*at vms/s);
  await options({ config_file: 'none.yaml' });
  await expect(write(server.url)).rejects.toThrow(/none.yaml cannot be read/);
});
