/** Two libvirtds, of two Debian releases, under one bridge, as a real Home Assistant shows them. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isFinal, type Json, vmTopic } from '../e2e/bridge.ts';
import { address, guest, inLab, poll, virsh } from '../lab/lab.ts';
import { diskless, otherRoot, SecondHost } from '../lab/second-host.ts';
import { concerning, type HomeStage, setHomeStage } from './stage.ts';

const roamer = '6f000000-0000-4000-8000-0000000000aa';
const there = '6f000000-0000-4000-8000-000000000002';
const checks = { schedule: 'never', deep_schedule: 'never' };
const commands = ['start', 'force_off'];

let second: SecondHost;
let stage: HomeStage;

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in scripts/lab --release forky --with home-assistant');
  second = await SecondHost.start({ root: otherRoot });
  await second.virsh('define', await diskless('there', there));
  await second.virsh('pool-create-as', 'media', 'dir', '--target', '/tmp');
  await virsh('define', await diskless('roamer', roamer));
  stage = await setHomeStage({
    libvirt: [
      { name: 'one', uri: `qemu+unix:///system?socket=${address.socket}`, stats_interval: '1s' },
      { name: 'two', uri: second.uri, stats_interval: '1s' },
    ],
    vms: [
      { domain: 'DSM', on: 'one', commands: ['suspend', 'resume'] },
      { domain: 'there', on: 'two', name: 'There', guest: 'other', commands, checks },
      { domain: roamer, id: 'roamer', name: 'Roamer', guest: 'other', commands, checks },
    ],
  });
  await stage.hass.state('sensor.roamer_state', 'shut_off');
});

afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
  await second?.[Symbol.asyncDispose]();
  if (!inLab()) return;
  await guest.off();
  await virsh('destroy', 'roamer').catch(() => {});
  await virsh('undefine', 'roamer').catch(() => {});
});

async function devices(): Promise<Map<string, Json>> {
  const list: Json[] = await stage.hass.ask('config/device_registry/list');
  return new Map(list.flatMap(device => (device.identifiers[0]?.[0] === 'mqtt' ? [[device.name, device]] : [])));
}

/** What Home Assistant knows its entities by. */
async function entitiesOf(device: string): Promise<[unique: string, id: string][]> {
  const list: Json[] = await stage.hass.ask('config/entity_registry/list');
  return list.flatMap(({ device_id, unique_id, entity_id }) => {
    return device_id === device ? [[unique_id, entity_id] as [string, string]] : [];
  });
}

test('each VM belongs to its host, each host to the bridge, and each host has its own versions', async () => {
  // A host is announced again when its libvirt has said what it is.
  const all = await poll(async () => {
    const all = await devices();
    return ['one', 'two'].every(name => all.get(name)?.sw_version) && all;
  });
  expect([...all.keys()].toSorted()).toEqual(['DSM', 'Roamer', 'There', 'dsm2mqtt e2e', 'one', 'two']);
  const parent = (name: string) => [...all.values()].find(({ id }) => id === all.get(name)?.via_device_id)?.name;
  expect(['DSM', 'There', 'Roamer', 'one', 'two'].map(parent)).toEqual([
    'one',
    'two',
    'one',
    ...Array(2).fill('dsm2mqtt e2e'),
  ]);
  const versions = ['one', 'two'].map(name => all.get(name)?.sw_version);
  expect(versions[1]).toMatch(/libvirt 9\.0\./);
  expect(versions[0]).not.toBe(versions[1]);
  const { hass } = stage;
  for (const name of ['one', 'two']) await hass.state(`sensor.dsm2mqtt_${name}_cpu`, ({ state }) => Number(state) >= 0);
  await hass.state('sensor.dsm2mqtt_two_pool_media_available', ({ state }) => Number(state) > 0);
  await hass.state('binary_sensor.dsm2mqtt_two_pools_nearly_full', 'off');
});

test('a libvirtd that hangs for a minute: its VMs are unavailable, and at the other host all goes on', async () => {
  const { hass, listener } = stage;
  await hass.call('button.press', { entity_id: 'button.there_start' });
  await hass.state('sensor.there_state', 'running');
  second.signal('SIGSTOP');
  const from = listener.now;
  const until = performance.now() + 60_000;
  await hass.state('sensor.there_state', 'unavailable');
  await hass.state('sensor.dsm2mqtt_two_cpu', 'unavailable');
  let rounds = 0;
  for (; performance.now() < until; rounds++) {
    await virsh('suspend', address.domain);
    await hass.state('sensor.dsm_state', 'paused');
    await virsh('resume', address.domain);
    await hass.state('sensor.dsm_state', 'running');
  }
  expect(rounds).toBeGreaterThan(5);
  expect(listener.texts(vmTopic('availability'), from)).toEqual([]);
  const samples = listener.documents(vmTopic('stats'), from).map(({ sampled_at }) => Date.parse(sampled_at));
  const gaps = samples.slice(1).map((at, i) => at - (samples[i] ?? 0));
  // One a second; on a busy machine some come late, and none waits for the other host's.
  expect(Math.max(...gaps)).toBeLessThan(5_000);
  expect(samples.length).toBeGreaterThan(40);
  second.signal('SIGCONT');
  await hass.state('sensor.there_state', 'running');
});

test('a domain that goes from one to the other keeps its entities and their history', async () => {
  const { hass, listener } = stage;
  const before = await entitiesOf((await devices()).get('Roamer')?.id);
  expect(before.length).toBeGreaterThan(5);
  await hass.call('button.press', { entity_id: 'button.roamer_start' });
  await hass.state('sensor.roamer_state', 'running');
  const from = listener.now;
  await second.virsh('define', await diskless('roamer', roamer));
  await second.virsh('start', 'roamer');
  await virsh('destroy', 'roamer');
  await virsh('undefine', 'roamer');
  await listener.document(vmTopic('event', 'roamer'), ({ event_type }) => event_type === 'migrated', { from });
  await poll(async () => {
    const all = await devices();
    return all.get('Roamer')?.via_device_id === all.get('two')?.id;
  });
  expect(await entitiesOf((await devices()).get('Roamer')?.id)).toEqual(before);
  await listener.publish(vmTopic('command', 'roamer'), JSON.stringify({ command: 'force_off', id: randomUUID() }));
  expect((await listener.document(vmTopic('response', 'roamer'), isFinal, { from })).status).toBe('succeeded');
  expect((await second.virsh('domstate', 'roamer')).trim()).toBe('shut off');
  await hass.state('sensor.roamer_state', 'shut_off');
  // Its recorder writes every few seconds.
  const states = await poll(async () => {
    const [past = []] = await hass.get('/api/history/period?filter_entity_id=sensor.roamer_state');
    const told: string[] = past.map(({ state }: Json) => state);
    return told.at(-1) === 'shut_off' && told.includes('running') && told;
  });
  expect(states.slice(states.indexOf('running'))).not.toContain('unavailable');
});

test('Home Assistant has nothing to complain of', async () => {
  expect(concerning(await stage.hass.troubles())).toEqual([]);
});
