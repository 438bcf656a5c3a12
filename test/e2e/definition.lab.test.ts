/** Copies of a real libvirt's definitions: kept by the bridge, compared, and brought back. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readCopies } from '../../src/definition/copies.ts';
import { inLab, libvirtd, type Mosquitto, poll, startMosquitto, virsh } from '../lab/lab.ts';
import { type BridgeProcess, runCli, startBridge } from './bridge.ts';
import { isUnprivileged, needsRoot } from './unprivileged.ts';

const name = 'patient';
let broker: Mosquitto;
let bridge: BridgeProcess;
let folder: string;
const variables = () => join(folder, 'patient_VARS.fd');

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  folder = await mkdtemp(join(tmpdir(), 'dsm2mqtt-definition-'));
  // QEMU is another user.
  execFileSync('chmod', ['0755', folder]);
  broker = await startMosquitto();
  for (const image of ['sda', 'sdb', 'loader']) await makeImage(image);
  await define(written());
  bridge = await startBridge(config());
});

afterAll(async () => {
  await bridge?.[Symbol.asyncDispose]();
  await broker?.stop();
  if (!inLab()) return;
  await virsh('destroy', name).catch(() => {});
  await virsh('undefine', '--nvram', name).catch(() => {});
  await rm(folder, { recursive: true, force: true });
});

const config = (data = join(folder, 'data')) => ({
  ...{ mqtt: { url: broker.url }, data_dir: data, vms: [{ domain: name, id: name }] },
});

async function makeImage(image: string): Promise<void> {
  await writeFile(join(folder, `${image}.img`), '');
  await truncate(join(folder, `${image}.img`), 16 * 2 ** 20);
}

/** As somebody writes it: libvirt fills in the rest. */
function written({ vcpus = 1, password = '' } = {}): string {
  return `<domain type='qemu'><name>${name}</name><uuid>a0000000-0000-4000-8000-0000000000d1</uuid>
  <memory unit='MiB'>256</memory><vcpu>${vcpus}</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type>
    <loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>
    <nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'>${variables()}</nvram></os>
  <features><acpi/></features>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/>
      <source file='${folder}/sda.img'/><target dev='sda' bus='sata'/></disk>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/>
      <source file='${folder}/loader.img'/><target dev='sdz' bus='usb'/><boot order='1'/></disk>
    <graphics type='vnc' listen='127.0.0.1'${password && ` passwd='${password}'`}/>
  </devices></domain>`;
}

async function define(xml: string): Promise<void> {
  await writeFile(join(folder, 'dsm.xml'), xml);
  await virsh('define', join(folder, 'dsm.xml'));
}

const inactive = () => virsh('dumpxml', '--inactive', '--security-info', name);
const run = (...args: string[]) => runCli(config(), 'definition', name, ...args);

function copies(length: number) {
  const read = async () => (await readCopies(join(folder, 'data'), name)).copies;
  return poll(async () => (await read()).length === length && read(), { what: `${length} copies` });
}

test('of the first definition; without its NVRAM, which libvirt makes at the first start', async () => {
  const [first] = await copies(1);
  expect(`${first?.xml}`.trimEnd()).toBe(await inactive());
  expect(first).toMatchObject({ number: 1, nvram: { path: variables(), why: expect.stringContaining('ENOENT') } });
  expect(first?.loader).toMatchObject({ bytes: 16 * 2 ** 20 });
});

test('of what virsh changes, off and while it runs; diff says what', async () => {
  const first = await inactive();
  // libvirt tells no event of this one: the bridge sees it when it next reads, within a minute.
  await virsh('attach-disk', name, join(folder, 'sdb.img'), 'sdb', '--targetbus', 'sata', '--config');
  expect((await copies(2)).at(-1)?.changed).toEqual(['devices/disk[sdb]']);
  await virsh('start', '--paused', name);
  await define((await inactive()).replace(/(<currentMemory[^>]*>)262144/, '$1131072'));
  const [, , third] = await copies(3);
  expect(third?.changed).toEqual(['currentMemory']);
  expect(third?.nvram).toMatchObject({
    path: variables(),
    why: isUnprivileged ? expect.stringContaining('EACCES') : null,
  });
  const { stdout } = await run('diff', '1');
  expect(stdout).toContain(`  + devices/disk[sdb]/source@file: ${folder}/sdb.img`);
  expect(stdout).toContain('    currentMemory: 262144 → 131072');
  expect((await run('list')).stdout.match(/^\d .*$/gm)?.map(row => row.split(/ {2,}/).slice(3))).toEqual([
    ...[['the oldest'], ['devices/disk[sdb]'], ['currentMemory']],
  ]);
  expect((await run('show', '1')).stdout.trimEnd()).toBe(first);
});

test('a libvirtd that starts anew, and a bridge that does, have no other definition', async () => {
  await libvirtd.kill();
  await libvirtd.start();
  await bridge.end();
  bridge = await startBridge(config());
  await poll(() => bridge.log.some(line => line['event'] === 'libvirt.connected'), { what: 'libvirt' });
  await define((await inactive()).replace('<memory', '<description>a word</description><memory'));
  expect((await copies(4)).at(-1)?.changed).toEqual(['description']);
});

test('one is brought back when it is off, and not while it is on', async () => {
  const [first] = await copies(4);
  expect(await run('restore', '1', '--yes')).toMatchObject({ code: 1, stderr: expect.stringContaining('is not off') });
  await virsh('destroy', name);
  expect(await run('restore', '1', '--yes')).toMatchObject({ code: 0, stdout: 'patient is as in copy 1.\n' });
  expect(await inactive()).toBe(first?.xml.trimEnd());
});

test('with its NVRAM if that is said', async context => {
  needsRoot(context, 'the file of an NVRAM is for libvirt alone');
  const third = (await readCopies(join(folder, 'data'), name)).copies.find(({ number }) => number === 3);
  const old = await readFile(variables());
  await writeFile(variables(), Buffer.alloc(old.length, 0xff));
  const back = await run('restore', '3', '--yes', '--nvram');
  expect(back).toMatchObject({ code: 0, stdout: 'patient is as in copy 3.\n' });
  expect(await inactive()).toBe(third?.xml.trimEnd());
  expect(await readFile(variables())).toEqual(old);
  expect(await run('restore', '3', '--yes')).toMatchObject({ code: 1, stderr: expect.stringContaining('already') });
  await virsh('start', '--paused', name);
  await virsh('destroy', name);
});

test('a password stays, and is in no copy', async () => {
  await define(written({ vcpus: 2, password: 'hunter2' }));
  await poll(async () => (await readCopies(join(folder, 'data'), name)).copies.at(-1)?.changed.includes('vcpu'));
  expect(await run('restore', '1', '--yes')).toMatchObject({ code: 0 });
  expect(await inactive()).toContain("passwd='hunter2'");
  const { copies } = await readCopies(join(folder, 'data'), name);
  expect(JSON.stringify(copies)).not.toContain('hunter2');
});

test('a disk that is gone: refused', async () => {
  const before = await inactive();
  await rm(join(folder, 'loader.img'));
  const { code, stderr } = await run('restore', '2', '--yes');
  expect({ code, stderr }).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('loader.img, the source of the disk sdz, is not there'),
  });
  expect(await inactive()).toBe(before);
});

test('a definition that somebody has removed is made again', async () => {
  await makeImage('loader');
  await virsh('undefine', '--nvram', name);
  expect(await run('restore', '1', '--yes', '--nvram')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('has no NVRAM'),
  });
  expect(await run('restore', '3', '--yes', ...(isUnprivileged ? [] : ['--nvram']))).toMatchObject({ code: 0 });
  await virsh('start', '--paused', name);
  await virsh('destroy', name);
});

test.each<[what: string, options: string, code: string, fill: (path: string) => void]>([
  [
    'full',
    'size=64k',
    'ENOSPC',
    path => execFileSync('sh', ['-c', `cat /dev/zero > ${path}/definitions/fill || true`], { stdio: 'ignore' }),
  ],
  [
    'read-only',
    'size=1m',
    'EROFS',
    path => {
      const own = join(path, 'definitions');
      execFileSync('mount', ['--bind', own, own]);
      execFileSync('mount', ['-o', 'remount,ro,bind', own]);
    },
  ],
])(
  'a data_dir that is %s: told once, nothing is lost, and nothing is brought back',
  async (what, options, reason, fill) => {
    const data = join(folder, what);
    await mkdir(data);
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', data]);
    await using other = await startBridge({
      ...config(data),
      mqtt: { url: broker.url, base_topic: what },
      instance: what,
    });
    try {
      const kept = () => other.log.some(line => line['event'] === 'definition.kept');
      await poll(kept, { what: 'the first copy' });
      fill(data);
      await define(
        (await inactive()).replace(/(<description>.*)?<memory/s, `<description>${what}</description><memory`),
      );
      const unkept = () => other.log.filter(line => line['event'] === 'definition.unkept');
      await poll(() => unkept().length > 0, { what: 'the warning' });
      expect(unkept()).toMatchObject([{ reason: expect.stringContaining(reason) }]);
      expect(await readCopies(data, name)).toMatchObject({ copies: [{ number: 1 }], damaged: [] });
      const { code, stderr } = await runCli(config(data), 'definition', name, 'restore', '1', '--yes');
      expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining(`cannot be kept: ${reason}`) });
      expect(await inactive()).toContain(`<description>${what}</description>`);
      expect(await other.end()).toBe(0);
    } finally {
      await other.end();
      execFileSync('umount', ['--recursive', data]);
    }
  },
);
