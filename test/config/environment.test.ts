import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import type { Path } from '../../src/config/problem.ts';
import { leafPaths, shapeAt, variableName } from '../../src/config/shape.ts';
import { withValueAt } from '../../src/config/value.ts';
import { complaints, directory, load, minimal, problemsOf, withLoader } from './harness.ts';

/** A file in which any one key can be another. */
const base = `
mqtt: { url: mqtt://broker }
vms:
  - domain: D
    commands: [shutdown, force_off, rebuild]
    loader: { model: X, platform: x-1.2-3, sata_map: { SataPortMap: "1", DiskIdxMap: "00" } }
`;

/** For keys that only another guest has. */
const other = `
mqtt: { url: mqtt://broker }
vms: [{ domain: D, guest: other, checks: { http: [{}] } }]
`;

/** The VM is on one of two hosts. */
const hosts = `${base.replace('domain: D', 'domain: D\n    on: nas1')}libvirt: [{ name: nas1 }, { name: nas2, uri: "test:///default" }]\n`;

/** Text of keys for which the schema shows none. */
const samples: Readonly<Record<string, string>> = {
  ...{
    after: '[box]',
    commands: '[force_off, start]',
    ports: '[5000, 22]',
    except: '[a, b]',
    on: '[crashed, solved]',
    interval: '20s',
    extensions: '[https://a.b/c.json, "http://d:80/"]',
    addons: '[acpid, a=b]',
    upgrade_zip: '/a/b.zip',
  },
  ...{ sata_map: '{ SataPortMap: "12", DiskIdxMap: "1000" }', SataPortMap: '9', DiskIdxMap: '1e' },
  ...{ path: '/a?b' },
  ...{ memory: '4GiB', size: '20TiB', mac: '52:54:00:12:34:56', by_id: '/dev/disk/by-id/wwn-0x5' },
  ...{ image: '/images/a b.img', host_key: `SHA256:${'a+/'.repeat(14)}0` },
};

/** A VM that is to be created, with a disk that has this key. */
function withCreate(key: string): string {
  const byId = { by_id: '/dev/disk/by-id/ata-x_y', contains_data: 'erase', serial: 'y' };
  const disk = Object.hasOwn(byId, key) ? byId : { pool: 'default', size: '1GiB', name: 'x' };
  const create = { memory: '3GiB', bridge: 'br1', mac: '52:54:00:00:00:02', image: '/x', disks: [disk] };
  return stringify(withValueAt(parse(withLoader()), ['vms', 0, 'create'], create));
}

function baseOf(path: Path): string {
  if (path[2] === 'create') return withCreate(String(path.at(-1)));
  if (path[0] === 'notify') return `${minimal}notify: [{ url: "https://h" }]`;
  if (path[0] === 'heartbeat') return `${minimal}heartbeat: { url: "https://h" }`;
  if (path[2] === 'guest') return minimal;
  if (path[2] === 'on') return hosts;
  if (path[2] === 'after') return minimal.replace('}]', '}, { domain: box }]');
  if (path[2] === 'except') return 'mqtt: { url: mqtt://b }\nvms: [{ all: true }]';
  return path.some(key => key === 'http' || key === 'ssh' || key === 'agent') && path[2] === 'checks' ? other : base;
}

function sampleOf(path: Path): string {
  const shape = shapeAt(path);
  const sample = path[0] === 'vms' && path[2] === 'on' ? undefined : samples[String(path.at(-1))];
  if (sample) return sample;
  if (shape?.enum) return shape.enum.find(word => word !== shape.default) ?? String(shape.default);
  if (shape?.type === 'boolean') return String(!shape.default);
  if (shape?.type === 'integer') return String(shape.minimum === shape.default ? shape.maximum : shape.minimum);
  if (/^\d+(s|m)$/.test(String(shape?.default))) return '7s';
  return String(shape?.examples?.at(-1) ?? 'word');
}

test.each(
  leafPaths()
    // `all` is instead of a domain: see every-domain.test.ts.
    .filter(path => path[2] !== 'all' && !String(path.at(-1)).endsWith('_file'))
    .map(path => [variableName(path), path] as const),
)('%s does what its key in the file does', async (variable, path) => {
  const text = sampleOf(path);
  const value = shapeAt(path)?.type === 'string' ? text : parse(text);
  const from = baseOf(path);
  const wanted = await load(stringify(withValueAt(parse(from), path, value)));
  for (const name of [variable, variable.toLowerCase()]) expect(await load(from, { [name]: text })).toEqual(wanted);
  if (text !== shapeAt(path)?.default) expect(wanted).not.toEqual(await load(from));
});

test('text is taken as it is, whatever it would be in YAML', async () => {
  for (const username of ['12', 'true', 'null', '~', 'a: b', '*x']) {
    expect((await load(minimal, { DSM2MQTT_MQTT__USERNAME: username })).mqtt.username).toBe(username);
  }
  const quoted = /^(["']).*\1$/s;
  const text = fc.string({ minLength: 1 }).filter(password => !quoted.test(password));
  await fc.assert(
    fc.asyncProperty(text, async password => {
      expect((await load(minimal, { DSM2MQTT_MQTT__PASSWORD: password })).mqtt.password).toBe(password);
    }),
    { numRuns: 30 },
  );
});

test('what the environment lists counts for what the file says, and the other way round', async () => {
  const env = {
    DSM2MQTT_VMS__0__COMMANDS: '[shutdown, force_off]',
    DSM2MQTT_VMS__0__SHUTDOWN__ON_TIMEOUT: 'force_off',
  };
  expect((await load(minimal, env)).vms[0]?.shutdown.onTimeout).toBe('force_off');
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
  const auto = withLoader('sata_map: auto');
  const { vms } = await load(auto, { [`${prefix}__SATAPORTMAP`]: '12', [`${prefix}__DISKIDXMAP`]: '1000' });
  expect(vms[0]?.loader?.sataMap).toEqual({ SataPortMap: '12', DiskIdxMap: '1000' });
  expect(await complaints(auto, { [`${prefix}__SATAPORTMAP`]: '12' })).toEqual([
    'config.yaml:2:77 vms[0].loader.sata_map.DiskIdxMap: is missing',
  ]);
});

test.each([
  ['DSM2MQTT_MQTT_URL', 'did you mean DSM2MQTT_MQTT__URL?'],
  ['DSM2MQTT__MQTT__URL', 'did you mean DSM2MQTT_MQTT__URL?'],
  ['DSM2MQTT_MQTT__BROKER_URL', 'did you mean DSM2MQTT_MQTT__URL?'],
  ['DSM2MQTT_VMS__3__DOMIAN', 'did you mean DSM2MQTT_VMS__3__DOMAIN?'],
  ['DSM2MQTT_MQTT__KEEPALIVE', 'known here: DSM2MQTT_MQTT__URL, '],
  ['DSM2MQTT_MQTT', 'did you mean DSM2MQTT_MQTT__URL?'],
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

test('what is not ours is left alone', async () => {
  const others = ['DSM2MQTT_LAB', 'DSM2MQTT_SERVICE_HOST', 'DSM2MQTT_PORT_8099_TCP_ADDR', 'PATH', 'XDSM2MQTT_A'];
  const env = { DSM2MQTT_CONFIG: 'config.yaml', ...Object.fromEntries(others.map(name => [name, 'x'])) };
  expect(await load(minimal, env)).toEqual(await load(minimal));
});

test.each([
  ['LOG__PRETTY', 'maybe', 'log.pretty: expected true or false, found text'],
  ['LOG__PRETTY', '', 'log.pretty: expected true or false, found nothing'],
  ['MQTT__USERNAME', '', 'mqtt.username: must not be empty'],
  ['VMS__0__COMMANDS', '[start', 'vms[0].commands: is not valid YAML'],
  ['VMS__0__COMMANDS', 'start', 'vms[0].commands: expected a list, found text'],
  ['VMS__0__COMMANDS', '[rebuild]', 'vms[0].commands[0]: the command `rebuild` needs a loader, and this VM has none'],
  ['VMS__0__SHUTDOWN__MAX_PRESSES', '0', 'vms[0].shutdown.max_presses: must be between 1 and 20'],
  ['VMS__0__ADDRESS', 'http://nas.lan', 'vms[0].address: expected a host name or an IP address, and nothing else'],
  ['VMS__2__DOMAIN', 'x', 'vms[2].domain: there is no vms[1] before it'],
])('%s=%s', async (key, value, complaint) => {
  const variable = `DSM2MQTT_${key}`;
  expect(await complaints(minimal, { [variable]: value })).toEqual([`environment ${variable} ${complaint}`]);
});

test('a setting given twice, in two cases', async () => {
  expect(await complaints(minimal, { DSM2MQTT_INSTANCE: 'a', dsm2mqtt_instance: 'b' })).toEqual([
    expect.stringMatching(/instance: is also set by /),
  ]);
});

test.each([
  ['DSM2MQTT_MQTT__PASSWORD', '"hunter2"'],
  ['DSM2MQTT_MQTT__USERNAME', '""'],
  ['DSM2MQTT_LIBVIRT__STATS_INTERVAL', "'30s'"],
  ['DSM2MQTT_LOG__PRETTY', '"true"'],
  ['DSM2MQTT_VMS__0__COMMANDS', "'[start]'"],
  ['DSM2MQTT_CONFIG', '"config.yaml"'],
])('%s in quotes, as an env file keeps them: %s', async (variable, value) => {
  using _ = directory({ 'config.yaml': minimal });
  const problems = await problemsOf(loadConfig({ env: { [variable]: value } }));
  expect(problems).toContainEqual(
    expect.objectContaining({
      ...{ where: `environment ${variable}`, message: 'the quotes around it are part of its value' },
    }),
  );
  expect(JSON.stringify(problems)).not.toContain('hunter2');
});

test.each(['"', "'", 'a"', '"a', `"a'`, '["start"]'])('%s has no quotes around it', async value => {
  expect((await load(minimal, { DSM2MQTT_MQTT__PASSWORD: value })).mqtt.password).toBe(value);
});

test('what is missing without a file is told with the variable to set', async () => {
  using _ = directory();
  const problems = await problemsOf(loadConfig({ env: { DSM2MQTT_VMS__0__NAME: 'x' } }));
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

test.each([
  ['DSM2MQTT_LIBVIRT__URI', 'test:///default', `${minimal}libvirt: [{ name: a }]`, 'the file has a list there'],
  ['DSM2MQTT_LIBVIRT__0__NAME', 'a', `${minimal}libvirt: { uri: 'test:///default' }`, 'the file has a section there'],
])('%s does not replace what is of another shape', async (name, value, text, message) => {
  expect((await problemsOf(load(text, { [name]: value })))[0]).toMatchObject({ where: `environment ${name}`, message });
});
