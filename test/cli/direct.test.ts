/** `shutdown --direct`, with libvirt's part played by the fake: what each end of it is to a script. */
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readRecord } from '../../src/bridge/history.ts';
import { shutDownDirectly } from '../../src/cli/shutdown.ts';
import { template, vmConfig } from '../bridge/running.ts';
import { load, minimal } from '../config/harness.ts';
import { FakeLibvirtd } from '../fakes/libvirtd/daemon.ts';
import type { FakeDomain } from '../fakes/libvirtd/domain.ts';
import { captured } from './output.ts';

let daemon: FakeLibvirtd;
let domain: FakeDomain;
let folder: string;
beforeEach(async () => {
  daemon = await FakeLibvirtd.listen();
  domain = daemon.define();
  domain.start();
  folder = await mkdtemp(join(tmpdir(), 'direct-'));
});
afterEach(async () => {
  await daemon.close();
  await rm(folder, { recursive: true, force: true });
});

interface Changes {
  readOnly?: boolean;
  uri?: string;
  timeout?: string;
  signal?: AbortSignal;
  vm?: Parameters<typeof vmConfig>[0];
  /** Milliseconds until libvirt has to be there. */
  patience?: number;
}

async function run({ readOnly = false, uri = daemon.uri, timeout, signal, vm, patience = 20_000 }: Changes = {}) {
  const config = {
    ...(await load(minimal)),
    hosts: [{ name: null, uri, readOnly, statsInterval: 60_000 }],
    vms: [vmConfig(vm), vmConfig({ domain: 'other', key: 'other', label: 'other' })],
    dataDir: folder,
  };
  const call = { config, vm: 'DSM', timeout, by: 'nut', json: false, patience };
  return captured(streams => shutDownDirectly({ ...call, signal: signal ?? new AbortController().signal, ...streams }));
}

test('0 when it is off, and when it was off already', async () => {
  expect(await run()).toMatchObject({ code: 0, stdout: expect.stringMatching(/^shutdown succeeded\/done, after/) });
  expect(domain).toMatchObject({ active: false, presses: 1 });
  expect(await run()).toMatchObject({ code: 0, stdout: expect.stringContaining('already') });
  expect(domain.presses).toBe(1);
});

test('a host of which all is taken, and which hangs, delays nobody else', async () => {
  const config = await load(minimal);
  const path = join(folder, 'hangs');
  let asked = 0;
  await using hanging = createServer(() => (asked += 1)).listen(path);
  await once(hanging, 'listening');
  const other = { name: 'other', uri: `qemu+unix:///system?socket=${path}`, readOnly: false, statsInterval: 60_000 };
  const templates = [template({ on: 'other' })];
  const hosts = [{ name: 'one', uri: daemon.uri, readOnly: false, statsInterval: 60_000 }, other];
  const vms = [vmConfig({ on: 'one' })];
  const call = { config: { ...config, hosts, vms, templates, dataDir: folder }, vm: 'DSM', json: false };
  const signal = new AbortController().signal;
  const taken = { uuid: null, active: false, last_stop: null, asked: null };
  await writeFile(join(folder, 'vms.json'), JSON.stringify({ version: 1, value: { taken } }));
  expect(await captured(streams => shutDownDirectly({ ...call, signal, ...streams }))).toMatchObject({ code: 0 });
  expect(asked).toBe(0);
  // What is stored of the others stays.
  expect(Object.keys(JSON.parse(await readFile(join(folder, 'vms.json'), 'utf8')).value)).toContain('taken');
});

test('4 when the guest does not hear; it is left running', async () => {
  domain.guest.powerButton = 'ignored';
  expect(await run({ timeout: '200ms' })).toMatchObject({ code: 4, stdout: expect.stringContaining('timed_out') });
  expect(domain.active).toBe(true);
});

const impatient = { ...vmConfig().shutdown, resendEvery: 40, maxPresses: 1 };

test.each(['configured', 'as the checks had found it'])(
  'its ports are closed, at its address %s: no press counts',
  async how => {
    domain.guest.powerButton = 'ignored';
    const address = '127.9.9.9';
    const known = { uuid: null, run: null, address, discovered: false, dsm: null };
    const found = how !== 'configured';
    if (found) await writeFile(join(folder, 'checks.json'), JSON.stringify({ version: 1, value: { DSM: known } }));
    const ended = run({ timeout: '30s', vm: { shutdown: impatient, address: found ? null : address } });
    await expect.poll(() => domain.presses).toBeGreaterThan(2);
    domain.powerOff();
    const { code, stderr } = await ended;
    expect(code).toBe(0);
    expect(stderr).toContain('no check tells what DSM does');
    expect(stderr).toContain("DSM's ports 5000 and 5001 are closed: nobody hears");
  },
);

test('its address is not known: every press counts', async () => {
  domain.guest.powerButton = 'ignored';
  const { code, stdout } = await run({ timeout: '600ms', vm: { shutdown: impatient } });
  expect({ code, stdout }).toMatchObject({
    code: 4,
    stdout: expect.stringContaining('nothing tells whether it hears'),
  });
  expect(domain.presses).toBe(1);
});

test('1 when it is refused', async () => {
  domain.pause();
  expect(await run()).toMatchObject({ code: 1, stdout: expect.stringContaining('wrong_state') });
  expect(await run({ readOnly: true })).toMatchObject({ code: 1, stdout: expect.stringContaining('read_only') });
  expect(domain.presses).toBe(0);
});

test('3 without libvirt', async () => {
  await daemon.kill();
  expect(await run({ patience: 300 })).toMatchObject({ code: 3, stdout: expect.stringContaining('nobody listens') });
});

test('1 when it is interrupted; the guest has been asked all the same', async () => {
  domain.guest.powerButton = 'ignored';
  const controller = new AbortController();
  const ended = run({ signal: controller.signal });
  await daemon.called('domainShutdownFlags');
  controller.abort();
  expect(await ended).toMatchObject({ code: 1, stdout: expect.stringContaining('outcome_unknown') });
});

test('interrupted before anything was done, nothing is', async () => {
  using stuck = daemon.hang('connectOpen');
  const controller = new AbortController();
  const ended = run({ signal: controller.signal });
  await daemon.called('connectOpen');
  controller.abort();
  expect(await ended).toMatchObject({ code: 1, stdout: expect.stringContaining('cancelled') });
  stuck.release();
  expect(await run({ signal: AbortSignal.abort() })).toMatchObject({ code: 1 });
  expect(domain).toMatchObject({ active: true, presses: 0 });
});

test('what is remembered of the other VMs stays', async () => {
  const stop = { by: 'ups', reason: 'shutdown', at: '2026-11-22T08:00:00.000Z', seconds: 3 };
  const value = { other: { uuid: 'b', active: false, last_stop: stop, asked: null } };
  await writeFile(join(folder, 'vms.json'), JSON.stringify({ version: 1, value }));
  expect(await run()).toMatchObject({ code: 0 });
  const { value: kept } = JSON.parse(await readFile(join(folder, 'vms.json'), 'utf8'));
  expect(kept).toMatchObject({ other: { last_stop: stop }, DSM: { last_stop: { by: 'nut' } } });
});

test('the stop is in the record, and a second one that finds it off adds nothing', async () => {
  expect([await run(), await run()]).toMatchObject([{ code: 0 }, { code: 0 }]);
  const { lines } = await readRecord(folder, 'DSM');
  expect(lines).toMatchObject([{ what: 'stop', by: 'nut', how: 'shutdown', why: 'shutdown', seen: true, good: true }]);
});

test('a domain that libvirt does not have: what it has instead', async () => {
  expect(await run({ vm: { domain: 'DSMM' } })).toMatchObject({
    code: 1,
    stdout: expect.stringContaining("libvirt has no domain DSMM. Did you mean 'DSM'? It has DSM."),
  });
});
