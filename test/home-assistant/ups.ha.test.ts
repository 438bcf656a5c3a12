/**
 * The blueprint's story with a template UPS: an outage shuts the real guest down, and mains starts it again. The guide's
 * template sensors tell whether the battery would last.
 */
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { vmTopic } from '../e2e/bridge.ts';
import type { State } from '../lab/home-assistant.ts';
import { domainState, guest, inLab, poll } from '../lab/lab.ts';
import { concerning, type HomeStage, setHomeStage } from './stage.ts';

const blueprint = 'dsm2mqtt/ups-shutdown.yaml';
const guide = readFileSync(new URL('../../docs/ups.md', import.meta.url), 'utf8');
const [, sensors = ''] = /```yaml\n(template:\n.+?)```/s.exec(guide) ?? [];
const configuration = stringify({
  input_text: { ups: { name: 'UPS', initial: 'OL' } },
  input_number: { runtime: { name: 'Runtime', initial: 900, min: 0, max: 3_600 } },
  template: [
    { sensor: [{ name: 'UPS status', state: "{{ states('input_text.ups') }}" }] },
    {
      sensor: [
        {
          ...{ name: 'UPS battery runtime', device_class: 'duration', unit_of_measurement: 's' },
          state: "{{ states('input_number.runtime') }}",
        },
      ],
    },
    ...parse(sensors).template,
  ],
});

/** Three measured shutdowns, of 40 s at most. */
async function measured(folder: string): Promise<void> {
  const line = { at: '2026-11-22T08:00:00.000Z', what: 'stop', by: 'ups', how: 'shutdown', why: 'shutdown' };
  const lines = [38, 40, 39].map(seconds => JSON.stringify({ ...line, seconds, seen: true, good: true }));
  await mkdir(join(folder, 'history'));
  await writeFile(join(folder, 'history', 'DSM.jsonl'), `${lines.join('\n')}\n`);
}

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
      ups_runtime: 'sensor.ups_battery_runtime',
      on_problem: [
        {
          action: 'persistent_notification.create',
          data: { notification_id: 'problem', message: '{{ event }}: {{ message }}' },
        },
      ],
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
  stage = await setHomeStage({}, { configuration, files: { [`blueprints/automation/${blueprint}`]: file } }, measured);
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
const lasts = (value: number) =>
  stage.hass.call('input_number.set_value', { entity_id: 'input_number.runtime', value });
/** It has looked at how things are. */
async function afterReload(): Promise<void> {
  const { hass } = stage;
  const { attributes: before } = await hass.state('automation.ups', () => true);
  await hass.call('automation.reload');
  await hass.state('automation.ups', ({ attributes }) => {
    return attributes['last_triggered'] !== before['last_triggered'] && attributes['current'] === 0;
  });
}
const notified = async (id = 'well') => {
  const all: { notification_id: string; message: string }[] = await stage.hass.ask('persistent_notification/get');
  return all.flatMap(({ notification_id, message }) => (notification_id === id ? [message] : []));
};

test('whether it would survive an outage, and how many seconds are to spare', async () => {
  const { hass } = stage;
  await hass.state('sensor.dsm_shutdown_takes', '40.0');
  await hass.state('sensor.dsm_seconds_to_spare', '680');
  await hass.state('binary_sensor.dsm_would_survive_an_outage', 'on');
  expect(await notified('problem')).toEqual([]);
});

test('when the battery no longer lasts, it warns', async () => {
  const { hass } = stage;
  // The guide's sensors say 60 s on battery, the automation here 2 s: 162 s are needed.
  await lasts(161);
  await hass.state('sensor.dsm_seconds_to_spare', '-59');
  await hass.state('binary_sensor.dsm_would_survive_an_outage', 'off');
  const [warning] = await poll(async () => (await notified('problem')).length > 0 && notified('problem'), {
    what: 'a warning',
  });
  expect(warning).toBe(
    'too_short: DSM would not survive an outage: the battery lasts 161.0 s, and what is needed is 2 s on battery, 40 s for its shutdown, 60 s for the host and a margin of 60 s.',
  );
  const dismiss = () => hass.call('persistent_notification.dismiss', { notification_id: 'problem' });
  await dismiss();
  await afterReload();
  expect(await notified('problem')).toEqual([warning]);
  await dismiss();
  await lasts(162);
  await hass.state('sensor.ups_battery_runtime', '162.0');
  await afterReload();
  expect(await notified('problem')).toEqual([]);
});

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
