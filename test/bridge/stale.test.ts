/** What another has published where our devices are: read, however it is made, and left alone. */
import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { clearedAt, staleIn } from '../../src/bridge/stale.ts';
import { topics } from '../../src/model/topics.ts';
import { PUBLISH, startPeer } from '../mqtt/peer.ts';

const own = ['ha/device/dsm2mqtt_nas/config'];
const ground = { topics: topics('b'), prefix: 'ha', own, vms: new Map(), hosts: ['two'] };
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
  expect(staleIn(new Map([foreign, nested, old]), ground)).toEqual({
    keys: [],
    hosts: [],
    devices: [nested[0], old[0]],
  });
});

test.each([
  ['"b\\/OLD\\/stats"', true],
  ['"b\\/OLD\\/else"', false],
  ['"a \\"topic\\":\\"c\\" in a text"', false],
])('a topic as it is written in JSON: %s', (text, stale) => {
  const [topic, payload] = device('old', `{"command_topic" : ${text}}`);
  expect(staleIn(new Map([[topic, payload]]), ground).devices).toEqual(stale ? [topic] : []);
});

const host = (name: string, id = `nas_${name}`) =>
  [
    [`b/host/${name}/state`, '{"hypervisor":null,"pools":{},"nearly_full":{}}'],
    [
      `ha/device/dsm2mqtt_host_${id}/config`,
      `{"o":{"name":"dsm2mqtt"},"stat_t":"b/host/${name}/state","avty":[{"t":"b/bridge/state"}]}`,
    ],
  ] as const;

test('a host that is not served, and the device of a served one under another name of the bridge', () => {
  const [one, two, renamed] = [host('one'), host('two'), host('two', 'old_two')];
  const served = { ...ground, own: [two[1][0]] };
  const stale = { keys: [], hosts: ['one'], devices: [one[1][0], renamed[1][0]] };
  expect(staleIn(new Map([...one, ...two, ...renamed]), served)).toEqual(stale);
});

test('another program’s document, and a device with topics of two hosts, stay', () => {
  const device = host('one')[1];
  const both = device[1].replace('"avty"', '"t":"b/host/three/state","avty"');
  expect(
    staleIn(
      new Map([
        ['b/host/one/state', '{"pools":{}}'],
        [device[0], both],
      ]),
      ground,
    ),
  ).toEqual({
    ...{ keys: [], hosts: [], devices: [] },
  });
});

test('a broker that goes away while topics are cleared: that is told, and nothing goes on', async () => {
  await using peer = await startPeer({ [PUBLISH]: (_, { socket }) => socket.destroy() });
  const { signal } = new AbortController();
  const connection = { url: peer.url, clientId: 'look', connectTimeout: 5_000, keepalive: 60 };
  await expect(clearedAt(connection, ['b/OLD/state'], 'b/bridge/state', signal)).rejects.toThrow();
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});
