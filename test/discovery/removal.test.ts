import { expect, test } from 'vitest';
import { vmDevicePayload } from '../../src/discovery/payload.ts';
import { components, removeDevice, transition } from '../../src/discovery/removal.ts';
import { refusals } from './home-assistant.ts';
import { bridge, description, hypervisor, vm } from './samples.ts';

const next = vmDevicePayload(bridge, vm, description, hypervisor);

test('nothing to remove: one message', () => {
  expect(transition(components(next), next)).toEqual([next]);
  expect(transition({}, next)).toEqual([next]);
});

test('an entity that is gone is removed by its platform first, then left out', () => {
  const [first, last] = transition({ ...components(next), disk_sdc_read_rate: 'sensor' }, next);
  expect(first?.payload.components).toEqual({ ...next.payload.components, disk_sdc_read_rate: { platform: 'sensor' } });
  expect(last).toEqual(next);
});

test('an entity on another platform than before is removed as what it was', () => {
  const [first, last] = transition({ ...components(next), autostart: 'switch' }, next);
  expect(first?.payload.components['autostart']).toEqual({ platform: 'switch' });
  expect(last?.payload.components['autostart']?.platform).toBe('binary_sensor');
});

test('Home Assistant takes both steps', () => {
  const steps = transition({ gone: 'button', autostart: 'switch' }, next);
  expect(steps).toHaveLength(2);
  for (const { topic, payload } of steps) expect(refusals(topic, payload)).toEqual([]);
});

test('a device is removed by an empty message', () => {
  expect(removeDevice(next.topic)).toEqual({ topic: next.topic, payload: '' });
});
