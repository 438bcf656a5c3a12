import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { checkConfig } from '../../src/cli/check-config.ts';
import type { Path } from '../../src/config/problem.ts';
import { jsonSchema, leafPaths, pathText } from '../../src/config/shape.ts';
import { directory } from '../config/harness.ts';
import { captured } from './output.ts';

async function run(text: string, { json = false, env = {} } = {}) {
  using _ = directory({ 'config.yaml': text });
  return await captured(streams => checkConfig({ json, rights: false, env, ...streams }));
}

const good = `
mqtt: { url: mqtts://broker:8883, username: joe, password: hunter2 }
vms:
  - { domain: my DSM, commands: [shutdown] }
  - { domain: cut, commands: [shutdown, force_off], shutdown: { timeout: 90s, on_timeout: force_off } }
  - { domain: other, commands: [] }
`;

test('a good configuration: what was understood, and no secret', async () => {
  const { code, stderr, stdout } = await run(good, { env: { DSM2MQTT_MQTT__BASE_TOPIC: 'home' } });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/\n\nThe configuration is fine\.\n$/);
  expect(stdout).not.toContain('hunter2');
  const json = await run(good, { json: true, env: { DSM2MQTT_MQTT__BASE_TOPIC: 'home' } });
  const { ok: _, problems: __, ...understood } = JSON.parse(json.stdout);
  expect(parse(stdout.replace('The configuration is fine.', ''))).toEqual(understood);
  expect(understood).toMatchObject({
    sources: { environment: ['DSM2MQTT_MQTT__BASE_TOPIC'] },
    mqtt: { base_topic: 'home' },
  });
});

test('for programs', async () => {
  const { code, stdout } = await run(good, { json: true });
  expect(code).toBe(0);
  expect(stdout).not.toContain('hunter2');
  expect(JSON.parse(stdout)).toMatchObject({
    ok: true,
    sources: { file: 'config.yaml', environment: [] },
    mqtt: { url: 'mqtts://broker:8883', username: 'joe', password: true },
    vms: [
      { domain: 'my DSM', id: 'my_DSM', reboot: { method: 'shutdown' } },
      {
        id: 'cut',
        shutdown: { method: 'acpi', timeout: '90s', resend_every: '1m', max_presses: 3, on_timeout: 'force_off' },
      },
      { id: 'other' },
    ],
    problems: [],
  });
});

/** Told by another key, or, of what identifies a disk or a machine, not told. */
const untold =
  /_file$|^mqtt\.(?!url|client_id|username|password$|base_topic)|\.all$|\.create\.(disks|mac)|\.loader\.(ssh\.key|sata_map\.)/;

test('every key is there, but what another one tells, and what identifies a disk', async () => {
  const text = `
mqtt: { url: mqtt://broker }
libvirt: [{ name: one, uri: qemu:///system }, { name: two, uri: qemu+tls://b/system }]
heartbeat: { url: https://hc-ping.com/s3cret }
notify: [{ url: https://ntfy.sh/s3cret, token: s3cret }]
vms:
  - { domain: one, on: one, after: [other], loader: { model: DS918+, platform: 7.1.1-42962, image: /loader.img },
      create: { memory: 4GiB, bridge: br0, disks: [{ pool: default, size: 20GiB }] } }
  - { domain: other, on: two, guest: other, checks: { http: [{}] } }
  - { all: true, except: [one, other] }
`;
  const { stdout } = await run(text, { json: true });
  const understood = JSON.parse(stdout);
  expect(understood).toMatchObject({
    notify: [{ url: 'https://ntfy.sh/…', token: true }],
    heartbeat: { url: 'https://hc-ping.com/…', interval: '1m' },
    health: { listen: '127.0.0.1:8099' },
    web: { listen: 'off', token: false },
  });
  expect(stdout).not.toContain('s3cret');
  const isThere = ([step, ...rest]: Path, value: unknown): boolean => {
    if (step === undefined) return true;
    if (Array.isArray(value)) return value.some(each => isThere(rest, each));
    return Object.hasOwn(Object(value), step) && isThere(rest, Object(value)[step]);
  };
  const paths = leafPaths().filter(path => !untold.test(pathText(path)));
  expect(paths.length).toBeGreaterThan(60);
  expect(paths.filter(path => !isThere(path, understood)).map(pathText)).toEqual([]);
});

const loaders = `
mqtt: { url: mqtt://broker }
vms:
  - domain: plain
    loader: { model: DS918+, platform: ds918p-7.1.1-42962 }
  - domain: full
    commands: [rebuild, rollback]
    loader:
      { model: DS918+, platform: ds918p-7.1.1-42962, upgrade: full, keep_identity: false, on_failure: auto,
        extensions: ['https://a/1.json', 'https://b/2.json'], sata_map: { SataPortMap: '12', DiskIdxMap: '1000' },
        image: /images/loader.img, backup_dir: /backups, keep_backups: 1,
        ssh: { host: 10.0.0.4, port: 2222, user: root, password: hunter2,
          host_key: 'SHA256:0123456789012345678901234567890123456789abc' } }
`;

test('what create makes, and nothing that identifies a disk', async () => {
  const text = `
mqtt: { url: mqtt://broker }
vms:
  - domain: new
    create:
      { memory: 4GiB, bridge: br0, image: /images/loader.img, mac: 52:54:00:12:34:56, disks: [
        { pool: default, size: 20GiB },
        { by_id: /dev/disk/by-id/ata-MAKER_S3RIAL, contains_data: erase, serial: S3RIAL }] }
    loader: { model: DS918+, platform: 7.1.1-42962 }
`;
  const { stdout } = await run(text, { json: true });
  expect(JSON.parse(stdout).vms[0].create).toMatchObject({ memory: 2 ** 32, image: '/images/loader.img', disks: 2 });
  expect(stdout).not.toMatch(/S3RIAL|52:54/);
});

test('a loader', async () => {
  const { stdout } = await run(loaders, { json: true });
  expect(stdout).not.toContain('hunter2');
  const [plain, full] = JSON.parse(stdout).vms;
  expect(plain.loader).toMatchObject({ sata_map: 'auto', image: 'volume', ssh: { host: null, password: false } });
  expect(full.loader).toEqual({
    ...{ kind: 'auto', addons: [], upgrade_zip: null },
    model: 'DS918+',
    platform: 'ds918p-7.1.1-42962',
    upgrade: 'full',
    extensions: ['https://a/1.json', 'https://b/2.json'],
    keep_identity: false,
    sata_map: { SataPortMap: '12', DiskIdxMap: '1000' },
    image: '/images/loader.img',
    transient_pool: false,
    ssh: {
      ...{ host: '10.0.0.4', port: 2_222, user: 'root', password: true, private_key: false },
      host_key: 'SHA256:0123456789012345678901234567890123456789abc',
    },
    on_failure: 'auto',
    backup_dir: '/backups',
    keep_backups: 1,
  });
});

test('a wrong one: place, hint and count', async () => {
  expect(await run('mqtt:\n  url: mqtt://broker\n  usrname: joe\nvms:\n  - domain: ___\n')).toEqual({
    code: 2,
    stdout: '',
    stderr: `config.yaml:3:3: mqtt.usrname: unknown key \`usrname\`, did you mean \`username\`?

config.yaml:5:13: vms[0].domain: no id can be made of this name
  hint: give it another: \`id: vm\`

2 problems
`,
  });
});

test('a wrong one for programs', async () => {
  const { code, stdout, stderr } = await run('mqtt: { url: mqtt://b }', { json: true });
  expect({ code, stderr }).toEqual({ code: 2, stderr: '' });
  expect(JSON.parse(stdout)).toMatchObject({
    ok: false,
    problems: [{ where: 'config.yaml:1:1', path: 'vms', message: 'is missing', hint: expect.any(String) }],
  });
});

test('the schema is a JSON schema of the file as it is written', () => {
  expect(jsonSchema).toMatchObject({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'dsm2mqtt configuration',
    description: expect.any(String),
    required: ['mqtt', 'vms'],
    additionalProperties: false,
    properties: {
      mqtt: { required: ['url'], properties: { password: { writeOnly: true } } },
      vms: {
        anyOf: [
          { enum: ['all'] },
          {
            type: 'array',
            minItems: 1,
            items: {
              properties: {
                loader: {
                  required: ['model', 'platform'],
                  properties: { ssh: { properties: { password: { writeOnly: true } } }, sata_map: { default: 'auto' } },
                },
                shutdown: { properties: { max_presses: { type: 'integer', minimum: 1, maximum: 20, default: 3 } } },
              },
            },
          },
        ],
      },
      libvirt: {
        anyOf: [
          { properties: { stats_interval: { type: 'string', default: '30s' } } },
          { type: 'array', items: { required: ['name'] } },
        ],
      },
    },
  });
});
