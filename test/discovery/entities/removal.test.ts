import { expect, test } from 'vitest';
import type { Platform } from '../../../src/discovery/entities/entity.ts';
import { components, transition, vmDevicePayload } from '../../../src/discovery/entities/payload.ts';
import { type CommandWord, commandWords, defaultCommands } from '../../../src/model/commands.ts';
import { refusals } from '../home-assistant.ts';
import { bridge, description, hypervisor, vm } from '../samples.ts';

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

test.each<[string, CommandWord[], CommandWord[], Platform, Platform]>([
  ['no longer', [...defaultCommands, 'autostart'], [...defaultCommands], 'switch', 'binary_sensor'],
  ['from now on', [...defaultCommands], [...defaultCommands, 'autostart'], 'binary_sensor', 'switch'],
])('autostart may be commanded %s: removed as what it was, then announced as what it is', (_, were, are, was, is) => {
  const announce = (commands: CommandWord[]) => vmDevicePayload(bridge, { ...vm, commands }, description, hypervisor);
  const [first, last, ...more] = transition(components(announce(were)), announce(are));
  expect(first?.payload.components['autostart']).toEqual({ platform: was });
  expect(last).toEqual(announce(are));
  expect(last?.payload.components['autostart']?.platform).toBe(is);
  expect(more).toEqual([]);
  for (const step of [first, last]) expect(refusals(String(step?.topic), step?.payload)).toEqual([]);
});

test('what may no longer be commanded goes, its buttons and its screen', () => {
  const before = vmDevicePayload(bridge, { ...vm, commands: commandWords }, description, hypervisor);
  const [first, last] = transition(components(before), next);
  const removed = { reboot: { platform: 'button' }, screen: { platform: 'image' }, autostart: { platform: 'switch' } };
  expect(first?.payload.components).toMatchObject(removed);
  expect(last).toEqual(next);
});

test('a loader that is no longer configured takes all of its entities with it', () => {
  const before = vmDevicePayload(bridge, { ...vm, loader: true }, description, hypervisor);
  const [first, last] = transition(components(before), next);
  const removed = { loader_update: { platform: 'update' }, loader_phase: { platform: 'sensor' } };
  expect(first?.payload.components).toMatchObject(removed);
  expect(last).toEqual(next);
});

test('Home Assistant takes both steps', () => {
  const steps = transition({ gone: 'button', autostart: 'switch' }, next);
  expect(steps).toHaveLength(2);
  for (const { topic, payload } of steps) expect(refusals(topic, payload)).toEqual([]);
});
