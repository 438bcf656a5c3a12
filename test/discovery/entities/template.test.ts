import { describe, expect, test } from 'vitest';
import { bridgeDevicePayload, type Component, vmDevicePayload } from '../../../src/discovery/entities/payload.ts';
import { attributesTemplate, valueTemplate } from '../../../src/discovery/entities/template.ts';
import { blockedAttributes } from '../home-assistant.ts';
import { render } from '../jinja.ts';
import { bridge, description, documents, hypervisor, vmWithLoader } from '../samples.ts';

/** Every entity's templates over the documents that the bridge publishes. */
const everything = [
  vmDevicePayload(bridge, vmWithLoader, description, hypervisor),
  bridgeDevicePayload(bridge),
].flatMap(({ payload }) => Object.entries(payload.components));
// What an update entity reads is an object: loader.test.ts.
// A trigger reads what is on the event topic, which is no document.
const others = ['update', 'device_automation'];
const entities = everything.filter(([, { value_template, platform }]) => value_template && !others.includes(platform));
const attributed = everything.filter(([, component]) => component['json_attributes_topic']);

const show = (component: Component, document: (topic: string) => object) =>
  render(String(component['value_template']), document(String(component['state_topic'])));

/** What Home Assistant takes from this entity. */
function legal(component: Component): RegExp {
  const { platform, options, device_class, unit_of_measurement, state_class } = component;
  if (Array.isArray(options)) return new RegExp(`^(${options.join('|')})$`);
  if (platform === 'binary_sensor') return /^(ON|OFF)$/;
  if (platform === 'switch') {
    const { payload_on = 'ON', payload_off = 'OFF', state_on = payload_on, state_off = payload_off } = component;
    return new RegExp(`^(${state_on}|${state_off})$`);
  }
  if (device_class === 'timestamp') return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
  if (unit_of_measurement ?? state_class) return /^\d+(\.\d{1,3})?$/;
  return /^(?!None).{1,255}$/;
}

describe.each(entities)('%s', (_key, component) => {
  test('shows what is known', () => expect(show(component, documents.full)).toMatch(legal(component)));

  test('shows unknown as unknown', () => {
    const text = show(component, documents.unknown);
    if (text !== 'None') expect(text).toMatch(legal(component));
    if (component['unit_of_measurement']) expect(text).toBe('None');
  });

  test('bears a document without its key', () => expect(show(component, documents.empty)).toBe('None'));
});

describe.each(attributed)('attributes of %s', (_key, component) => {
  const show = (document: (topic: string) => object) =>
    JSON.parse(
      render(String(component['json_attributes_template']), document(String(component['json_attributes_topic']))),
    );

  test('are an object whatever is known, and none that Home Assistant keeps to itself', () => {
    for (const document of Object.values(documents)) expect(show(document)).toBeInstanceOf(Object);
    expect(Object.keys(show(documents.full)).filter(name => blockedAttributes.includes(name))).toEqual([]);
  });
});

test.each([
  [
    'attributes of the state',
    'state',
    { reason: 'booted', last_stop: { by: 'bridge', seconds: 41 }, shutdown_expected_seconds: 42.5 },
  ],
  [
    'attributes of the activity',
    'activity',
    { phase: 'waiting_for_guest', deadline: expect.any(String), attempt: 2, start_after_off: true },
  ],
  ['attributes of a disk', 'disk_sda_read_rate', { target: 'sda', role: 'data', source: '/dev/disk/by-id/ata-sda' }],
  ['attributes of a network', 'nic_525400d53001_tx_rate', { mac: '52:54:00:d5:30:01', source: 'br0', tap: 'vnet3' }],
  ['attributes of the last stop', 'last_stop', { by: 'bridge', reason: 'shutdown', seconds: 41 }],
  ['attributes of the last error', 'last_error', { code: 'timed_out' }],
  ['attributes of the loader', 'loader_phase', { percent: 62, elapsed_seconds: 312.5, code: 'no_recipe' }],
  ['attributes of its result', 'loader_result', { code: 'no_recipe', next_step: 'Look at the log.' }],
  ['attributes of its backup', 'loader_backup', { file: 'DSM-1.img.gz', size: 2 ** 27 }],
  ['attributes of libvirt', 'libvirt', { up: true, hostname: 'nas-host' }],
])('%s', (_name, key, attributes) => {
  const component = Object.fromEntries(everything)[key];
  const at = (document: (topic: string) => object) =>
    JSON.parse(
      render(String(component?.['json_attributes_template']), document(String(component?.['json_attributes_topic']))),
    );
  expect(at(documents.full)).toMatchObject(attributes);
  const known = Object.entries(at(documents.empty)).filter(([name, value]) => value !== null && name !== 'target');
  expect(known).toEqual([]);
});

test('no two entities read the same place', () => {
  const places = entities.map(([, { state_topic, value_template }]) => `${state_topic} ${value_template}`);
  expect(new Set(places).size).toBe(places.length);
});

test.each([
  ['cpu', { cpu: { percent: 12.345 } }, '12.3 %'],
  ['memory_used', { memory: { used: 2 ** 30 } }, '1024 MiB'],
  ['disk_sda_write_rate', { disks: { sda: { write_bytes_per_second: 1_500_000 } } }, '1.5 MB/s'],
  ['loader_progress', { percent: 62 }, '62 %'],
  ['disk_sdb_capacity', { disks: { sdb: { capacity: 4e12 } } }, '4000 GB'],
  ['nic_525400d53001_rx_rate', { nics: { '525400d53001': { rx_bytes_per_second: 125_000_000 } } }, '1000 Mbit/s'],
])('the unit of %s', (key, document, shown) => {
  const component = Object.fromEntries(entities)[key];
  expect(`${component && show(component, () => document)} ${component?.['unit_of_measurement']}`).toBe(shown);
});

test('readings', () => {
  const read = (reading: Parameters<typeof valueTemplate>[1], a: unknown) =>
    render(valueTemplate(['a'], reading), { a });
  expect(read({ per: 1e6, digits: 3 }, 1_234_567)).toBe('1.235');
  expect(read({ per: 1, digits: 1 }, 0)).toBe('0');
  expect(read({ per: 1, digits: 1 }, 'x')).toBe('None');
  expect(read('flag', false)).toBe('OFF');
  expect(read('flag', null)).toBe('None');
  const on = { on: ['running', 'idle'] };
  expect(['idle', 'paused', 'unknown'].map(word => read(on, word))).toEqual(['ON', 'OFF', 'None']);
  expect(read('sentence', 'x'.repeat(300))).toHaveLength(255);
});

test('odd keys and fixed attributes are quoted', () => {
  const odd = `it's 100 %\\ "so"`;
  expect(render(valueTemplate([odd, '1']), { [odd]: { 1: 'here' } })).toBe('here');
  expect(JSON.parse(render(attributesTemplate(['a'], { odd }), { a: { b: 1 } }))).toEqual({ b: 1, odd });
  expect(JSON.parse(render(attributesTemplate(['a'], { odd }), { a: null }))).toEqual({ odd });
});

test('some members of an object: each is there, null when it is missing', () => {
  const template = attributesTemplate(['a'], { b: 'x, y' }, ['one', 'two', 'three']);
  const show = (document: object) => JSON.parse(render(template, document));
  const nested = { by: null, reason: `it's "so" <b>` };
  expect(show({ a: { one: nested, two: 0, four: 4 } })).toEqual({ one: nested, two: 0, three: null, b: 'x, y' });
  const nothing = { one: null, two: null, three: null, b: 'x, y' };
  for (const document of [{}, { a: null }, { a: {} }, { a: { one: null } }]) expect(show(document)).toEqual(nothing);
});
