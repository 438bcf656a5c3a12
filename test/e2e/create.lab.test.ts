/** From nothing but a configuration to DSM's installer: `create --define` and `rebuild` on a real libvirtd and guest. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { journalOf } from '../../src/definition/create.ts';
import { address, domainState, guest, inLab, poll, startMosquitto, virsh } from '../lab/lab.ts';
import { clone } from '../lab/loader/image.ts';
import { loader } from '../lab/loader.ts';
import { extension, platform } from '../lab/rploader.ts';
import { isFinal, type Json, Listener, product, runCli, startBridge, vmTopic } from './bridge.ts';

const name = 'NEW';
/** Of a rebuild, in milliseconds, on a machine that has other things to do. */
const whole = 900_000;

let folder: string;
let pool: string;

beforeAll(() => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
});

beforeEach(async () => {
  await guest.off();
  folder = await mkdtemp(join(tmpdir(), 'create-'));
  pool = join(folder, 'pool');
  await mkdir(pool);
  await clone(loader.image, join(pool, 'loader.img'));
  // libvirt's; a bridge that is not root reads it by libvirt.
  await chmod(join(pool, 'loader.img'), 0o600);
  await virsh('pool-create-as', 'create', 'dir', '--target', pool);
});

afterEach(async () => {
  await virsh('destroy', name).catch(() => {});
  await virsh('undefine', '--nvram', name).catch(() => {});
  await virsh('pool-destroy', 'create').catch(() => {});
  await rm(folder, { recursive: true, force: true });
});

interface Changes {
  create?: Record<string, unknown>;
  loader?: Record<string, unknown>;
  url?: string;
}

function config({ create, loader: more, url = 'mqtt://127.0.0.1' }: Changes = {}): Record<string, unknown> {
  const disk = { pool: 'create', size: '64MiB' };
  const vm = {
    ...{
      domain: name,
      address: address.guest,
      commands: ['start', 'shutdown', 'rebuild', 'rollback', 'cancel', 'check', 'refresh'],
    },
    checks: { schedule: 'never', deep_schedule: 'never', failures_before_down: 1, probe_timeout: '3s' },
    create: {
      ...{ memory: '2GiB', bridge: 'br0', image: join(pool, 'loader.img'), disks: [disk, disk] },
      ...create,
    },
    loader: { model: 'DS918+', platform, extensions: [extension('virtio'), extension('acpid')], ...more },
  };
  return { mqtt: { url }, data_dir: join(folder, 'data'), vms: [vm] };
}

const images = async () => (await readdir(pool)).filter(file => file !== 'loader.img').toSorted();

test(
  'created, looked at by the doctor, rebuilt: its installer is next',
  async () => {
    await using broker = await startMosquitto();
    await using listener = await Listener.on(broker.url);
    const told = await runCli(config(), 'create', name);
    expect(told).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('<domain type=') });
    expect(await images()).toEqual([]);

    const defined = await runCli(config(), 'create', name, '--define', '--json');
    expect(defined).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(defined.stdout)).toMatchObject({ defined: true, refusals: [], kind: 'tcrp' });
    expect(await images()).toEqual(['NEW-1.img', 'NEW-2.img']);
    expect(existsSync(journalOf(join(folder, 'data'), name))).toBe(false);
    expect(await domainState(name)).toBe('shut off');

    // The lab emulates its processors, and nobody was asked for an autostart.
    const [looked] = JSON.parse((await runCli(config(), 'doctor', name, '--json')).stdout);
    expect(looked.findings.map(({ code }: Json) => code)).toEqual(['tcg', 'no_autostart']);

    const again = await runCli(config(), 'create', name, '--define');
    expect(again).toMatchObject({ code: 1, stdout: expect.stringContaining('a domain NEW already') });

    const disk = await open(join(pool, 'NEW-2.img'), 'r+');
    await disk.write('scenario installer \n', 0);
    await disk.close();
    await using bridge = await startBridge(config({ url: broker.url }));
    await listener.text(vmTopic('availability', name), text => text === 'online');
    expect(bridge.log.filter(({ event }) => event === 'create.unfinished')).toEqual([]);
    const command = { command: 'rebuild', id: 'first', confirm: true };
    await listener.publish(vmTopic('command', name), JSON.stringify(command));
    const answer = await listener.document(vmTopic('response', name), each => each.id === 'first' && isFinal(each), {
      deadline: whole,
    });
    expect(answer, answer.message).toMatchObject({ status: 'succeeded', code: 'awaiting_dsm_install' });
    const { verdict } = await listener.document(vmTopic('check', name), each => each.verdict === 'installer');
    expect(verdict).toBe('installer');
    expect(await readdir('/var/log/libvirt/qemu')).toContain('NEW-serial.log');
  },
  whole,
);

test.each([
  ['BIOS', { firmware: 'bios' }, {}],
  [
    'a device tree and seven disks',
    { disks: Array(7).fill({ pool: 'create', size: '1MiB' }) },
    { model: 'DS1621+', platform: '7.1.1-42962' },
  ],
  ['sixteen disks', { disks: Array(16).fill({ pool: 'create', size: '1MiB' }) }, {}],
])('%s: defined by the schema, and started', async (_, create, more) => {
  const all = { create, loader: more };
  const defined = await runCli(config(all), 'create', name, '--define', '--json');
  expect(defined).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(defined.stdout).findings.map(({ code }: Json) => code)).toEqual(['tcg']);
  const xml = await virsh('dumpxml', '--inactive', name);
  for (const slot of ['1', '3', '4', '5', '6', '7']) expect(xml).toMatch(new RegExp(`bus='0x00' slot='0x0${slot}'`));
  await virsh('start', name);
  expect(await domainState(name)).toBe('running');
});

test('the name is taken, no room, no bridge, no image, no pool: each a sentence, and nothing is made', async () => {
  const disks = [{ pool: 'create', size: '900TiB' }];
  for (const [create, sentence] of [
    [{ disks }, /create need \d+ MiB; \d+ MiB are free/],
    [{ bridge: 'br7' }, /no bridge br7/],
    [{ image: join(pool, 'none.img') }, /no loader image .*none\.img/],
    [{ disks: [{ pool: 'none', size: '1MiB' }] }, /no storage pool none/],
    [{ disks: [{ pool: 'create', size: '1MiB', name: 'loader.img' }] }, /There is a volume .*loader\.img already/],
    [{ disks: [{ by_id: '/dev/disk/by-id/ata-none' }] }, /ata-none/],
    [{ memory: '1GiB' }, /needs 2 GiB/],
  ] as const) {
    const { code, stdout, stderr } = await runCli(config({ create }), 'create', name, '--define');
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(sentence);
  }
  expect(await images()).toEqual([]);
  await expect(domainState(name)).rejects.toThrow('failed to get domain');
});

test('killed at any moment: all of it is there, or nothing is, or the next one names what is left', async () => {
  const seen = new Set<string>();
  // Its user may own that folder.
  const file = join(folder, 'own', 'config.yaml');
  const data = join(folder, 'data');
  const eight = config({ create: { disks: Array(8).fill({ pool: 'create', size: '4MiB' }) } });
  await mkdir(dirname(file));
  await writeFile(file, stringify(eight));
  for (let round = 0; round < 8; round++) {
    const [program = '', ...args] = await product(eight);
    const child = spawn(program, [...args, 'create', name, '--define', '--config', file], { stdio: 'ignore' });
    const ended = new Promise(resolve => child.once('exit', resolve));
    await poll(() => existsSync(journalOf(data, name)) || child.exitCode !== null, {
      interval: 1,
      what: 'the journal',
    });
    await poll(async () => (await images()).length >= round || child.exitCode !== null, {
      interval: 1,
      what: 'a volume',
    });
    child.kill('SIGKILL');
    await ended;
    const made = await images();
    const next = await runCli(eight, 'create', name);
    const isDefined = (await virsh('list', '--all', '--name')).split('\n').includes(name);
    if (isDefined) {
      expect(made).toHaveLength(8);
      await virsh('undefine', '--nvram', name);
    } else if (made.length > 0) {
      for (const each of made) expect(next.stdout.replaceAll(/\s+/g, ' ')).toContain(`may have made ${pool}/${each}`);
      await using bridge = await startBridge(config());
      await poll(() => bridge.log.some(({ event }) => event === 'create.unfinished'), { what: 'the warning' });
    } else expect(next.code).toBe(0);
    seen.add(isDefined ? 'defined' : made.length > 0 ? 'left' : 'nothing');
    for (const each of await images()) await rm(join(pool, each));
    await virsh('pool-refresh', 'create');
    const clean = await runCli(config({ create: { disks: [{ pool: 'create', size: '4MiB' }] } }), 'create', name);
    expect(clean).toMatchObject({ code: 0 });
    expect(existsSync(journalOf(data, name))).toBe(false);
  }
  expect([...seen]).toContain('left');
});
