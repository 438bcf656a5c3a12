/** `create`, with libvirt's part played by the fake: what it prints, what it makes, and what is left of one that fails. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { create } from '../../../src/cli/definition/create.ts';
import type { Config, Host } from '../../../src/config/config.ts';
import { journalOf } from '../../../src/definition/create.ts';
import type { LoaderSettings } from '../../../src/model/loader-settings.ts';
import { Running, vmConfig } from '../../bridge/running.ts';
import { settings } from '../../loader/rebuild-world.ts';
import { captured } from '../output.ts';

type Wanted = NonNullable<Config['vms'][number]['create']>;
interface Changes {
  create?: Partial<Wanted>;
  loader?: Partial<LoaderSettings>;
  address?: string;
  define?: boolean;
  json?: boolean;
  libvirt?: Partial<Host>;
  dataDir?: string;
}

let running: Running;
let pool: string;

beforeEach(async () => {
  running = await Running.prepare();
  pool = join(running.folder, 'pool');
  await mkdir(pool);
  await writeFile(join(pool, 'loader.img'), Buffer.alloc(1_024));
  running.daemon.storage.create(`<pool><name>default</name><target><path>${pool}</path></target></pool>`);
});
afterEach(() => running[Symbol.asyncDispose]());

const disk = { byId: null, containsData: null, serial: null, pool: 'default', size: 2 ** 20, name: null };
const byId = '/dev/disk/by-id/ata-MAKER_S3RIAL';
const own = { ...disk, byId, pool: null, size: null };

function run({ create: more, loader, address, define = false, json = false, libvirt = {}, dataDir }: Changes = {}) {
  const wanted: Wanted = {
    ...{ memory: 4 * 2 ** 30, vcpus: 2, firmware: 'uefi', bridge: 'br0', mac: null, image: join(pool, 'loader.img') },
    ...{ disks: [disk, { ...disk, name: 'second' }], ...more },
  };
  const vms = [
    vmConfig({
      ...{ domain: 'NEW', key: 'new', create: wanted, loader: { ...settings, kind: 'tcrp', ...loader } },
      ...(address && { address }),
    }),
  ];
  const config = running.config({ vms, libvirt, ...(dataDir && { dataDir }) });
  const signal = new AbortController().signal;
  const root = join(running.folder, 'root');
  return captured(streams => create({ config, vm: 'new', define, json, signal, root, ...streams }));
}

const names = () => running.daemon.domains.map(({ name }) => name);
const images = () =>
  readdirSync(pool)
    .filter(name => name !== 'loader.img')
    .toSorted();
const journal = () => journalOf(running.folder, 'new');
const flat = (text: string) => text.replaceAll(/\s+/g, ' ');

/** The daemon runs here, and this machine has one disk, with these bytes at its beginning. */
async function withDisk(head = '', holder = false): Promise<void> {
  running.daemon.options.hostname = hostname();
  const root = join(running.folder, 'root');
  const block = join(root, 'sys/class/block/sdb');
  await mkdir(join(root, 'dev/disk/by-id'), { recursive: true });
  await mkdir(holder ? join(block, 'holders/md0') : block, { recursive: true });
  await writeFile(join(root, 'dev/sdb'), Buffer.concat([Buffer.from(head), Buffer.alloc(2 ** 21)]));
  await writeFile(join(block, 'size'), '4096');
  await writeFile(join(block, 'serial'), 'S3RIAL');
  await symlink('../../sdb', join(root, byId));
}

test('the XML, nothing for the doctor to say, and what comes next; nothing is made', async () => {
  const { code, stdout, stderr } = await run();
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^<domain type='kvm'>\n {2}<name>NEW<\/name>/);
  expect(flat(stdout)).toContain('DSM VM (new): nothing was found.');
  for (const part of [
    'create new --define',
    'In your router, give 52:54:00:',
    'virsh autostart NEW',
    `${pool}/new-1.img (1 MiB)`,
    `${pool}/second`,
    'rebuild new',
    '7.1.1-42962',
  ]) {
    expect(flat(stdout)).toContain(part);
  }
  expect([...images(), ...names()]).toEqual([]);
});

test('--define: its volumes, the domain, and no journal; it does not run', async () => {
  const { code, stdout, stderr } = await run({ define: true, json: true });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const { defined, xml, uuid } = JSON.parse(stdout);
  expect(defined).toBe(true);
  const domain = running.daemon.domain('NEW');
  expect(domain).toMatchObject({ uuid, active: false, autostart: false });
  expect(domain.xml()).toBe(xml);
  expect(images()).toEqual(['new-1.img', 'second']);
  expect(statSync(join(pool, 'second')).size).toBe(2 ** 20);
  expect(readdirSync(join(running.folder, 'create'))).toEqual([]);
  expect(running.daemon.callsOf('domainDefineXmlFlags')[0]?.args.flags).toBe(1);
});

test('with an address too, --define says which MAC the router must give it to; and what was looked at is not unseen', async () => {
  const { stdout } = await run({ define: true, address: '192.168.1.20' });
  const [, mac] = /mac address='([^']+)/.exec(running.daemon.domain('NEW').xml()) ?? [];
  expect(flat(stdout)).toContain(`give ${mac} the fixed address 192.168.1.20`);
  expect(stdout).not.toMatch(/pool_nearly_full|no_autostart/);
});

test('a model with a device tree gets SATA', async () => {
  const { stdout } = await run({ loader: { model: 'DS920+', kind: 'rr', platform: 'ds920p-7.2.2-72806' } });
  expect(stdout).toContain("<target dev='sda' bus='sata'/>");
  expect(flat(stdout)).toContain('DS920+ finds them by a device tree');
});

describe('refused, each in a sentence, and nothing is made', () => {
  test.each<[string, Changes, RegExp]>([
    ['a block device as the image', { create: { image: '/dev/./null' } }, /null cannot be the loader's image/],
    ['an image by half a path', { create: { image: 'package.json' } }, /absolute path of a file/],
    ['no pool', { create: { disks: [{ ...disk, pool: 'none' }] } }, /no storage pool none/],
    ['no room', { create: { disks: [disk, { ...disk, size: 2 ** 60 }] } }, /need \d+ MiB; \d+ MiB are free/],
    [
      'a volume that is there',
      { create: { disks: [{ ...disk, name: 'loader.img' }] } },
      /There is a volume .*loader\.img already/,
    ],
    ['no bridge', { create: { bridge: 'br9' } }, /no bridge br9/],
    ['no image', { create: { image: '/nowhere/x.img' } }, /^$/],
    ['little memory', { create: { memory: 2 ** 30 } }, /the loader needs 2 GiB/],
    [
      'too many disks',
      { create: { disks: Array.from({ length: 17 }, () => disk) } },
      /17 data disks; DS918\+ has 16 slots/,
    ],
    ['two of one name', { create: { disks: [disk, { ...disk, name: 'new-1.img' }] } }, /two disks/i],
  ])('%s', async (_, changes, sentence) => {
    const { code, stdout, stderr } = await run({ define: true, ...changes });
    if (sentence.source === '^$') return expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(`${flat(stdout)}${stderr}`).toMatch(sentence);
    expect(code).toBe(1);
    expect([...images(), ...names()]).toEqual([]);
    return expect(readdirSync(running.folder)).not.toContain('create/new.json');
  });

  test('a domain of this name', async () => {
    running.daemon.define({ name: 'NEW' });
    const before = running.daemon.domain('NEW').xml();
    expect(await run({ define: true })).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('a domain NEW already'),
    });
    expect(running.daemon.domain('NEW').xml()).toBe(before);
  });

  test('another domain with its MAC', async () => {
    running.daemon.define({ name: 'other', mac: '52:54:00:00:00:09' });
    const { code, stdout } = await run({ create: { mac: '52:54:00:00:00:09' } });
    expect({ code, stdout: flat(stdout) }).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('in the domain other too'),
    });
  });

  test('a loader image that another domain has', async () => {
    const xml = running.daemon.define({ name: 'other' }).xml();
    running.daemon.define(xml.replace(/<source file='[^']*loader\.img'/, `<source file='${pool}/loader.img'`));
    const { code, stdout } = await run({ define: true });
    expect({ code, stdout: flat(stdout) }).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('of the domain other too'),
    });
  });

  test('an image that is missing where libvirt has its folder', async () => {
    const { code, stdout } = await run({ create: { image: join(pool, 'none.img') } });
    expect({ code, stdout }).toMatchObject({ code: 1, stdout: expect.stringContaining('There is no loader image') });
  });

  test('a pool whose volumes are no files or block devices of that folder', async () => {
    running.daemon.storage.type = 'rbd';
    expect(await run()).toMatchObject({ code: 1, stdout: expect.stringContaining('of type rbd') });
  });

  test('a pool that is not active', async () => {
    running.daemon.storage.state = 0;
    expect(await run()).toMatchObject({ code: 1, stdout: expect.stringContaining('virsh pool-start default') });
  });

  test('libvirt away: 3; no create in the configuration: 2', async () => {
    await running.daemon.kill();
    expect(await run()).toMatchObject({ code: 3, stdout: '' });
    const config = running.config();
    const signal = new AbortController().signal;
    const none = await captured(streams =>
      create({ config, vm: 'DSM', define: true, json: false, signal, ...streams }),
    );
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining("no 'create'") });
  });

  test('a data_dir that cannot be written: nothing is made', async () => {
    await writeFile(join(running.folder, 'file'), '');
    const { code, stderr } = await run({ define: true, dataDir: join(running.folder, 'file') });
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('data_dir cannot be written') });
    expect([...images(), ...names()]).toEqual([]);
  });

  test('read-only: nothing is made', async () => {
    const { code } = await run({ define: true, libvirt: { uri: running.daemon.readOnlyUri, readOnly: true } });
    expect(code).toBe(1);
    expect([...images(), ...names()]).toEqual([]);
  });
});

describe('a disk of the host', () => {
  const wanted = { create: { disks: [own] } };
  const meant = { create: { disks: [{ ...own, containsData: 'erase' as const, serial: 'S3RIAL' }] } };

  test('an empty one is taken', async () => {
    await withDisk();
    expect(await run(wanted)).toMatchObject({ code: 0, stdout: expect.stringContaining(`<source dev='${byId}'/>`) });
  });

  test('one with data only if it is meant', async () => {
    await withDisk('XFSB');
    const { code, stdout } = await run(wanted);
    expect({ code, stdout: flat(stdout) }).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('has an XFS file system'),
    });
    expect(await run(meant)).toMatchObject({ code: 0 });
  });

  test('one that is assembled never', async () => {
    await withDisk('', true);
    expect(await run(meant)).toMatchObject({ code: 1, stdout: expect.stringContaining('is a part of /dev/md0') });
  });

  test('one that another domain has never, whatever its name there; nor one twice', async () => {
    await withDisk();
    running.daemon.define(
      running.daemon
        .define({ name: 'other' })
        .xml()
        .replace(/<source file='[^']*sda\.img'/, "<source dev='/dev/sdb'"),
    );
    expect(await run(meant)).toMatchObject({ code: 1, stdout: expect.stringContaining('The domain other has') });
    running.daemon.domain('other').redefine(running.daemon.domain('other').xml().replace('/dev/sdb', '/dev/sdb1'));
    await writeFile(join(running.folder, 'root/dev/sdb1'), '');
    expect(await run(meant)).toMatchObject({ code: 1, stdout: expect.stringContaining('The domain other has') });
    running.daemon.domain('other').undefine();
    await symlink('../../sdb', join(running.folder, 'root/dev/disk/by-id/wwn-0x5'));
    const twice = { create: { disks: [own, { ...own, byId: '/dev/disk/by-id/wwn-0x5' }] } };
    expect(await run(twice)).toMatchObject({ code: 1, stdout: expect.stringContaining('is the same disk as') });
  });

  test('not while it cannot be read what another domain has', async () => {
    await withDisk();
    running.daemon.define({ name: 'other' });
    using _ = running.daemon.refuse('domainGetXmlDesc', 38, 'not now');
    const { code, stdout } = await run(wanted);
    expect({ code, stdout: flat(stdout) }).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('Which disks the domain other has cannot be read'),
    });
    expect(await run()).toMatchObject({ code: 0 });
  });

  test('over a libvirt of another machine only if it is meant, and what is not seen is said', async () => {
    const { code, stdout } = await run(wanted);
    expect({ code, stdout: flat(stdout) }).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('cannot be read from here'),
    });
    const told = await run(meant);
    expect(told.code).toBe(0);
    expect(flat(told.stdout)).toMatch(/because libvirt runs on another machine: .*disk_in_use/);
  });
});

describe('what is left of one that fails', () => {
  test('libvirt refuses the definition: its volumes are removed again, and no other', async () => {
    await writeFile(join(pool, 'mine'), 'x');
    using _ = running.daemon.refuse('domainDefineXmlFlags', 1, 'unsupported configuration');
    const { code, stderr } = await run({ define: true });
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('nothing was left behind') });
    expect(images()).toEqual(['mine']);
    expect(readdirSync(join(running.folder, 'create'))).toEqual([]);
  });

  test('libvirt refuses the second volume: the first is removed again', async () => {
    await writeFile(join(pool, 'second'), 'mine');
    using _ = running.daemon.refuse('storagePoolRefresh', 38, 'not now');
    const { code } = await run({ define: true });
    expect(code).toBe(1);
    expect(images()).toEqual(['second']);
    expect(readFileSync(join(pool, 'second'), 'utf8')).toBe('mine');
  });

  test('a volume that cannot be removed again is named, by this one and by the next', async () => {
    {
      using _define = running.daemon.refuse('domainDefineXmlFlags', 1, 'unsupported configuration');
      using _delete = running.daemon.refuse('storageVolDelete', 38, 'busy');
      expect(await run({ define: true })).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('cannot be removed'),
      });
    }
    const { code, stdout } = await run({ define: true });
    expect({ code, stdout: flat(stdout) }).toMatchObject({
      code: 1,
      stdout: expect.stringContaining(`may have made ${pool}/new-1.img`),
    });
  });

  test('the connection is lost: what may be there is named by the next, and never removed', async () => {
    using drop = running.daemon.drop('domainDefineXmlFlags');
    const lost = await run({ define: true });
    expect(lost).toMatchObject({ code: 3, stderr: expect.stringContaining('says what was made') });
    drop[Symbol.dispose]();
    expect(images()).toEqual(['new-1.img', 'second']);
    expect(statSync(journal()).mode & 0o777).toBe(0o600);
    const { code, stdout } = await run({ define: true });
    expect({ code, stdout: flat(stdout) }).toMatchObject({
      code: 1,
      stdout: expect.stringContaining(`may have made ${pool}/second`),
    });
    expect(images()).toEqual(['new-1.img', 'second']);
    for (const name of images()) await rm(join(pool, name));
    expect(await run({ define: true })).toMatchObject({ code: 0 });
  });

  test('of a pool that is gone nothing is known: what to do then is said', async () => {
    await mkdir(join(running.folder, 'create'));
    await writeFile(journal(), JSON.stringify({ uuid: randomUUID(), volumes: [{ pool: 'gone', path: '/gone/one' }] }));
    const { code, stdout } = await run();
    expect(code).toBe(1);
    expect(flat(stdout)).toContain('may have made /gone/one');
    expect(flat(stdout)).toContain(`else remove ${journal()}.`);
    await rm(journal());
    expect(await run()).toMatchObject({ code: 0 });
  });

  test('a journal of a domain that is there, or one that was cut off, goes by itself', async () => {
    await mkdir(join(running.folder, 'create'));
    await writeFile(journal(), '{"uuid":"');
    expect(await run({ define: true })).toMatchObject({ code: 0 });
    const { uuid } = running.daemon.domain('NEW');
    await writeFile(journal(), JSON.stringify({ uuid, volumes: [{ pool: 'default', path: join(pool, 'second') }] }));
    expect(await run()).toMatchObject({ code: 1, stdout: expect.not.stringContaining('may have made') });
    expect(readdirSync(join(running.folder, 'create'))).toEqual([]);
  });

  test('killed with -9 before the domain is defined: the journal names the volumes, and a bridge says so', async () => {
    using _ = running.daemon.hang('domainDefineXmlFlags');
    const file = join(running.folder, 'config.yaml');
    const wanted = {
      memory: '4GiB',
      bridge: 'br0',
      image: join(pool, 'loader.img'),
      disks: [{ pool: 'default', size: '1MiB' }],
    };
    const vm = {
      domain: 'NEW',
      id: 'new',
      create: wanted,
      loader: { kind: 'tcrp', model: 'DS918+', platform: '7.1.1-42962' },
    };
    await writeFile(
      file,
      stringify({
        mqtt: { url: 'mqtt://127.0.0.1' },
        libvirt: { uri: running.daemon.uri },
        data_dir: running.folder,
        vms: [vm],
      }),
    );
    const program = fileURLToPath(new URL('../../../src/cli/index.ts', import.meta.url));
    const child = spawn(process.execPath, [program, 'create', 'new', '--define', '--config', file], {
      stdio: 'ignore',
    });
    await running.daemon.called('domainDefineXmlFlags');
    child.kill('SIGKILL');
    await new Promise(resolve => child.once('exit', resolve));
    expect(images()).toEqual(['new-1.img']);
    expect(flat((await run()).stdout)).toContain(`may have made ${pool}/new-1.img`);
    await running.start({ vms: [vmConfig({ domain: 'NEW', key: 'new' })] });
    await expect
      .poll(() => running.log.entries.find(({ event }) => event === 'create.unfinished'))
      .toMatchObject({
        vm: 'new',
        volumes: [join(pool, 'new-1.img')],
      });
  });
});
