/** The command line, with the exit codes that scripts decide by. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { domainState, guest, inLab, type Mosquitto, poll, startMosquitto, virsh } from '../lab/lab.ts';
import { type BridgeProcess, Listener, runCli, startBridge, usual, vmTopic } from './bridge.ts';

let broker: Mosquitto;
let listener: Listener;
let bridge: BridgeProcess;
let folder: string;
let config: Record<string, unknown>;

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  folder = await mkdtemp(join(tmpdir(), 'dsm2mqtt-e2e-'));
  broker = await startMosquitto();
  listener = await Listener.on(broker.url);
  config = usual(broker.url, { data_dir: folder });
});
afterAll(async () => {
  if (!inLab()) return;
  await listener[Symbol.asyncDispose]();
  await broker.stop();
  await rm(folder, { recursive: true, force: true });
  await guest.off();
});
beforeEach(() => guest.start());

describe('send, to a running bridge', () => {
  beforeEach(async () => {
    const from = listener.now;
    bridge = await startBridge(config);
    await listener.text('dsm2mqtt/bridge/state', text => text === 'online', { from });
    await listener.document(vmTopic('state'), ({ power }) => power === 'ON', { from });
  });
  afterEach(() => bridge[Symbol.asyncDispose]());

  const shutdown = ['send', 'DSM', 'shutdown', '--wait', '--timeout', '60s'];

  test('0: the guest is off, and 0 again when it is off already', async () => {
    const first = await runCli(config, ...shutdown);
    expect(first).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^shutdown succeeded\/done, after .*: it is off\n$/),
    });
    expect(await domainState()).toBe('shut off');
    expect(await runCli(config, ...shutdown)).toMatchObject({ code: 0, stdout: expect.stringContaining('already') });
  });

  test('0 without --wait as soon as it is accepted', async () => {
    const { code, stderr } = await runCli(config, 'send', 'DSM', 'shutdown');
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('shutdown accepted') });
    await poll(async () => (await domainState()) === 'shut off', { what: 'the end of the shutdown' });
  });

  test('4: a deaf guest', async () => {
    await guest.deaf();
    const late = await runCli(config, 'send', 'DSM', 'shutdown', '--wait', '--timeout', '3s', '--json');
    expect(late.code).toBe(4);
    const answers = late.stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line));
    expect(answers.map(({ status }) => status)).toEqual(['accepted', 'failed']);
    expect(await domainState()).toBe('running');
    await guest.deaf(false);
  });

  test('1: refused; 2: nothing that there is; neither does anything', async () => {
    expect(await runCli(config, 'send', 'DSM', 'force_off', '--wait')).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('not_allowed'),
    });
    expect(await runCli(config, 'send', 'NAS', 'shutdown')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('It has DSM'),
    });
    expect(await runCli(config, 'send', 'DSM', 'explode')).toMatchObject({ code: 2 });
    expect(await runCli(config, 'send', 'DSM', 'shutdown', '--timeout', 'soon')).toMatchObject({ code: 2 });
    expect(await domainState()).toBe('running');
  });

  test('shutdown --direct is the bridge’s to do, if one runs here', async () => {
    const from = listener.now;
    expect(await runCli(config, 'shutdown', 'DSM', '--direct', '--by', 'nut')).toMatchObject({ code: 0 });
    const told = await listener.document(vmTopic('state'), ({ power }) => power === 'OFF', { from });
    expect(told.last_stop).toMatchObject({ by: 'nut' });
    await listener.document(vmTopic('response'), ({ status }) => status === 'succeeded', { from });
    expect(listener.documents(vmTopic('response'), from).map(({ status }) => status)).toEqual([
      'accepted',
      'succeeded',
    ]);
  });

  test('shutdown --direct does it itself when that bridge is frozen', async () => {
    process.kill(bridge.pid ?? 0, 'SIGSTOP');
    try {
      const { code, stderr } = await runCli(config, 'shutdown', 'DSM', '--direct');
      expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('straight over libvirt') });
      expect(await domainState()).toBe('shut off');
    } finally {
      process.kill(bridge.pid ?? 0, 'SIGCONT');
    }
  });
});

describe('without a bridge', () => {
  test('3: no bridge, no broker', async () => {
    const none = await runCli(config, 'send', 'DSM', 'shutdown', '--wait');
    expect(none).toMatchObject({ code: 3, stderr: expect.stringContaining('bridge') });
    const away = await runCli({ ...config, mqtt: { url: 'mqtt://127.0.0.1:1' } }, 'send', 'DSM', 'shutdown', '--wait');
    expect(away).toMatchObject({ code: 3, stderr: expect.stringContaining('127.0.0.1:1') });
    expect(await domainState()).toBe('running');
  });

  const dead = () => ({ ...config, mqtt: { url: 'mqtt://127.0.0.1:1' } });
  const direct = ['shutdown', 'DSM', '--direct', '--wait', '--timeout', '60s'];

  test('--direct with the broker dead: 0, and 0 again; the next bridge knows who it was', async () => {
    expect(await runCli(dead(), ...direct, '--by', 'nut')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('succeeded/done'),
    });
    expect(await domainState()).toBe('shut off');
    expect(await runCli(dead(), ...direct)).toMatchObject({ code: 0, stdout: expect.stringContaining('already') });
    const from = listener.now;
    await using _bridge = await startBridge(config);
    const told = await listener.document(vmTopic('state'), ({ power }) => power === 'OFF', { from });
    expect(told.last_stop).toMatchObject({ by: 'nut', reason: 'shutdown', seconds: expect.any(Number) });
  });

  test('--direct: 4 with a deaf guest, 1 when refused, 3 without libvirt', async () => {
    await guest.deaf();
    expect(await runCli(dead(), 'shutdown', 'DSM', '--direct', '--timeout', '3s')).toMatchObject({ code: 4 });
    await guest.deaf(false);
    expect(await runCli({ ...dead(), libvirt: { read_only: true } }, ...direct)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('read_only'),
    });
    const libvirt = { uri: 'qemu+unix:///system?socket=/nowhere/sock' };
    expect(await runCli({ ...dead(), libvirt }, ...direct)).toMatchObject({ code: 3 });
    await virsh('suspend', 'DSM');
    expect(await runCli(dead(), ...direct)).toMatchObject({ code: 1, stdout: expect.stringContaining('wrong_state') });
    await virsh('resume', 'DSM');
    expect(await domainState()).toBe('running');
  });
});

describe('what was said while the bridge was away', () => {
  test('stored or sent, it does nothing but a logged rejection', async () => {
    for (const tail of ['power/set', 'command']) {
      await listener.publish(vmTopic(tail), tail === 'command' ? 'shutdown' : 'OFF', true);
    }
    // Not stored: nobody was there to take it, and the broker keeps nothing for the bridge.
    await listener.publish(vmTopic('power/set'), 'OFF');
    const from = listener.now;
    await using late = await startBridge(config);
    await listener.text(vmTopic('availability'), text => text === 'online', { from });
    await expect
      .poll(() => listener.documents(vmTopic('response'), from).map(({ code }) => code))
      .toEqual(['retained', 'retained']);
    expect(late.log.filter(line => line['event'] === 'command.rejected')).toHaveLength(2);
    expect(late.log.filter(line => line['event'] === 'command.accepted')).toEqual([]);
    expect(await domainState()).toBe('running');
    for (const tail of ['power/set', 'command']) await listener.publish(vmTopic(tail), '', true);
  });
});

test('a second bridge on the same topics ends with 1 and leaves the first one alone', async () => {
  const from = listener.now;
  await using first = await startBridge(config);
  await listener.text('dsm2mqtt/bridge/state', text => text === 'online', { from });
  const elsewhere = { ...config, instance: 'second', data_dir: join(folder, 'second') };
  await using second = await startBridge(elsewhere);
  expect(await second.ended).toBe(1);
  expect(second.log.find(line => line['event'] === 'bridge.refused')).toMatchObject({ other: 'e2e' });
  expect(listener.texts('dsm2mqtt/bridge/state', from)).not.toContain('offline');
  await first.end('SIGKILL');
  await listener.text('dsm2mqtt/bridge/state', text => text === 'offline', { from });
  const again = listener.now;
  await using _third = await startBridge(elsewhere);
  await listener.text('dsm2mqtt/bridge/state', text => text === 'online', { from: again });
});
