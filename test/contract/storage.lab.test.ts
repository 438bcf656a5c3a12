/** The storage contract on real daemons: `scripts/lab [--release forky] vitest run --project lab test/contract/storage`. */
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Libvirt } from '../../src/libvirt/client.ts';
import { parseUri } from '../../src/libvirt/uri.ts';
import { address, guest, inLab, lab, libvirtd, virsh } from '../lab/lab.ts';
import { storageContract } from './storage.ts';

beforeAll(() => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
});

const release = inLab() ? lab().release : 'bookworm';
const uri = parseUri(`qemu+unix:///system?socket=${address.socket}`);
const open = ({ readOnly } = { readOnly: false }) =>
  Libvirt.open({
    uri: readOnly ? parseUri(`qemu+unix:///system?socket=${address.socketReadOnly}`) : uri,
    readOnly,
  });

storageContract({
  name: `libvirt ${{ bookworm: '9.0', forky: '12.8' }[release]}, storage`,
  open,
  names: async () => (await virsh('pool-list', '--name')).split('\n').map(name => name.trim()),
});

test('what is written is what virsh reads, and the other way round', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'storage-'));
  await using client = await open();
  await using _ = {
    [Symbol.asyncDispose]: async () => {
      await virsh('pool-destroy', 'virsh-pool').catch(() => {});
      await rm(folder, { recursive: true });
    },
  };
  const path = join(folder, 'disk.img');
  await writeFile(path, Buffer.alloc(1024 ** 2));
  await virsh('pool-create-as', 'virsh-pool', 'dir', '--target', folder);
  const volume = await client.storage.volumeByPath(path);
  await client.storage.upload(volume, { offset: 1_000, length: 5 }, [Buffer.from('hello')]);
  await virsh('vol-download', path, join(folder, 'part'), '--offset', '998', '--length', '9');
  expect(await readFile(join(folder, 'part'), 'latin1')).toBe('\0\0hello\0\0');
  await writeFile(join(folder, 'word'), 'virsh');
  await virsh('vol-upload', path, join(folder, 'word'), '--offset', '2000');
  expect((await client.storage.download(volume, { offset: 2_000, length: 5 })).toString()).toBe('virsh');
});

describe('a volume in use', () => {
  beforeEach(() => guest.off());
  afterEach(async () => {
    await guest.off();
    await virsh('pool-destroy', 'in-use').catch(() => {});
  });

  test('nobody keeps a writer from the disk of a running guest: that it is off is ours to know', async () => {
    await virsh('pool-create-as', 'in-use', 'dir', '--target', address.images);
    await virsh('start', address.domain);
    await using client = await open();
    const volume = await client.storage.volumeByPath(join(address.images, 'sdb.img'));
    const range = { offset: 512 * 1024 ** 2, length: 4 };
    const before = await client.storage.download(volume, range);
    await client.storage.upload(volume, range, [Buffer.from('mine')]);
    expect((await client.storage.download(volume, range)).toString()).toBe('mine');
    await client.storage.upload(volume, range, [before]);
  });
});

describe('without its storage driver', () => {
  let driver: string;

  beforeAll(async () => {
    const folder = '/usr/lib/x86_64-linux-gnu/libvirt/connection-driver';
    const name = (await readdir(folder)).find(each => each.includes('storage'));
    driver = join(folder, name ?? '');
    await rename(driver, `${driver}.away`);
    await libvirtd.kill('SIGTERM');
    await libvirtd.start();
  });

  afterAll(async () => {
    await rename(`${driver}.away`, driver);
    await libvirtd.kill('SIGTERM');
    await libvirtd.start();
  });

  test('every call is code 3', async () => {
    await using client = await open();
    await expect(client.storage.volumeByPath('/x')).rejects.toMatchObject({ name: 'LibvirtError', code: 3 });
    await expect(client.storage.poolByTarget('/x')).rejects.toMatchObject({ code: 3 });
  });
});
