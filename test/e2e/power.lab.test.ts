/** The main job on the real thing: the guest is seen, shut down by ACPI and started, over Mosquitto. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { address, domainState, guest, inLab, poll, startMosquitto, virsh } from '../lab/lab.ts';
import { isFinal, Listener, type Stage, setStage, startBridge, usual, vmTopic } from './bridge.ts';

const state = vmTopic('state');
const response = vmTopic('response');

let stage: Stage;
let listener: Listener;

beforeAll(async () => {
  stage = await setStage();
  listener = stage.listener;
});

afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
  if (inLab()) await guest.off();
});

/** What the state topic went through since then, repetitions left out. */
function walk(from: number, of: (document: Record<string, unknown>) => unknown): unknown[] {
  return listener
    .documents(state, from)
    .map(of)
    .filter((value, i, all) => value !== all[i - 1]);
}

test('what is published of the running guest is what virsh says', async () => {
  const seen = await listener.document(state, ({ power }) => power === 'ON');
  expect(seen).toMatchObject({
    state: 'running',
    power: 'ON',
    activity: 'none',
    domain: 'DSM',
    uuid: address.uuid,
    autostart: false,
    persistent: true,
    vcpus: 2,
    memory: 2 * 1024 ** 3,
    disks: {
      sda: { role: 'data', bus: 'scsi' },
      sdb: { role: 'data', bus: 'scsi' },
      hdz: { role: 'loader', bus: 'usb' },
    },
    nics: { '525400d53001': { mac: address.mac, model: 'virtio', source: address.bridge } },
  });
  const [, tap] = /(vnet\d+)/.exec(await virsh('domiflist', address.domain)) ?? [];
  expect(seen.nics['525400d53001'].tap).toBe(tap);
  const info = await listener.document('dsm2mqtt/bridge/info', ({ libvirt }) => libvirt.up);
  expect(await virsh('version')).toContain(`QEMU ${info.libvirt.hypervisor.replace('QEMU ', '')}`);
});

describe('a switch', () => {
  test('OFF shuts the guest down by ACPI, every state in order', async () => {
    const from = listener.now;
    await listener.publish(vmTopic('power/set'), 'OFF');
    const final = await listener.document(response, isFinal, { from });
    expect(final).toMatchObject({ command: 'shutdown', status: 'succeeded', code: 'done' });
    expect(listener.documents(response, from).map(({ status }) => status)).toEqual(['accepted', 'succeeded']);
    await listener.document(state, ({ state, activity }) => state === 'shut_off' && activity === 'none', { from });
    expect(walk(from, ({ activity }) => activity)).toEqual(['shutting_down', 'none']);
    expect(walk(from, ({ power }) => power)).toEqual(['ON', 'OFF']);
    const states = walk(from, document => document['state']);
    expect(states.filter(value => value !== 'shutting_down')).toEqual(['running', 'shut_off']);
    const last = listener.documents(state, from).at(-1);
    expect(last.last_stop).toMatchObject({ by: 'bridge', reason: 'shutdown' });
    expect(last.last_stop.seconds).toBeGreaterThan(0);
    expect(await domainState()).toBe('shut off');
    expect(guest.serial()).toContain('reboot: Power down');
  });

  test('OFF again is already done', async () => {
    const from = listener.now;
    await listener.publish(vmTopic('power/set'), 'OFF');
    expect(await listener.document(response, () => true, { from })).toMatchObject({
      status: 'succeeded',
      code: 'already',
    });
  });

  test('a sample of nothing known is sent while it is off', async () => {
    const from = listener.now;
    const sample = await listener.document(vmTopic('stats'), () => true, { from });
    expect(sample).toMatchObject({ stale: false, cpu: { percent: null }, disks: { sda: { read_bytes: null } } });
  });

  test('ON starts it, every state in order', async () => {
    const from = listener.now;
    await listener.publish(vmTopic('power/set'), 'ON');
    const final = await listener.document(response, isFinal, { from });
    expect(final).toMatchObject({ command: 'start', status: 'succeeded', code: 'done' });
    await listener.document(state, ({ state, activity }) => state === 'running' && activity === 'none', { from });
    expect(walk(from, ({ activity }) => activity)).toEqual(['starting', 'none']);
    expect(walk(from, ({ power }) => power)).toEqual(['OFF', 'ON']);
    expect(listener.documents(state, from).at(-1).started_at).not.toBeNull();
    await guest.up();
  });
});

describe('commands that must do nothing', () => {
  test('one stored on the broker before the bridge connects', async () => {
    await using other = await startMosquitto();
    await using stored = await Listener.on(other.url);
    await stored.publish(vmTopic('power/set'), 'OFF', true);
    await stored.publish(vmTopic('command'), 'shutdown', true);
    await using late = await startBridge(usual(other.url));
    await poll(() => stored.documents(response).length === 2, { what: 'two rejections' });
    expect(stored.documents(response).map(({ status, code }) => [status, code])).toEqual([
      ['rejected', 'retained'],
      ['rejected', 'retained'],
    ]);
    expect(late.log.filter(line => line['event'] === 'command.rejected')).toHaveLength(2);
    expect(await domainState()).toBe('running');
  });

  test.each([
    ['power/set', 'TOGGLE', 'invalid_payload'],
    ['command', 'explode', 'unknown_command'],
    ['command', '{"command":', 'invalid_payload'],
  ])('%s %s', async (tail, payload, code) => {
    const from = listener.now;
    await listener.publish(vmTopic(tail), payload);
    expect(await listener.document(response, () => true, { from })).toMatchObject({ status: 'rejected', code });
    expect(await domainState()).toBe('running');
  });
});

describe('virsh behind the back', () => {
  beforeEach(() => guest.start());

  test('suspend, resume, destroy and start are seen at once', async () => {
    for (const [command, expected] of [
      ['suspend', { state: 'paused', reason: 'user', power: 'ON' }],
      ['resume', { state: 'running', reason: 'unpaused', power: 'ON' }],
      ['destroy', { state: 'shut_off', reason: 'destroyed', power: 'OFF' }],
      ['start', { state: 'running', reason: 'booted', power: 'ON' }],
    ] as const) {
      const from = listener.now;
      await virsh(command, address.domain);
      const seen = await listener.document(state, document => document.state === expected.state, {
        from,
        deadline: 1_000,
      });
      expect(seen).toMatchObject(expected);
    }
    const stops = listener.documents(state).map(({ last_stop }) => last_stop.reason);
    expect(stops).toContain('destroyed');
  });
});
