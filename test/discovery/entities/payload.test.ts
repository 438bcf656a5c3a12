import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Platform } from '../../../src/discovery/entities/entity.ts';
import {
  bridgeDevicePayload,
  type Component,
  type Components,
  type DevicePayload,
  type Discovery,
  transition,
  type VmOptions,
  vmDevicePayload,
} from '../../../src/discovery/entities/payload.ts';
import { type Command, command, parseCommand } from '../../../src/model/command.ts';
import { type CommandWord, commandWords } from '../../../src/model/commands.ts';
import { notificationTypes } from '../../../src/model/notice/notification.ts';
import { refusals } from '../home-assistant.ts';
import { bridge, description, disk, hypervisor, nic, vm, vmWithLoader, withHardware } from '../samples.ts';

const announce = (options = vm, described = description) =>
  vmDevicePayload(bridge, options, described, hypervisor).payload.components;

const named = (components: DevicePayload['components'], keep: (component: Component) => boolean = () => true) =>
  Object.values(components).flatMap(component => (keep(component) ? [component['name']] : []));

const isTrigger = ({ platform }: Component) => platform === 'device_automation';
const wanted = (component: Component) => component['enabled_by_default'] !== false && !isTrigger(component);

test('a payload is announced under the UUID, beneath its bridge', () => {
  const { topic, payload } = vmDevicePayload(bridge, vm, description, hypervisor);
  expect(topic).toBe('homeassistant/device/dsm2mqtt_6e8d4d1c-6f5b-4d42-9f0c-0c5f2f6f9a11/config');
  expect({ ...payload, components: {} }).toEqual({
    device: {
      identifiers: ['dsm2mqtt_6e8d4d1c-6f5b-4d42-9f0c-0c5f2f6f9a11'],
      name: 'DSM VM',
      manufacturer: 'QEMU',
      model: 'DSM virtual machine',
      model_id: 'pc-q35-7.2',
      hw_version: 'QEMU 7.2.22, libvirt 9.0.0',
      via_device: 'dsm2mqtt_bridge_nas_host',
    },
    origin: { name: 'dsm2mqtt', sw_version: '0.1.0', support_url: 'https://docs.example/' },
    availability: [{ topic: 'dsm2mqtt/bridge/state' }, { topic: 'dsm2mqtt/DSM/availability' }],
    availability_mode: 'all',
    qos: 1,
    components: {},
  });
  expect(bridgeDevicePayload(bridge).payload.device['identifiers']).toEqual(['dsm2mqtt_bridge_nas_host']);
});

test('a component has its identity, its name, its topic and its measure', () => {
  expect(announce()['nic_525400d53001_rx_rate']).toEqual({
    platform: 'sensor',
    unique_id: 'dsm2mqtt_6e8d4d1c-6f5b-4d42-9f0c-0c5f2f6f9a11_nic_525400d53001_rx_rate',
    default_entity_id: 'sensor.dsm_nic_525400d53001_rx_rate',
    name: 'Network receive',
    device_class: 'data_rate',
    state_class: 'measurement',
    unit_of_measurement: 'Mbit/s',
    suggested_display_precision: 2,
    icon: 'mdi:download-network',
    state_topic: 'dsm2mqtt/DSM/stats',
    value_template:
      "{{((value_json.nics|d)['525400d53001']|d).rx_bytes_per_second|d|multiply(8e-6,none)|round(3,default=none)}}",
    expire_after: 180,
    json_attributes_topic: 'dsm2mqtt/DSM/state',
    json_attributes_template: "{{dict((value_json.nics|d)['525400d53001']|d({},true))|tojson}}",
  });
});

/** A key is an entity's identity: renaming one orphans its history and its automations. New ones may come. */
test('no key that was published once is gone', () => {
  const diskKeys = (target: string) =>
    [
      ...['read_rate', 'write_rate', 'read_total', 'write_total', 'read_operations', 'write_operations'],
      ...['flush_operations', 'read_latency', 'write_latency', 'flush_latency', 'errors'],
      ...['capacity', 'allocation', 'physical'],
    ].map(key => `disk_${target}_${key}`);
  const published = [
    ...['power', 'start', 'shutdown', 'cancel', 'check', 'refresh', 'autostart'],
    ...['reachable', 'problem', 'verdict', 'last_check', 'verdict_reason', 'next_step', 'next_check', 'latency'],
    ...['boot_time', 'dsm_version', 'dsm_model', 'dsm_name', 'dsm_address'],
    ...['bridge', 'neighbour', 'ping', 'tcp', 'web', 'dsm', 'discovery'].map(key => `probe_${key}`),
    ...['state', 'state_reason', 'activity', 'event'],
    ...['deadline', 'last_start', 'last_stop', 'last_stop_reason', 'shutdown_took', 'last_error', 'vcpus', 'cpu'],
    'cpu_time',
    ...['memory_used', 'memory_used_percent', 'memory_total', 'memory_usable', 'memory_unused', 'memory_resident'],
    'stats_stale',
    ...['sda', 'sdb', 'hdz'].flatMap(diskKeys),
    ...['rx_rate', 'tx_rate', 'rx_total', 'tx_total', 'rx_packets', 'tx_packets'].map(key => `nic_525400d53001_${key}`),
    ...['rx_errors', 'tx_errors', 'rx_drops', 'tx_drops'].map(key => `nic_525400d53001_${key}`),
  ];
  expect(Object.keys(announce())).toEqual(expect.arrayContaining(published));
  const ofBridge = ['connection', 'libvirt', 'libvirt_reason', 'checks_overdue', 'version', 'started'];
  expect(Object.keys(bridgeDevicePayload(bridge).payload.components)).toEqual(
    expect.arrayContaining([...ofBridge, 'libvirt_version', 'hypervisor_version']),
  );
});

describe('what people see', () => {
  test('from the start, without anything switched on', () => {
    expect(named(announce(), wanted)).toEqual([
      ...[
        null,
        'Start',
        'Shut down',
        'Quiet time',
        'Reachable',
        'Problem',
        'Verdict',
        'Last check',
        'Uptime 1 day',
        'Running',
        'State',
        'Activity',
        'Event',
        'Shutdown takes',
        'Boot',
        'Doctor',
        'CPU',
        'Memory used',
        'Stale statistics',
      ],
      ...['Disk 1 read', 'Disk 1 write', 'Disk 2 read', 'Disk 2 write', 'Network receive', 'Network send'],
    ]);
    expect(named(bridgeDevicePayload(bridge).payload.components, wanted)).toEqual([
      ...['Connection state', 'Libvirt connection', 'Checks overdue', 'Version'],
    ]);
  });

  test('disks are numbered past the loader and removable ones, networks when there are several', () => {
    const disks = [disk('hdc', 'removable'), disk('sda'), disk('hdz', 'loader'), disk('sdb')];
    const names = named(announce(vm, withHardware(disks, [nic('52:54:00:00:00:0a'), nic('52:54:00:00:00:0b')])));
    expect(names.filter(name => /(read|receive)$/.test(String(name)))).toEqual([
      ...['Removable disk hdc read', 'Disk 1 read', 'Loader disk read', 'Disk 2 read'],
      ...['Network 1 receive', 'Network 2 receive'],
    ]);
  });
});

describe('commands', () => {
  const controls = (commands: readonly CommandWord[]) =>
    Object.entries(announce({ ...vm, commands })).flatMap(([key, { command_topic }]) => (command_topic ? [key] : []));

  test.each<[CommandWord[], string[]]>([
    [
      ['start', 'shutdown', 'cancel'],
      ['power', 'start', 'shutdown', 'cancel'],
    ],
    [['start'], ['start']],
    [['shutdown'], ['shutdown']],
    [['autostart'], ['autostart']],
    [['force_off'], ['force_off']],
    [[], []],
  ])('%j permit %j', (commands, keys) => expect(controls(commands)).toEqual(keys));

  test('each listed one has its entity, as people read it', () => {
    const all = announce({ ...vm, commands: commandWords });
    const platform = (key: string) => `${all[key]?.platform} ${all[key]?.['name']}`;
    expect(Object.fromEntries(controls(commandWords).map(key => [key, platform(key)]))).toEqual({
      power: 'switch null',
      start: 'button Start',
      shutdown: 'button Shut down',
      cancel: 'button Cancel',
      reboot: 'button Reboot',
      suspend: 'button Pause',
      resume: 'button Resume',
      reset: 'button Reset',
      force_off: 'button Power cut',
      screenshot: 'button Take screenshot',
      check: 'button Check',
      refresh: 'button Refresh',
      autostart: 'switch Autostart',
      quiet: 'switch Quiet time',
    });
    expect(Object.keys(all)).toContain('screen');
    expect(Object.keys(announce())).not.toContain('screen');
  });

  test('however many are listed, nothing more is on from the start, and what can hurt is apart', () => {
    const all = announce({ ...vm, commands: commandWords });
    expect(named(all, wanted)).toEqual(named(announce(), wanted));
    const risky: CommandWord[] = ['reboot', 'suspend', 'resume', 'reset', 'force_off', 'autostart'];
    for (const key of risky) expect(all[key]).toMatchObject({ enabled_by_default: false, entity_category: 'config' });
  });

  test('whatever is pressed or switched is a command that the bridge understands', () => {
    const all = announce(vmWithLoader);
    for (const [key, { command_topic, ...options }] of Object.entries(all)) {
      const { kind } = bridge.topics.commands.parse(String(command_topic)) ?? {};
      if (!kind) continue;
      const { payload_press, payload_on = 'ON', payload_off = 'OFF' } = options;
      const given = payload_press === undefined ? [payload_on, payload_off] : [payload_press];
      expect(given.map(payload => parseCommand(kind, String(payload)))).toEqual(
        asked[key] ?? [command(key as 'start')],
      );
    }
  });
  const asked: Record<string, Command[]> = {
    power: [command('start'), command('shutdown')],
    autostart: [command('autostart', { enabled: true }), command('autostart', { enabled: false })],
    arm: [command('arm', { enabled: true }), command('arm', { enabled: false })],
    quiet: [command('quiet', { enabled: true }), command('quiet', { enabled: false })],
  };

  test('the switch shows what libvirt says and asks for either; a button says its word', () => {
    const { power, shutdown } = announce();
    expect(power).toMatchObject({
      entity_category: 'config',
      state_topic: 'dsm2mqtt/DSM/state',
      command_topic: 'dsm2mqtt/DSM/power/set',
    });
    expect(shutdown).toMatchObject({ command_topic: 'dsm2mqtt/DSM/command', payload_press: 'shutdown' });
    expect(announce({ ...vm, powerCategory: null })['power']).not.toHaveProperty('entity_category');
  });
});

test('the event entity reads the payload as it is, and knows every type', () => {
  const event = announce()['event'];
  expect(event).toMatchObject({ platform: 'event', state_topic: 'dsm2mqtt/DSM/event', event_types: notificationTypes });
  expect(event).not.toHaveProperty('value_template');
  expect(event).not.toHaveProperty('expire_after');
});

describe('device triggers', () => {
  const triggers = Object.entries(announce({ ...vm, commands: [] })).filter(([, component]) => isTrigger(component));

  test('each is one of the event types, on the event topic, and no entity', () => {
    expect(triggers.length).toBeGreaterThan(5);
    for (const [key, component] of triggers) {
      const type = key.replace(/^on_/, '');
      expect(notificationTypes).toContain(type);
      expect(component).toEqual({
        ...{ platform: 'device_automation', automation_type: 'trigger', type: 'event', subtype: type },
        ...{ topic: 'dsm2mqtt/DSM/event', payload: type, value_template: '{{value_json.event_type|d(none)}}' },
      });
    }
  });

  test('whatever the guest and its commands', () => {
    const keys = (options: VmOptions) => Object.keys(announce(options)).filter(key => key.startsWith('on_'));
    expect(keys({ ...vm, guest: 'other' })).toEqual(triggers.map(([key]) => key));
    expect(keys(vmWithLoader)).toEqual(triggers.map(([key]) => key));
  });
});

test('it shows whether it runs, also when nothing may be commanded', () => {
  const { running, power } = announce({ ...vm, commands: [] });
  expect(running).toMatchObject({ platform: 'binary_sensor', device_class: 'running', name: 'Running' });
  expect(running).not.toHaveProperty('enabled_by_default');
  expect(power).toBeUndefined();
});

describe('the device', () => {
  const device = (changes: Partial<VmOptions>, nics = [nic('52:54:00:00:00:0a'), nic('52:54:00:00:00:0a')]) =>
    vmDevicePayload(bridge, { ...vm, ...changes }, withHardware([], nics), hypervisor).payload.device;

  test('has its MACs and its area only if they are wanted', () => {
    expect(device({})).not.toHaveProperty('connections');
    expect(device({})).not.toHaveProperty('suggested_area');
    expect(device({ linkByMac: true, suggestedArea: 'Cellar' })).toMatchObject({
      connections: [['mac', '52:54:00:00:00:0a']],
      suggested_area: 'Cellar',
    });
  });

  test('of the bridge leads to its page, if there is one', () => {
    expect(bridgeDevicePayload(bridge).payload.device).not.toHaveProperty('configuration_url');
    const page = 'http://nas-host.lan:8098/';
    expect(bridgeDevicePayload({ ...bridge, page }).payload.device).toMatchObject({ configuration_url: page });
  });
});

test('a command expires where Home Assistant can say so: over MQTT 5 only, for it refuses to send it over 3.1.1', () => {
  const commanding = (expires: boolean) => {
    const { payload } = vmDevicePayload({ ...bridge, expires }, vmWithLoader, description, hypervisor);
    return Object.values(payload.components).filter(component => 'command_topic' in component);
  };
  for (const component of commanding(true)) expect(component).toMatchObject({ message_expiry_interval: 60 });
  for (const component of commanding(false)) expect(component).not.toHaveProperty('message_expiry_interval');
});

test('the screen is the PNG on its topic', () => {
  const { screen } = announce({ ...vm, commands: ['screenshot'] });
  expect(screen).toMatchObject({ platform: 'image', image_topic: 'dsm2mqtt/DSM/screen', content_type: 'image/png' });
  for (const option of ['state_topic', 'value_template']) expect(screen).not.toHaveProperty(option);
});

test('statistics expire after four intervals, not before three minutes; what is retained does not', () => {
  const expiry = (statsInterval: number) => announce({ ...vm, statsInterval })['cpu']?.['expire_after'];
  expect([expiry(1), expiry(45), expiry(60.1)]).toEqual([180, 180, 241]);
  expect(announce()['state']).not.toHaveProperty('expire_after');
});

test('no entity has its commands stored: the bridge refuses those', () => {
  const entities = Object.values(announce({ ...vm, commands: commandWords }));
  expect(entities.filter(entity => 'command_topic' in entity).length).toBeGreaterThan(5);
  for (const entity of entities) expect(entity).not.toHaveProperty('retain');
});

test('the connection speaks while the bridge cannot', () => {
  const { availability, components } = bridgeDevicePayload(bridge).payload;
  expect(availability).toEqual([{ topic: 'dsm2mqtt/bridge/state' }]);
  expect(components['connection']).toMatchObject({ availability: [], payload_on: 'online', payload_off: 'offline' });
  expect(components['connection']).not.toHaveProperty('value_template');
  expect(components['libvirt']).not.toHaveProperty('availability');
});

describe('whatever the VM is called and has', () => {
  const target = fc
    .tuple(fc.constantFrom('fd', 'hd', 'sd', 'vd', 'xvd', 'ubd'), fc.stringMatching(/^[a-z0-9]{1,3}$/))
    .map(parts => parts.join(''));
  const mac = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 6, maxLength: 6 });
  const disks = fc.uniqueArray(fc.tuple(target, fc.constantFrom('data', 'loader', 'removable')), {
    selector: ([name]) => name,
    maxLength: 8,
  });
  const nics = fc.uniqueArray(
    mac.map(octets => octets.map(octet => octet.toString(16).padStart(2, '0')).join(':')),
    { maxLength: 6 },
  );

  const count = (...hardware: Parameters<typeof withHardware>) =>
    Object.keys(announce(vm, withHardware(...hardware))).length;
  const machine = count([], []);
  const perDisk = count([disk('sda')], []) - machine;
  const perNic = count([], [nic('52:54:00:00:00:01')]) - machine;

  test('Home Assistant takes it, and every entity is its own', () =>
    fc.assert(
      fc.property(
        fc.record({ label: fc.string({ unit: 'binary' }), key: fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/) }),
        fc.record({ uuid: fc.uuid(), name: fc.string({ unit: 'binary' }), disks, nics }),
        fc.string({ unit: 'binary' }),
        ({ label, key }, { uuid, name, disks, nics }, instance) => {
          const hardware = withHardware(
            disks.map(([name, role]) => disk(name, role as 'data')),
            nics.map(nic),
          );
          const parts = { ...bridge, instance };
          const { topic, payload } = vmDevicePayload(parts, { ...vm, label, key }, { ...hardware, uuid, name }, null);
          expect(refusals(topic, payload)).toEqual([]);
          expect(Object.keys(payload.components)).toHaveLength(machine + perDisk * disks.length + perNic * nics.length);
          expect(Object.keys(payload.components).join('')).toMatch(/^[a-z0-9_]+$/);
          const own = bridgeDevicePayload(parts);
          expect(refusals(own.topic, own.payload)).toEqual([]);
        },
      ),
    ));
});

describe('from one payload to the next', () => {
  const announced = (changes: Partial<VmOptions> = {}) =>
    vmDevicePayload(bridge, { ...vm, ...changes }, description, hypervisor);
  const next = announced();
  const components = ({ payload }: Discovery): Components =>
    Object.fromEntries(Object.entries(payload.components).map(([key, { platform }]) => [key, platform]));
  const messages = (published: Components, device: Discovery) =>
    transition(published, components(device), () => device).map(payload => payload());

  test('nothing to remove: one message', () => {
    expect(messages(components(next), next)).toEqual([next.payload]);
    expect(messages({}, next)).toEqual([next.payload]);
  });

  test.each<[string, Partial<VmOptions>, Partial<VmOptions>, Record<string, Platform>]>([
    ['a command less', { commands: ['start', 'reboot'] }, { commands: ['start'] }, { reboot: 'button' }],
    ['no screenshot', { commands: ['screenshot'] }, { commands: [] }, { screenshot: 'button', screen: 'image' }],
    ['autostart is shown only', { commands: ['autostart'] }, { commands: [] }, { autostart: 'switch' }],
    ['autostart can be switched', { commands: [] }, { commands: ['autostart'] }, { autostart: 'binary_sensor' }],
    ['no loader', { loader: true }, { loader: false }, { loader_update: 'update', loader_phase: 'sensor' }],
  ])('%s: what goes is removed as what it was, then left out', (_, before, after, gone) => {
    const target = announced(after);
    const [first, last, ...more] = messages(components(announced(before)), target);
    const removed = Object.fromEntries(Object.entries(gone).map(([key, platform]) => [key, { platform }]));
    expect(first?.components).toMatchObject({ ...target.payload.components, ...removed });
    expect([last, more]).toEqual([target.payload, []]);
    for (const step of [first, last]) expect(refusals(target.topic, step)).toEqual([]);
  });
});
