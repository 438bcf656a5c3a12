/** The client's bytes, against a broker made by hand: what no other broker shows, or does on demand. */
import { expect, test } from 'vitest';
import { CONNECT, DISCONNECT, PUBACK, PUBLISH, readPublish, SUBSCRIBE, text } from './peer.ts';
import { delivered, pair, state, WILL } from './subject.ts';

/** MQTT 5 property identifiers, §2.2.2.2. */
const EXPIRY = 0x02;
const RESPONSE_TOPIC = 0x08;
const CORRELATION = 0x09;
const RECEIVE_MAXIMUM = 0x21;
const MAXIMUM_QOS = 0x24;
const MAXIMUM_PACKET = 0x27;

test('asks for a clean session in MQTT 5, with its will and without leftovers', async () => {
  await using it = await pair({}, { username: 'u', password: 'p', keepalive: 15 });
  const { body } = await it.connection.take(CONNECT);
  expect(body.subarray(0, 7)).toEqual(Buffer.concat([text('MQTT'), Buffer.from([5])]));
  // User name, password, will retain, will QoS 1, will, clean start.
  expect(body[7]).toBe(0b1110_1110);
  expect(body.readUInt16BE(8)).toBe(15);
  // Session expiry 0 and our own maximum packet size.
  expect([...body.subarray(10, 21)]).toEqual([10, 0x11, 0, 0, 0, 0, MAXIMUM_PACKET, 0, 4, 0, 0]);
  expect(body.includes(Buffer.concat([text(WILL.topic), text(WILL.payload), text('u'), text('p')]))).toBe(true);
});

test('subscribes with QoS 1, without its own messages; the retain flag as published where that was asked for', async () => {
  await using it = await pair(
    { [SUBSCRIBE]: (packet, connection) => connection.suback(packet, 1, 1) },
    { subscriptions: ['b/bridge/state', 'b/+/command'] },
  );
  const { body } = await it.connection.take(SUBSCRIBE);
  expect([...body.subarray(3)]).toEqual([...text('b/bridge/state'), 0b0101, ...text('b/+/command'), 0b1101]);
});

test('publishes before it returns control', async () => {
  await using it = await pair();
  expect(it.client.publish(state('b/vm/state', 'on'))).toBe(true);
  const { flags, body } = await it.connection.take(PUBLISH);
  expect(flags).toBe(0b0011);
  expect(body.subarray(0, 12)).toEqual(text('b/vm/state'));
});

test('gives and takes the answer’s address, its correlation and a message’s age', async () => {
  await using it = await pair();
  const { client, connection } = it;
  const expiry = [EXPIRY, 0, 0, 1, 44];
  const correlation = [CORRELATION, ...text('\u0001\u0002')];
  connection.publish('b/vm/command', 'shutdown', [...expiry, RESPONSE_TOPIC, ...text('ups/answer'), ...correlation]);
  const known = { responseTopic: 'ups/answer', correlationData: Buffer.from([1, 2]), expirySeconds: 300 };
  expect(await client.messages.take()).toEqual({
    ...{ topic: 'b/vm/command', payload: Buffer.from('shutdown'), qos: 0, retain: false, duplicate: false },
    ...known,
  });
  const { correlationData, expirySeconds } = known;
  client.publish({ topic: 'ups/answer', payload: '{}', qos: 1, retain: false, correlationData, expirySeconds });
  const answer = readPublish(await connection.take(PUBLISH), 5);
  expect(answer).toMatchObject({ topic: 'ups/answer', payload: '{}' });
  for (const property of [expiry, correlation]) expect(answer.properties.includes(Buffer.from(property))).toBe(true);
  connection.publish('b/vm/command', 'plain');
  const unknown = { responseTopic: null, correlationData: null, expirySeconds: null };
  expect(await client.messages.take()).toMatchObject(unknown);
});

test('marks what the broker sends again', async () => {
  await using it = await pair();
  for (const duplicate of [0, 8]) {
    it.connection.send(PUBLISH, 2 | duplicate, text('b/vm/command'), [0, 7, 0], 'start');
    expect(await it.client.messages.take()).toMatchObject({ qos: 1, duplicate: duplicate > 0 });
    expect([...(await it.connection.take(PUBACK)).body.subarray(0, 2)]).toEqual([0, 7]);
  }
});

test('a message that overtakes the subscription’s answer comes after `connected`', async () => {
  const order: string[] = [];
  await using it = await pair(
    {
      [SUBSCRIBE](packet, connection) {
        connection.publish('b/vm/command', 'early');
        connection.suback(packet, 1);
        connection.publish('b/vm/command', 'late');
      },
    },
    {},
    client => {
      client.on('connected', () => order.push(`connected ${client.publish(state('b/vm/state', 'on'))}`));
      client.on('message', ({ payload }) => order.push(`${payload}`));
    },
  );
  await it.client.messages.take(({ payload }) => `${payload}` === 'late');
  expect(order).toEqual(['connected true', 'early', 'late']);
});

test('an answer to nowhere costs the answer, not the connection', async () => {
  await using it = await pair();
  const { client } = it;
  for (const topic of ['', '#', 'a/+', 'a\0b', 'x'.repeat(65_536)]) {
    expect(client.publish(state(topic, 'answer'))).toBe(false);
    expect(client.publish(state(topic, 'again'))).toBe(false);
  }
  expect(client.log.of('mqtt.publish_refused')).toHaveLength(5);
  expect(await delivered(client, state('b/vm/state', 'on'))).toBe(true);
});

test('keeps to the broker’s limits: unacknowledged messages, size', async () => {
  await using it = await pair({
    [CONNECT]: (_, connection) => connection.connack(0, [RECEIVE_MAXIMUM, 0, 2, MAXIMUM_PACKET, 0, 0, 4, 0]),
    [PUBLISH]: () => {},
  });
  const { client, connection } = it;
  expect(client.publish(state('b/vm/screen', Buffer.alloc(1_024)))).toBe(false);
  const reason = expect.stringMatching(/ 1\d{3} bytes, and the broker’s limit is 1024; raise /);
  expect(client.log.of('mqtt.publish_refused')).toMatchObject([{ level: 'error', topic: 'b/vm/screen', reason }]);
  for (const n of [1, 2, 3]) expect(client.publish(state(`b/${n}`, ''))).toBe(true);
  client.publish(state('b/last', '', { qos: 0 }));
  const published = (topic: string) =>
    connection.packets.take(packet => packet.type === PUBLISH && readPublish(packet, 5).topic === topic);
  await published('b/last');
  expect(connection.published()).toEqual(['b/1', 'b/2', 'b/last']);
  connection.puback(readPublish(await published('b/1'), 5).id ?? 0);
  await published('b/3');
});

test('publishes at QoS 0 where there is no more', async () => {
  await using it = await pair({ [CONNECT]: (_, connection) => connection.connack(0, [MAXIMUM_QOS, 0]) });
  expect(await delivered(it.client, state('b/vm/state', 'on'))).toBe(true);
  expect(readPublish(await it.connection.take(PUBLISH), 5)).toMatchObject({ qos: 0, retain: true });
});

test('logs a refused publication once, and tells its fate each time', async () => {
  await using it = await pair({
    [PUBLISH](packet, connection) {
      const { id } = readPublish(packet, 5);
      if (id !== null) connection.send(PUBACK, 0, [id >> 8, id & 255, 0x87, 0]);
    },
  });
  for (const n of ['1', '2', '3']) expect(await delivered(it.client, state('b/vm/state', n))).toBe(false);
  expect(it.client.log.of('mqtt.publish_refused')).toHaveLength(1);
  expect(it.client.connected).toBe(true);
});

test('nothing unacknowledged is said again in the next session', async () => {
  await using it = await pair({ [PUBLISH]: () => {} });
  const { client, connection: first } = it;
  const fates = Promise.all([1, 2, 3].map(n => delivered(client, state(`b/${n}`, ''))));
  for (let n = 0; n < 3; n++) await first.take(PUBLISH);
  first.socket.resetAndDestroy();
  expect(await fates).toEqual([false, false, false]);
  await client.opened.take();
  const second = await it.peer.connections.take();
  client.publish(state('b/new', ''));
  await second.take(PUBLISH);
  expect(second.published()).toEqual(['b/new']);
});

test('says goodbye when its last words are acknowledged, and leaves the will to the broker when they are not', async () => {
  await using it = await pair();
  await it.client.close(state(WILL.topic, 'goodbye'));
  await it.connection.take(DISCONNECT);
  const types = ({ packets }: typeof it.connection) => packets.all.map(({ type }) => type);
  expect(types(it.connection)).toEqual([CONNECT, SUBSCRIBE, PUBLISH, DISCONNECT]);

  await using deaf = await pair({ [PUBLISH]: () => {} });
  await deaf.client.close(state(WILL.topic, 'goodbye'));
  expect(types(deaf.connection)).toEqual([CONNECT, SUBSCRIBE, PUBLISH]);
});
