/** `doctor`, with libvirt's part played by the fake: what it prints, and what each end of it is to a script. */
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { doctor } from '../../src/cli/doctor/doctor.ts';
import type { Config, Host } from '../../src/config/config.ts';
import type { Finding } from '../../src/model/doctor.ts';
import { Running, vmConfig } from '../bridge/running.ts';
import { imageOf } from '../loader/kinds/images.ts';
import { rebuildWorld } from '../loader/rebuild-world.ts';
import { captured } from './output.ts';

interface Changes {
  vm?: string;
  vms?: Config['vms'];
  json?: boolean;
  libvirt?: Partial<Host>;
  signal?: AbortSignal;
}

function run(running: Running, changes: Changes = {}) {
  const { vm, vms = [vmConfig()], json = false, libvirt = {}, signal = new AbortController().signal } = changes;
  const config = running.config({ vms, libvirt });
  return captured(streams => doctor({ config, vm, json, signal, ...streams }));
}

async function found(running: Running, changes: Changes = {}) {
  const { code, stdout } = await run(running, { ...changes, json: true });
  const rows = JSON.parse(stdout) as { id: string; findings: Finding[]; unseen: { code: string }[] }[];
  const codes = rows.flatMap(({ findings }) => findings.map(each => each.code));
  return { code, rows, codes, unseen: rows.flatMap(({ unseen }) => unseen.map(each => each.code)) };
}

const read = (path: string) => readFileSync(new URL(`../fixtures/${path}`, import.meta.url), 'utf8');
const quiet = read('doctor/block.xml').replace('<name>block<', '<name>DSM<');
const seed = read('seed.xml').replace('xx:xx:xx:xx:xx:xx', '52:54:00:aa:bb:cc').replace(" id='2'", '');
const settings = {
  ...{ kind: 'tcrp', model: 'DS918+', platform: 'ds918p-7.1.1-42962', upgrade: 'never', keepIdentity: true },
  image: { way: 'volume', transientPool: false },
  ...{ sataMap: 'auto', extensions: ['https://x.test/redpill-virtio/i.json', 'https://x.test/redpill-acpid/i.json'] },
} as unknown as NonNullable<Config['vms'][number]['loader']>;

test('nothing serious: 0, and what could not be looked at', async () => {
  await using running = await Running.prepare();
  running.daemon.define(quiet);
  const { code, stdout, stderr } = await run(running);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^DSM VM \(DSM\): 1 info\.$/m);
  expect(stdout).toMatch(/^ {2}info {5}no_autostart\n {11}Autostart is off\.$/m);
  expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(/because libvirt runs on another machine: .*disk_in_use/);
  expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(/because not enough is known of the loader, .*: .*no_acpid/);
});

test('something serious: 1, with what was seen, why it matters, and what mends it', async () => {
  await using running = await Running.prepare();
  running.daemon.define(seed);
  const { code, stdout } = await run(running, { vms: [vmConfig({ loader: settings })] });
  expect(code).toBe(1);
  expect(stdout).toMatch(/^DSM VM \(DSM\): 3 warnings, 2 info\.$/m);
  expect(stdout).toMatch(
    /^ {2}WARNING {2}disk_by_letter\n {11}`<source dev='\/dev\/sdb'\/>` of the disk sda\.\n {11}`<source dev='\/dev\/sdc'\/>` of the disk sdb\.\n {11}The host may give/m,
  );
  expect(stdout).toMatch(/^ {11}→ `<source dev='\/dev\/disk\/by-id/m);
  expect(stdout.split('\n').every(line => line.length <= 100)).toBe(true);
});

test('in JSON, all VMs or one', async () => {
  await using running = await Running.prepare();
  running.daemon.define(seed);
  running.daemon.defineMany(1);
  const vms = [vmConfig(), vmConfig({ domain: 'vm-0', key: 'other' })];
  const { rows } = await found(running, { vms });
  expect(rows).toMatchObject([
    { id: 'DSM', name: 'DSM VM', trouble: null, findings: expect.any(Array), unseen: expect.any(Array) },
    { id: 'other' },
  ]);
  expect(rows[0]?.findings).toContainEqual(expect.objectContaining({ level: 'warning', code: 'disk_by_letter' }));
  expect((await found(running, { vms, vm: 'other' })).rows.map(({ id }) => id)).toEqual(['other']);
});

test('another domain with the same disks and MAC', async () => {
  await using running = await Running.prepare();
  running.daemon.define(quiet).start();
  const copy = quiet.replace('<name>DSM<', '<name>copy<').replace(/<uuid>a/, '<uuid>b');
  const other = running.daemon.define(copy);
  expect((await found(running)).codes).toEqual(expect.arrayContaining(['disk_of_two', 'mac_of_two']));
  other.start();
  const { rows } = await found(running);
  expect(rows[0]?.findings.find(each => each.code === 'disk_of_two')).toMatchObject({
    level: 'harm',
    seen: expect.stringContaining('of the domain copy too'),
  });
});

test('a pool that is nearly full', async () => {
  await using running = await Running.prepare();
  const folder = join(running.folder, 'images');
  await mkdir(folder);
  await writeFile(join(folder, 'dsm.img'), '');
  const domain = running.daemon.define(
    quiet.replace(
      /<disk type='block'[^>]*>.*?<source dev='[^']*'\/>/s,
      `<disk type='file' device='disk'><source file='${folder}/dsm.img'/>`,
    ),
  );
  const images = quiet.includes('/images/loader.img');
  expect(images).toBe(true);
  running.daemon.storage.create(`<pool><name>images</name><target><path>${folder}</path></target></pool>`);
  expect((await found(running)).unseen).toContain('pool_nearly_full');
  domain.redefine(domain.xml().replace('/images/loader.img', `${folder}/dsm.img`));
  domain.stats.set({ 'block.0.capacity': 2 ** 40, 'block.1.capacity': 2 ** 40 });
  running.daemon.storage.available = 2 ** 20;
  expect((await found(running)).codes).toContain('pool_nearly_full');
});

test('on the same machine its own files are looked at too, and a password is seen', async () => {
  await using running = await Running.prepare();
  running.daemon.options.hostname = hostname();
  running.daemon.define(seed.replace("listen='0.0.0.0'>", "listen='0.0.0.0' passwd='x'>"));
  const { unseen, codes } = await found(running, { vms: [vmConfig({ loader: settings })] });
  expect(codes).toContain('disk_by_letter');
  expect(unseen).not.toContain('bridge_delay');
  expect([...codes, ...unseen]).not.toContain('open_graphics');
  const { stdout } = await run(running);
  expect(stdout).not.toContain('another machine');
});

test('read-only, passwords are not told: nothing is said of graphics', async () => {
  await using running = await Running.prepare();
  running.daemon.define(seed.replace("listen='0.0.0.0'>", "listen='0.0.0.0' passwd='x'>"));
  const { unseen, codes } = await found(running, { libvirt: { uri: running.daemon.readOnlyUri, readOnly: true } });
  expect(codes).not.toContain('open_graphics');
  expect(unseen).toContain('open_graphics');
  expect((await run(running, { libvirt: { uri: running.daemon.readOnlyUri, readOnly: true } })).stdout).toContain(
    'this connection does not get the passwords',
  );
});

test('no such domain: 1, and what is there', async () => {
  await using running = await Running.prepare();
  running.daemon.define(quiet);
  const { code, stdout } = await run(running, { vms: [vmConfig({ domain: 'DSMM' })] });
  expect(code).toBe(1);
  expect(stdout).toBe("DSM VM (DSM): libvirt has no domain DSMM. Did you mean 'DSM'? It has DSM.\n");
});

test.each(['', 'no XML', '<network/>', '<domain>'.repeat(2_000)])(
  'a definition that is none (%#): 1, and a sentence',
  async text => {
    await using running = await Running.prepare();
    const domain = running.daemon.define(quiet);
    domain.redefine(text);
    const { code, stdout } = await run(running);
    expect(code).toBe(1);
    expect(stdout).toContain('is no definition of a domain that can be read');
  },
);

test('libvirt away: 3', async () => {
  await using running = await Running.prepare();
  await running.daemon.kill();
  expect(await run(running)).toMatchObject({ code: 3, stdout: '', stderr: expect.stringMatching(/libvirt|listens/) });
});

test('libvirt goes in the middle: 3', async () => {
  await using running = await Running.prepare();
  running.daemon.define(quiet);
  using _drop = running.daemon.drop('domainGetBlockInfo');
  using _other = running.daemon.drop('storageVolLookupByPath');
  expect(await run(running)).toMatchObject({ code: 3, stdout: '' });
});

test('interrupted: nothing is printed of it', async () => {
  await using running = await Running.prepare();
  running.daemon.define(quiet);
  expect(await run(running, { signal: AbortSignal.abort() })).toMatchObject({ code: 1, stdout: '' });
});

test.each<[image: string, found: readonly string[], not: readonly string[]]>([
  ['tcrp-0.9.2.9', [], ['little_memory', 'loader_bus']],
  ['rr-26.7.4', [], ['no_acpid', 'q35_sata', 'loader_bus']],
])('what the image %s is, without a word of it in the configuration', async (image, codes, not) => {
  await using it = await rebuildWorld();
  const { partition } = await imageOf(image);
  it.daemon.storage.create(`<pool><name>images</name><target><path>${dirname(it.image)}</path></target></pool>`);
  const config = {
    hosts: [{ name: null, uri: it.daemon.uri, readOnly: false }],
    vms: [vmConfig()],
    dataDir: it.folder,
  };
  const call = { config: config as unknown as Config, vm: 'DSM', json: true, signal: new AbortController().signal };
  const { stdout } = await captured(streams => doctor({ ...call, partition: async () => partition, ...streams }));
  const [row] = JSON.parse(stdout) as { findings: Finding[]; unseen: { code: string }[] }[];
  const found = row?.findings.map(({ code }) => code) ?? [];
  expect(found).toEqual(expect.arrayContaining([...codes]));
  for (const code of not) expect([...found, ...(row?.unseen.map(each => each.code) ?? [])]).not.toContain(code);
});
