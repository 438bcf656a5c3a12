/** Parts of the Debian package, its scripts with stand-ins for what they run. The lab installs the package itself. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { installedSize, md5sums, setModes } from '../../scripts/artefacts/deb.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'deb-'));
  for (const folder of ['bin', 'etc/dsm2mqtt', 'usr/lib/dsm2mqtt', 'usr/share/dsm2mqtt', 'run/systemd/system']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  const stub = (path: string, line: string) => {
    writeFileSync(join(root, path), `#!/bin/sh\n${line}\n`);
    chmodSync(join(root, path), 0o755);
  };
  for (const program of ['adduser', 'chown', 'systemctl', 'deb-systemd-helper', 'deb-systemd-invoke', 'deluser']) {
    stub(`bin/${program}`, `echo ${program} "$@" >>${root}/ran`);
  }
  stub('usr/lib/dsm2mqtt/node', `echo "$DSM2MQTT_CONFIG $DSM2MQTT_MQTT__PASSWORD_FILE"`);
  write('etc/dsm2mqtt/config.yaml', 'example');
  write('usr/share/dsm2mqtt/config.example.yaml', 'example');
  write('etc/dsm2mqtt/mqtt_password', 'secret');
});
afterEach(() => rmSync(root, { recursive: true }));

const write = (path: string, text: string) => writeFileSync(join(root, path), text);

/** One of the package's scripts in a root of its own; what it writes, with that root's paths as they would be. */
function script(name: string, args: readonly string[], env = {}): string {
  const text = readFileSync(join('deploy/debian', name), 'utf8').replaceAll(
    /(?<![\w.])\/(?=etc|run|usr|var)/g,
    `${root}/`,
  );
  const environment = { PATH: `${join(root, 'bin')}:/usr/bin:/bin`, ...env };
  const said = execFileSync('sh', ['-c', text, name, ...args], { env: environment, encoding: 'utf8' });
  return said.replaceAll(root, '').trim();
}

const starts = () => existsSync(join(root, 'ran')) && /invoke start/.test(readFileSync(join(root, 'ran'), 'utf8'));

test('at the first installation the service waits for its configuration', () => {
  expect(script('postinst', ['configure', ''])).toContain('write your broker');
  expect(starts()).toBe(false);
});

test.each([
  ['an upgrade', ['configure', '0.0.1']],
  ['an upgrade that failed', ['abort-upgrade', '99.0.0']],
  ['a removal that failed', ['abort-remove']],
])('after %s the service runs again, also where the environment configures it', (_, args) => {
  expect(script('postinst', args)).toBe('');
  expect(starts()).toBe(true);
});

test('it installs where the administrator has deleted the configuration, and keeps a link in place of the password', () => {
  rmSync(join(root, 'etc/dsm2mqtt/config.yaml'));
  rmSync(join(root, 'etc/dsm2mqtt/mqtt_password'));
  symlinkSync('/nowhere', join(root, 'etc/dsm2mqtt/mqtt_password'));
  script('postinst', ['configure', '']);
  expect(existsSync(join(root, 'etc/dsm2mqtt/config.yaml'))).toBe(false);
  expect(readlinkSync(join(root, 'etc/dsm2mqtt/mqtt_password'))).toBe('/nowhere');
});

test('removed, it leaves no mask: a unit of one’s own could not take its place', () => {
  script('postrm', ['remove']);
  expect(readFileSync(join(root, 'ran'), 'utf8')).not.toContain('mask');
});

test('purged, it follows no link', () => {
  rmSync(join(root, 'etc/dsm2mqtt'), { recursive: true });
  mkdirSync(join(root, 'elsewhere'));
  write('elsewhere/config.yaml', 'mine');
  symlinkSync(join(root, 'elsewhere'), join(root, 'etc/dsm2mqtt'));
  script('postrm', ['purge']);
  expect(existsSync(join(root, 'etc/dsm2mqtt'))).toBe(false);
  expect(readFileSync(join(root, 'elsewhere/config.yaml'), 'utf8')).toBe('mine');
});

const own = '/etc/dsm2mqtt/config.yaml';
const password = '/etc/dsm2mqtt/mqtt_password';

test.each([
  [['status'], {}, `${own} ${password}`],
  [['send', '--config', 'my.yaml', 'DSM', 'start'], {}, own],
  [['status', '--config=my.yaml'], {}, own],
  [['status', '-c', 'my.yaml'], {}, own],
  [['status'], { DSM2MQTT_CONFIG: 'my.yaml' }, 'my.yaml'],
  [['status'], { DSM2MQTT_MQTT__PASSWORD: 'other' }, own],
  [['status'], { DSM2MQTT_MQTT__PASSWORD_FILE: 'file' }, `${own} file`],
  [['run', '--config', 'my.yaml'], { CREDENTIALS_DIRECTORY: 'given' }, own],
])('%j with %j: which configuration, and which password', (args, env, expected) => {
  expect(script('dsm2mqtt.sh', args, env)).toBe(expected);
});

test('a service has the password that systemd hands it, and an empty one is none', () => {
  mkdirSync(join(root, 'credentials'));
  write('credentials/mqtt_password', 'secret');
  const given = { CREDENTIALS_DIRECTORY: join(root, 'credentials') };
  expect(script('dsm2mqtt.sh', ['run'], given)).toBe(`${own} /credentials/mqtt_password`);
  write('credentials/mqtt_password', '');
  write('etc/dsm2mqtt/mqtt_password', '');
  expect(script('dsm2mqtt.sh', ['run'], given)).toBe(own);
});

test('modes and size are the same, whatever umask and file system the builder has', async () => {
  const tree = join(root, 'tree');
  for (const folder of ['DEBIAN', 'usr/bin', 'usr/lib/dsm2mqtt'])
    mkdirSync(join(tree, folder), { recursive: true, mode: 0o700 });
  const files = ['DEBIAN/control', 'DEBIAN/postinst', 'usr/bin/dsm2mqtt', 'usr/lib/dsm2mqtt/index.js'];
  for (const file of files) writeFileSync(join(tree, file), 'x'.repeat(1_025), { mode: 0o600 });
  await setModes(tree);
  const mode = (path: string) => (statSync(join(tree, path)).mode & 0o777).toString(8);
  expect(['', 'usr/lib', ...files].map(mode)).toEqual(['755', '755', '644', '755', '755', '644']);
  // Two files of two KiB each, and four folders.
  expect(await installedSize(tree)).toBe(8);
});

test('its sums are of all it installs but the configuration, in order, and md5sum agrees', async () => {
  const sums = await md5sums(root);
  expect(sums.match(/(?<= {2}).*/g)?.filter(path => !path.startsWith('bin/'))).toEqual([
    'usr/lib/dsm2mqtt/node',
    'usr/share/dsm2mqtt/config.example.yaml',
  ]);
  execFileSync('md5sum', ['--check', '--strict', '--quiet'], { cwd: root, input: sums });
});
