import { expect, test } from 'vitest';
import { complaints, load, minimal, problemsOf } from './harness.ts';

const broker = 'mqtt: { url: mqtt://b }';

/** One line of YAML in an otherwise good file, and the complaint: `line:column path: message`. */
test.each([
  // Unknown keys
  [
    'vms: [{ domain: D }]\nmqtt: { url: mqtt://b, broker_url: x }',
    '2:24 mqtt.broker_url: unknown key `broker_url`, did you mean `url`?',
  ],
  ['vms: [{ domain: D }]\nmqtt: { url: mqtt://b, keepalive: 3 }', '2:24 mqtt.keepalive: unknown key `keepalive`'],
  [`${minimal}lgo: {}`, '3:1 lgo: unknown key `lgo`, did you mean `log`?'],
  [`${minimal}__proto__: { a: 1 }`, '3:1 __proto__: unknown key `__proto__`'],
  [`${minimal}1: 2`, '3:1 1: unknown key `1`'],
  // How it is shut down
  ...[
    ['max_presses: 2.5', 'max_presses: expected a whole number, found 2.5'],
    ["max_presses: '3'", 'max_presses: expected a whole number, found text'],
    ['max_presses: 0', 'max_presses: must be between 1 and 20'],
    ['max_presses: 1e300', 'max_presses: must be between 1 and 20'],
    ['resend_every: 60', 'resend_every: expected text, found a number'],
  ].map(([line = '', complaint]) => [
    `${broker}\nvms:\n- domain: D\n  shutdown:\n    ${line}`,
    `5:${line.indexOf(': ') + 7} vms[0].shutdown.${complaint}`,
  ]),
  // How it is checked
  ...[
    ["schedule: '61 * * * *'", 'schedule: is no cron expression: its minute is wrong'],
    ["schedule: '0 0 31 2 *'", 'schedule: is no cron expression: its day is wrong'],
    ["deep_schedule: '* * *'", 'deep_schedule: expected a cron expression'],
    ['timezone: Mars/Base', 'timezone: expected a time zone'],
    ['probe_timeout: 61s', 'probe_timeout: must be between 100ms and 1m'],
  ].map(([line = '', complaint]) => [
    `${broker}\nvms:\n- domain: D\n  checks:\n    ${line}`,
    `5:${line.indexOf(': ') + 7} vms[0].checks.${complaint}`,
  ]),
  [
    `${broker}\nvms: [{ domain: D, checks: { ports: [5000, 70000] } }]`,
    '2:44 vms[0].checks.ports[1]: must be between 1 and 65535',
  ],
  [
    `${broker}\nvms: [{ domain: D, shutdown: { on_timeout: force_off } }]`,
    '2:44 vms[0].shutdown.on_timeout: force_off is not among the commands of this VM',
  ],
  // Types
  ['- 1', '1:1 : expected a mapping of keys, found a list'],
  ['just text', '1:1 : expected a mapping of keys, found text'],
  [`${broker}\nvms: DSM`, '2:6 vms: expected all or a list, found `DSM`'],
  [`${broker}\nvms: [DSM]`, '2:7 vms[0]: expected a mapping of keys, found text'],
  [`${broker}\nvms: []`, '2:6 vms: must name at least one VM'],
  [`${broker}\nvms: [{ domain: 7 }]`, '2:17 vms[0].domain: expected text, found a number'],
  [`${broker}\nvms: [{ domain: '' }]`, '2:17 vms[0].domain: must not be empty'],
  [`${broker}\nvms: [{ name: x }]`, '2:7 vms[0].domain: is missing'],
  ['vms: [{ domain: D }]\nmqtt:\n  username: u', '2:1 mqtt.url: is missing'],
  ['vms: [{ domain: D }]', '1:1 mqtt.url: is missing'],
  [broker, '1:1 vms: is missing'],
  [`${minimal}libvirt: { read_only: yes }`, '3:23 libvirt.read_only: expected true or false, found text'],
  [`${minimal}libvirt: { stats_interval: 30x }`, '3:28 libvirt.stats_interval: expected a duration'],
  [`${minimal}libvirt: { stats_interval: 500ms }`, '3:28 libvirt.stats_interval: must be between 1s and 24h'],
  [`${minimal}health: { listen: x }`, '3:19 health.listen: expected an address and a port'],
  [
    `${minimal}web: { listen: '0.0.0.0:80' }`,
    '3:16 web.listen: other machines reach this address, and there is no token_file',
  ],
  [`${minimal}health: { listen: 'x:0' }`, '3:19 health.listen: expected an address and a port'],
  [
    `${minimal}health: { listen: '::1:80' }`,
    '3:19 health.listen: expected a host name or an IPv4 address before the port',
  ],
  [`${minimal}log: { level: verbose }`, '3:15 log.level: expected one of error, warn, info, debug, found `verbose`'],
  // Hosts: two of one libvirtd would both serve its VMs.
  ...(
    [
      ['[{ name: a }, { name: b }]', '1:24 libvirt[1].uri: the uri `qemu:///system` is taken by libvirt[0]'],
      [
        "[{ name: a, uri: 'test:///default' }, { name: a }]",
        '1:56 libvirt[1].name: the name `a` is taken by libvirt[0]',
      ],
    ] as const
  ).map(([hosts, complaint]): [string, string] => [
    `libvirt: ${hosts}\n${broker}\nvms: [{ domain: D, on: a }]`,
    complaint,
  ]),
  // VM keys
  [`${broker}\nvms: [{ domain: a b }, { domain: a_b }]`, '2:34 vms[1].domain: the id `a_b` is taken by vms[0]'],
  [`${broker}\nvms: [{ domain: a }, { domain: b, id: a }]`, '2:39 vms[1].id: the id `a` is taken by vms[0]'],
  [`${broker}\nvms: [{ domain: a, id: x }, { domain: a, id: y }]`, '2:39 vms[1].domain: vms[0] is the same domain'],
  [`${broker}\nvms: [{ domain: 群晖 }]`, '2:17 vms[0].domain: no id can be made of this name'],
  [`${broker}\nvms: [{ domain: bridge }]`, '2:17 vms[0].domain: no id can be made of this name'],
  [
    `${broker}\nvms: [{ domain: a, id: a/b }]`,
    '2:24 vms[0].id: an id has at most 128 letters, digits, _ and - only, and is neither `bridge` nor `host`',
  ],
])('%j', async (text, complaint) => {
  expect(await complaints(text)).toEqual([`config.yaml:${complaint}`]);
});

test.each<[what: string, vms: string[], complaints: string[], hint?: string | null, libvirt?: string]>([
  ['it is there', ['domain: DSM', 'domain: box, after: [DSM]', 'domain: cam, after: [box, DSM]'], []],
  ['by its id', ['domain: my DSM', 'domain: box, after: [my_DSM]'], []],
  [
    'it is not there',
    ['domain: DSM', 'domain: box, after: [DMS]'],
    ['vms[1].after[0]: there is no VM with the id `DMS`'],
    'did you mean `DSM`? known: DSM',
  ],
  [
    'nor any other',
    ['domain: box, after: [DSM]'],
    ['vms[0].after[0]: there is no VM with the id `DSM`'],
    'known: no other VM',
  ],
  ['itself', ['domain: DSM, after: [DSM]'], ['vms[0].after[0]: a VM cannot be after itself'], 'leave it out'],
  ['twice', ['domain: DSM', 'domain: box, after: [DSM, DSM]'], ['vms[1].after[1]: `DSM` is there twice']],
  ['not a text', ['domain: DSM', 'domain: box, after: [7]'], ['vms[1].after[0]: expected text, found a number']],
  ['not a list', ['domain: DSM', 'domain: box, after: DSM'], ['vms[1].after: expected a list, found text']],
  [
    'a circle of two',
    ['domain: DSM, after: [box]', 'domain: box, after: [DSM]'],
    ['vms[0].after: goes round in a circle: DSM after box after DSM'],
    'take one of them out',
  ],
  [
    'a circle of three, and one that only leads to it',
    ['domain: a, after: [b]', 'domain: b, after: [c]', 'domain: c, after: [d]', 'domain: d, after: [b]'],
    ['vms[1].after: goes round in a circle: b after c after d after b'],
  ],
  [
    'without the commands',
    ['domain: DSM, commands: []', 'domain: box, commands: [check], after: [DSM]'],
    ['vms[1].after: needs start and shutdown among the commands of this VM'],
    'write `commands: [start, shutdown, check]`',
  ],
  [
    'without one of the commands',
    ['domain: DSM', 'domain: box, commands: [start], after: [DSM]'],
    ['vms[1].after: needs shutdown among the commands of this VM'],
  ],
  [
    'on a host that is only read',
    ['domain: DSM', 'domain: box, after: [DSM]'],
    ['vms[1].after: has no effect: its host is read_only'],
    'leave it out, or let the bridge control that host',
    '{ read_only: true }',
  ],
  ...(['one', 'two'] as const).map((on): [string, string[], string[], null, string] => [
    `on host ${on}, of which the second is only read`,
    ['domain: DSM, on: two', `domain: box, on: ${on}, after: [DSM]`],
    on === 'one' ? [] : ['vms[1].after: has no effect: its host is read_only'],
    null,
    "[{ name: one }, { name: two, uri: 'test:///default', read_only: true }]",
  ]),
])('the order of VMs, %s', async (_, vms, complaints, hint, libvirt = '{}') => {
  const text = `${broker}\nlibvirt: ${libvirt}\nvms: [${vms.map(vm => `{ ${vm} }`).join(', ')}]`;
  if (complaints.length === 0) {
    expect((await load(text)).vms.length).toBe(vms.length);
    return;
  }
  const problems = await problemsOf(load(text));
  expect(problems.map(({ path, message }) => `${path}: ${message}`)).toEqual(complaints);
  if (hint) expect(problems[0]?.hint).toBe(hint);
});

test.each([
  ['[{ domain: a b }, { domain: a_b }, { domain: a_b_2 }]', 'a_b_3'],
  ['[{ domain: ___ }]', 'vm'],
  ['[{ domain: 群晖 }, { domain: vm }]', 'vm_2'],
  ['[{ domain: bridge }]', 'bridge_2'],
  ['[{ domain: x, id: my nas }]', 'my_nas'],
])('for %s a free id is proposed', async (vms, id) => {
  const [problem] = await problemsOf(load(`${broker}\nvms: ${vms}`));
  expect(problem?.hint).toContain(`id: ${id}\``);
});

test.each([
  ['', '[start, shutdown, cancel, force_off, check, quiet, refresh]'],
  ['commands: [shutdown, start], ', '[start, shutdown, force_off]'],
  ['commands: [], ', '[force_off]'],
])('a power cut that is not among the commands (%j): how to permit it, or to do without', async (commands, listed) => {
  const vm = `{ domain: D, ${commands}shutdown: { on_timeout: force_off } }`;
  const [problem, ...others] = await problemsOf(load(`${broker}\nvms: [${vm}]`));
  expect(problem?.hint).toBe(`write \`commands: ${listed}\`, or \`on_timeout: report\``);
  expect(others).toEqual([]);
});

test.each([
  ['http://nas.lan', 'expected a host name or an IP address, and nothing else'],
  ['admin@nas.lan', 'expected a host name or an IP address, and nothing else'],
  ['192.168.1.20/24', 'expected a host name or an IP address, and nothing else'],
  ['nas.lan:5001', 'must not have a port'],
  ['192.168.1.20:5000', 'must not have a port'],
  ['[fd00::20]:5000', 'must not have a port'],
  ['[fd00::20]', 'must not have brackets'],
  ['192.168.1.256', 'is not an IP address'],
  ['192.168.1', 'is not an IP address'],
  ['fd00::20', 'must be a host name or an IPv4 address'],
  ['fd00::g', 'expected a host name or an IP address'],
  ['my nas', 'expected a host name or an IP address'],
  ['-nas', 'expected a host name or an IP address'],
  ['nas..lan', 'expected a host name or an IP address'],
  ['.', 'expected a host name or an IP address'],
  ['', 'must not be empty'],
  [`${'a'.repeat(64)}.lan`, 'expected a host name or an IP address'],
])('the address %j is refused', async (address, message) => {
  expect(await complaints(`${broker}\nvms: [{ domain: D, address: '${address}' }]`)).toEqual([
    `config.yaml:2:29 vms[0].address: ${message}`,
  ]);
});

test.each(['nas', 'nas.lan', 'nas.lan.', 'NAS_2', 'büro-nas.lan', '192.168.1.20', '3com'])(
  'the address %s is taken',
  async address => {
    const { vms } = await load(`${broker}\nvms: [{ domain: D, address: '${address}' }]`);
    expect(vms[0]?.address).toBe(address);
  },
);

test.each([
  ['broker.lan:1883', 'expected the URL of an MQTT broker'],
  ['broker', 'expected a URL'],
  ['tcp://broker', 'expected the URL of an MQTT broker'],
  ['mqtt://', 'expected the URL of an MQTT broker'],
  ['mqtt://user:hunter2@broker', 'must not contain a user or password'],
  ['mqtt://user@broker', 'must not contain a user or password'],
  ['mqtt://broker/topic', 'must not have a path'],
  ['ws://broker/mqtt?token=hunter2', 'must not have a query or a fragment'],
  ['mqtt://a,mqtt://b', 'expected one URL'],
])('the broker %s is refused', async (url, message) => {
  expect(await complaints(`mqtt: { url: '${url}' }\nvms: [{ domain: D }]`)).toEqual([
    `config.yaml:1:14 mqtt.url: ${message}`,
  ]);
});

test.each([
  ['3', '1:14 mqtt.url: expected text or a list, found a number'],
  ['[]', '1:14 mqtt.url: must not be empty'],
  ['[mqtt://a, 3]', '1:25 mqtt.url[1]: expected text, found a number'],
  ['[mqtt://a, tcp://b]', '1:25 mqtt.url[1]: expected the URL of an MQTT broker'],
  // Whoever can stop the first one must not be able to read the password.
  ['[mqtts://a, ws://b]', '1:26 mqtt.url[1]: has no TLS, and another one has'],
  ['[mqtt://a, ws://b], ca_file: /none', '1:34 mqtt.ca_file: has no effect without TLS'],
])('the brokers %s are refused', async (url, message) => {
  expect(await complaints(`mqtt: { url: ${url} }\nvms: [{ domain: D }]`)).toContain(`config.yaml:${message}`);
});

test('several brokers are taken, from the environment too', async () => {
  const urls = ['mqtts://a:8883', 'wss://[fd00::1]/mqtt'];
  const text = JSON.stringify(urls);
  expect((await load(`mqtt: { url: ${text} }\nvms: [{ domain: D }]`)).mqtt.url).toEqual(urls);
  expect((await load(minimal, { DSM2MQTT_MQTT__URL: text })).mqtt.url).toEqual(urls);
});

test.each(['mqtt://b', 'mqtts://b:8883', 'ws://b:8080/mqtt', 'wss://b/', 'mqtt://[fd00::1]:1883', 'mqtt://b/'])(
  'the broker %s is taken',
  async url => {
    expect((await load(`mqtt: { url: '${url}' }\nvms: [{ domain: D }]`)).mqtt.url).toBe(url);
  },
);

test.each(['a/+', '#', '/a', 'a/', '""', '$SYS', '"a\\0b"', '"\\ud800"', 'x'.repeat(1_001), `a${'/x'.repeat(100)}`])(
  'the base topic %s is refused',
  async topic => {
    const problems = await complaints(
      `mqtt:\n  url: mqtt://b\n  base_topic: ${JSON.stringify(topic)
        .replace(/^"\\"|\\""$/g, '"')
        .replaceAll('\\\\', '\\')}\nvms: [{ domain: D }]`,
    );
    expect(problems).toEqual([expect.stringMatching(/^config\.yaml:3:15 mqtt\.base_topic: /)]);
  },
);

test.each([
  ['instance', `instance: ${'n'.repeat(129)}`, 'must have at most 128 characters, not 129'],
  ['instance', 'instance: "n\\n"', 'contains a line break, or another character that MQTT does not allow'],
  ['instance', 'instance: "\\ud800"', 'contains a line break, or another character that MQTT does not allow'],
  ['instance', 'instance: ""', 'must not be empty'],
  [
    'mqtt.client_id',
    `mqtt: { url: mqtt://b, client_id: ${'c'.repeat(1_001)} }`,
    'must have at most 1000 characters, not 1001',
  ],
  [
    'mqtt.client_id',
    'mqtt: { url: mqtt://b, client_id: "c\\0" }',
    'contains a line break, or another character that MQTT does not allow',
  ],
  [
    'mqtt.username',
    'mqtt: { url: mqtt://b, username: "u\\n" }',
    'contains a line break, or another character that MQTT does not allow',
  ],
])('%s that MQTT or other bridges cannot take is refused: %s', async (key, yaml, message) => {
  const whole = `${yaml}\n${yaml.startsWith('mqtt') ? '' : 'mqtt: { url: mqtt://b }\n'}vms: [{ domain: D }]`;
  expect(await complaints(whole)).toEqual([expect.stringContaining(`${key}: ${message}`)]);
});

test('an id, or a domain without one, has at most 128 characters', async () => {
  const long = 'v'.repeat(129);
  expect(await complaints(`mqtt: { url: mqtt://b }\nvms: [{ domain: D, id: ${long} }, { domain: ${long} }]`)).toEqual([
    expect.stringContaining('vms[0].id: an id has at most 128 letters'),
    expect.stringContaining('vms[1].domain: no id can be made of this name'),
  ]);
});

test.each([
  ['qemu+tcp://host/system', 'the transport +tcp is not supported'],
  ['qemu+tls:///system', 'must name a host'],
  ['qemu+ssh://me:secret@host/system', 'must not hold a password: SSH logs in with a key'],
  ['qemu://host/system', 'must not name a host without +tls or +ssh'],
  ['xen:///system', 'expected the driver qemu (or test)'],
  ['qemu+carrier:///system', 'the transport +carrier is not supported'],
  ['qemu:/system', 'expected a libvirt URI'],
  ['/run/libvirt/libvirt-sock', 'expected a libvirt URI'],
])('the libvirt URI %s is refused', async (uri, message) => {
  expect(await complaints(`${minimal}libvirt: { uri: '${uri}' }`)).toEqual([
    `config.yaml:3:17 libvirt.uri: ${message}`,
  ]);
});

test.each([
  'qemu:///system',
  'qemu:///session',
  'test:///default',
  'qemu+unix:///system?socket=/run/a',
  'qemu+tls://host/system',
  'qemu+ssh://me@host/system',
])('the libvirt URI %s is taken', async uri => {
  expect((await load(`${minimal}libvirt: { uri: '${uri}' }`)).hosts[0]?.uri).toBe(uri);
});

test('all problems at once, in the order of the file', async () => {
  const text = `
log: { level: loud }
mqtt: { url: broker, user: x, cert_file: /none }
vms: [{ domain: a, id: '!' }, { loader: 1 }, { domain: a }]
`;
  expect(await complaints(text)).toEqual([
    'config.yaml:2:15 log.level: expected one of error, warn, info, debug, found `loud`',
    'config.yaml:3:14 mqtt.url: expected a URL',
    'config.yaml:3:22 mqtt.user: unknown key `user`, did you mean `username`?',
    'config.yaml:3:31 mqtt.cert_file: needs key_file beside it',
    'config.yaml:3:42 mqtt.cert_file: /none does not exist',
    'config.yaml:4:24 vms[0].id: an id has at most 128 letters, digits, _ and - only, and is neither `bridge` nor `host`',
    'config.yaml:4:31 vms[1].domain: is missing',
    'config.yaml:4:41 vms[1].loader: expected a mapping of keys, found a number',
    'config.yaml:4:56 vms[2].domain: vms[0] is the same domain',
  ]);
});

test('a long text is no list, and nothing more is said of it', async () => {
  const text = 'x'.repeat(30);
  expect(
    await complaints(`mqtt: { url: mqtt://b }\nvms: [{ domain: D, guest: other, checks: { http: ${text} } }]`),
  ).toEqual(['config.yaml:2:50 vms[0].checks.http: expected a list, found text']);
});

test('a value that came by alias or merge is told where it stands', async () => {
  const merged = 'mqtt: { url: mqtt://b }\nvms:\n  - &one\n    domain: D\n    name: 7\n  - <<: *one\n    domain: E';
  expect(await complaints(merged)).toEqual([
    'config.yaml:5:11 vms[0].name: expected text, found a number',
    'config.yaml:5:11 vms[1].name: expected text, found a number',
  ]);
});
