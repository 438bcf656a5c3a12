/** How a session fails to open, or ends, and what the client makes of it. */
import { expect, test } from 'vitest';
import { MqttClient } from '../../src/mqtt/client.ts';
import { silent } from '../../src/util/logger.ts';
import { CONNECT, DISCONNECT, PUBLISH, type Rules, SUBSCRIBE, startPeer } from './peer.ts';
import { delivered, pair, state, subject, WILL } from './subject.ts';

/** A broker of 3.1.1, which says so to others, or hangs up. */
const old = (others: 'says' | 'hangs up'): Rules => ({
  [CONNECT](_, connection) {
    if (connection.version === 4) connection.connack(0);
    else if (others === 'says') connection.send(2, 0, [0, 0x84, 0]);
    else connection.socket.end();
  },
});
const versions = ({ peer }: Awaited<ReturnType<typeof pair>>) => peer.connections.all.map(({ version }) => version);

test('a broker that refuses version 5 by its number gets 3.1.1, at once and from then on', async () => {
  await using it = await pair(old('says'));
  expect(it.client.opened.all[0]?.version).toBe('3.1.1');
  expect(it.client.failures.all).toEqual([]);
  it.peer.connections.all.at(-1)?.socket.resetAndDestroy();
  await it.client.opened.take();
  expect(versions(it)).toEqual([5, 4, 4]);
});

test('a broker that hangs up on version 5 gets 3.1.1, once it has proven to be alive', async () => {
  await using it = await pair(old('hangs up'));
  expect(it.client.opened.all[0]?.version).toBe('3.1.1');
  expect(versions(it)).toEqual([5, 4, 5, 4]);
  // The trial came without the will.
  const wills = it.peer.connections.all.map(({ packets }) => packets.all[0]?.body.includes(WILL.topic));
  expect(wills).toEqual([true, false, true, true]);
});

test('a broker that hangs up because it is starting keeps version 5', async () => {
  let hangUps = 3;
  await using it = await pair({
    [CONNECT](packet, connection) {
      if (hangUps-- > 0) connection.socket.end();
      else connection.answer(packet);
    },
  });
  expect(it.client.opened.all[0]?.version).toBe('5.0');
  expect((await it.client.failures.take()).code).toBe('closed_early');
});

const refuses = (reason: number): Rules => ({ [CONNECT]: (_, connection) => connection.connack(reason) });
const disconnects = (reason: number): Rules => ({
  [SUBSCRIBE](packet, connection) {
    connection.suback(packet, 1);
    connection.send(DISCONNECT, 0, [reason, 0]);
  },
});

test.each<[what: string, rules: Rules, code: string, needsPerson: boolean]>([
  ['nobody answers', { [CONNECT]: () => {} }, 'timed_out', false],
  ['the subscription gets no answer', { [SUBSCRIBE]: () => {} }, 'timed_out', false],
  ['the subscription gets half an answer', { [SUBSCRIBE]: (packet, one) => one.suback(packet) }, 'protocol', true],
  ['it is no broker', { [CONNECT]: (_, { socket }) => socket.write('SSH-2.0-OpenSSH_9.2\r\n') }, 'protocol', true],
  ['the password is wrong', refuses(134), 'credentials', true],
  ['the client id is refused', refuses(133), 'client_id', true],
  ['the broker is busy', refuses(137), 'refused', false],
  ['the broker shuts down', disconnects(139), 'refused', false],
  ['the session is taken over', disconnects(142), 'taken_over', true],
])('%s', async (_, rules, code, needsPerson) => {
  await using peer = await startPeer(rules);
  await using client = subject(peer.url, { connectTimeout: code === 'timed_out' ? 100 : 60_000 });
  const failure = await client.failures.take();
  expect(failure).toMatchObject({ code, needsPerson });
  const [entry] = client.log.of('mqtt.disconnected');
  expect(entry).toMatchObject({ level: needsPerson ? 'error' : 'warn', code, reason: failure.message });
  expect(client.connected).toBe(false);
  expect(client.reason).toBe(failure.message);
});

test('a broker of version 3.1.1 that hangs up on each large message: topic and size are named, and the rest gets through', async () => {
  await using peer = await startPeer({
    ...old('says'),
    [PUBLISH](packet, connection) {
      if (packet.body.length > 10_000) connection.socket.resetAndDestroy();
      else connection.answer(packet);
    },
  });
  await using client = subject(peer.url, { pace: { lost: { first: 1, cap: 1 }, takenOver: { first: 1 } } });
  client.on('connected', () => {
    client.publish(state('b/vm/state', 'small'));
    client.publish(state('ha/device/x/config', Buffer.alloc(17_000, 'x')));
    client.publish(state('b/vm/check', 'small'));
  });
  const failure = await client.failures.take(({ code }) => code === 'too_large');
  expect(failure.message).toContain('ha/device/x/config is on its way, about 17082 bytes');
  expect(client.log.of('mqtt.disconnected').at(-1)).toMatchObject({ level: 'error', code: 'too_large' });
  await client.opened.take(() => client.opened.all.length === 6);
  expect(await delivered(client, state('b/vm/state', 'on'))).toBe(true);
  expect(client.log.of('mqtt.publish_refused')).toMatchObject([{ level: 'error', topic: 'ha/device/x/config' }]);
});

test('a broker that hangs up after each refused subscription: the topics are named', async () => {
  await using peer = await startPeer({
    [SUBSCRIBE](packet, connection) {
      connection.suback(packet, 0x87);
      connection.socket.end();
    },
  });
  await using client = subject(peer.url, { pace: { lost: { first: 1, cap: 1 } } });
  const { message } = await client.failures.take(({ code }) => code === 'credentials');
  expect(message).toContain('after it refused b/+/command: give this user the right to read');
});

test('an outage is logged once, again when it needs a person, and its end once', async () => {
  let reasons = [136, 137, 134, 135, 136, 137];
  await using it = await pair(
    { [CONNECT]: (_, connection) => connection.connack(reasons.shift() ?? 0) },
    { pace: { lost: { first: 1 }, refused: { first: 1 }, takenOver: { first: 1 } } },
  );
  const { client, peer } = it;
  expect(client.log.entries.map(({ event, code }) => [event, code])).toEqual([
    ['mqtt.disconnected', 'refused'],
    ['mqtt.disconnected', 'credentials'],
    ['mqtt.connected', undefined],
  ]);
  reasons = [136];
  peer.connections.all.at(-1)?.socket.resetAndDestroy();
  await client.opened.take();
  expect(client.reason).toBeNull();
  expect(client.log.entries).toHaveLength(5);
});

test('closes at any moment, at once', async () => {
  await using deaf = await startPeer({ [CONNECT]: () => {} });
  const connecting = subject(deaf.url);
  await (await deaf.connections.take()).take(CONNECT);
  await connecting.close(state(WILL.topic, 'goodbye'));
  expect(connecting.failures.all).toEqual([]);

  await using angry = await startPeer(refuses(134));
  const waiting = subject(angry.url);
  await waiting.failures.take();
  await waiting.close();

  const unborn = new MqttClient({ url: angry.url, clientId: 'i', will: WILL, subscriptions: [], logger: silent });
  await unborn.close();
  unborn.start();
  expect(angry.connections.all).toHaveLength(1);
});
