/** The bridge keeps a copy of each definition: at its start, when one changes, also while the VM runs. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Copy, lookAtDefinition, nvramOf, readCopies } from '../../src/definition/copies.ts';
import { Running } from '../bridge/running.ts';
import { eventually } from '../eventually.ts';
import { dsmXml } from '../fakes/libvirtd/xml.ts';

const withVcpus = (count: number, xml = dsmXml()) => xml.replace(/(<vcpu[^>]*>)\d+/, `$1${count}`);

async function copies(running: Running, count: number): Promise<readonly Copy[]> {
  return eventually(async () => {
    const { copies } = await readCopies(running.folder, 'DSM');
    expect(copies).toHaveLength(count);
    return copies;
  });
}

test('at its start, and of a definition that changes while the VM is off and while it runs', async () => {
  await using running = await Running.start();
  expect((await copies(running, 1))[0]).toMatchObject({ number: 1, xml: dsmXml(), changed: [], loader: null });
  running.daemon.define(withVcpus(3));
  await copies(running, 2);
  running.daemon.domain('DSM').start();
  await running.seen.take('b/DSM/event');
  running.daemon.define(withVcpus(5));
  const [, second, third] = await copies(running, 3);
  expect([second, third]).toMatchObject([{ changed: ['vcpu'] }, { changed: ['vcpu'], xml: withVcpus(5) }]);
  const told = () => running.log.of('definition.kept');
  // It is said when the file is there.
  await eventually(() => expect(told()).toHaveLength(3));
  expect(told().map(({ copy, changed, nvram }) => ({ copy, changed, nvram }))).toEqual([
    { copy: 1, changed: [], nvram: 'libvirt runs on another machine' },
    { copy: 2, changed: ['vcpu'], nvram: 'libvirt runs on another machine' },
    { copy: 3, changed: ['vcpu'], nvram: 'libvirt runs on another machine' },
  ]);
});

test('a bridge that starts again keeps no second one of the same', async () => {
  await using running = await Running.start();
  await copies(running, 1);
  await running.stop();
  running.daemon.define(withVcpus(3));
  await running.start();
  await copies(running, 2);
  await running.stop();
  await running.start();
  await running.seen.take('b/bridge/state', 'online');
  await running.stop();
  await copies(running, 2);
});

test('an NVRAM that the first start makes is kept when the VM stops', async () => {
  await using running = await Running.start();
  running.daemon.options.hostname = hostname();
  await running.stop();
  const path = join(running.folder, 'DSM_VARS.fd');
  const xml = dsmXml()
    .replace(/<nvram[^>]*>.*?<\/nvram>|<nvram[^>]*\/>/s, '')
    .replace('</os>', `<nvram>${path}</nvram></os>`);
  const domain = running.daemon.define(xml);
  await running.start();
  const [, unread] = await copies(running, 2);
  expect(unread?.nvram).toMatchObject({ path, bytes: null, why: expect.stringContaining('ENOENT') });
  domain.start();
  await writeFile(path, 'variables');
  domain.destroy();
  await eventually(async () => {
    const last = (await readCopies(running.folder, 'DSM')).copies.at(-1);
    expect(last?.number).toBe(2);
    expect(last && `${nvramOf(last)}`).toBe('variables');
  });
});

test.each([
  ["<os firmware='efi'>", { path: '/var/lib/libvirt/qemu/nvram/none of it_VARS.fd', bytes: null }],
  ["<os firmware='bios'>", null],
  ['<os>', null],
])('%s without an NVRAM: the file that an older libvirt does not name', async (os, nvram) => {
  const xml = `<domain type='kvm'><name>none of it</name>${os}<type>hvm</type></os></domain>`;
  const looked = await lookAtDefinition(xml, true);
  if (nvram) expect(looked.nvram).toMatchObject({ ...nvram, why: expect.stringContaining('ENOENT') });
  else expect(looked.nvram).toBeNull();
});

test('what cannot be written is told once, the bridge goes on, and it is written when it can be', async () => {
  await using running = await Running.prepare();
  running.daemon.define();
  await writeFile(join(running.folder, 'definitions'), 'in the way');
  const seen = await running.observe();
  await running.start();
  await seen.take('b/DSM/availability', 'online');
  const unkept = () => running.log.of('definition.unkept');
  await eventually(() => expect(unkept()).toHaveLength(1));
  running.daemon.define(withVcpus(3));
  await eventually(async () => expect((await seen.take('b/DSM/state')).payload).toContain('"vcpus":3'));
  expect(unkept()).toMatchObject([{ level: 'warn', vm: 'DSM', reason: expect.stringContaining('ENOTDIR') }]);
  await rm(join(running.folder, 'definitions'));
  await mkdir(join(running.folder, 'definitions'));
  running.daemon.define(withVcpus(4));
  expect(await copies(running, 1)).toMatchObject([{ xml: withVcpus(4) }]);
});

test('a transient domain has no definition to keep', async () => {
  await using running = await Running.start();
  await copies(running, 1);
  const domain = running.daemon.domain('DSM');
  domain.start();
  domain.undefine();
  await running.seen.take('b/DSM/event');
  await running.stop();
  await copies(running, 1);
});
