import fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { leafPaths, variableName } from '../../src/config/shape.ts';
import { complaints, load, minimal, problemsOf, withLoader } from './harness.ts';
import { loaderScalars, type Scalar } from './loader-scalars.ts';

const word = fc.stringMatching(/^[a-z][a-z0-9]{0,12}$/);
const seconds = fc.integer({ min: 1, max: 80_000 });

/** Every key that no file hangs on: how to make a value of it, and what comes of it. */
const scalars: Record<string, Scalar> = {
  ...loaderScalars,
  DSM2MQTT_INSTANCE: { text: word, read: config => config.instance },
  DSM2MQTT_MQTT__URL: { text: word.map(host => `mqtt://${host}`), read: config => config.mqtt.url },
  DSM2MQTT_MQTT__CLIENT_ID: { text: word, read: config => config.mqtt.clientId },
  DSM2MQTT_MQTT__USERNAME: {
    text: fc.constantFrom('12', 'true', 'null', '~', 'a: b', '*x'),
    read: config => config.mqtt.username,
  },
  DSM2MQTT_MQTT__PASSWORD: {
    text: fc.string({ minLength: 1 }).filter(text => !/^(["']).*\1$/s.test(text)),
    read: config => config.mqtt.password,
  },
  DSM2MQTT_MQTT__BASE_TOPIC: { text: word, read: config => config.mqtt.baseTopic },
  DSM2MQTT_HOME_ASSISTANT__DISCOVERY_PREFIX: { text: word, read: config => config.homeAssistant.discoveryPrefix },
  DSM2MQTT_HOME_ASSISTANT__STATUS_TOPIC: { text: word, read: config => config.homeAssistant.statusTopic },
  DSM2MQTT_HOME_ASSISTANT__POWER_SWITCH_CATEGORY: {
    text: fc.constantFrom('config', 'none'),
    read: config => config.homeAssistant.powerSwitchCategory,
  },
  DSM2MQTT_LIBVIRT__URI: { text: word.map(path => `test:///${path}`), read: config => config.libvirt.uri },
  DSM2MQTT_LIBVIRT__READ_ONLY: {
    text: fc.constantFrom('true', 'false'),
    read: config => config.libvirt.readOnly,
    is: text => text === 'true',
  },
  DSM2MQTT_LIBVIRT__STATS_INTERVAL: {
    text: seconds.map(count => `${count}s`),
    read: config => config.libvirt.statsInterval,
    is: text => Number.parseInt(text, 10) * 1_000,
  },
  DSM2MQTT_VMS__0__DOMAIN: { text: word, read: config => config.vms[0]?.domain },
  DSM2MQTT_VMS__0__ID: { text: word.filter(key => key !== 'bridge'), read: config => config.vms[0]?.key },
  DSM2MQTT_VMS__0__NAME: { text: word, read: config => config.vms[0]?.label },
  DSM2MQTT_VMS__0__COMMANDS: {
    text: fc.constantFrom('[start]', '[shutdown, start]', '[]', '[force_off, screenshot, autostart]'),
    read: config => config.vms[0]?.commands,
    is: text => text.match(/\w+/g) ?? [],
  },
  DSM2MQTT_VMS__0__SHUTDOWN__TIMEOUT: {
    text: seconds.map(count => `${count}s`),
    read: config => config.vms[0]?.shutdown.timeout,
    is: text => Number.parseInt(text, 10) * 1_000,
  },
  DSM2MQTT_VMS__0__SHUTDOWN__METHOD: {
    text: fc.constantFrom('acpi', 'agent', 'auto'),
    read: config => config.vms[0]?.shutdown.method,
  },
  DSM2MQTT_VMS__0__SHUTDOWN__RESEND_EVERY: {
    text: seconds.map(count => `${count}s`),
    read: config => config.vms[0]?.shutdown.resendEvery,
    is: text => Number.parseInt(text, 10) * 1_000,
  },
  DSM2MQTT_VMS__0__SHUTDOWN__MAX_PRESSES: {
    text: fc.integer({ min: 1, max: 20 }).map(String),
    read: config => config.vms[0]?.shutdown.maxPresses,
    is: Number,
  },
  DSM2MQTT_VMS__0__SHUTDOWN__ON_TIMEOUT: {
    // The other one needs another key as well.
    text: fc.constant('report'),
    read: config => config.vms[0]?.shutdown.onTimeout,
  },
  DSM2MQTT_VMS__0__REBOOT__METHOD: {
    text: fc.constantFrom('shutdown', 'guest'),
    read: config => config.vms[0]?.reboot.method,
  },
  DSM2MQTT_VMS__0__EXPECTED: {
    text: fc.constantFrom('running', 'off', 'last_commanded', 'last_intended'),
    read: config => config.vms[0]?.expected,
  },
  DSM2MQTT_VMS__0__CHECKS__SCHEDULE: {
    text: fc.constantFrom('* * * * *', '*/10 * * * * *', '7 3 * * 1-5'),
    read: config => config.vms[0]?.checks.schedule,
  },
  DSM2MQTT_VMS__0__CHECKS__DEEP_SCHEDULE: {
    text: fc.constantFrom('0 * * * *', 'never'),
    read: config => config.vms[0]?.checks.deepSchedule,
    is: text => (text === 'never' ? null : text),
  },
  DSM2MQTT_VMS__0__CHECKS__TIMEZONE: {
    text: fc.constantFrom('Europe/Berlin', 'UTC', 'America/New_York'),
    read: config => config.vms[0]?.checks.timezone,
  },
  DSM2MQTT_VMS__0__CHECKS__FAILURES_BEFORE_DOWN: {
    text: fc.integer({ min: 1, max: 20 }).map(String),
    read: config => config.vms[0]?.checks.failuresBeforeDown,
    is: Number,
  },
  DSM2MQTT_VMS__0__CHECKS__BOOT_GRACE: {
    text: seconds.map(count => `${count}s`),
    read: config => config.vms[0]?.checks.bootGrace,
    is: text => Number.parseInt(text, 10) * 1_000,
  },
  DSM2MQTT_VMS__0__CHECKS__PROBE_TIMEOUT: {
    text: fc.integer({ min: 100, max: 60_000 }).map(count => `${count}ms`),
    read: config => config.vms[0]?.checks.probeTimeout,
    is: text => Number.parseInt(text, 10),
  },
  DSM2MQTT_VMS__0__CHECKS__PORTS: {
    text: fc.constantFrom('[5000]', '[5000, 5001, 22]', '[]'),
    read: config => config.vms[0]?.checks.ports,
    is: text => (text.match(/\w+/g) ?? []).map(Number),
  },
  DSM2MQTT_VMS__0__ADDRESS: {
    text: fc.oneof(word, fc.ipV4()),
    read: config => config.vms[0]?.address,
  },
  DSM2MQTT_DATA_DIR: { text: word, read: config => config.dataDir },
  DSM2MQTT_HEALTH__LISTEN: {
    text: fc.oneof(
      fc.constant('off'),
      fc.integer({ min: 1, max: 65_535 }).map(port => `127.0.0.1:${port}`),
    ),
    read: config => config.health.listen,
    is: text => (text === 'off' ? null : { host: '127.0.0.1', port: Number(text.split(':')[1]) }),
  },
  DSM2MQTT_LOG__LEVEL: { text: fc.constantFrom('error', 'warn', 'info', 'debug'), read: config => config.log.level },
  DSM2MQTT_LOG__PRETTY: {
    text: fc.constantFrom('true', 'false'),
    read: config => config.log.pretty,
    is: text => text === 'true',
  },
};

test('the table below has every key but the files', () => {
  const names = leafPaths().map(variableName);
  expect(names.filter(name => !name.endsWith('_FILE')).toSorted()).toEqual(Object.keys(scalars).toSorted());
});

test.each(Object.entries(scalars))('%s is reflected', async (variable, scalar) => {
  const { text, read, is = (same: string) => same, file = minimal } = scalar;
  await fc.assert(
    fc.asyncProperty(text, fc.boolean(), async (value, lowerCase) => {
      const config = await load(file, { [lowerCase ? variable.toLowerCase() : variable]: value });
      expect(read(config)).toEqual(is(value));
    }),
    { numRuns: 20 },
  );
});

test('what the environment lists counts for what the file says, and the other way round', async () => {
  const cut = (
    await load(minimal, {
      DSM2MQTT_VMS__0__COMMANDS: '[shutdown, force_off]',
      DSM2MQTT_VMS__0__SHUTDOWN__ON_TIMEOUT: 'force_off',
    })
  ).vms[0];
  expect(cut?.shutdown.onTimeout).toBe('force_off');
  const file =
    'mqtt: { url: mqtt://b }\nvms: [{ domain: D, commands: [force_off], shutdown: { on_timeout: force_off } }]';
  expect(await complaints(file, { DSM2MQTT_VMS__0__COMMANDS: '[shutdown]' })).toEqual([
    'config.yaml:2:67 vms[0].shutdown.on_timeout: force_off is not among the commands of this VM',
  ]);
});

test('a list grows in order, and commands can be set one by one', async () => {
  const names = Object.fromEntries(
    Array.from({ length: 11 }, (_, index) => [`DSM2MQTT_VMS__${index}__DOMAIN`, `d${index}`]),
  );
  const { vms } = await load(minimal, { ...names, DSM2MQTT_VMS__10__COMMANDS__0: 'start' });
  expect(vms.map(({ domain }) => domain)).toEqual(Object.values(names));
  expect(vms[10]?.commands).toEqual(['start']);
});

test('a word gives way to the keys of the section that may stand for it', async () => {
  const prefix = 'DSM2MQTT_VMS__0__LOADER__SATA_MAP';
  const { vms } = await load(withLoader('sata_map: auto'), {
    [`${prefix}__SATAPORTMAP`]: '12',
    [`${prefix}__DISKIDXMAP`]: '1000',
  });
  expect(vms[0]?.loader?.sataMap).toEqual({ SataPortMap: '12', DiskIdxMap: '1000' });
  expect(await complaints(withLoader('sata_map: auto'), { [`${prefix}__SATAPORTMAP`]: '12' })).toEqual([
    'config.yaml:2:77 vms[0].loader.sata_map.DiskIdxMap: is missing',
  ]);
});

test('a loader comes from the environment alone', async () => {
  const loader = 'DSM2MQTT_VMS__0__LOADER__';
  const { vms } = await load(minimal, {
    [`${loader}MODEL`]: 'DS918+',
    [`${loader}PLATFORM`]: 'ds918p-7.1.1-42962',
    DSM2MQTT_VMS__0__COMMANDS: '[rebuild]',
  });
  expect(vms[0]).toMatchObject({ commands: ['rebuild'], loader: { model: 'DS918+', platform: 'ds918p-7.1.1-42962' } });
});

test.each([
  ['DSM2MQTT_MQTT_URL', 'did you mean DSM2MQTT_MQTT__URL?'],
  ['DSM2MQTT__MQTT__URL', 'did you mean DSM2MQTT_MQTT__URL?'],
  ['DSM2MQTT_MQTT__BROKER_URL', 'did you mean DSM2MQTT_MQTT__URL?'],
  ['DSM2MQTT_VMS__3__DOMIAN', 'did you mean DSM2MQTT_VMS__3__DOMAIN?'],
  ['DSM2MQTT_MQTT__KEEPALIVE', 'known here: DSM2MQTT_MQTT__URL, '],
  ['DSM2MQTT_MQTT', 'did you mean DSM2MQTT_MQTT__URL?'],
  ['DSM2MQTT_VMS', 'did you mean DSM2MQTT_VMS__0__DOMAIN?'],
  ['DSM2MQTT_VMS__00__DOMAIN', 'did you mean DSM2MQTT_VMS__'],
  ['DSM2MQTT_VMS__1__LOADER__MODLE', 'did you mean DSM2MQTT_VMS__1__LOADER__MODEL?'],
  ['DSM2MQTT_VMS__0__LOADER__SATA_MAP__PORTMAP', 'did you mean DSM2MQTT_VMS__0__LOADER__SATA_MAP__SATAPORTMAP?'],
  ['DSM2MQTT___PROTO____X', 'for example'],
  ['DSM2MQTT_', 'for example'],
])('%s is no setting', async (variable, hint) => {
  const problems = await problemsOf(load(minimal, { [variable]: 'x' }));
  expect(problems).toMatchObject([{ where: `environment ${variable}`, message: 'no such setting' }]);
  expect(problems[0]?.hint).toContain(hint);
});

test.each([
  'DSM2MQTT_CONFIG',
  'DSM2MQTT_LAB',
  'DSM2MQTT_SERVICE_HOST',
  'DSM2MQTT_PORT_8099_TCP_ADDR',
  'PATH',
  'XDSM2MQTT_A',
])('%s is left alone', async variable => {
  await load(minimal, { [variable]: variable === 'DSM2MQTT_CONFIG' ? 'config.yaml' : 'x' });
});

test.each([
  [
    { DSM2MQTT_LOG__PRETTY: 'maybe' },
    'environment DSM2MQTT_LOG__PRETTY log.pretty: expected true or false, found text',
  ],
  [{ DSM2MQTT_LOG__PRETTY: '' }, 'environment DSM2MQTT_LOG__PRETTY log.pretty: expected true or false, found nothing'],
  [{ DSM2MQTT_MQTT__USERNAME: '' }, 'environment DSM2MQTT_MQTT__USERNAME mqtt.username: must not be empty'],
  [{ DSM2MQTT_VMS__0__COMMANDS: '[start' }, 'environment DSM2MQTT_VMS__0__COMMANDS vms[0].commands: is not valid YAML'],
  [
    { DSM2MQTT_VMS__0__COMMANDS: 'start' },
    'environment DSM2MQTT_VMS__0__COMMANDS vms[0].commands: expected a list, found text',
  ],
  [
    { DSM2MQTT_VMS__0__COMMANDS: '[rebuild]' },
    'environment DSM2MQTT_VMS__0__COMMANDS vms[0].commands[0]: the command `rebuild` needs a loader, and this VM has none',
  ],
  [
    { DSM2MQTT_VMS__0__SHUTDOWN__MAX_PRESSES: 'three' },
    'environment DSM2MQTT_VMS__0__SHUTDOWN__MAX_PRESSES vms[0].shutdown.max_presses: expected a whole number, found text',
  ],
  [
    { DSM2MQTT_VMS__0__SHUTDOWN__MAX_PRESSES: '0' },
    'environment DSM2MQTT_VMS__0__SHUTDOWN__MAX_PRESSES vms[0].shutdown.max_presses: must be between 1 and 20',
  ],
  [
    { DSM2MQTT_VMS__0__SHUTDOWN__ON_TIMEOUT: 'force_off' },
    'environment DSM2MQTT_VMS__0__SHUTDOWN__ON_TIMEOUT vms[0].shutdown.on_timeout: force_off is not among the commands of this VM',
  ],
  [
    { DSM2MQTT_VMS__0__ADDRESS: 'http://nas.lan' },
    'environment DSM2MQTT_VMS__0__ADDRESS vms[0].address: expected a host name or an IP address, and nothing else',
  ],
  [{ DSM2MQTT_VMS__2__DOMAIN: 'x' }, 'environment DSM2MQTT_VMS__2__DOMAIN vms[2].domain: there is no vms[1] before it'],
  [{ DSM2MQTT_INSTANCE: 'a', dsm2mqtt_instance: 'b' }, expect.stringMatching(/instance: is also set by /)],
])('%j', async (env, complaint) => {
  expect(await complaints(minimal, env)).toEqual([complaint]);
});

test.each([
  ['DSM2MQTT_MQTT__PASSWORD', '"hunter2"'],
  ['DSM2MQTT_MQTT__PASSWORD', "'hunter2'"],
  ['DSM2MQTT_MQTT__USERNAME', '""'],
  ['DSM2MQTT_MQTT__URL', "'mqtt://b'"],
  ['DSM2MQTT_LIBVIRT__STATS_INTERVAL', '"30s"'],
  ['DSM2MQTT_LOG__PRETTY', '"true"'],
  ['DSM2MQTT_VMS__0__COMMANDS', "'[start]'"],
])('%s in quotes, as an env file keeps them: %s', async (variable, value) => {
  const problems = await problemsOf(load(minimal, { [variable]: value }));
  expect(problems).toMatchObject([
    { where: `environment ${variable}`, message: 'the quotes around it are part of its value' },
  ]);
  expect(JSON.stringify(problems)).not.toContain('hunter2');
});

test('the name of the file in quotes is told beside the file that is not there', async () => {
  const problems = await problemsOf(loadConfig({ env: { DSM2MQTT_CONFIG: '"/nowhere/config.yaml"' } }));
  expect(problems.map(({ where }) => where)).toContain('environment DSM2MQTT_CONFIG');
});

test.each(['"', "'", 'a"', '"a', `"a'`, '["start"]'])('%s has no quotes around it', async value => {
  expect((await load(minimal, { DSM2MQTT_MQTT__PASSWORD: value })).mqtt.password).toBe(value);
});

test('what is missing without a file is told with the variable to set', async () => {
  const env = { DSM2MQTT_VMS__0__NAME: 'x' };
  const problems = await problemsOf(loadConfig({ env, cwd: '/nonexistent' }));
  expect(problems.map(({ where, path }) => `${where} ${path}`)).toEqual([
    'environment mqtt.url',
    'environment vms[0].domain',
  ]);
  expect(problems[1]?.hint).toContain('DSM2MQTT_VMS__0__DOMAIN');
});

test('a section of the wrong kind in the file is not papered over', async () => {
  expect(await complaints('mqtt: 3\nvms: [{ domain: D }]', { DSM2MQTT_MQTT__URL: 'mqtt://b' })).toEqual([
    'config.yaml:1:7 mqtt: expected a mapping of keys, found a number',
  ]);
});
