/** What Home Assistant shows while something is away, and that all is well again afterwards. */
import { afterAll, beforeEach, expect, test } from 'vitest';
import type { Json } from '../e2e/bridge.ts';
import { guest, inLab, libvirtd, poll } from '../lab/lab.ts';
import { concerning, device, type HomeStage, registered, setHomeStage } from './stage.ts';

let stage: HomeStage | undefined;

async function staged(): Promise<HomeStage> {
  stage ??= await setHomeStage();
  return stage;
}

afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
  if (inLab()) await guest.off();
});

const power = 'switch.dsm_power';
const cpu = 'sensor.dsm_cpu';
const reachable = 'binary_sensor.dsm_reachable';
const hasValue = ({ state }: { state: string }) => !['unavailable', 'unknown'].includes(state);

async function isWell({ hass }: HomeStage): Promise<void> {
  await hass.state(power, 'on');
  await hass.state('sensor.dsm_state', 'running');
  await hass.state(cpu, hasValue);
  await hass.state(reachable, 'on');
  // A device that was announced again has its values a moment later.
  const gone = async () =>
    [...(await hass.states())].flatMap(([id, { state }]) => (/dsm/.test(id) && state === 'unavailable' ? [id] : []));
  await expect.poll(gone).toEqual([]);
}

beforeEach(async () => {
  await isWell(await staged());
});

test('the bridge is killed, and comes back', async () => {
  const { hass, bridge, rebridge } = await staged();
  await bridge.end('SIGKILL');
  for (const id of [power, cpu, reachable]) await hass.state(id, 'unavailable');
  await hass.state('binary_sensor.dsm2mqtt_e2e_connection', 'off');
  await rebridge();
});

test('the bridge is stopped properly, and comes back', async () => {
  const { hass, bridge, rebridge } = await staged();
  expect(await bridge.end('SIGTERM')).toBe(0);
  await hass.state(power, 'unavailable');
  await rebridge();
});

test('libvirt is away: nothing is known of the VM, DSM is asked all the same', async () => {
  const { hass } = await staged();
  await libvirtd.kill();
  try {
    for (const id of [power, cpu, 'sensor.dsm_state', 'button.dsm_start']) await hass.state(id, 'unavailable');
    expect((await hass.states()).get(reachable)?.state).toBe('on');
    await hass.state('binary_sensor.dsm2mqtt_e2e_libvirt', 'off');
  } finally {
    await libvirtd.start();
  }
});

test('the broker loses all that it kept', async () => {
  const { hass, broker } = await staged();
  await broker.kill();
  await hass.state(power, 'unavailable');
  await broker.start();
});

test('Home Assistant is restarted', async () => {
  const { hass } = await staged();
  await hass.restart();
});

test('an entity that was deleted in Home Assistant is back when it is restarted, and so are the others', async () => {
  const { hass, listener } = await staged();
  await hass.ask('config/entity_registry/remove', { entity_id: cpu });
  const removed = async () => !(await hass.states()).has(cpu);
  await poll(removed, { what: 'the end of the entity' });
  await hass.restart();
  await registered(hass, listener);
});

test('what is no longer allowed disappears, the rest stays, and it comes back when it is allowed again', async () => {
  const { hass, listener, rebridge } = await staged();
  const before = [...(await registered(hass, listener)).keys()];
  const left = async () => {
    const list: Json[] = await hass.ask('config/entity_registry/list');
    return list.flatMap(({ platform, unique_id }) => (platform === 'mqtt' ? [unique_id] : []));
  };
  const gone = ['power', 'shutdown', 'cancel', 'quiet', 'refresh'].map(key => `${device}_${key}`);
  await rebridge({ vms: [{ domain: 'DSM', commands: ['start', 'check'] }] });
  await poll(async () => !(await left()).includes(gone[0]), { what: 'the end of the switch' });
  expect(before.filter(id => !gone.includes(id)).toSorted()).toEqual((await left()).toSorted());
  await hass.state('button.dsm_start', 'unknown');
  await rebridge();
  await poll(async () => (await left()).length === before.length, { what: 'all entities again' });
});

test('Home Assistant complains of nothing but what was done to it', async () => {
  const { hass } = await staged();
  expect(concerning(await hass.troubles())).toEqual([
    expect.stringContaining('[homeassistant.components.mqtt.client] Error returned from MQTT server: The connection'),
    expect.stringContaining(`Although entity ${cpu} was removed from Home Assistant, it will be added again`),
  ]);
});
