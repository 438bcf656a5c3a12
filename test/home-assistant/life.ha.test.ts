/** The VM's life as seen and steered from Home Assistant, on the real guest. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isFinal, type Json, vmTopic } from '../e2e/bridge.ts';
import { address, domainState, guest, inLab, poll, virsh } from '../lab/lab.ts';
import { concerning, enableAll, type HomeStage, setHomeStage } from './stage.ts';

const commands = ['start', 'shutdown', 'cancel', 'reboot', 'suspend', 'resume', 'screenshot', 'autostart', 'check'];

let stage: HomeStage;

beforeAll(async () => {
  stage = await setHomeStage({ vms: [{ domain: 'DSM', commands, shutdown: { timeout: '1m' } }] });
  await enableAll(stage.hass);
});

afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
  if (inLab()) await guest.off();
});

const is = (state: string, what = 'the domain') =>
  poll(async () => (await domainState()) === state, { what: `${what} ${state}` });
const press = (button: string) => stage.hass.call('button.press', { entity_id: `button.dsm_${button}` });

test('what is done with virsh shows', async () => {
  const { hass } = stage;
  await hass.state('switch.dsm_power', 'on');
  await hass.state('sensor.dsm_state', 'running');
  await guest.off();
  await hass.state('switch.dsm_power', 'off');
  const { attributes } = await hass.state('sensor.dsm_state', 'shut_off');
  expect(attributes['reason']).toBe('destroyed');
  await hass.state('sensor.dsm_verdict', 'off');
  // Nothing is measured of what is off: unknown, and not zero.
  await hass.state('sensor.dsm_cpu', 'unknown');
  await virsh('start', address.domain);
  await hass.state('switch.dsm_power', 'on');
  await hass.state('sensor.dsm_state', 'running');
  await guest.up();
  await hass.state('sensor.dsm_cpu', ({ state }) => Number(state) > 0);
  await hass.state('sensor.dsm_verdict', 'up');
  await hass.state('binary_sensor.dsm_problem', 'off');
});

test('work on its disks shows in their rates', async () => {
  await guest.run('dd if=/dev/zero of=/dev/sda bs=1M count=64 conv=fsync');
  const rate = await stage.hass.state('sensor.dsm_disk_sda_write_rate', ({ state }) => Number(state) > 0.1);
  expect(rate.attributes).toMatchObject({ device_class: 'data_rate', unit_of_measurement: 'MB/s' });
});

test('the switch shuts it down properly, says that it is at it, and starts it again', async () => {
  const { hass } = stage;
  await hass.call('switch.turn_off', { entity_id: 'switch.dsm_power' });
  await hass.state('sensor.dsm_activity', 'shutting_down');
  await is('shut off');
  await hass.state('switch.dsm_power', 'off');
  await hass.state('sensor.dsm_activity', 'none');
  const { attributes } = await hass.state('sensor.dsm_state', 'shut_off');
  expect(attributes['last_stop']).toMatchObject({ reason: 'shutdown', by: 'bridge' });
  await hass.call('switch.turn_on', { entity_id: 'switch.dsm_power' });
  await is('running');
  await hass.state('switch.dsm_power', 'on');
  await guest.up();
});

test('the buttons do what they say', async () => {
  const { hass } = stage;
  await press('suspend');
  await is('paused');
  await hass.state('sensor.dsm_state', 'paused');
  await press('resume');
  await is('running');
  await hass.state('sensor.dsm_state', 'running');

  await press('screenshot');
  const screen = await hass.state('image.dsm_screen', ({ attributes }) => attributes['entity_picture'] !== undefined);
  const picture = await poll(() => hass.picture(screen.attributes['entity_picture']), { what: 'the screenshot' });
  expect(picture.subarray(1, 4).toString()).toBe('PNG');

  await hass.call('switch.turn_on', { entity_id: 'switch.dsm_autostart' });
  await hass.state('switch.dsm_autostart', 'on');
  expect(await virsh('dominfo', address.domain)).toMatch(/^Autostart:\s+enable$/m);
  await hass.call('switch.turn_off', { entity_id: 'switch.dsm_autostart' });
  await hass.state('switch.dsm_autostart', 'off');

  const { state: before } = await hass.state('sensor.dsm_last_check', () => true);
  await press('check');
  await hass.state('sensor.dsm_last_check', ({ state }) => state !== before);

  await press('shutdown');
  await is('shut off');
  await press('start');
  await is('running');
  await guest.up();
  await press('reboot');
  await hass.state('sensor.dsm_activity', 'rebooting');
  const rebooted = ({ command, ...answer }: Json) => command === 'reboot' && isFinal(answer as Json);
  const { status } = await stage.listener.document(vmTopic('response'), rebooted);
  expect(status).toBe('succeeded');
  await hass.state('sensor.dsm_activity', 'none');
  await guest.up();
});

test('a guest that does not listen can be let off with Cancel', async () => {
  const { hass } = stage;
  await guest.deaf();
  await hass.call('switch.turn_off', { entity_id: 'switch.dsm_power' });
  await hass.state('sensor.dsm_activity', 'shutting_down');
  await press('cancel');
  await hass.state('sensor.dsm_activity', 'none');
  await hass.state('switch.dsm_power', 'on');
  expect(await domainState()).toBe('running');
});

test('Home Assistant has nothing to complain of', async () => {
  expect(concerning(await stage.hass.troubles())).toEqual([]);
});
