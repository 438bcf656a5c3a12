/** The dashboard that makes itself, from what the bridge announces; without a browser. dashboard.ha.test.ts is the real one. */
import { beforeAll, describe, expect, test, vi } from 'vitest';
import {
  bridgeDevicePayload,
  type Discovery,
  type VmOptions,
  vmDevicePayload,
} from '../../src/discovery/entities/payload.ts';
import { type CommandWord, commandWords } from '../../src/model/commands.ts';
import type { DomainDescription } from '../../src/model/domain.ts';
import { bridge, description, hypervisor, vm, vmWithLoader } from './samples.ts';

interface Card {
  type: string;
  heading?: string;
  entity?: string;
  entities?: { entity: string }[];
  content?: string;
  [option: string]: unknown;
}
interface View {
  title?: string;
  strategy?: { type: string; device?: string };
  sections: { cards: Card[]; visibility?: unknown }[];
}
type Strategy = { generate: (config: object, hass: object) => Promise<{ views: View[] } & View> };

const strategies = new Map<string, Strategy>();

beforeAll(async () => {
  vi.stubGlobal('HTMLElement', class {});
  vi.stubGlobal('window', globalThis);
  vi.stubGlobal('customElements', { define: (name: string, element: Strategy) => strategies.set(name, element) });
  await import(new URL('../../dsm2mqtt-dashboard.js', import.meta.url).href);
});

/** What the frontend has of these devices; only what is enabled is there, unless it is in `enabled`. */
function home(announced: readonly Discovery[], enabled: readonly string[] = []) {
  const devices = announced.map(({ payload: { device } }, at) => {
    const identifiers = [['mqtt', (device['identifiers'] as string[])[0]]];
    return { id: `device${at}`, identifiers, name: device['name'], name_by_user: null, disabled_by: null };
  });
  const entries = announced.flatMap(({ payload }, at) =>
    Object.entries(payload.components).flatMap(([key, component]) => {
      const { unique_id, name, default_entity_id: entity_id, enabled_by_default } = component;
      if (unique_id === undefined || (enabled_by_default === false && !enabled.includes(key))) return [];
      return [{ entity_id, unique_id, device_id: `device${at}`, name: null, original_name: name }];
    }),
  );
  const strange = { id: 'lamp', identifiers: [['hue', 'dsm2mqtt_lamp']], name: 'Lamp', disabled_by: null };
  return {
    config: { components: ['history'] },
    devices: Object.fromEntries([...devices, strange].map(device => [device.id, device])),
    entities: Object.fromEntries(entries.map(entry => [entry.entity_id, { ...entry, hidden: false }])),
    callWS: async ({ type, entity_ids }: { type: string; entity_ids: string[] }) => {
      expect(type).toBe('config/entity_registry/get_entries');
      return Object.fromEntries(entity_ids.map(id => [id, entries.find(({ entity_id }) => entity_id === id) ?? null]));
    },
  };
}

const announce = (options: VmOptions = vm, described: DomainDescription = description) =>
  vmDevicePayload(bridge, options, described, hypervisor);
const generate = async (name: string, config: object, hass: object) => {
  const strategy = strategies.get(`ll-strategy-${name}`);
  if (!strategy) throw new Error(`there is no ${name}`);
  return await strategy.generate({ type: 'custom:dsm2mqtt', ...config }, hass);
};
const cards = ({ sections }: View) => sections.flatMap(section => section.cards);
const headings = (view: View) => cards(view).flatMap(({ heading }) => heading ?? []);
const shown = (view: View) =>
  cards(view).flatMap(({ entity, entities = [] }) => [entity ?? [], entities.map(each => each.entity)].flat());

const other = { ...description, uuid: '00000000-0000-4000-8000-000000000001', name: 'web' };

test('a view for each machine, by name, and one for the bridge', async () => {
  const web: VmOptions = { ...vm, key: 'web', label: 'A web server', guest: 'other' };
  const hass = home([bridgeDevicePayload(bridge), announce(), announce(web, other)]);
  const { views } = await generate('dashboard-dsm2mqtt', {}, hass);
  expect(views.map(({ title, strategy }) => [title, strategy?.type])).toEqual([
    ['A web server', 'custom:dsm2mqtt'],
    ['DSM VM', 'custom:dsm2mqtt'],
    ['Bridge', 'custom:dsm2mqtt-bridge'],
  ]);
  for (const { title, strategy } of views.slice(0, 2)) {
    expect(headings(await generate('view-dsm2mqtt', { ...strategy }, hass))[0]).toBe(title);
  }
  const around = await generate('view-dsm2mqtt-bridge', {}, hass);
  expect(headings(around)).toEqual(['dsm2mqtt nas-host']);
  expect(shown(around)).toContain('binary_sensor.dsm2mqtt_nas_host_connection');
});

describe('of a machine', () => {
  const view = (options: VmOptions = vm, enabled: readonly string[] = []) =>
    generate('view-dsm2mqtt', {}, home([announce(options)], enabled));

  test('every entity of the YAML dashboard is there, and what it was as a timeline', async () => {
    const made = await view(vmWithLoader, ['arm', 'rebuild', 'disk_hdz_read_rate']);
    expect(headings(made)).toEqual(['DSM VM', 'The last day', 'At work', 'Loader']);
    const keys = [
      ...['switch.dsm_power', 'sensor.dsm_activity', 'binary_sensor.dsm_reachable', 'sensor.dsm_last_check'],
      'binary_sensor.dsm_problem',
      ...['sensor.dsm_verdict', 'binary_sensor.dsm_running', 'sensor.dsm_activity'],
      ...['sensor.dsm_cpu', 'sensor.dsm_memory_used'],
      ...['sensor.dsm_nic_525400d53001_rx_rate', 'sensor.dsm_nic_525400d53001_tx_rate'],
      ...['sda', 'sdb'].flatMap(target => ['read', 'write'].map(what => `sensor.dsm_disk_${target}_${what}_rate`)),
    ];
    expect(shown(made)).toEqual([
      ...keys,
      ...['sensor.dsm_loader_phase', 'switch.dsm_arm', 'update.dsm_loader_update', 'button.dsm_rebuild'],
    ]);
    expect(cards(made).find(({ type }) => type === 'history-graph')).toMatchObject({ hours_to_show: 24 });
    expect(cards(made).find(({ type }) => type === 'markdown')?.content).toContain(
      "state_attr('sensor.dsm_verdict', 'next_step')",
    );
  });

  test('a name that somebody has given stays, and the others fit on a phone', async () => {
    const hass = home([announce()]);
    const { callWS } = hass;
    hass.callWS = async asked => {
      const entries = await callWS(asked);
      Object.assign(entries['sensor.dsm_disk_sda_read_rate'] ?? {}, { name: 'Photos' });
      return entries;
    };
    const names = cards(await generate('view-dsm2mqtt', {}, hass)).flatMap(({ entity, name }) =>
      entity ? [name] : [],
    );
    expect(names.slice(-6)).toEqual(['Received', 'Sent', 'Photos', 'Disk 1 write', 'Disk 2 read', 'Disk 2 write']);
  });

  test('what presses or switches asks first', async () => {
    const made = await view({ ...vmWithLoader, commands: commandWords }, ['arm', 'rebuild']);
    for (const entity of ['switch.dsm_power', 'button.dsm_rebuild']) {
      const card = cards(made).find(each => each.entity === entity);
      expect(card).toMatchObject({
        tap_action: { target: { entity_id: entity }, confirmation: { text: expect.any(String) } },
      });
    }
  });

  test.each<[CommandWord[], string]>([
    [[], 'binary_sensor.dsm_running'],
    [['start'], 'binary_sensor.dsm_running'],
    [['start', 'shutdown'], 'switch.dsm_power'],
  ])('with the commands %j, its power is %s', async (commands, entity) => {
    const made = await view({ ...vm, commands });
    expect(shown(made)[0]).toBe(entity);
    expect(headings(made)).toEqual(['DSM VM', 'The last day', 'At work']);
  });

  test('no entity, no history, no such machine: a view all the same', async () => {
    const hass = home([announce()]);
    expect(headings(await generate('view-dsm2mqtt', {}, { ...hass, entities: {} }))).toEqual(['DSM VM', 'At work']);
    const without = await generate('view-dsm2mqtt', {}, { ...hass, config: { components: [] } });
    expect(headings(without)).toEqual(['DSM VM', 'At work']);
    const missing = await generate('view-dsm2mqtt', { device: 'gone' }, hass);
    expect(cards(missing)).toEqual([{ type: 'markdown', content: 'There is no virtual machine gone of dsm2mqtt.' }]);
    const { views } = await generate('dashboard-dsm2mqtt', {}, home([]));
    expect(views).toHaveLength(1);
  });

  test('a machine that has been renamed, and one that is disabled', async () => {
    const hass = home([announce(), announce(vm, other)]);
    Object.assign(hass.devices['device0'] ?? {}, { name_by_user: 'Cellar' });
    Object.assign(hass.devices['device1'] ?? {}, { disabled_by: 'user' });
    const { views } = await generate('dashboard-dsm2mqtt', {}, hass);
    expect(views.map(({ title }) => title)).toEqual(['Cellar']);
    expect(headings(await generate('view-dsm2mqtt', { device: 'Cellar' }, hass))[0]).toBe('Cellar');
  });
});
