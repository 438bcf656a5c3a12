/** What only a real broker's process can show. */

import { connect } from 'mqtt';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { slow } from '../eventually.ts';
import { type Mosquitto, startMosquitto } from '../lab/lab.ts';
import { startProxy } from './proxy.ts';
import { delivered, state, subject, WILL } from './subject.ts';

let mosquitto: Mosquitto;
const WEB = 18_083;

beforeEach(async () => {
  mosquitto = await startMosquitto({ config: [`listener ${WEB} 127.0.0.1`, 'protocol websockets'] });
});
afterEach(() => mosquitto.stop());

test('a stopped broker is noticed, and the same one is found again when it goes on', async () => {
  await using client = subject(mosquitto.url, { keepalive: 1, connectTimeout: 500 });
  await client.opened.take();
  await signal('SIGSTOP');
  const before = performance.now();
  expect((await client.failures.take()).code).toBe('silent');
  expect(performance.now() - before).toBeLessThan(slow);
  await signal('SIGCONT');
  await client.opened.take();
  expect(await delivered(client, state('b/vm/state', 'on'))).toBe(true);
});

test('is back within a second of a killed broker’s return, round after round', async () => {
  await using client = subject(mosquitto.url, { pace: {} });
  await client.opened.take();
  for (let round = 0; round < 3; round++) {
    await mosquitto.kill();
    await client.failures.take();
    await mosquitto.start();
    const before = performance.now();
    await client.opened.take();
    expect(performance.now() - before).toBeLessThan(slow);
  }
  expect(client.log.of('mqtt.disconnected')).toHaveLength(3);
});

test('a service call’s answer finds its way: response topic, correlation, expiry', async () => {
  await using client = subject(mosquitto.url);
  await client.opened.take();
  const caller = connect(mosquitto.url, { protocolVersion: 5, reconnectPeriod: 0 });
  await caller.subscribeAsync('caller/answer', { qos: 1 });
  const properties = { responseTopic: 'caller/answer', correlationData: Buffer.from('42'), messageExpiryInterval: 60 };
  await caller.publishAsync('b/vm/command', 'start', { qos: 1, properties });
  const command = await client.messages.take();
  expect(command).toMatchObject({ responseTopic: 'caller/answer', correlationData: Buffer.from('42') });
  expect(command.expirySeconds).toBeGreaterThan(50);

  const answer = new Promise(resolve => caller.once('message', (_topic, _payload, packet) => resolve(packet)));
  const { responseTopic, correlationData } = command;
  if (!responseTopic || !correlationData) throw new Error('no address');
  client.publish({ topic: responseTopic, payload: '{}', qos: 1, retain: false, correlationData });
  expect(await answer).toMatchObject({ topic: 'caller/answer', properties: { correlationData: Buffer.from('42') } });
  await caller.endAsync(true);
});

test('speaks MQTT over a WebSocket', async () => {
  await using client = subject(`ws://127.0.0.1:${WEB}/mqtt`, { subscriptions: ['b/#'] });
  await client.opened.take();
  const other = connect(mosquitto.url, { protocolVersion: 5, reconnectPeriod: 0 });
  await other.publishAsync('b/vm/command', 'start', { qos: 1 });
  expect((await client.messages.take()).topic).toBe('b/vm/command');
  expect(await delivered(client, state('b/vm/state', 'on'))).toBe(true);
  await client.close(state(WILL.topic, 'goodbye'));
  await other.endAsync(true);
});

test.each(['max_packet_size', 'message_size_limit'])(
  'a message above its %s is named with its size, once, and the session lives',
  async limit => {
    const strict = await startMosquitto({ config: [`${limit} 20000`] });
    await using client = subject(strict.url);
    await client.opened.take();
    const topic = 'ha/device/x/config';
    for (const _ of [1, 2]) expect(await delivered(client, state(topic, 'x'.repeat(30_000)))).toBe(false);
    expect(await delivered(client, state(topic, 'x'.repeat(19_000)))).toBe(true);
    const reason = expect.stringMatching(
      /larger than the broker takes: about 300\d\d bytes.*Mosquitto: max_packet_size/,
    );
    expect(client.log.of('mqtt.publish_refused')).toEqual([expect.objectContaining({ level: 'error', topic, reason })]);
    expect(client.opened.all).toHaveLength(1);
    await strict.stop();
  },
);

describe('an old stored command, when the link between two brokers comes back', () => {
  async function linked(lines: readonly string[]) {
    const far = await startMosquitto();
    const link = await startProxy(far.port);
    const near = await startMosquitto({
      config: [
        ...['connection far', `address ${new URL(link.url).host}`, 'topic b/# both 1', 'restart_timeout 1 1'],
        ...lines,
      ],
    });
    const other = connect(far.url, { protocolVersion: 5, reconnectPeriod: 0 });
    await other.publishAsync('b/vm/command', 'shutdown', { qos: 1, retain: true });
    return {
      ...{ link, near },
      async [Symbol.asyncDispose]() {
        await other.endAsync(true);
        await near.stop();
        await link[Symbol.asyncDispose]();
        await far.stop();
      },
    };
  }

  test.each(['mqttv311', 'mqttv50'])('has the retain flag on MQTT 5, over a link of %s', async version => {
    await using pair = await linked([`bridge_protocol_version ${version}`]);
    await using client = subject(pair.near.url);
    await client.opened.take();
    // Stored here by now or passed on just now.
    expect(await client.messages.take()).toMatchObject({ topic: 'b/vm/command', retain: true });
    pair.link.cut();
    expect(await client.messages.take()).toMatchObject({ topic: 'b/vm/command', retain: true });
    expect(client.opened.all).toHaveLength(1);
  });
});

async function signal(name: NodeJS.Signals): Promise<void> {
  if (mosquitto.pid === undefined) throw new Error('Mosquitto is not running');
  process.kill(mosquitto.pid, name);
}
