/** The stand-in loader: its disk, its boot entries, the image builder's home, and a whole rebuild. */
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Box, type Ended, login, type RunOptions } from './box.ts';
import { address, domainState, guest, inLab, poll, virsh } from './lab.ts';
import { entries, loader } from './loader.ts';
import { reachable } from './processes.ts';
import { extension, good, platform, questions } from './rploader.ts';

const { update, save } = questions;

/** Of a test that boots more than once, in milliseconds, on a machine that has other things to do. */
const boots = 300_000;

let box: Box;
let original: AsyncDisposable;

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  await guest.off();
  original = await loader.keep();
});

afterAll(async () => {
  box?.[Symbol.dispose]();
  if (inLab()) await guest.off();
  await original?.[Symbol.asyncDispose]();
});

const rploader = (args: string, options?: RunOptions): Promise<Ended> => box.run(`./rploader.sh ${args}`, options);

async function settings(): Promise<{ extra_cmdline: Record<string, string>; general: Record<string, string> }> {
  return JSON.parse((await box.run('cat user_config.json')).stdout);
}

async function enter(): Promise<void> {
  expect(await loader.booted(boots)).toBe('builder');
  box = await login();
}

describe('the disk', () => {
  test('has three FAT partitions as TCRP has, and a GRUB environment', async () => {
    expect((await partitions()).map(({ start, type }) => [start, type])).toEqual([
      [2048, '83'],
      [100352, '83'],
      [133120, '83'],
    ]);
    expect(await loader.read(1, '/boot/grub/grubenv')).toHaveLength(1024);
    const menu = (await loader.read(1, '/boot/grub/grub.cfg')).toString();
    expect([...menu.matchAll(/^menuentry '(.*)' \{\n {2}(\w+)/gm)].map(([, title, first]) => [title, first])).toEqual(
      [entries.dsm, entries.sata, entries.builder].map(title => [title, 'savedefault']),
    );
    await expect(loader.read(3, '/mydata.tgz')).resolves.toBeDefined();
    await expect(loader.read(2, '/rd.gz')).resolves.toBeDefined();
  });

  test(
    'starts DSM, with the loader it came with, and GRUB remembers that',
    async () => {
      await loader.arm(null);
      expect(await loader.armed()).toBeNull();
      expect(await loader.booted(boots)).toBe('dsm');
      expect(await loader.cmdline()).toMatchObject({
        loader_build: '0',
        syno_hw_version: 'DS918+',
        mac1: '525400D53001',
        SataPortMap: '1',
        DiskIdxMap: '10',
      });
      expect(JSON.parse((await guest.run('cat /etc/loader.json')).output)).toMatchObject({ build: 0 });
      await expect(loader.fault('drop')).rejects.toThrow('DSM runs');
      await guest.off();
      expect(await loader.armed()).toBe(entries.dsm);
    },
    boots,
  );

  test(
    'keys choose another entry while the menu waits',
    async () => {
      await loader.menu(20);
      await virsh('start', address.domain);
      await poll(() => guest.serial().includes(entries.builder), { what: 'the menu' });
      await virsh('send-key', address.domain, 'KEY_END');
      await virsh('send-key', address.domain, 'KEY_ENTER');
      expect(await loader.booted(boots)).toBe('builder');
      await guest.off();
      expect(await loader.armed()).toBe(entries.builder);
      await loader.menu(0);
      await loader.arm('dsm');
    },
    boots,
  );
});

describe('the image builder', () => {
  test(
    'is what an environment written from outside starts, and comes again until another is',
    async () => {
      await loader.arm('builder');
      await enter();
      const [first] = [box.hostKey];
      expect(await box.run('hostname; whoami; pwd; sudo id -u')).toEqual({
        code: 0,
        stdout: 'box\ntc\n/home/tc\n0\n',
        stderr: '',
      });
      await box.run('sudo reboot');
      await box.closed;
      await enter();
      expect(box.hostKey).not.toBe(first);
    },
    boots,
  );

  test('has none of DSM’s ports, is silent on discovery, and does not hear the power button', async () => {
    for (const port of [5000, 5001, 445]) expect(await reachable({ host: address.guest, port })).toBe(false);
    expect(await reachable({ host: address.guest, port: 22 })).toBe(true);
    expect(await discovered(1_500)).toBe(false);
    await virsh('shutdown', address.domain, '--mode', 'acpi');
    expect((await box.run('true')).code).toBe(0);
    expect(await domainState()).toBe('running');
  });
});

describe('a rebuild', () => {
  test(
    'by the seed’s commands puts a new loader in place',
    async () => {
      await loader.fault();
      await rploader('clean');
      expect(await rploader('fullupgrade', { answers: [[save, 'n']] })).toMatchObject({ code: 0 });
      expect(await settings()).toMatchObject({
        general: { model: 'DS3622xs+' },
        extra_cmdline: { sn: '', mac1: '', SataPortMap: '58', DiskIdxMap: '0A00', pid: '0xa4a5', vid: '0x0525' },
      });
      expect((await rploader('version')).stdout).toBe('0.9.2.9\n');
      expect((await box.run('ls old')).stdout).toMatch(/^user_config\.json\.\d{4}-/m);

      const yes: RunOptions = { answers: [[update, 'y']] };
      const serial = await rploader('serialgen DS918+ realmac', yes);
      expect(serial).toMatchObject({ code: 0 });
      expect(serial.stdout).toMatch(/^Serial Number for Model = 1780PDN0\d{5}$/m);
      expect((await rploader('identifyusb', yes)).stdout).toContain('Vendor ID : 0x46f4 Product ID : 0x0001');
      const map = await rploader('satamap', yes);
      expect(map.stdout).toContain('Mapping KVM q35 bogus controller after maxdisks');
      expect(map.stdout).toContain('SataPortMap=1\nDiskIdxMap=10\n');
      await box.run(
        `jq '.extra_cmdline.SataPortMap = "12" | .extra_cmdline.DiskIdxMap = "1000"' user_config.json >new && cp new user_config.json`,
      );
      for (const name of ['virtio', 'acpid']) {
        expect(await rploader(`ext ${platform} add ${extension(name)}`)).toMatchObject({ code: 0 });
      }

      const build = await rploader(`build ${platform}`, { closed: true });
      expect(build.code).toBe(0);
      expect(build.stdout.trimEnd().endsWith(good)).toBe(true);
      expect(build.stdout).toMatch(/^Updated user_config with USB Command Line : \S/m);
      expect(build.stdout).toMatch(/^Updated user_config with SATA Command Line : \S/m);
      expect(build.stderr).toContain('[#] Creating loader image at loader.img... [OK]');

      await box.run('echo kept >saved');
      const backup = await rploader('backup', { answers: [[save, 'y']] });
      expect(backup.stdout).toContain('Backing up home files to sdc : ');
      await box.run('echo lost >unsaved');
      const { extra_cmdline } = await settings();
      await box.run('sudo poweroff');
      await poll(async () => (await domainState()) === 'shut off', { what: 'the power-off' });

      expect(await loader.armed()).toBe(entries.builder);
      await loader.arm('dsm');
      expect(await loader.booted(boots)).toBe('dsm');
      expect(await loader.cmdline()).toMatchObject({
        sn: extra_cmdline['sn'],
        mac1: '525400D53001',
        SataPortMap: '12',
        DiskIdxMap: '1000',
        vid: '0x46f4',
        pid: '0x0001',
      });
      expect(Number((await loader.cmdline())['loader_build'])).toBeGreaterThan(0);
      expect(JSON.parse((await guest.run('cat /etc/loader.json')).output).extensions).toEqual([
        'redpill-acpid',
        'redpill-misc',
        'redpill-virtio',
      ]);
      await guest.off();
    },
    boots,
  );

  test(
    'finds the home again as it was saved',
    async () => {
      await loader.arm('builder');
      await enter();
      expect((await box.run('cat saved')).stdout).toBe('kept\n');
      expect((await box.run('cat unsaved')).code).not.toBe(0);
      expect((await settings()).extra_cmdline).toMatchObject({ SataPortMap: '12' });
    },
    boots,
  );

  test(
    'withfriend makes GRUB forget what it remembers',
    async () => {
      expect((await rploader(`build ${platform} withfriend`, { closed: true })).code).toBe(0);
      await guest.off();
      const menu = (await loader.read(1, '/boot/grub/grub.cfg')).toString();
      expect(menu.match(/set default="3"/g)).toHaveLength(2);
      expect(await loader.armed()).toBe(entries.builder);
      expect(await loader.booted(boots)).toBe('dsm');
      await guest.off();
      expect(await loader.armed()).toBe('Tiny Core Friend');
    },
    boots,
  );
});

/** What sfdisk reads of the image. */
async function partitions(): Promise<{ start: number; type: string }[]> {
  const { stdout } = await promisify(execFile)('sfdisk', ['-J', loader.image]);
  return JSON.parse(stdout).partitiontable.partitions;
}

/** Whether anything says who it is within this time, as DSM does at once. */
async function discovered(ms: number): Promise<boolean> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  const query = Buffer.from('1234567853594e4fa40400000201010401000000', 'hex');
  try {
    await new Promise<void>(resolve => socket.bind(9999, resolve));
    socket.setBroadcast(true);
    socket.send(query, 9999, address.guest);
    return await new Promise<boolean>(resolve => {
      const timer = setTimeout(() => resolve(false), ms);
      socket.on('message', (_, { address: from }) => {
        if (from !== address.guest) return;
        clearTimeout(timer);
        resolve(true);
      });
    });
  } finally {
    socket.close();
  }
}
