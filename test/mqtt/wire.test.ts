/** The client's bytes, against a broker made by hand: what no other broker shows, or does on demand. */
import { expect, test } from 'vitest';
import { CONNECT, DISCONNECT, PINGREQ, PUBACK, PUBLISH, readPublish, SUBSCRIBE, startPeer, text } from './peer.ts';
import { delivered, state, subject, WILL } from './subject.ts';

/** MQTT 5 property identifiers, §2.2.2.2. */
const EXPIRY = 0x02;
const RESPONSE_TOPIC = 0x08;
const CORRELATION = 0x09;
const RECEIVE_MAXIMUM = 0x21;
const MAXIMUM_QOS = 0x24;
const MAXIMUM_PACKET = 0x27;

test('asks for a clean session in MQTT 5, with its will and without leftovers', async () => {
  await using peer = await startPeer();
  await using client = subject(peer.url, { username: 'u', password: 'p', keepalive: 15 });
  await client.opened.take();
  const connection = await peer.connections.take();
  const { body } = await connection.take(CONNECT);
  expect(body.subarray(0, 7)).toEqual(Buffer.concat([text('MQTT'), Buffer.from([5])]));
  // User name, password, will retain, will QoS 1, will, clean start.
  expect(body[7]).toBe(0b1110_1110);
  expect(body.readUInt16BE(8)).toBe(15);
  // Session expiry 0 and our own maximum packet size.
  expect([...body.subarray(10, 21)]).toEqual([10, 0x11, 0, 0, 0, 0, MAXIMUM_PACKET, 0, 4, 0, 0]);
  expect(body.includes(Buffer.concat([text(WILL.topic), text(WILL.payload), text('u'), text('p')]))).toBe(true);

  const subscribe = await connection.take(SUBSCRIBE);
  // QoS 1, no local, stored ones are sent, retain as published.
  expect([...subscribe.body.subarray(3)]).toEqual([...text('b/+/command'), 0b0000_1101]);
});

test('a live message keeps its retain flag where that was asked for, and nowhere else', async () => {
  await using peer = await startPeer({ [SUBSCRIBE]: (packet, connection) => connection.suback(packet, 1, 1) });
  await using client = subject(peer.url, { subscriptions: ['b/bridge/state', 'b/+/command'] });
  await client.opened.take();
  const { body } = await (await peer.connections.take()).take(SUBSCRIBE);
  expect([...body.subarray(3)]).toEqual([...text('b/bridge/state'), 0b0101, ...text('b/+/command'), 0b1101]);
});

test('publishes before it returns control', async () => {
  await using peer = await startPeer();
  await using client = subject(peer.url);
  await client.opened.take();
  const connection = await peer.connections.take();
  expect(client.publish(state('b/vm/state', 'on'))).toBe(true);
  const { flags, body } = await connection.take(PUBLISH);
  expect(flags).toBe(0b0011);
  expect(body.subarray(0, 12)).toEqual(text('b/vm/state'));
});

test('gives and takes the answer’s address, its correlation and a message’s age', async () => {
  await using peer = await startPeer();
  await using client = subject(peer.url);
  await client.opened.take();
  const connection = await peer.connections.take();
  const address = [RESPONSE_TOPIC, ...text('ups/answer')];
  const correlation = [CORRELATION, ...text('\u0001\u0002')];
  const properties = [EXPIRY, 0, 0, 1, 44, ...address, ...correlation];
  connection.publish('b/vm/command', 'shutdown', properties);
  const command = await client.messages.take();
  expect(command).toEqual({
    topic: 'b/vm/command',
    payload: Buffer.from('shutdown'),
    qos: 0,
    retain: false,
    duplicate: false,
    responseTopic: 'ups/answer',
    correlationData: Buffer.from([1, 2]),
    expirySeconds: 300,
  });
  client.publish({
    topic: 'ups/answer',
    payload: '{}',
    qos: 1,
    retain: false,
    correlationData: Buffer.from([1, 2]),
    expirySeconds: 300,
  });
  const answer = readPublish(await connection.take(PUBLISH), 5);
  expect(answer).toMatchObject({ topic: 'ups/answer', payload: '{}' });
  for (const property of [[EXPIRY, 0, 0, 1, 44], correlation]) {
    expect(answer.properties.includes(Buffer.from(property))).toBe(true);
  }
  connection.publish('b/vm/command', 'plain');
  expect(await client.messages.take()).toMatchObject({
    responseTopic: null,
    correlationData: null,
    expirySeconds: null,
  });
});

test('marks what the broker sends again', async () => {
  await using peer = await startPeer();
  await using client = subject(peer.url);
  await client.opened.take();
  const connection = await peer.connections.take();
  for (const duplicate of [0, 8]) {
    connection.send(PUBLISH, 2 | duplicate, text('b/vm/command'), [0, 7, 0], 'start');
    expect(await client.messages.take()).toMatchObject({ qos: 1, duplicate: duplicate > 0 });
    expect([...(await connection.take(PUBACK)).body.subarray(0, 2)]).toEqual([0, 7]);
  }
});

test('a message that overtakes the subscription’s answer comes after `connected`', async () => {
  await using peer = await startPeer({
    [SUBSCRIBE](packet, connection) {
      connection.publish('b/vm/command', 'early');
      connection.suback(packet, 1);
      connection.publish('b/vm/command', 'late');
    },
  });
  const client = subject(peer.url);
  const order: string[] = [];
  client.on('connected', () => order.push(`connected ${client.publish(state('b/vm/state', 'on'))}`));
  client.on('message', ({ payload }) => order.push(`${payload}`));
  await client.messages.take(({ payload }) => `${payload}` === 'late');
  expect(order).toEqual(['connected true', 'early', 'late']);
  await client.close();
});

test('an answer to nowhere costs the answer, not the connection', async () => {
  await using peer = await startPeer();
  await using client = subject(peer.url);
  await client.opened.take();
  for (const topic of ['', '#', 'a/+', 'a\0b', 'x'.repeat(65_536)]) {
    expect(client.publish(state(topic, 'answer'))).toBe(false);
    expect(client.publish(state(topic, 'again'))).toBe(false);
  }
  expect(client.log.of('mqtt.publish_refused')).toHaveLength(5);
  expect(await delivered(client, state('b/vm/state', 'on'))).toBe(true);
});

test('keeps to the broker’s limits: unacknowledged messages, size, quality', async () => {
  await using peer = await startPeer({
    [CONNECT]: (_, connection) => connection.connack(0, [RECEIVE_MAXIMUM, 0, 2, MAXIMUM_PACKET, 0, 0, 4, 0]),
    [PUBLISH]: () => {},
  });
  await using client = subject(peer.url);
  await client.opened.take();
  const connection = await peer.connections.take();
  expect(client.publish(state('b/vm/screen', Buffer.alloc(1_024)))).toBe(false);
  expect(client.log.of('mqtt.publish_refused')).toMatchObject([
    {
      level: 'error',
      topic: 'b/vm/screen',
      reason: expect.stringMatching(/ 1\d{3} bytes, and the broker's limit is 1024/),
    },
  ]);
  for (const n of [1, 2, 3]) expect(client.publish(state(`b/${n}`, ''))).toBe(true);
  client.publish(state('b/last', '', { qos: 0 }));
  await connection.packets.take(packet => packet.type === PUBLISH && readPublish(packet, 5).topic === 'b/last');
  expect(connection.published()).toEqual(['b/1', 'b/2', 'b/last']);
  const [first] = connection.packets.all.filter(({ type }) => type === PUBLISH);
  if (first) connection.puback(readPublish(first, 5).id ?? 0);
  await connection.packets.take(packet => packet.type === PUBLISH && readPublish(packet, 5).topic === 'b/3');
});

test('publishes at QoS 0 where there is no more', async () => {
  await using peer = await startPeer({
    [CONNECT]: (_, connection) => connection.connack(0, [MAXIMUM_QOS, 0]),
  });
  await using client = subject(peer.url);
  await client.opened.take();
  expect(await delivered(client, state('b/vm/state', 'on'))).toBe(true);
  const connection = await peer.connections.take();
  expect(readPublish(await connection.take(PUBLISH), 5)).toMatchObject({ qos: 0, retain: true });
});

test('tells a refused publication once, and its fate each time', async () => {
  await using peer = await startPeer({
    [PUBLISH](packet, connection) {
      const { id } = readPublish(packet, 5);
      if (id !== null) connection.send(PUBACK, 0, [id >> 8, id & 255, 0x87, 0]);
    },
  });
  await using client = subject(peer.url);
  await client.opened.take();
  for (const n of ['1', '2', '3']) expect(await delivered(client, state('b/vm/state', n))).toBe(false);
  expect(client.log.of('mqtt.publish_refused')).toHaveLength(1);
  expect(client.connected).toBe(true);
});

test('nothing unacknowledged is said again in the next session', async () => {
  await using peer = await startPeer({ [PUBLISH]: () => {} });
  await using client = subject(peer.url);
  await client.opened.take();
  const first = await peer.connections.take();
  const fates = Promise.all([1, 2, 3].map(n => delivered(client, state(`b/${n}`, ''))));
  for (let n = 0; n < 3; n++) await first.take(PUBLISH);
  first.socket.resetAndDestroy();
  expect(await fates).toEqual([false, false, false]);
  await client.opened.take();
  const second = await peer.connections.take();
  client.publish(state('b/new', ''));
  await second.take(PUBLISH);
  expect(second.published()).toEqual(['b/new']);
});

test('says goodbye when its last words are acknowledged, and leaves the will to the broker when they are not', async () => {
  await using peer = await startPeer();
  const client = subject(peer.url);
  await client.opened.take();
  const connection = await peer.connections.take();
  await client.close(state(WILL.topic, 'goodbye'));
  await connection.take(DISCONNECT);
  expect(connection.packets.all.map(({ type }) => type)).toEqual([CONNECT, SUBSCRIBE, PUBLISH, DISCONNECT]);

  await using deaf = await startPeer({ [PUBLISH]: () => {}, [PINGREQ]: () => {} });
  const other = subject(deaf.url);
  await other.opened.take();
  await other.close(state(WILL.topic, 'goodbye'));
  const { packets } = await deaf.connections.take();
  expect(packets.all.map(({ type }) => type)).toEqual([CONNECT, SUBSCRIBE, PUBLISH]);
});
