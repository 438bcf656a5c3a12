/** What breaks, and what becomes of it: daemons killed and frozen, peers that come late, domains with awkward names. */

import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { announcesPage } from '../discovery/expanded.ts';
import { slow } from '../eventually.ts';
import { address, domainState, guest, inLab, libvirtd, type Mosquitto, poll, qemuPid, virsh } from '../lab/lab.ts';
import {
  type BridgeProcess,
  isFinal,
  type Json,
  Listener,
  type Stage,
  setStage,
  startBridge,
  usual,
  vmTopic,
} from './bridge.ts';

const availability = vmTopic('availability');
const state = vmTopic('state');
const stats = vmTopic('stats');
const bridgeState = 'dsm2mqtt/bridge/state';
const discovery = `homeassistant/device/dsm2mqtt_${address.uuid}/config`;
/** "Right again within 5 s of their return." */

let stage: Stage;
let broker: Mosquitto;
let listener: Listener;
let bridge: BridgeProcess;

afterAll(async () => {
  if (!inLab()) return;
  await libvirtd.start();
  await guest.off();
});

beforeEach(async () => {
  if (inLab()) await libvirtd.start();
  stage = await setStage();
  ({ broker, listener, bridge } = stage);
});

afterEach(() => stage?.[Symbol.asyncDispose]());

/** What a newcomer finds on the broker. */
async function retained(): Promise<Map<string, string>> {
  await using newcomer = await Listener.on(broker.url);
  await newcomer.text(bridgeState, () => true);
  await newcomer.text(stats, () => true);
  return new Map(newcomer.heard.filter(({ retain }) => retain).map(({ topic, text }) => [topic, text]));
}

async function expectAllRight(from: number): Promise<void> {
  await listener.text(bridgeState, text => text === 'online', { from });
  await listener.text(availability, text => text === 'online', { from });
  await listener.document(state, ({ state }) => state === 'running', { from });
  await listener.document(stats, sample => !sample.stale && sample.cpu.percent !== null, { from });
}

function events(name: string): Record<string, unknown>[] {
  return bridge.log.filter(line => line['event'] === name);
}

describe('libvirtd', () => {
  test('killed with -9 and started again', async () => {
    const before = await retained();
    const killed = listener.now;
    await libvirtd.kill();
    await listener.text(availability, text => text === 'offline', { from: killed });
    const info = await listener.document('dsm2mqtt/bridge/info', ({ libvirt }) => !libvirt.up, { from: killed });
    expect(info.libvirt.reason).toMatch(/libvirt/);
    await listener.document(stats, ({ stale }) => stale, { from: killed });
    const returned = listener.now;
    await libvirtd.start();
    await listener.text(availability, text => text === 'online', { from: returned });
    await listener.document(stats, sample => !sample.stale && sample.cpu.percent !== null, { from: returned });
    // Registered anew: what happens now is heard.
    const suspended = listener.now;
    await virsh('suspend', address.domain);
    await listener.document(state, ({ state }) => state === 'paused', { from: suspended });
    await virsh('resume', address.domain);
    await listener.document(state, ({ state }) => state === 'running', { from: suspended });
    expect((await retained()).get(discovery)).toBe(before.get(discovery));
    expect(listener.texts(discovery)).not.toContain('');
    expect(events('libvirt.disconnected').filter(line => line['level'] === 'warn')).toHaveLength(1);
  });

  test('gone while the guest powers off: the truth is told afterwards', async () => {
    await libvirtd.kill();
    const from = listener.now;
    process.kill(qemuPid() ?? 0, 'SIGKILL');
    await libvirtd.start();
    await listener.document(state, ({ power }) => power === 'OFF', { from });
    await guest.start();
  });

  test('frozen: stale is marked stale, and all is right when it goes on', async () => {
    const from = listener.now;
    libvirtd.freeze();
    try {
      await listener.document(stats, ({ stale }) => stale, { from });
      await listener.text(availability, text => text === 'offline', { from });
    } finally {
      libvirtd.thaw();
    }
    const thawed = listener.now;
    await listener.text(availability, text => text === 'online', { from: thawed });
    await listener.document(stats, sample => !sample.stale && sample.cpu.percent !== null, { from: thawed });
  });

  test('a command while it is away is refused, and not done later', async () => {
    await libvirtd.kill();
    await listener.text(availability, text => text === 'offline');
    const from = listener.now;
    await listener.publish(vmTopic('power/set'), 'OFF');
    const answer = await listener.document(vmTopic('response'), () => true, { from });
    expect(answer).toMatchObject({ status: 'rejected', code: 'libvirt_unavailable' });
    await libvirtd.start();
    await listener.text(availability, text => text === 'online', { from });
    await listener.document(stats, sample => !sample.stale, { from });
    expect(await domainState()).toBe('running');
  });
});

describe('QEMU', () => {
  test('frozen: its statistics turn stale, others go on, commands are answered', async () => {
    await virsh('define', await tinyDomain('other'));
    await virsh('start', 'other');
    await using _both = await startBridge({
      ...beside('both'),
      vms: [{ domain: 'DSM' }, { domain: 'other' }],
    });
    await listener.document('both/DSM/stats', ({ cpu }) => cpu.percent !== null);
    const pid = qemuPid() ?? 0;
    const from = listener.now;
    process.kill(pid, 'SIGSTOP');
    try {
      await listener.document('both/DSM/stats', ({ stale }) => stale, { from });
      const sofar = listener.now;
      const fresh = (sample: Json) => !sample.stale && sample.cpu.percent !== null;
      await listener.document('both/other/stats', fresh, { from: sofar });
      await poll(() => listener.documents('both/other/stats', sofar).filter(fresh).length >= 3, {
        what: 'samples of the other',
      });
      expect(listener.documents('both/DSM/stats', sofar).some(({ stale }) => !stale)).toBe(false);
      await virsh('suspend', 'other');
      await listener.document('both/other/state', ({ state }) => state === 'paused', { from });
      await virsh('destroy', 'other');
      await listener.document('both/other/state', ({ state }) => state === 'shut_off', { from });
      await listener.publish('both/other/power/set', 'ON');
      // Ten seconds of pause come first.
      const answer = await listener.document('both/other/response', isFinal, { from });
      expect(answer).toMatchObject({ command: 'start', status: 'succeeded' });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    const thawed = listener.now;
    await listener.document('both/DSM/stats', ({ stale }) => !stale, { from: thawed });
    await virsh('destroy', 'other');
    await virsh('undefine', 'other');
  });
});

describe('the broker', () => {
  test('killed with -9 and started again, without persistence', async () => {
    // What DSM is comes with the first check; later there is nothing new to announce.
    await listener.text(discovery, announcesPage);
    const before = await retained();
    await broker.kill();
    const from = listener.now;
    await broker.start();
    await expectAllRight(from);
    await listener.text(discovery, text => text !== '', { from });
    const after = await retained();
    expect(after.get(discovery)).toBe(before.get(discovery));
    expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
    expect(events('mqtt.disconnected')).toHaveLength(1);
  });

  test('sees the will when the bridge is killed with -9', async () => {
    const from = listener.now;
    await bridge.end('SIGKILL');
    await listener.text(bridgeState, text => text === 'offline', { from });
    expect(await domainState()).toBe('running');
  });

  test('is told offline at SIGTERM, with exit code 0 within 2 s', async () => {
    const from = listener.now;
    const started = performance.now();
    expect(await bridge.end('SIGTERM')).toBe(0);
    expect(performance.now() - started).toBeLessThan(slow);
    await listener.text(bridgeState, text => text === 'offline', { from });
    expect(await domainState()).toBe('running');
  });
});

test('both away at the start: the bridge waits, says so once, and goes on', async () => {
  await bridge.end();
  await libvirtd.kill();
  await broker.kill();
  await using late = await startBridge(usual(broker.url));
  const lines = (event: string) => late.log.filter(line => line['event'] === event);
  await poll(() => lines('mqtt.retry').length >= 2 && lines('libvirt.retry').length >= 2, { what: 'a few attempts' });
  const warnings = late.log.filter(line => line['level'] === 'warn').map(line => line['event']);
  expect(warnings.sort()).toEqual(['libvirt.disconnected', 'mqtt.disconnected']);
  const from = listener.now;
  await broker.start();
  await listener.text(bridgeState, text => text === 'online', { from });
  await listener.text(availability, text => text === 'offline', { from });
  await libvirtd.start();
  await expectAllRight(from);
});

describe('domains that come and go', () => {
  const names = ['with space', 'dots.and+plus', 'hash#tag', 'Zürich 群晖', 'x'.repeat(200)];

  test.each(names)('%s', async name => {
    const file = await tinyDomain(name);
    await using _named = await startBridge({
      ...beside('named'),
      vms: [{ domain: name, id: 'it' }],
    });
    await listener.text('named/it/availability', text => text === 'offline');
    const from = listener.now;
    await virsh('define', file);
    const seen = await listener.document('named/it/state', ({ domain }) => domain === name, { from });
    expect(seen.state).toBe('shut_off');
    // A libvirtd that has just started may say what a domain is before it can say what it is itself.
    await listener.text('named/it/availability', text => text === 'online', { from });
    await listener.publish('named/it/power/set', 'ON');
    await listener.document('named/it/state', ({ state }) => state === 'running', { from });
    await virsh('destroy', name);
    await listener.document('named/it/state', ({ last_stop }) => last_stop.reason === 'destroyed', { from });
    await virsh('undefine', name);
    await listener.text('named/it/availability', text => text === 'offline', { from });
  });

  test('renamed: by name it is gone, by UUID it is followed; redefined with another UUID it is another device', async () => {
    const file = await tinyDomain('nomad');
    await virsh('define', file);
    const uuid = await virsh('domuuid', 'nomad');
    await using _both = await startBridge({
      ...beside('nomad'),
      vms: [
        { domain: 'nomad', id: 'name' },
        { domain: uuid, id: 'uuid' },
      ],
    });
    await listener.text('nomad/name/availability', text => text === 'online');
    const from = listener.now;
    await virsh('domrename', 'nomad', 'settler');
    await listener.text('nomad/name/availability', text => text === 'offline', { from });
    await listener.document('nomad/uuid/state', ({ domain }) => domain === 'settler', { from });
    await virsh('define', file);
    await listener.text('nomad/name/availability', text => text === 'online', { from });
    const other = await virsh('domuuid', 'nomad');
    expect(other).not.toBe(uuid);
    await listener.text(`homeassistant/device/dsm2mqtt_${other}/config`, text => text !== '', { from });
    await virsh('undefine', 'nomad');
    await virsh('undefine', 'settler');
  });
});

/** A second bridge on the same broker has a name and topics of its own. */
function beside(name: string): Record<string, unknown> {
  return { ...usual(broker.url), instance: name, mqtt: { url: broker.url, base_topic: name } };
}

/** A domain of almost nothing; returns its XML's path. Without a UUID, so that each definition is a new one. */
async function tinyDomain(name: string): Promise<string> {
  const path = join(tmpdir(), `${randomUUID()}.xml`);
  await writeFile(
    path,
    `<domain type='qemu'><name>${name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
     <os><type arch='x86_64' machine='q35'>hvm</type></os><devices/></domain>`,
  );
  return path;
}
