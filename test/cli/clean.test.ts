/** `clean`: what a bridge has left that lost its `data_dir`; and nothing else. */
import { rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { clean } from '../../src/cli/clean.ts';
import { type ConfigChanges, Running, vmConfig } from '../bridge/running.ts';
import { captured } from './output.ts';

const oldUuid = '00000000-0000-4000-8000-0000000000aa';
const uuid = '186682f9-0f0b-4a9e-867b-364706339405';
const old = vmConfig({ domain: 'OLD', key: 'OLD', label: 'OLD' });

function run(running: Running, { yes = true, instance = 'nas', ...changes }: ConfigChanges & Options = {}) {
  const config = { ...running.config(changes), instance };
  const { signal } = new AbortController();
  return captured(streams => clean({ config, yes, stdin: Readable.from([]), signal, ...streams }));
}

interface Options {
  yes?: boolean;
  instance?: string;
}

/** Every topic that the broker keeps now. */
async function kept(running: Running): Promise<string[]> {
  const observer = await running.observe();
  const topics = new Set<string>();
  // What it keeps is sent at once, and in any order; the running bridge's state is among it.
  const take = () => observer.seen.take(({ retain, payload }) => retain && payload !== '', { deadline: 1_500 });
  for (let next = await take().catch(() => null); next; next = await take().catch(() => null)) topics.add(next.topic);
  return [...topics].sort();
}

/** A bridge that served OLD too, and its successor, which has never heard of it. */
async function forgetful(changes: ConfigChanges = {}): Promise<Running> {
  const running = await Running.prepare();
  running.daemon.define();
  running.daemon.define({ name: 'OLD', uuid: oldUuid });
  const seen = await running.observe();
  await running.start({ vms: [vmConfig(), old] });
  await seen.take(`ha/device/dsm2mqtt_${oldUuid}/config`);
  await seen.take('b/OLD/availability', 'online');
  await running.stop();
  await rm(running.folder, { recursive: true });
  const next = await running.observe();
  await next.take('b/bridge/state', 'offline');
  await running.start(changes);
  await next.take('b/bridge/state', 'online');
  await next.seen.take(({ topic, retain }) => topic === `ha/device/dsm2mqtt_${uuid}/config` && !retain, {
    deadline: 30_000,
  });
  return running;
}

test.concurrent('what a bridge left behind is told at the start, listed, and cleared beside it', async () => {
  await using running = await forgetful({ staleAfter: 0 });
  const device = `ha/device/dsm2mqtt_${oldUuid}/config`;
  await expect
    .poll(() => running.log.of('stale'), { timeout: 30_000 })
    .toMatchObject([{ level: 'warn', vms: ['OLD'], devices: [device] }]);
  const before = await kept(running);
  const asked = await run(running, { yes: false });
  expect(asked).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') });
  expect(asked.stdout).toContain(device);
  expect(asked.stdout).toContain('b/OLD/state');
  expect(await kept(running)).toEqual(before);
  expect(await run(running)).toMatchObject({
    code: 0,
    stderr: '',
    stdout: expect.stringContaining('All of it is gone'),
  });
  expect(await kept(running)).toEqual(before.filter(topic => topic !== device && !topic.startsWith('b/OLD/')));
  expect(await run(running, { yes: false })).toMatchObject({ code: 0, stdout: 'Nothing is stale below b/.\n' });
});

test.concurrent('a host that was left out or renamed is told at the start and cleared', async () => {
  await using running = await Running.prepare();
  running.daemon.define();
  const host = (name: string) => ({ name, uri: running.daemon.uri, readOnly: false, statsInterval: 60_000 });
  const [one, gone] = [host('one'), host('gone')];
  const vms = [vmConfig({ on: 'one' })];
  const device = 'ha/device/dsm2mqtt_host_nas_gone/config';
  const hosts = async (): Promise<string[]> => (await kept(running)).filter(topic => topic.includes('host'));
  const started = async (changes: ConfigChanges): Promise<void> => {
    const seen = await running.observe();
    await running.start({ vms, ...changes });
    await seen.seen.take(({ topic, payload }) => /^b.host.\w+.state$/.test(topic) && JSON.parse(payload).sampled_at);
    await seen.take('b/DSM/availability', 'online');
  };
  await started({ hosts: [one, gone] });
  const before = await hosts();
  expect(before).toEqual(expect.arrayContaining(['b/host/gone/availability', 'b/host/gone/state', device]));
  await running.stop();
  await rm(running.folder, { recursive: true });
  await started({ hosts: [one], staleAfter: 0 });
  await expect
    .poll(() => running.log.of('stale'), { timeout: 30_000 })
    .toMatchObject([{ vms: [], hosts: ['gone'], devices: [device] }]);
  expect(await run(running, { hosts: [one], vms })).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('b/host/gone/state, and what else'),
  });
  expect(await hosts()).toEqual(before.filter(topic => !topic.includes('gone')));
});

test.concurrent('what is another bridge’s, another program’s, or has one topic elsewhere stays', async () => {
  await using running = await Running.start();
  const { payload } = await running.observe().then(seen => seen.take(`ha/device/dsm2mqtt_${uuid}/config`));
  const state = await running.observe().then(seen => seen.take('b/DSM/state'));
  const device = (id: string, text: string) => [`ha/device/dsm2mqtt_${id}/config`, text] as const;
  const others = [
    ['b/lamp/state', 'ON'],
    ['b/plug/state', '{"power":"ON"}'],
    ['b/x/y/state', state.payload],
    // A bridge with the base topic b/x, one with bb, one whose device has a single topic elsewhere.
    device('1', payload.replaceAll('"b/', '"b/x/')),
    device('2', payload.replaceAll('"b/', '"bb/')),
    device('3', payload.replace('"b/DSM/event"', '"c/DSM/event"').replaceAll('"b/DSM/', '"b/GONE/')),
    device('4', payload.replaceAll('"b/DSM/', '"b/GONE/').replace('"name":"dsm2mqtt"', '"name":"other"')),
    device('5', '{}'),
    device('6', 'no JSON'),
    ['ha/device/0x1/config', payload.replaceAll('"b/DSM/', '"b/GONE/')],
  ] as const;
  for (const [topic, text] of others) await running.seen.publish(topic, text, true);
  const before = await kept(running);
  expect(before).toEqual(expect.arrayContaining(others.map(([topic]) => topic)));
  expect(await run(running)).toMatchObject({ code: 0, stdout: 'Nothing is stale below b/.\n' });
  expect(await kept(running)).toEqual(before);
});

test.concurrent('a replaced domain’s device is stale, that of a domain which libvirt has lost is not', async () => {
  await using running = await Running.start();
  const { payload } = await running.observe().then(seen => seen.take(`ha/device/dsm2mqtt_${uuid}/config`));
  await running.seen.publish(`ha/device/dsm2mqtt_${oldUuid}/config`, payload, true);
  expect(await run(running, { yes: false })).toMatchObject({ code: 2, stdout: expect.stringContaining(oldUuid) });
  running.daemon.domain('DSM').undefine();
  expect(await run(running)).toMatchObject({ code: 0, stdout: 'Nothing is stale below b/.\n' });
});

test.concurrent('libvirt away: 3, and nothing is done', async () => {
  await using running = await forgetful();
  const before = await kept(running);
  await running.daemon.kill();
  const { code, stderr } = await run(running);
  expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining('Without libvirt nobody knows') });
  expect(await kept(running)).toEqual(before);
});

test.concurrent('another bridge’s base topic, and a VM that only the running one serves: nothing is done', async () => {
  await using running = await Running.start();
  expect(await run(running, { instance: 'other' })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("The bridge of b/ is 'nas'"),
  });
  running.daemon.define({ name: 'OLD', uuid: oldUuid });
  expect(await run(running, { vms: [old] })).toMatchObject({ code: 0, stdout: 'Nothing is stale below b/.\n' });
});

test.concurrent('the broker away: 3', async () => {
  await using running = await Running.prepare();
  running.daemon.define();
  await running.broker.kill();
  expect(await run(running)).toMatchObject({ code: 3, stderr: expect.stringContaining('mqtt://127.0.0.1') });
});
