import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { status } from '../../src/cli/status.ts';
import type { Config } from '../../src/config/config.ts';
import { vmConfig } from '../bridge/running.ts';
import { directory } from '../config/harness.ts';
import { FakeLibvirtd } from '../fakes/libvirtd/daemon.ts';
import { lively } from '../fakes/libvirtd/lively.ts';
import { captured } from './output.ts';

let daemon: FakeLibvirtd;
beforeEach(async () => {
  daemon = await FakeLibvirtd.listen();
});
afterEach(() => daemon.close());

const vm = (domain: string): Config['vms'][number] => ({
  ...vmConfig(),
  ...{ domain, key: domain, label: `${domain} VM` },
});

async function ask(domains: string[], { json = false, readOnly = false } = {}) {
  const config = {
    hosts: [{ name: null, uri: readOnly ? daemon.readOnlyUri : daemon.uri, readOnly, statsInterval: 30_000 }],
    vms: domains.map(vm),
  } as unknown as Config;
  return captured(streams => status({ config, json, ...streams }));
}

test('all are there: 0, in lines for people', async () => {
  const domain = daemon.define();
  using _life = lively(domain, { interval: 50, random: () => 0.5 });
  domain.start();
  daemon.defineMany(1);
  const { code, stdout, stderr } = await ask(['DSM', 'vm-0']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^DSM VM \(DSM\): running \(booted\)$/m);
  expect(stdout).toMatch(/CPU +\d+\.\d % +of 2 vCPUs/);
  expect(stdout).toMatch(/Disk sda +read \d+\.\d\d MB\/s +write \d+\.\d\d MB\/s/);
  expect(stdout).toMatch(/NIC 52:54:00:d5:30:01 +rx \d+\.\d\d Mbit\/s/);
  expect(stdout).toMatch(/^vm-0 VM \(vm-0\): shut_off \(unknown\)$/m);
});

test('in JSON', async () => {
  daemon.define().start();
  daemon.defineMany(1);
  const { code, stdout } = await ask(['DSM', 'vm-0', 'nobody'], { json: true });
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toEqual([
    {
      id: 'DSM',
      name: 'DSM VM',
      domain: expect.objectContaining({ name: 'DSM', state: 'running', active: true, hardware: expect.any(Object) }),
      stats: expect.objectContaining({
        stale: false,
        sampled_at: expect.stringMatching(/Z$/),
        disks: expect.objectContaining({ sda: expect.objectContaining({ read_bytes_per_second: 0 }) }),
      }),
    },
    {
      id: 'vm-0',
      name: 'vm-0 VM',
      domain: expect.objectContaining({ state: 'shut_off', active: false }),
      stats: null,
    },
    { id: 'nobody', name: 'nobody VM', domain: null, stats: null },
  ]);
});

test('one is missing: 1, which, and what is there', async () => {
  expect(await ask(['nobody'])).toEqual({
    code: 1,
    stdout: 'nobody VM (nobody): libvirt has no domain nobody. It has none.\n',
    stderr: '',
  });
  daemon.define();
  daemon.defineMany(1);
  expect((await ask(['DSMM'])).stdout).toBe(
    "DSMM VM (DSMM): libvirt has no domain DSMM. Did you mean 'DSM'? It has DSM, vm-0.\n",
  );
});

test('read-only it asks all the same', async () => {
  daemon.define();
  expect(await ask(['DSM'], { readOnly: true })).toMatchObject({ code: 0 });
  expect(daemon.callsOf('connectOpen')).toMatchObject([{ args: { flags: 1 } }]);
});

describe('libvirt', () => {
  test('is not there: 3', async () => {
    await daemon.stop();
    const { code, stdout, stderr } = await ask(['DSM']);
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toContain('no libvirt socket');
  });

  test('goes in the middle: 3', async () => {
    daemon.define();
    using _drop = daemon.drop('domainGetState');
    expect(await ask(['DSM'])).toMatchObject({ code: 3, stderr: expect.stringContaining('closed the connection') });
  });

  test('refuses: 1', async () => {
    daemon.define();
    using _refusal = daemon.refuse('connectListAllDomains', 88, 'access denied');
    expect(await ask(['DSM'])).toMatchObject({ code: 1, stderr: expect.stringContaining('access denied') });
  });
});

test('leaves no connection behind', async () => {
  daemon.define();
  await ask(['DSM']);
  await expect.poll(() => daemon.sessions.size).toBe(0);
});

test('off, and defined on two hosts: where it last was, as the bridge has it', async () => {
  await using second = await FakeLibvirtd.listen();
  const { uuid } = daemon.define();
  second.define();
  const host = (name: string, { uri }: FakeLibvirtd) => ({ name, uri, readOnly: false, statsInterval: 30_000 });
  const hosts = [host('one', daemon), host('two', second)];
  const hardware = { machine: null, vcpus: null, memory: null, disks: [], nics: [] };
  const value = { devices: {}, vms: { DSM: { uuid, name: 'DSM', on: 'two', hardware } } };
  using folder = directory({ 'announced.json': JSON.stringify({ version: 1, value }) });
  const config = { hosts, vms: [{ ...vm('DSM'), domain: uuid }], templates: [], dataDir: folder.path };
  const ask = () => captured(streams => status({ config: config as unknown as Config, json: false, ...streams }));
  expect((await ask()).stdout).toContain('DSM VM (DSM) on two: shut_off');
  daemon.domain('DSM').start();
  expect((await ask()).stdout).toContain('DSM VM (DSM) on one: running');
});

test('of two hosts one is away: the VMs of the other, and 3; of a VM that either may have, nobody knows', async () => {
  const { uuid } = daemon.define();
  const host = (name: string, uri: string) => ({ name, uri, readOnly: false, statsInterval: 30_000 });
  const hosts = [host('one', daemon.uri), host('two', `${daemon.uri}-gone`)];
  const of = (vms: Config['vms']) =>
    captured(streams =>
      status({ config: { hosts, vms, templates: [], dataDir: '/none' } as unknown as Config, json: false, ...streams }),
    );
  const both = await of([
    { ...vm('DSM'), on: 'one' },
    { ...vm('there'), on: 'two' },
  ]);
  expect(both).toMatchObject({ code: 3, stdout: expect.stringContaining('DSM VM (DSM) on one: shut_off') });
  expect(both.stderr).toMatch(/^two \(qemu\+unix:.*-gone\): /);
  expect(both.stdout).not.toContain('there');
  expect(await of([{ ...vm('DSM'), domain: uuid }])).toMatchObject({ code: 3, stdout: '' });
  daemon.domain('DSM').start();
  expect(await of([{ ...vm('DSM'), domain: uuid }])).toMatchObject({
    code: 3,
    stdout: expect.stringContaining('running'),
  });
});
