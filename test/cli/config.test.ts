import { expect, test } from 'vitest';
import { checkConfig } from '../../src/cli/check-config.ts';
import { printSchema } from '../../src/cli/schema.ts';
import { directory } from '../config/harness.ts';

async function run(text: string, { json = false, env = {} } = {}) {
  using place = directory({ 'config.yaml': text });
  let out = '';
  let err = '';
  const code = await checkConfig({
    json,
    env,
    cwd: place.path,
    stdout: {
      write: (chunk: string) => {
        out += chunk;
      },
    },
    stderr: {
      write: (chunk: string) => {
        err += chunk;
      },
    },
  });
  return { code, out, err };
}

const good = `
mqtt: { url: mqtts://broker:8883, username: joe, password: hunter2 }
vms:
  - { domain: my DSM, commands: [shutdown] }
  - { domain: cut, commands: [shutdown, force_off], shutdown: { timeout: 90s, on_timeout: force_off } }
  - { domain: other, commands: [] }
`;

test('a good configuration: what was understood, and no secret', async () => {
  expect(await run(good, { env: { DSM2MQTT_MQTT__BASE_TOPIC: 'home' } })).toEqual({
    code: 0,
    err: '',
    out: `file         config.yaml
environment  DSM2MQTT_MQTT__BASE_TOPIC
broker       mqtts://broker:8883 (as joe, with password)
topics       home/…
libvirt      qemu:///system, statistics every 30s
data         /data
vm           my DSM as home/my_DSM, commands shutdown (within 5m)
vm           cut as home/cut, commands shutdown (within 90s, then its power is cut), force_off
vm           other as home/other, no commands
The configuration is fine.
`,
  });
});

test('the same for programs', async () => {
  const { code, out } = await run(good, { json: true });
  expect(code).toBe(0);
  expect(out).not.toContain('hunter2');
  expect(JSON.parse(out)).toMatchObject({
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

test('a wrong one: place, line, caret, hint and count', async () => {
  expect(await run('mqtt:\n  url: mqtt://broker\n  usrname: joe\nvms:\n  - domain: ___\n')).toEqual({
    code: 2,
    out: '',
    err: `config.yaml:3:3: mqtt.usrname: unknown key \`usrname\`, did you mean \`username\`?
    3 |   usrname: ***
      |   ^

config.yaml:5:13: vms[0].domain: no id can be made of this name
    5 |   - domain: ___
      |             ^
      hint: give it another: \`id: vm\`

2 problems
`,
  });
});

test('a wrong one for programs', async () => {
  const { code, out, err } = await run('mqtt: { url: mqtt://b }', { json: true });
  expect({ code, err }).toEqual({ code: 2, err: '' });
  expect(JSON.parse(out)).toMatchObject({
    ok: false,
    problems: [{ where: 'config.yaml:1:1', path: 'vms', message: 'is missing', hint: expect.any(String) }],
  });
});

test('the schema is a JSON schema of the file as it is written', () => {
  let out = '';
  expect(
    printSchema({
      stdout: {
        write: (chunk: string) => {
          out += chunk;
        },
      },
    }),
  ).toBe(0);
  expect(JSON.parse(out)).toMatchObject({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'dsm2mqtt configuration',
    description: expect.any(String),
    required: ['mqtt', 'vms'],
    additionalProperties: false,
    properties: {
      mqtt: { required: ['url'], properties: { password: { writeOnly: true } } },
      vms: {
        items: {
          properties: {
            shutdown: { properties: { max_presses: { type: 'integer', minimum: 1, maximum: 20, default: 3 } } },
          },
        },
      },
      libvirt: { properties: { stats_interval: { type: 'string', default: '30s' } } },
    },
  });
});
