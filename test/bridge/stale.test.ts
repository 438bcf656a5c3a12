/** What another has published where our devices are: read, however it is made, and left alone. */
import { expect, test } from 'vitest';
import { staleIn } from '../../src/bridge/stale.ts';
import { topics } from '../../src/model/topics.ts';

const ground = { topics: topics('b'), prefix: 'ha', own: 'ha/device/dsm2mqtt_nas/config', vms: new Map() };
const device = (id: string, more: string) =>
  [
    `ha/device/dsm2mqtt_${id}/config`,
    `{"origin":{"name":"dsm2mqtt"},"state_topic":"b/OLD/state","more":${more}}`,
  ] as const;

test('a device that is nested without measure hides no other one', () => {
  const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
  const [old, others] = [device('old', '{}'), device('deep', deep)];
  expect(staleIn(new Map([others, old]), ground)).toEqual({ keys: [], devices: [old[0]] });
});
