/** `rebuild --dry-run`, with libvirt's part played by the fake: what it prints, and what each end of it is to a script. */

import { readdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type RebuildPlanOptions, rebuildPlan } from '../../../src/cli/loader/rebuild.ts';
import type { Config, HostConfig } from '../../../src/config/config.ts';
import type { World } from '../../../src/loader/plan/world.ts';
import type { LoaderSettings } from '../../../src/model/loader-settings.ts';
import { vmConfig } from '../../bridge/running.ts';
import { boot, type RebuildWorld, rebuildWorld, world } from '../../loader/rebuild-world.ts';
import { captured } from '../output.ts';

interface Changes {
  vm?: Partial<Config['vms'][number]>;
  loader?: Partial<LoaderSettings> | null;
  readOnly?: boolean;
  json?: boolean;
  dataDir?: string;
  options?: Partial<RebuildPlanOptions>;
}

function run(it: RebuildWorld, changes: Changes = {}) {
  const { vm, loader = {}, readOnly = false, json = false, dataDir = join(it.folder, 'data'), options } = changes;
  // Of a configuration it reads no more than this.
  const config = {
    libvirt: { uri: readOnly ? it.daemon.readOnlyUri : it.daemon.uri, readOnly, statsInterval: 60_000 },
    vms: [vmConfig({ loader: loader && { ...it.settings, upgrade: 'never', ...loader }, ...vm })],
    dataDir,
  } as unknown as HostConfig;
  const call = { config, vm: 'DSM', json, signal: new AbortController().signal, world, ...options };
  return captured(streams => rebuildPlan({ ...call, ...streams }));
}

test('0, in lines for people; nothing is changed, and nothing left behind', async () => {
  await using it = await rebuildWorld();
  it.domain.start();
  const before = it.daemon.sessions.size;
  const { code, stdout, stderr } = await run(it);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^DSM VM \(DSM\): a rebuild of its loader for DS918\+ 7\.1\.1-42962\./);
  expect(stdout).toContain('It can be done: nothing is in its way.');
  expect(stdout).toMatch(/\$ \.\/rploader\.sh build ds918p-7\.1\.1-42962\n/);
  expect(it.domain).toMatchObject({ active: true, presses: 0 });
  expect(await readdir(join(it.folder, 'data'))).toEqual([]);
  expect(it.daemon.storage.pools).toEqual([]);
  await expect.poll(() => it.daemon.sessions.size).toBe(before);
});

test('in JSON', async () => {
  await using it = await rebuildWorld();
  const { code, stdout } = await run(it, { json: true });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    ...{ id: 'DSM', name: 'DSM VM', loader: 'tcrp', model: 'DS918+', version: '7.1.1-42962', possible: true },
    image: { path: it.image },
    phases: expect.arrayContaining([expect.objectContaining({ phase: 'building', commands: expect.any(Array) })]),
    on_failure: 'ask',
  });
});

test('1 when it would be refused', async () => {
  await using it = await rebuildWorld();
  const { code, stdout } = await run(it, { loader: { model: 'DS920+' } });
  expect(code).toBe(1);
  expect(stdout).toContain('REFUSED  The platform id ds918p-7.1.1-42962 is of DS918+');
});

test('1 without such a domain', async () => {
  await using it = await rebuildWorld();
  const { code, stdout, stderr } = await run(it, { vm: { domain: 'nobody' } });
  expect({ code, stdout, stderr }).toEqual({
    ...{ code: 1, stdout: '', stderr: 'DSM VM (DSM): libvirt has no domain nobody. It has DSM.\n' },
  });
});

test('3 without libvirt', async () => {
  await using it = await rebuildWorld();
  await it.daemon.stop();
  expect(await run(it)).toMatchObject({ code: 3, stdout: '', stderr: expect.stringContaining('no libvirt socket') });
});

test('3 when libvirt goes in the middle', async () => {
  await using it = await rebuildWorld();
  using _drop = it.daemon.drop('domainGetState');
  expect(await run(it)).toMatchObject({ code: 3, stdout: '' });
});

test('2 without a loader, or such a VM', async () => {
  await using it = await rebuildWorld();
  expect(await run(it, { loader: null })).toMatchObject({ code: 2, stderr: expect.stringContaining('no') });
  expect(await run(it, { options: { vm: 'nobody' } })).toMatchObject({ code: 2 });
});

test('1 when it is interrupted; a pool of its own goes', async () => {
  await using it = await rebuildWorld();
  const controller = new AbortController();
  const menu: World['menu'] = async (_image, _wanted, { signal }) => {
    controller.abort();
    signal.throwIfAborted();
    return { boot, files: new Map() };
  };
  const ended = await run(it, { options: { signal: controller.signal, world: { ...world, menu } } });
  expect(ended).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('interrupted') });
  expect(it.daemon.callsOf('storagePoolDestroy')).toHaveLength(1);
  expect(it.daemon.storage.pools).toEqual([]);
});

test('what the bridge would say to the command is told too', async () => {
  await using it = await rebuildWorld();
  const unlisted = await run(it, { vm: { commands: ['start'] } });
  expect(unlisted).toMatchObject({ code: 0, stdout: expect.stringContaining("not among this VM's commands") });
  const readOnly = await run(it, { readOnly: true });
  expect(readOnly).toMatchObject({ code: 1, stdout: expect.stringContaining('configured as read-only') });
});

test('the DSM that the checks remember counts as installed', async () => {
  await using it = await rebuildWorld();
  const dsm = { name: 'nas', model: 'DS918+', version: '7.1.1-42951', update: null };
  const where = { address: null, httpPort: null, httpsPort: null };
  const known = { run: null, address: null, discovered: false, dsm: { ...dsm, ...where } };
  const remember = (uuid: string) => {
    const file = { version: 1, value: { DSM: { ...known, uuid } } };
    return writeFile(join(it.folder, 'data', 'checks.json'), JSON.stringify(file));
  };
  await remember(it.domain.uuid);
  expect((await run(it)).stdout).toContain('a loader for another DSM than the one that is installed');
  await remember('of another domain');
  expect((await run(it)).stdout).not.toContain('a loader for another DSM');
});

test('without data_dir it works too', async () => {
  await using it = await rebuildWorld();
  const { code } = await run(it, { dataDir: join(it.folder, 'none') });
  expect(code).toBe(0);
});

test('the CPU of another machine, whose socket is forwarded, is not judged by the one here', async () => {
  await using it = await rebuildWorld();
  const lacking = { ...world, cpuinfo: async () => 'flags : sse2' };
  expect((await run(it, { options: { world: lacking } })).stdout).not.toContain('needs a CPU');
});

test('the CPU of this machine is', async () => {
  await using it = await rebuildWorld(undefined, { hostname: hostname() });
  const lacking = { ...world, cpuinfo: async () => 'flags : sse2' };
  expect((await run(it, { options: { world: lacking } })).stdout).toContain('needs a CPU');
});
