import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { directory, load, minimal, problemsOf } from './harness.ts';

test('a minimal file is a broker and a domain', async () => {
  expect(await load(minimal)).toEqual({
    instance: hostname(),
    mqtt: {
      url: 'mqtt://broker',
      clientId: `dsm2mqtt-${hostname()}`,
      username: null,
      password: null,
      ca: null,
      cert: null,
      key: null,
      baseTopic: 'dsm2mqtt',
    },
    homeAssistant: {
      discoveryPrefix: 'homeassistant',
      statusTopic: 'homeassistant/status',
      powerSwitchCategory: 'config',
    },
    hosts: [{ name: null, uri: 'qemu:///system', readOnly: false, statsInterval: 30_000 }],
    templates: [],
    vms: [
      {
        domain: 'DSM',
        on: null,
        key: 'DSM',
        label: 'DSM',
        guest: 'dsm',
        ...{ suggestedArea: null, linkByMac: false },
        address: null,
        commands: ['start', 'shutdown', 'cancel', 'check', 'quiet', 'refresh'],
        shutdown: { method: 'acpi', timeout: 300_000, resendEvery: 60_000, maxPresses: 3, onTimeout: 'report' },
        reboot: { method: 'shutdown' },
        after: [],
        expected: 'last_intended',
        checks: {
          schedule: '* * * * *',
          deepSchedule: '*/15 * * * *',
          timezone: null,
          failuresBeforeDown: 2,
          bootGrace: 900_000,
          probeTimeout: 5_000,
          ports: [5_000, 5_001, 445],
          ...{ http: [], ssh: null, agent: false },
        },
        console: 'never',
        loader: null,
        create: null,
      },
    ],
    notify: [],
    heartbeat: null,
    dataDir: '/data',
    health: { listen: { host: '127.0.0.1', port: 8_099 } },
    web: { listen: null, token: null, ingress: false },
    log: { level: 'info', pretty: false },
  });
});

test('what is not as it was written: files, lists, times, places', async () => {
  using _ = directory({
    password: 'p\n',
    'ca.pem': '-----BEGIN CERTIFICATE-----\nca',
    'cert.pem': '-----BEGIN CERTIFICATE-----\ncert',
    'key.pem': '-----BEGIN PRIVATE KEY-----\nkey',
    'config.yaml': `
mqtt: { url: 'mqtts://b', password_file: password, ca_file: ca.pem, cert_file: cert.pem, key_file: key.pem }
vms:
  - { domain: my DSM, id: nas, name: The NAS, commands: [shutdown, force_off, reboot, force_off],
      shutdown: { timeout: 90s, resend_every: 20s, on_timeout: force_off },
      checks: { deep_schedule: never, boot_grace: 20m, probe_timeout: 250ms, ports: [80, 443, 80] } }
health: { listen: 'nas.lan:80' }
web: { listen: '127.0.0.1:81', ingress: true }
`,
  });
  const { config } = await loadConfig({ env: {} });
  expect(config).toMatchObject({
    mqtt: {
      password: 'p',
      ca: '-----BEGIN CERTIFICATE-----\nca',
      cert: '-----BEGIN CERTIFICATE-----\ncert',
      key: '-----BEGIN PRIVATE KEY-----\nkey',
    },
    vms: [
      {
        ...{ domain: 'my DSM', key: 'nas', label: 'The NAS', commands: ['shutdown', 'force_off', 'reboot'] },
        shutdown: { timeout: 90_000, resendEvery: 20_000 },
        checks: { deepSchedule: null, bootGrace: 1_200_000, probeTimeout: 250, ports: [80, 443] },
      },
    ],
    health: { listen: { host: 'nas.lan', port: 80 } },
    web: { listen: { host: '127.0.0.1', port: 81 }, token: null, ingress: true },
  });
  expect((await load(`${minimal}health: { listen: off }`)).health.listen).toBeNull();
});

test('the key of a VM is its name made legal, or its UUID', async () => {
  const uuid = '0d1f7d3c-6f5e-4c0a-9d5e-3f0c8a1b2c3d';
  const { vms } = await load(`mqtt: { url: mqtt://b }\nvms: [{ domain: Büro NAS }, { domain: ${uuid} }]`);
  expect(vms.map(({ key }) => key)).toEqual(['B_ro_NAS', uuid]);
});

test('sections with every key commented out are empty, and anchors and merges work', async () => {
  const config = await load(`
mqtt: { url: mqtt://broker }
home_assistant:
log:
vms:
  - &first { domain: one, shutdown: { timeout: 1m } }
  - { <<: *first, domain: two }
  - domain: three
    shutdown:
    reboot:
`);
  expect(config.vms.map(({ shutdown }) => shutdown.timeout)).toEqual([60_000, 60_000, 300_000]);
  expect(config.log.level).toBe('info');
});

test('a byte order mark and Windows line ends do no harm', async () => {
  expect((await load(`\uFEFF${minimal.replaceAll('\n', '\r\n')}`)).mqtt.url).toBe('mqtt://broker');
});

test('--config goes over DSM2MQTT_CONFIG, and that over ./config.yaml', async () => {
  const named = (name: string) => `instance: ${name}\n${minimal}`;
  using _ = directory({ 'config.yaml': named('usual'), 'a.yaml': named('option'), 'b.yaml': named('variable') });
  const env = { DSM2MQTT_CONFIG: 'b.yaml' };
  const found = [
    await loadConfig({ config: 'a.yaml', env }),
    await loadConfig({ env }),
    await loadConfig({ env: { DSM2MQTT_CONFIG: '' } }),
  ];
  expect(found.map(({ config }) => config.instance)).toEqual(['option', 'variable', 'usual']);
  expect(found.map(({ sources }) => sources.file)).toEqual(['a.yaml', 'b.yaml', 'config.yaml']);
});

test('the environment alone is enough', async () => {
  using _ = directory();
  const env = { DSM2MQTT_MQTT__URL: 'mqtt://broker', DSM2MQTT_VMS__0__DOMAIN: 'DSM' };
  const { config, sources } = await loadConfig({ env });
  expect(config.vms[0]?.domain).toBe('DSM');
  expect(sources).toEqual({ file: null, environment: Object.keys(env) });
});

test('nothing at all: it says where it looked', async () => {
  using place = directory();
  const [problem] = await problemsOf(loadConfig({ env: {} }));
  expect(problem?.message).toContain(join(place.path, 'config.yaml'));
  expect(problem?.message).toContain('/config/config.yaml');
});

test('a named file that is missing, a directory or not UTF-8 is told as such', async () => {
  using place = directory({
    'latin1.yaml': Uint8Array.of(0x61, 0x3a, 0x20, 0xe9),
    'utf16.yaml': Uint8Array.of(0xff, 0xfe, 0x61, 0),
  });
  mkdirSync(join(place.path, 'config.yaml'));
  const told = async (config?: string) => {
    const problems = await problemsOf(loadConfig({ config, env: {} }));
    return problems.map(({ where, message, hint }) => `${where}: ${message} (${hint})`).join();
  };
  expect(await told('none.yaml')).toMatch(/^none\.yaml: .* does not exist/);
  expect(await told('')).toMatch(/is a directory/);
  expect(await told()).toMatch(/^config\.yaml: .* is a directory \(a container engine makes one/);
  expect(await told('latin1.yaml')).toMatch(/is not UTF-8/);
  expect(await told('utf16.yaml')).toMatch(/looks like UTF-16/);
});
