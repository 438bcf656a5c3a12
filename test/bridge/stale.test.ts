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

test('a device in Home Assistant’s abbreviations', () => {
  const short = (topic: string) =>
    new Map([
      ['ha/device/dsm2mqtt_old/config', `{"o":{"name":"dsm2mqtt"},"stat_t":"b/OLD/stats","avty":[{"t":"${topic}"}]}`],
    ]);
  expect(staleIn(short('b/OLD/availability'), ground).devices).toHaveLength(1);
  expect(staleIn(short('c/OLD/availability'), ground).devices).toEqual([]);
});

test('a device that is nested without measure hides no other one', () => {
  const deep = (inner: string) => `${'['.repeat(50_000)}${inner}${']'.repeat(50_000)}`;
  const [old, nested, foreign] = [device('old', '{}'), device('deep', deep('')), device('not', deep('{"topic":"c"}'))];
  expect(staleIn(new Map([foreign, nested, old]), ground)).toEqual({ keys: [], devices: [nested[0], old[0]] });
});

test.each([
  ['"b\\/OLD\\/stats"', true],
  ['"b\\/OLD\\/else"', false],
  ['"a \\"topic\\":\\"c\\" in a text"', false],
])('a topic as it is written in JSON: %s', (text, stale) => {
  const [topic, payload] = device('old', `{"command_topic" : ${text}}`);
  expect(staleIn(new Map([[topic, payload]]), ground).devices).toEqual(stale ? [topic] : []);
});
