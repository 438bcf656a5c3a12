import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { complaints, directory, load, minimal, problemsOf, withLoader } from './harness.ts';

const fingerprint = `SHA256:${'abc+/90'.repeat(6)}X`;
const openSsh = '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n';

test('the version alone is enough: the model is put in front', async () => {
  const platform = async (text: string) =>
    (await load(withLoader().replace('ds918p-7.1.1-42962', text))).vms[0]?.loader?.platform;
  expect(await platform('7.2.2-72806')).toBe('ds918p-7.2.2-72806');
  expect(await platform('ds918p-7.2.2-72806-3')).toBe('ds918p-7.2.2-72806-3');
});

test('of a loader only model and platform are required', async () => {
  expect((await load(withLoader())).vms[0]?.loader).toEqual({
    kind: 'auto',
    model: 'DS918+',
    platform: 'ds918p-7.1.1-42962',
    upgrade: 'never',
    upgradeZip: null,
    extensions: [],
    addons: [],
    keepIdentity: true,
    sataMap: 'auto',
    image: { way: 'volume', transientPool: false },
    ssh: { host: null, port: 22, user: null, password: null, privateKey: null, hostKey: null },
    onFailure: 'ask',
    backupDir: '/data/loader-backups',
    keepBackups: 5,
  });
});

test('what is not as it was written: files, lists, places', async () => {
  const keys = `extensions: ['https://a/1.json', 'http://b/2.json', 'https://a/1.json'], image: /images/loader.img,
    sata_map: { SataPortMap: '12', DiskIdxMap: '1000' },
    ssh: { password_file: password, private_key_file: key, host_key: '${fingerprint}' }`;
  using _ = directory({ 'config.yaml': `${withLoader(keys)}data_dir: ./state`, password: 'p\n', key: openSsh });
  const { config } = await loadConfig({ env: {} });
  expect(config.vms[0]?.loader).toMatchObject({
    extensions: ['https://a/1.json', 'http://b/2.json'],
    image: { way: 'path', path: '/images/loader.img' },
    sataMap: { SataPortMap: '12', DiskIdxMap: '1000' },
    ssh: { password: 'p', privateKey: openSsh, hostKey: fingerprint },
    backupDir: 'state/loader-backups',
  });
});

const broker = 'mqtt: { url: mqtt://b }';
const started = 'model: DS918+, platform: ds918p-7.1.1-42962';

/** A line among a loader's keys, ▸ before what is wrong with it, and the complaint. */
test.each([
  ['▸plattform: x', 'plattform: unknown key `plattform`, did you mean `platform`?'],
  ['addons: [▸a b]', 'addons[0]: expected the name of an add-on'],
  ['upgrade_zip: ▸update.zip', 'upgrade_zip: expected the absolute path of a zip'],
  ['extensions: ▸https://a', 'extensions: expected a list, found text'],
  ['extensions: [▸virtio]', 'extensions[0]: expected a URL'],
  ['extensions: [https://a, ▸ftp://b/c]', 'extensions[1]: expected a URL that begins with http:// or https://'],
  ['extensions: [▸https://me@a/]', 'extensions[0]: must not contain a user or password'],
  ['sata_map: ▸12', 'sata_map: expected auto or a mapping of keys, found a number'],
  ['sata_map: ▸~', 'sata_map: expected auto or a mapping of keys, found nothing'],
  ['sata_map: ▸atuo', 'sata_map: expected auto or a mapping of keys, found `atuo`'],
  ["▸sata_map: { DiskIdxMap: '00' }", 'sata_map.SataPortMap: is missing'],
  ["▸sata_map: { SataPortMap: '1' }", 'sata_map.DiskIdxMap: is missing'],
  ["sata_map: { SataPortMap: ▸12, DiskIdxMap: '1000' }", 'sata_map.SataPortMap: expected text, found a number'],
  ["sata_map: { SataPortMap: '12', DiskIdxMap: ▸0010 }", 'sata_map.DiskIdxMap: expected text, found a number'],
  ["sata_map: { SataPortMap: ▸'01', DiskIdxMap: '0001' }", 'sata_map.SataPortMap: must not begin with 0'],
  ["sata_map: { SataPortMap: ▸'', DiskIdxMap: '00' }", 'sata_map.SataPortMap: expected 1 to 8 digits'],
  ["sata_map: { SataPortMap: ▸'111111111', DiskIdxMap: '00' }", 'sata_map.SataPortMap: expected 1 to 8 digits'],
  ["sata_map: { SataPortMap: '1', DiskIdxMap: ▸'0g' }", 'sata_map.DiskIdxMap: expected pairs of hex digits, 8 at most'],
  [
    "sata_map: { SataPortMap: '12', DiskIdxMap: ▸'10' }",
    'sata_map.DiskIdxMap: must have two digits for each one of SataPortMap: 4, not 2',
  ],
  [
    "sata_map: { SataPortMap: '1', DiskIdxMap: '00', ▸DiskIdMap: x }",
    'sata_map.DiskIdMap: unknown key `DiskIdMap`, did you mean `DiskIdxMap`?',
  ],
  ['image: ▸disk.img', 'image: expected volume or an absolute path'],
  ['image: /a, ▸transient_pool: true', 'transient_pool: has no effect'],
  ['ssh: { host: ▸nas.lan:22 }', 'ssh.host: must not have a port'],
  ['ssh: { port: ▸0 }', 'ssh.port: must be between 1 and 65535'],
  ["ssh: { user: ▸'' }", 'ssh.user: must not be empty'],
  ['ssh: { ▸private_key: k }', 'ssh.private_key: unknown key `private_key`, did you mean `private_key_file`?'],
  ['ssh: { host_key: ▸any }', 'ssh.host_key: expected accept-new or a fingerprint'],
  ["ssh: { host_key: ▸'SHA256:abc' }", 'ssh.host_key: expected accept-new or a fingerprint'],
  ['keep_backups: ▸0', 'keep_backups: must be between 1 and 100'],
])('%s', async (marked, complaint) => {
  const line = `    ${marked.replace('▸', '')} }`;
  const text = `${broker}\nvms:\n- domain: D\n  loader: { ${started},\n${line}`;
  expect(await complaints(text)).toEqual([`config.yaml:5:${marked.indexOf('▸') + 5} vms[0].loader.${complaint}`]);
});

test.each(['ds918p', 'ds918+-7.1.1-42962', 'ds918p-7.1.1', 'ds918p-42962', 'ds918p-7.1.1-42962 ', ''])(
  'the platform %j is refused',
  async platform => {
    const text = `${broker}\nvms: [{ domain: D, loader: { model: DS918+, platform: '${platform}' } }]`;
    expect(await complaints(text)).toEqual([
      'config.yaml:2:55 vms[0].loader.platform: expected a platform id: model, version, build',
    ]);
  },
);

test.each(['apollolake-7.1-42661', 'DS918P-7.1.1-42962', 'ds1-7.9.9-1'])(
  'whether there is a platform %s is judged elsewhere',
  async platform => {
    const { vms } = await load(`${broker}\nvms: [{ domain: D, loader: { model: X, platform: ${platform} } }]`);
    expect(vms[0]?.loader?.platform).toBe(platform);
  },
);

test.each([
  ['loader: {}', ['2:20 vms[0].loader.model: is missing', '2:20 vms[0].loader.platform: is missing']],
  ['loader: ', ['2:20 vms[0].loader.model: is missing', '2:20 vms[0].loader.platform: is missing']],
  ['loader: tcrp', ['2:28 vms[0].loader: expected a mapping of keys, found text']],
  [
    'commands: [start, rebuild, rollback]',
    [
      '2:38 vms[0].commands[1]: the command `rebuild` needs a loader, and this VM has none',
      '2:47 vms[0].commands[2]: the command `rollback` needs a loader, and this VM has none',
    ],
  ],
  ['commands: [arm]', [expect.stringMatching(/^2:31 vms\[0\]\.commands\[0\]: expected one of .*, found `arm`$/)]],
])('%s', async (key, told) => {
  const found = await complaints(`${broker}\nvms: [{ domain: D, ${key} }]`);
  expect(found.map(line => line.replace('config.yaml:', ''))).toEqual(told);
});

test.each([
  [withLoader('sata_map: { SataPortMap: 12, DiskIdxMap: "1000" }'), 'put it in quotes'],
  [withLoader('sata_map: { SataPortMap: "012", DiskIdxMap: "001000" }'), 'give an unused first controller a 1'],
  [withLoader('sata_map: aut'), 'did you mean `auto`?'],
  [withLoader('image: a.img'), 'for example /images/'],
  [withLoader('ssh: { host_key: x }'), 'ssh-keygen -l'],
  [`${broker}\nvms: [{ domain: D, loader: { model: DS918+ } }]`, '`platform: ds918p-7.1.1-42962`'],
  [`${broker}\nvms: [{ domain: D, commands: [rebuild] }]`, 'add `loader: { model: DS918+, platform: '],
  [`${minimal}model: DS918+`, 'there is vms[0].loader.model'],
  [`${minimal}password: x`, 'there is mqtt.password and vms[0].loader.ssh.password'],
])('%j: what to write instead', async (text, hint) => {
  const [problem, ...others] = await problemsOf(load(text));
  expect(problem?.hint).toContain(hint);
  expect(others).toEqual([]);
});
