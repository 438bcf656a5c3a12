/**
 * The container template for Unraid. Its rules are those of Unraid's Docker manager, which writes and reads such files
 * (`emhttp/plugins/dynamix.docker.manager` of its web interface), and of Community Applications.
 */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { currentOrigin } from '../../scripts/origin.ts';
import { loadConfig } from '../../src/config/load.ts';
import { elements, type Setting, template } from '../container/unraid.ts';

const attributes = ['Name', 'Target', 'Default', 'Mode', 'Description', 'Type', 'Display', 'Required', 'Mask'];
const categories = [
  ...['AI:', 'Backup:', 'Cloud:', 'Crypto:', 'Downloaders:', 'Drivers:', 'GameServers:', 'HomeAutomation:'],
  ...['Productivity:', 'Security:', 'Tools:', 'Other:', 'Network:Management', 'Network:Other'],
  ...['Status:Stable', 'Status:Beta'],
];
const modes = {
  Path: ['rw', 'rw,slave', 'rw,shared', 'ro', 'ro,slave', 'ro,shared'],
  Port: ['tcp', 'udp'],
  Variable: [''],
  Label: [''],
  Device: [''],
};

const file = 'deploy/unraid/dsm2mqtt.xml';
const xml = readFileSync(file, 'utf8');
const { version, texts, settings } = template();
const origin = currentOrigin();

test('it has what Unraid reads, in the order in which Unraid writes it', () => {
  expect(version).toBe('2');
  const found = Object.keys(texts);
  expect(found).toEqual(elements.filter(name => found.includes(name)));
  const written = [...xml.matchAll(/^ {2}<(\w+)/gm)].map(([, name]) => name);
  expect(written).toEqual([...found, ...settings.map(() => 'Config')]);
});

test('each setting has the nine attributes in the order of Unraid, with values that it knows', () => {
  for (const setting of settings) {
    expect(Object.keys(setting).filter(key => key !== 'value')).toEqual(attributes);
    expect(Object.keys(modes)).toContain(setting.Type);
    expect(modes[setting.Type], setting.Name).toContain(setting.Mode);
    expect(['always', 'always-hide', 'advanced', 'advanced-hide']).toContain(setting.Display);
    expect(['true', 'false']).toContain(setting.Required);
    expect(['true', 'false']).toContain(setting.Mask);
  }
  for (const key of ['Name', 'Target'] as const)
    expect(new Set(settings.map(one => one[key])).size).toBe(settings.length);
});

test('no text has markup, which Unraid takes out', () => {
  for (const text of [...Object.values(texts), ...settings.flatMap(one => Object.values(one))]) {
    expect(text).not.toMatch(/[<>\\\n]|&\w+;/);
  }
});

test('what goes into the command line as it is has nothing that a shell would read', () => {
  expect(`${texts.ExtraParams}${texts.PostArgs}`).toMatch(/^[\w :=.-]*$/);
});

test('its words are ones that Unraid knows', () => {
  expect(texts.Name).toMatch(/^[\w-]+$/);
  expect(texts.Network).toBe('host');
  expect(['sh', 'bash']).toContain(texts.Shell);
  expect(texts.Privileged).toBe('false');
  expect(texts.Category?.split(' ').filter(category => !categories.includes(category))).toEqual([]);
});

test('its addresses are those of the project', () => {
  expect(texts.Repository).toBe(`ghcr.io/${origin.toLowerCase()}:latest`);
  expect(texts.TemplateURL).toBe(`https://raw.githubusercontent.com/${origin}/main/${file}`);
  expect(texts.Icon).toBe(`https://raw.githubusercontent.com/${origin}/main/addon/icon.png`);
  for (const key of ['Support', 'Project', 'ReadMe'] as const)
    expect(texts[key]).toMatch(new RegExp(`^https://github.com/${origin}\\b`));
});

describe('what it runs', () => {
  const of = (type: Setting['Type']) => settings.filter(setting => setting.Type === type);

  test('the folder of libvirt’s socket is mounted, and never the socket', () => {
    const paths = of('Path').map(({ Default, Target, Mode }) => `${Default}:${Target}:${Mode}`);
    expect(paths).toContain('/var/run/libvirt:/run/libvirt:ro');
    expect(paths.filter(path => path.includes('sock'))).toEqual([]);
    for (const { Target, Default, value } of of('Path')) {
      expect(Target).toMatch(/^\//);
      expect(value).toBe(Default);
    }
  });

  test('the bridge understands its variables, without a file', async () => {
    const samples = ['mqtt://broker.lan:1883', 'dsm2mqtt', 'hunter2', 'DSM'];
    const env = Object.fromEntries(of('Variable').map(({ Target }, at) => [Target, samples[at]]));
    const { config } = await loadConfig({ config: undefined, env });
    expect(config).toMatchObject({ mqtt: { username: 'dsm2mqtt', password: 'hunter2' }, vms: [{ domain: 'DSM' }] });
    // Unraid passes what is left empty as an empty string, which the bridge refuses.
    expect(of('Variable').filter(({ Required }) => Required !== 'true')).toEqual([]);
  });

  test('only the password is masked', () => {
    expect(settings.filter(({ Mask }) => Mask === 'true').map(({ Target }) => Target)).toEqual([
      'DSM2MQTT_MQTT__PASSWORD',
    ]);
  });

  test('it is as hardened as with Compose', () => {
    const { services } = parse(readFileSync('compose.yaml', 'utf8'));
    const { read_only, cap_drop, security_opt, network_mode } = services.dsm2mqtt;
    expect(network_mode).toBe(texts.Network);
    const options = texts.ExtraParams?.split(' ');
    expect(read_only).toBe(true);
    expect(options).toEqual(
      expect.arrayContaining([
        '--read-only',
        ...cap_drop.map((one: string) => `--cap-drop=${one}`),
        ...security_opt.map((one: string) => `--security-opt=${one}`),
      ]),
    );
  });
});

test('the page about it says what the container runs as', () => {
  const [, user = ''] = /--user=(\S+)/.exec(texts.ExtraParams ?? '') ?? [];
  const page = readFileSync('deploy/unraid/README.md', 'utf8');
  expect(page).toContain(`--user=${user}`);
  expect(existsSync(file)).toBe(true);
});
