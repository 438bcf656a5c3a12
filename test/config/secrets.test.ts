import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigError, renderProblems } from '../../src/config/problem.ts';
import { complaints, directory, load, minimal, problemsOf } from './harness.ts';

/** Long enough not to be found by accident; shaped to trip the parser in every way. */
const secrets = ['', '*', '&', '!', '@', '%', '"', "'", '{', '[', '|', '>', '- ', '? ', '#', '`'].flatMap(before =>
  ['', ': ', ' #', '\t', '\n', '"', '}'].map(between => `${before}hunter2hunter2${between}hunter2hunter2`),
);

const frames = [
  (value: string) => `mqtt: { url: mqtt://b, password: ${value} }\nvms: [{ domain: D }]\nlgo: 1`,
  (value: string) => `mqtt:\n  url: 7\n  password: ${value}\n  keepalive: 3\nvms: []`,
  (value: string) => `mqtt:\n  passwrd: ${value}\n  url: x\nvms: [{ domain: D, checks: 1 }]`,
  (value: string) => `mqtt:\n  password:${value}\n  url: x`,
  (value: string) => `mqtt:\n  password:\n    ${value}\n  password: ${value}`,
  (value: string) => `mqtt:\n  password: |\n    ${value}\n   x: 1\n  url: y`,
  (value: string) => `mqtt:\n  url: mqtt://joe:${value}@broker\nvms: 1`,
  (value: string) => `mqtt: mqtt://joe:${value}@broker`,
  (value: string) => `mqtt: { url: "wss://broker/mqtt?token=${value}" }\nvms: [{ domain: D }]`,
  (value: string) => `mqtt:\n  url: x # password: ${value}\nvms: 1`,
  (value: string) => `password: ${value}\n`,
  (value: string) => `mqtt: { url: x }\nvms:\n- domain: D\n  loader: { ssh: { password: ${value}, port: 0 } }`,
  (value: string) => `mqtt: { url: x }\nvms:\n- loader:\n    ssh:\n      pasword: ${value}\n      host: a:b`,
  (value: string) => `mqtt: { url: x }\nvms:\n- loader:\n    extensions:\n    - https://joe:${value}@host/`,
];

test.each(frames.map(frame => [frame('…'), frame] as const))('no secret comes out of %j', async (_, frame) => {
  for (const secret of secrets) {
    const problems = await problemsOf(load(frame(secret)));
    const told = renderProblems(problems) + JSON.stringify(problems) + new ConfigError(problems).message;
    expect(told, frame(secret)).not.toContain('hunter2');
  }
});

test.each([
  { DSM2MQTT_MQTT__PASSWORD: 'hunter2', DSM2MQTT_MQTT__PASSWORD_FILE: '/none' },
  { DSM2MQTT_MQTT__URL: 'mqtt://joe:hunter2@broker' },
  { DSM2MQTT_MQTT__PASWORD: 'hunter2' },
  { DSM2MQTT_LIBVIRT__READ_ONLY: 'hunter2' },
  { DSM2MQTT_LIBVIRT__URI: 'qemu+ssh://joe:hunter2@host/system' },
  { DSM2MQTT_VMS__0__COMMANDS: '[*hunter2]' },
  { DSM2MQTT_VMS__0__LOADER__SSH__PASSWORD: 'hunter2' },
  { DSM2MQTT_VMS__0__LOADER__EXTENSIONS: '[https://joe:hunter2@host/]' },
])('nor one of the environment: %j', async env => {
  const problems = await problemsOf(load(minimal, env));
  expect(renderProblems(problems)).not.toContain('hunter2');
});

test.each([
  ['hunter2\n', 'hunter2'],
  ['hunter2\r\n', 'hunter2'],
  ['hunter2', 'hunter2'],
  [' hunter2 \n\n', ' hunter2 \n'],
])('of the password file %j one newline is dropped', async (content, password) => {
  using _ = directory({
    pw: content,
    'config.yaml': 'mqtt: { url: mqtt://b, password_file: pw }\nvms: [{ domain: D }]',
  });
  const { config } = await loadConfig({ env: {} });
  expect(config.mqtt.password).toBe(password);
});

test('a secret given twice, in an empty file or in none is refused', async () => {
  using place = directory({ empty: '\n' });
  const mqtt = (keys: string) => `mqtt: { url: mqtt://b, ${keys} }\nvms: [{ domain: D }]`;
  expect(await complaints(mqtt('password: x, password_file: /none'))).toEqual([
    'config.yaml:1:37 mqtt.password_file: password and password_file are both given',
    'config.yaml:1:52 mqtt.password_file: /none does not exist',
  ]);
  expect(await complaints(mqtt(`password_file: ${place.path}/empty`))).toEqual([
    'config.yaml:1:39 mqtt.password_file: the file is empty',
  ]);
  expect(await complaints(mqtt('password: 12345'))).toEqual([
    'config.yaml:1:34 mqtt.password: expected text, found a number',
  ]);
});

test('certificates need TLS, their other half, and to be what they are called', async () => {
  using place = directory({
    cert: '-----BEGIN CERTIFICATE-----',
    key: '-----BEGIN EC PRIVATE KEY-----',
    locked: '-----BEGIN ENCRYPTED PRIVATE KEY-----',
  });
  const told = async (url: string, keys: string) => {
    const text = `mqtt: { url: ${url}, ${keys.replaceAll('@', `${place.path}/`)} }\nvms: [{ domain: D }]`;
    return (await complaints(text)).map(line => line.replace(/^\S+ /, ''));
  };
  expect(await told('mqtt://b', 'ca_file: @cert')).toEqual(['mqtt.ca_file: has no effect without TLS']);
  expect(await told('mqtts://b', 'cert_file: @cert')).toEqual(['mqtt.cert_file: needs key_file beside it']);
  expect(await told('wss://b', 'key_file: @key')).toEqual(['mqtt.key_file: needs cert_file beside it']);
  expect(await told('mqtts://b', 'cert_file: @key, key_file: @cert')).toEqual([
    'mqtt.cert_file: the file holds no certificate',
    'mqtt.key_file: the file holds no private key',
  ]);
  expect(await told('mqtts://b', 'cert_file: @cert, key_file: @locked')).toEqual([
    'mqtt.key_file: keys with a passphrase are not supported',
  ]);
});
