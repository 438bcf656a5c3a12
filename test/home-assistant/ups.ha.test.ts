/** The blueprint's story with a template UPS: an outage shuts the real guest down, and mains starts it again. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { vmTopic } from '../e2e/bridge.ts';
import type { State } from '../lab/home-assistant.ts';
import { domainState, guest, inLab, poll } from '../lab/lab.ts';
import { concerning, type HomeStage, setHomeStage } from './stage.ts';

const blueprint = 'dsm2mqtt/ups-shutdown.yaml';
const configuration = `
input_text:
  ups:
    name: UPS
    initial: OL
template:
  - sensor:
      - name: UPS status
        state: "{{ states('input_text.ups') }}"
`;
const automation = {
  id: 'ups',
  alias: 'UPS',
  use_blueprint: {
    path: blueprint,
    input: {
      ups_status: 'sensor.ups_status',
      vm_state: 'sensor.dsm_state',
      on_battery_for: 2,
      mains_for: 0,
      on_success: [
        {
          action: 'persistent_notification.create',
          data: { notification_id: 'well', message: '{{ event }}: {{ message }}' },
        },
      ],
    },
  },
};

let stage: HomeStage;

beforeAll(async () => {
  const file = new URL('../../blueprints/automation/dsm2mqtt/ups-shutdown.yaml', import.meta.url);
  stage = await setHomeStage({}, { configuration, files: { [`blueprints/automation/${blueprint}`]: file } });
  const { hass } = stage;
  const imported = await hass.ask('blueprint/list', { domain: 'automation' });
  expect(imported[blueprint].error).toBeUndefined();
  await hass.write('automations.yaml', stringify([automation]));
  await hass.call('automation.reload');
  await hass.state('automation.ups', 'on');
  await hass.state('sensor.ups_status', 'OL');
  await hass.state('sensor.dsm_state', 'running');
});

afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
  if (inLab()) await guest.off();
});

const says = (value: string) => stage.hass.call('input_text.set_value', { entity_id: 'input_text.ups', value });
const notified = async () => {
  const all: { notification_id: string; message: string }[] = await stage.hass.ask('persistent_notification/get');
  return all.flatMap(({ notification_id, message }) => (notification_id === 'well' ? [message] : []));
};

test('on battery, it is shut down properly', async () => {
  const { hass } = stage;
  await says('OB DISCHRG');
  await hass.state('sensor.dsm_activity', 'shutting_down');
  const { attributes } = await hass.state('sensor.dsm_state', 'shut_off');
  expect(attributes['last_stop']).toMatchObject({ by: 'ups', reason: 'shutdown' });
  expect(await domainState()).toBe('shut off');
  await hass.state('automation.ups', ({ attributes }) => attributes['current'] === 0);
  expect(await notified()).toEqual(['off: DSM was shut down, because the UPS is on battery.']);
});

test('when mains is back, it is started', async () => {
  await says('OL CHRG');
  await stage.hass.state('sensor.dsm_state', 'running');
  await stage.hass.state('automation.ups', ({ attributes }) => attributes['current'] === 0);
  expect(await notified()).toEqual(['started: Mains is back; DSM was started.']);
  await guest.up();
});

test('a sensor that is gone is no outage', async () => {
  await says('unavailable');
  await stage.hass.state('sensor.ups_status', 'unavailable');
  // Longer than the two seconds after which an outage counts: a sample comes every second.
  const from = stage.listener.now;
  await poll(() => stage.listener.texts(vmTopic('stats'), from).length >= 4, { what: 'four samples' });
  await says('OL');
  await stage.hass.state('sensor.ups_status', 'OL');
  expect(await domainState()).toBe('running');
});

test('what somebody else has shut down stays off when mains returns', async () => {
  const { hass } = stage;
  await hass.call('switch.turn_off', { entity_id: 'switch.dsm_power' });
  await hass.state('sensor.dsm_state', 'shut_off');
  await says('OB DISCHRG');
  await hass.state('sensor.ups_status', 'OB DISCHRG');
  const { attributes: before } = await hass.state('automation.ups', () => true);
  await says('OL');
  const looked = ({ attributes }: State) =>
    attributes['last_triggered'] !== before['last_triggered'] && attributes['current'] === 0;
  await hass.state('automation.ups', looked);
  expect(await domainState()).toBe('shut off');
});

test('Home Assistant has nothing to complain of', async () => {
  expect(concerning(await stage.hass.troubles())).toEqual([]);
});
