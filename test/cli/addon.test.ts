import { execFile } from 'node:child_process';
import { access, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { writeAddonConfig } from '../../src/cli/addon.ts';
import { logLevels } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import { commandWords } from '../../src/model/commands.ts';
import { version } from '../../src/util/version.ts';

const read = (path: string) => readFile(new URL(`../../addon/${path}`, import.meta.url), 'utf8');
const manifest = parse(await read('config.yaml'));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'addon-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** A Supervisor that knows a broker, or none; and what it was asked with. */
async function supervisor(broker: object | null) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    response.writeHead(broker ? 200 : 400).end(JSON.stringify(broker ? { result: 'ok', data: broker } : {}));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, asked, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

const broker = {
  host: 'core-mosquitto',
  port: 1883,
  ssl: false,
  username: 'addons',
  password: 'of-addons',
  protocol: '3.1.1',
};
const options = (changes: object = {}) =>
  writeFile(join(folder, 'options.json'), JSON.stringify({ ...manifest.options, ...changes }));
const write = (url: string) =>
  writeAddonConfig({ dataDir: folder, supervisor: url, env: { SUPERVISOR_TOKEN: 'token' } });

test('the options as they come make a configuration', async () => {
  await using server = await supervisor(broker);
  await options();
  const file = await write(server.url);
  expect(server.asked).toEqual(['GET /services/mqtt Bearer token']);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const { config } = await loadConfig({ config: file, env: {} });
  expect(config.mqtt).toMatchObject({ url: 'mqtt://core-mosquitto:1883', username: 'addons', password: 'of-addons' });
  expect(config.libvirt.uri).toBe(manifest.options.libvirt.uri);
  expect(config.vms).toMatchObject([
    { domain: 'DSM', address: '192.168.1.20', commands: manifest.options.vms[0].commands },
  ]);
  expect(config.dataDir).toBe(folder);
});

test('what was left empty in the form is not set', async () => {
  await using server = await supervisor({ ...broker, ssl: true, username: null, password: '' });
  await options({ vms: [{ domain: 'DSM', name: '', address: null, commands: [] }] });
  const { config } = await loadConfig({ config: await write(server.url), env: {} });
  expect(config.mqtt).toMatchObject({ url: 'mqtts://core-mosquitto:1883', username: null, password: null });
  expect(config.vms).toMatchObject([{ label: 'DSM', address: null, commands: [] }]);
});

test('no broker, no Supervisor, no add-on: each says so', async () => {
  await expect(write('http://127.0.0.1:9')).rejects.toThrow(/for Home Assistant's add-on alone/);
  await options();
  await expect(write('http://127.0.0.1:9')).rejects.toThrow(/the Supervisor does not answer/);
  await using server = await supervisor(null);
  await expect(write(server.url)).rejects.toThrow(/install and start the Mosquitto add-on/);
  await options({ vms: 'DSM' });
  await expect(write(server.url)).rejects.toThrow(/options.json is not as expected: .*array.*\n.*at vms/s);
});

test('the folder for the Supervisor has all that its Dockerfile copies', async () => {
  const out = join(folder, 'out');
  await promisify(execFile)(fileURLToPath(new URL('../../scripts/addon', import.meta.url)), [out]);
  const dockerfile = await readFile(join(out, 'Dockerfile'), 'utf8');
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = '']) => names.split(' '));
  expect(copied.length).toBeGreaterThan(8);
  for (const name of [...copied, 'config.yaml', 'translations/en.yaml', 'DOCS.md']) await access(join(out, name));
  expect(dockerfile).toMatch(/^CMD \["addon"\]$/m);
});

describe('the manifest', () => {
  // As supervisor/addons/options.py has it.
  const element =
    /^(?:bool|email|url|port|device(?:\([^)]*\))?|str(?:\(\d*,?\d*\))?|password(?:\(\d*,?\d*\))?|int(?:\(-?\d*,?-?\d*\))?|float(?:\([^)]*\))?|match\(.*\)|list\(.+\))\??$/;

  test('has what the Supervisor requires', () => {
    expect(manifest).toMatchObject({
      name: expect.any(String),
      version,
      slug: expect.stringMatching(/^[-_.A-Za-z0-9]+$/),
      description: expect.any(String),
      services: ['mqtt:need'],
    });
    for (const arch of manifest.arch) expect(['amd64', 'aarch64']).toContain(arch);
  });

  test('its schema is one, and its options keep to it', () => {
    const check = (schema: unknown, value: unknown, at: string): void => {
      if (Array.isArray(schema)) {
        expect(Array.isArray(value), at).toBe(true);
        for (const item of value as unknown[]) check(schema[0], item, at);
      } else if (typeof schema === 'object' && schema !== null) {
        const members = Object.entries(schema);
        for (const [key, type] of members) {
          const member = (value as Record<string, unknown>)[key];
          if (member === undefined) expect(type, `${at}.${key}`).toMatch(/\?$/);
          else check(type, member, `${at}.${key}`);
        }
        const known = members.map(([key]) => key);
        for (const key of Object.keys(value as object)) expect(known, at).toContain(key);
      } else {
        expect(schema, at).toMatch(element);
        const list = /^list\((.+)\)\??$/.exec(String(schema))?.[1];
        if (list) expect(list.split('|'), at).toContain(value);
        else expect(typeof value, at).toBe(schema === 'bool' ? 'boolean' : 'string');
      }
    };
    check(manifest.schema, manifest.options, 'options');
  });

  test('offers every command but those that need a loader', () => {
    const words = /list\((.+)\)/.exec(manifest.schema.vms[0].commands[0])?.[1]?.split('|');
    expect(words?.toSorted()).toEqual(
      commandWords.filter(word => !['arm', 'rebuild', 'rollback'].includes(word)).toSorted(),
    );
  });

  test('offers the log levels that the configuration knows', () => {
    expect(manifest.schema.log_level).toBe(`list(${logLevels.join('|')})`);
  });

  test.each(['en', 'de'])('its options have names in %s', async language => {
    const { configuration } = parse(await read(`translations/${language}.yaml`));
    expect(Object.keys(configuration).toSorted()).toEqual(Object.keys(manifest.schema).toSorted());
  });
});
