/** Two real libvirtds under one bridge: one that hangs takes nothing from the other, and a domain may move. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { address, inLab, libvirtd, type Mosquitto, startMosquitto, virsh } from '../lab/lab.ts';
import { diskless, SecondHost } from '../lab/second-host.ts';
import { type BridgeProcess, isFinal, Listener, startBridge, usual, vmTopic } from './bridge.ts';
import { isUnprivileged, polkits } from './unprivileged.ts';

const uuid = '6f000000-0000-4000-8000-0000000000aa';
let broker: Mosquitto;
let listener: Listener;
let second: SecondHost;
let bridge: BridgeProcess;

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  await libvirtd.start();
  broker = await startMosquitto();
  listener = await Listener.on(broker.url);
  second = await SecondHost.start({ asks: isUnprivileged });
  if (second.polkit) polkits.set('two', second.polkit);
  await virsh('define', await diskless('here', '6f000000-0000-4000-8000-000000000001'));
  await second.virsh('define', await diskless('there', '6f000000-0000-4000-8000-000000000002'));
  await virsh('define', await diskless('roamer', uuid));
  const checks = { schedule: 'never', deep_schedule: 'never' };
  const commands = ['start', 'force_off'];
  bridge = await startBridge({
    ...usual(broker.url, {}),
    libvirt: [
      { name: 'one', uri: `qemu+unix:///system?socket=${address.socket}`, stats_interval: '1s' },
      { name: 'two', uri: second.uri, stats_interval: '1s' },
    ],
    vms: [
      { domain: 'here', on: 'one', commands, checks },
      { domain: 'there', on: 'two', commands, checks },
      { domain: uuid, id: 'roamer', commands, checks },
    ],
  });
  for (const key of ['here', 'there', 'roamer'])
    await listener.text(vmTopic('availability', key), text => text === 'online');
});

afterAll(async () => {
  await bridge?.[Symbol.asyncDispose]();
  await second?.[Symbol.asyncDispose]();
  await listener?.[Symbol.asyncDispose]();
  await broker?.stop();
  if (!inLab()) return;
  for (const name of ['here', 'roamer']) {
    await virsh('destroy', name).catch(() => {});
    await virsh('undefine', name).catch(() => {});
  }
});

async function command(key: string, word: string): Promise<string> {
  const from = listener.now;
  await listener.publish(vmTopic('command', key), JSON.stringify({ command: word, id: randomUUID() }));
  const response = await listener.document(vmTopic('response', key), isFinal, { from });
  return response.status;
}

test('each host is a device with its load', async () => {
  for (const name of ['one', 'two']) {
    const topic = `dsm2mqtt/host/${name}`;
    await listener.text(`${topic}/availability`, text => text === 'online');
    const document = await listener.document(`${topic}/state`, ({ cpu }) => cpu !== null);
    expect(document.memory.total).toBeGreaterThan(2 ** 30);
  }
});

test('a libvirtd that hangs for long takes nothing from the other host', async () => {
  expect(await command('there', 'start')).toBe('succeeded');
  second.signal('SIGSTOP');
  // Ten polls a second each, and a command in each direction: at the other host all goes on.
  const from = listener.now;
  for (const word of ['start', 'force_off', 'start', 'force_off'])
    expect(await command('here', word)).toBe('succeeded');
  await listener.text(vmTopic('availability', 'there'), text => text === 'offline', { from });
  expect(listener.texts(vmTopic('availability', 'here'), from)).toEqual([]);
  second.signal('SIGCONT');
  await listener.text(vmTopic('availability', 'there'), text => text === 'online', { from });
});

test('a domain that goes from one to the other keeps its device, and has not stopped', async () => {
  expect(await command('roamer', 'start')).toBe('succeeded');
  const from = listener.now;
  await second.virsh('define', await diskless('roamer', uuid));
  await second.virsh('start', 'roamer');
  await virsh('destroy', 'roamer');
  await virsh('undefine', 'roamer');
  await listener.document(
    vmTopic('event', 'roamer'),
    ({ event_type, reason }) => {
      return event_type === 'migrated' && reason === 'from one to two';
    },
    { from },
  );
  expect(await command('roamer', 'force_off')).toBe('succeeded');
  expect(await second.virsh('domstate', 'roamer')).toBe('shut off');
  const devices = listener.heard.filter(
    ({ topic }) => topic.startsWith('homeassistant/device/') && topic.includes(uuid),
  );
  expect(new Set(devices.map(({ topic }) => topic)).size).toBe(1);
  expect(devices.at(-1)?.text).toContain('dsm2mqtt_host_e2e_two');
  expect(devices.map(({ text }) => text)).not.toContain('');
});
