import { describe, expect, test } from 'vitest';
import { discoveryMessage } from '../../src/discovery/entities/abbreviations.ts';
import { bridgeDevicePayload, hostDevicePayload, vmDevicePayload } from '../../src/discovery/entities/payload.ts';
import { commandWords } from '../../src/model/commands.ts';
import { expanded } from './expanded.ts';
import { refusals } from './home-assistant.ts';
import { bridge, description, disk, hypervisor, nic, vm, vmWithLoader, withHardware } from './samples.ts';

/** The contract with Home Assistant: what it would refuse, and that it refuses nothing of ours. */

const targets = Array.from({ length: 30 }, (_, at) => `sd${String.fromCharCode(97 + (at % 26))}${at < 26 ? '' : 'x'}`);
const macs = ['52:54:00:00:00:01', '52:54:00:00:00:02', '52:54:00:00:00:03', '52:54:00:00:00:04'];
const [odd, empty] = [`Mum's "NAS" + #1 – 群暉 🗄`, ''];

describe('Home Assistant accepts', () => {
  test.each([
    ['the usual hardware', vm, description],
    ['a VM without disks and networks', vm, withHardware([], [])],
    [
      '30 disks and 4 networks',
      vm,
      withHardware(
        targets.map(target => disk(target)),
        macs.map(nic),
      ),
    ],
    ['removable and several loader disks', vm, withHardware([disk('hdc', 'removable'), disk('sdy', 'loader')], [])],
    ['odd names', { ...vm, label: odd, key: '-_-' }, { ...description, name: odd }],
    ['empty names', { ...vm, label: empty }, { ...description, name: empty }],
    ['a switch without a category', { ...vm, powerCategory: null }, description],
    ['no commands', { ...vm, commands: [] }, description],
    ['every command', { ...vm, commands: commandWords }, description],
    ['a loader', vmWithLoader, description],
    ['a linked device in an area', { ...vm, linkByMac: true, suggestedArea: odd }, description],
    ['a linked device without a network', { ...vm, linkByMac: true }, withHardware([], [])],
    ['a loader that may not be commanded', { ...vmWithLoader, commands: [] }, description],
  ])('%s', (_name, options, described) => {
    for (const host of [hypervisor, null]) {
      const { topic, payload } = vmDevicePayload(bridge, options, described, host);
      expect(refusals(topic, payload)).toEqual([]);
      const message = discoveryMessage(payload);
      expect(expanded(message)).toEqual(JSON.parse(JSON.stringify(payload)));
      // Brokers take no message of any size, and some of them not a large one.
      expect(message.length).toBeLessThan(1_000 + 500 * Object.keys(payload.components).length);
    }
  });

  test.each([[['default', odd, 'a.b']], [[]]])('a host with the pools %j', pools => {
    const { topic, payload } = hostDevicePayload(bridge, 'nas-2', pools, hypervisor);
    expect(refusals(topic, payload)).toEqual([]);
    expect(expanded(discoveryMessage(payload))).toEqual(JSON.parse(JSON.stringify(payload)));
    const keys = Object.values(payload.components).map(({ unique_id }) => unique_id);
    expect(new Set(keys).size).toBe(keys.length);
  });

  test.each(['nas-host', odd, empty, 'nas.lan'])('the bridge %j', instance => {
    const { topic, payload } = bridgeDevicePayload({ ...bridge, instance });
    expect(refusals(topic, payload)).toEqual([]);
  });
});

describe('Home Assistant refuses', () => {
  const { topic, payload } = vmDevicePayload(bridge, vmWithLoader, description, hypervisor);

  const root = (changes: object) => ({ ...payload, ...changes });
  const changed = (key: string, changes: object) =>
    root({ components: { ...payload.components, [key]: { ...payload.components[key], ...changes } } });

  test.each<[string, object]>([
    ['unknown option: ~', root({ '~': 'dsm2mqtt' })],
    ['connections may not be', root({ device: { ...payload.device, connections: [['mac']] } })],
    ['support_url may not be', root({ origin: { ...payload.origin, support_url: 'docs.example' } })],
    ['subtype is required', changed('on_problem', { subtype: undefined })],
    ['unknown option: unique_id', changed('on_problem', { unique_id: 'x' })],
    ['unknown option: serial', root({ device: { ...payload.device, serial: '1' } })],
    ['name may not be', root({ device: { ...payload.device, name: null } })],
    ['identifiers is required', root({ device: { name: 'DSM' } })],
    ['configuration_url may not be', root({ device: { ...payload.device, configuration_url: 'nas.lan' } })],
    ['name is required', root({ origin: {} })],
    ['components is required', root({ components: undefined })],
    ['availability_mode may not be', root({ availability_mode: 'every' })],
    ['availability may not be', root({ availability: [{ topic: 'a', payload: 'on' }] })],
    ['availability may not be', root({ availability: [{}] })],
    [
      'availability may not be',
      changed('rebuild', { availability: [{ topic: 'a', value_template: '{{value_json}}' }] }),
    ],
    ['qos may not be', root({ qos: 3 })],
    ['platform is none', changed('cpu', { platform: 'speedometer' })],
    ['unique_id is required', changed('cpu', { unique_id: undefined })],
    ['unique_id is taken', changed('cpu', { unique_id: payload.components['state']?.['unique_id'] })],
    ['state_topic is required', changed('cpu', { state_topic: undefined })],
    ['command_topic is required', changed('start', { command_topic: undefined })],
    ['image_topic is required', changed('screen', { image_topic: undefined })],
    ['event_types is required', changed('event', { event_types: undefined })],
    ['event_types may not be', changed('event', { event_types: ['started', 'started'] })],
    ['unknown option: payload_press', changed('cpu', { payload_press: 'on' })],
    ['name may not be', changed('cpu', { name: 1 })],
    ['entity_category may not be', changed('cpu', { entity_category: 'config' })],
    ['entity_category may not be', changed('power', { entity_category: 'setting' })],
    ['enabled_by_default may not be', changed('cpu', { enabled_by_default: 'no' })],
    ['icon may not be', changed('cpu', { icon: 'chip' })],
    ['default_entity_id is another', changed('cpu', { default_entity_id: 'switch.dsm_cpu' })],
    ['default_entity_id may not be', changed('cpu', { default_entity_id: 'sensor.dsm__cpu' })],
    ['device_class may not be', changed('cpu', { device_class: 'speed_of_light' })],
    ['state_class may not be', changed('cpu', { state_class: 'guess' })],
    ['data_rate needs', changed('nic_525400d53001_rx_rate', { state_class: 'total' })],
    ['data_rate may not be in Mbps', changed('nic_525400d53001_rx_rate', { unit_of_measurement: 'Mbps' })],
    ['timestamp is not measured', changed('last_start', { unit_of_measurement: 's' })],
    ['data_size may not be in undefined', changed('memory_used', { unit_of_measurement: undefined })],
    ['enum needs options', changed('state', { options: undefined })],
    ['options need enum', changed('state', { device_class: undefined })],
    ['suggested_display_precision may not be', changed('cpu', { suggested_display_precision: 0.5 })],
    ['expire_after may not be', changed('cpu', { expire_after: 'soon' })],
    ['state_topic may not be', changed('cpu', { state_topic: 'dsm2mqtt/+/stats' })],
    ['state_topic may not be', changed('cpu', { state_topic: 'a\nb' })],
    ['state_topic may not be', changed('cpu', { state_topic: 'a'.repeat(65_536) })],
    ['value_template may not be', changed('cpu', { value_template: '{{value_json.cpu.percent|d(none)}}' })],
    ['value_template may not be', changed('loader_update', { value_template: '{{dict(a=value_json.a)|tojson}}' })],
    ['unknown option: value_template', changed('screen', { value_template: '{{value_json.a|d(none)}}' })],
    ['content_type may not be', changed('screen', { content_type: 'png' })],
    ['state_on may not be', changed('autostart', { state_on: true })],
    ['json_attributes_template needs', changed('last_stop', { json_attributes_topic: undefined })],
    ['value_template needs state_topic', changed('power', { state_topic: undefined })],
  ])('%s', (reason, message) => {
    expect(refusals(topic, JSON.parse(JSON.stringify(message)))).toContainEqual(expect.stringContaining(reason));
  });

  test.each(['homeassistant/device/a b/config', 'homeassistant/device/a+/config', 'homeassistant/sensor/a/config'])(
    'the topic %s',
    illegal => expect(refusals(illegal, payload)).toEqual([expect.stringContaining('illegal discovery topic')]),
  );
});
