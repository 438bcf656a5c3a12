/** What a real Home Assistant makes of the announcement. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { abbreviations } from '../../src/discovery/entities/abbreviations.ts';
import { commandWords } from '../../src/model/commands.ts';
import { expanded } from '../discovery/expanded.ts';
import { type Json, vmTopic } from '../e2e/bridge.ts';
import { realAbbreviations } from '../lab/home-assistant.ts';
import { guest, inLab, poll } from '../lab/lab.ts';
import {
  announced,
  concerning,
  configTopic,
  device,
  enableAll,
  type HomeStage,
  registered,
  setHomeStage,
} from './stage.ts';

const settings = {
  vms: [
    {
      domain: 'DSM',
      commands: commandWords.filter(word => word !== 'arm'),
      shutdown: { timeout: '1m' },
      ...{ suggested_area: 'Cellar', link_by_mac: true },
      loader: { model: 'DS918+', platform: 'ds918p-7.1.1-42962', transient_pool: true },
    },
  ],
};

/** A trigger of the device is none. */
const isEntity = ({ platform }: Json) => platform !== 'device_automation';

let stage: HomeStage;
let components: Record<string, Json>;

beforeAll(async () => {
  stage = await setHomeStage(settings);
  components = await announced(stage.listener);
});

afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
  if (inLab()) await guest.off();
});

test('every entity is registered as the table has it', async () => {
  const bridge = await announced(stage.listener, 'homeassistant/device/dsm2mqtt_bridge_e2e/config');
  const all: Json[] = Object.values({ ...components, ...bridge }).filter(isEntity);
  const entries = await registered(stage.hass, stage.listener);
  expect([...entries.keys()].toSorted()).toEqual(all.map(({ unique_id }) => unique_id).toSorted());
  const devices: Json[] = await stage.hass.ask('config/device_registry/list');
  for (const component of all) {
    const { entity_id } = entries.get(component.unique_id);
    const entry = await stage.hass.ask('config/entity_registry/get', { entity_id });
    const owner = devices.find(({ id }) => id === entry.device_id);
    expect
      .soft(
        {
          entity_id: entry.entity_id,
          name: entry.original_name,
          category: entry.entity_category,
          disabled: entry.disabled_by,
          class: entry.original_device_class ?? entry.device_class,
          icon: entry.original_icon,
          options: entry.capabilities?.options ?? entry.capabilities?.event_types,
          state_class: entry.capabilities?.state_class,
          device: owner.identifiers[0][1],
        },
        entity_id,
      )
      .toEqual({
        entity_id: component.default_entity_id,
        name: component.name,
        category: component.entity_category ?? null,
        disabled: component.enabled_by_default === false ? 'integration' : null,
        class: component.device_class ?? null,
        icon: component.icon ?? null,
        options: component.options ?? component.event_types,
        state_class: component.state_class,
        device: component.unique_id.startsWith(device) ? device : 'dsm2mqtt_bridge_e2e',
      });
  }
});

const ownDevice = async () => {
  const devices: Json[] = await stage.hass.ask('config/device_registry/list');
  return devices.find(({ identifiers }) => identifiers[0][1] === device);
};

test('the device is in its area, and has the MAC of its NIC', async () => {
  const areas: Json[] = await stage.hass.ask('config/area_registry/list');
  const { area_id, connections } = await ownDevice();
  expect(areas.find(area => area.area_id === area_id)?.name).toBe('Cellar');
  expect(connections).toEqual([['mac', '52:54:00:d5:30:01']]);
});

test('an automation begins with what happens to the device', async () => {
  const { hass, listener } = stage;
  const { id: device_id } = await ownDevice();
  const offered: Json[] = await hass.ask('device_automation/trigger/list', { device_id });
  const ours = offered.filter(({ domain }) => domain === 'mqtt');
  const keys = Object.keys(components).filter(key => !isEntity(components[key]));
  expect(ours.map(({ type, subtype }) => `${type} on_${subtype}`).toSorted()).toEqual(
    keys.map(key => `event ${key}`).toSorted(),
  );
  const trigger = ours.find(({ subtype }) => subtype === 'crashed');
  await hass.write(
    'automations.yaml',
    stringify([{ id: 'device', alias: 'Device', triggers: [trigger], actions: [] }]),
  );
  await hass.call('automation.reload');
  await hass.state('automation.device', 'on');
  // It may not have subscribed yet, and this message is not kept for it: it is told until it is heard.
  const tell = (event_type: string, id: string, heard: (attributes: Json) => boolean) =>
    poll(
      async () => {
        await listener.publish(vmTopic('event'), JSON.stringify({ event_type }));
        return heard((await hass.states()).get(id)?.attributes ?? {});
      },
      { interval: 500, what: `that ${id} has heard ${event_type}` },
    );
  await tell('started', 'event.dsm_event', ({ event_type }) => event_type === 'started');
  expect((await hass.state('automation.device', 'on')).attributes['last_triggered']).toBeNull();
  await tell('crashed', 'automation.device', ({ last_triggered }) => last_triggered !== null);
});

test('once enabled, each has the value that is on the broker', async () => {
  await enableAll(stage.hass);
  // Home Assistant restores what it showed before; the CPU time has just been enabled, so a sample has come.
  await stage.hass.state('sensor.dsm_cpu_time', ({ state }) => Number(state) >= 0);
  await stage.hass.state('binary_sensor.dsm_reachable', 'on');
  const states = await stage.hass.states();
  for (const { default_entity_id: id, unit_of_measurement: unit } of Object.values(components).filter(isEntity)) {
    expect.soft(states.get(id)?.attributes['unit_of_measurement'], id).toBe(unit);
  }
  const are = (word: string) =>
    Object.entries(components)
      .filter(([, component]) => isEntity(component))
      .filter(([, { default_entity_id: id }]) => (states.get(id)?.state ?? 'missing') === word)
      .map(([key]) => key);
  expect(are('missing')).toEqual([]);
  // They are there while the arming switch is on.
  expect(are('unavailable').toSorted()).toEqual(['rebuild', 'rollback']);
  // Nothing was pressed, and nothing has happened yet (three times, for what it usually takes); a disk at rest has no
  // latency, and not every libvirt counts errors. Some figures need a full hour, which may end just now.
  const unknown = are('unknown').filter(key => components[key].platform !== 'button');
  expect(unknown.filter(key => !/^disk_.*_(latency|errors)$|^(uptime|response)_/.test(key)).toSorted()).toEqual([
    'boot',
    'boot_takes',
    'boot_time',
    'deadline',
    'last_error',
    'last_start',
    'last_stop',
    'last_stop_reason',
    'loader_backup',
    'loader_boot_entry',
    'loader_error',
    'loader_progress',
    'loader_result',
    'next_step',
    'screen',
    'shutdown_takes',
    'shutdown_took',
  ]);
});

test('long-term statistics are kept for what is measured and counted', async () => {
  const measured = Object.values(components).filter(({ state_class }) => state_class !== undefined);
  const ids: Json[] = await stage.hass.ask('recorder/list_statistic_ids');
  const byId = new Map(ids.map(entry => [entry.statistic_id, entry]));
  for (const { default_entity_id: id, state_class, unit_of_measurement: unit } of measured) {
    expect.soft(byId.get(id), id).toMatchObject({
      statistics_unit_of_measurement: unit ?? null,
      has_sum: state_class === 'total_increasing',
    });
  }
  expect(await stage.hass.ask('recorder/validate_statistics')).toEqual({});
});

test('its own list has every abbreviation', async () => {
  const real = await realAbbreviations();
  for (const [part, names] of Object.entries(abbreviations)) {
    for (const [name, short] of Object.entries(names)) expect.soft(real[part]?.[short], `${part}: ${short}`).toBe(name);
  }
});

test('announced in full words, as by another version, and in abbreviations again, all entities stay the same', async () => {
  const { hass, listener } = stage;
  const entities = async () =>
    new Map(
      [...(await registered(hass, listener))].map(([id, { id: entry, entity_id }]) => [id, { entry, entity_id }]),
    );
  const isModel = async (wanted: string) => {
    const devices: Json[] = await hass.ask('config/device_registry/list');
    return devices.some(({ model, identifiers }) => model === wanted && identifiers[0][1] === device);
  };
  const before = await entities();
  const payload = expanded(await listener.text(configTopic, () => true));
  const other = { ...payload, device: { ...payload.device, model: 'in full words' } };
  // Home Assistant's birth, after what was enabled, makes the bridge announce it again: perhaps just now.
  const isOther = async () => {
    await listener.publish(configTopic, JSON.stringify(other), true);
    return isModel('in full words');
  };
  await poll(isOther, { what: 'the device in full words', interval: 500 });
  expect(await entities()).toEqual(before);
  await stage.rebridge();
  await poll(() => isModel(String(payload.device['model'])), { what: 'the device in abbreviations' });
  expect(await entities()).toEqual(before);
  await hass.state('sensor.dsm_cpu_time', ({ state }) => Number(state) >= 0);
});

test('Home Assistant has nothing to complain of', async () => {
  expect(concerning(await stage.hass.troubles())).toEqual([]);
});
