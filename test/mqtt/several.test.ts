/** Several brokers, tried in turn. */
import { expect, test } from 'vitest';
import { startAedes } from './aedes.ts';
import { CONNECT, type Rules, startPeer } from './peer.ts';
import { delivered, state, subject } from './subject.ts';

const nowhere = 'mqtt://127.0.0.1:1';
const pauses = (milliseconds: number) => {
  const pace = { first: milliseconds, cap: milliseconds };
  return { pace: { lost: pace, refused: pace } };
};
const endless = pauses(600_000);
const refuses = (reason: number): Rules => ({ [CONNECT]: (_, connection) => connection.connack(reason) });
const host = (url: string) => new URL(url).host;

test('when the first one is dead, the second one serves, at once, and the log says so', async () => {
  await using peer = await startPeer();
  await using client = subject([nowhere, peer.url], endless);
  await client.opened.take();
  expect(await delivered(client, state('b/vm/state', 'on'))).toBe(true);
  expect(client.log.entries).toMatchObject([
    { level: 'warn', event: 'mqtt.disconnected', broker: host(nowhere), code: 'unreachable' },
    { level: 'info', event: 'mqtt.connected', broker: host(peer.url) },
  ]);
  // There was no outage.
  expect(client.failures.all).toEqual([]);
  expect(client.reason).toBeNull();
});

test('when the one in use dies, the next one serves, and after the last one the first', async () => {
  const brokers = [await startAedes(), await startAedes()] as const;
  await using client = subject(brokers.map(({ port }) => `mqtt://127.0.0.1:${port}`));
  for (const used of [0, 1, 0] as const) {
    await client.opened.take();
    expect(client.log.of('mqtt.connected').at(-1)).toMatchObject({ broker: `127.0.0.1:${brokers[used].port}` });
    await brokers[used].kill();
    await client.failures.take();
    await brokers[used].start();
  }
  await client.opened.take();
  await Promise.all(brokers.map(broker => broker.kill()));
});

test('a pause comes when each had its turn, and not before', async () => {
  await using one = await startPeer(refuses(136));
  await using two = await startPeer(refuses(134));
  await using client = subject([one.url, two.url], endless);
  expect((await client.failures.take()).message).toMatch(
    new RegExp(`^${host(one.url)}: the broker .*; ${host(two.url)}: the broker refuses the user name or password$`),
  );
  expect([one, two].map(({ connections }) => connections.all.length)).toEqual([1, 1]);
});

test('when all are dead, each is told once, and the one that comes back is found', async () => {
  const reasons = [134, 135, 134, 135, 134, 135];
  await using sulky = await startPeer({ [CONNECT]: (_, one) => one.connack(reasons.shift() ?? 0) });
  await using client = subject([nowhere, sulky.url], pauses(1));
  await client.opened.take();
  expect(client.failures.all).toHaveLength(1);
  expect(client.log.entries.map(({ event, broker, code }) => [event, broker, code])).toEqual([
    ['mqtt.disconnected', host(nowhere), 'unreachable'],
    ['mqtt.disconnected', host(sulky.url), 'credentials'],
    ['mqtt.connected', host(sulky.url), undefined],
  ]);
});

test('one that hangs in the handshake keeps the others waiting for the connect time-out, and no longer', async () => {
  await using deaf = await startPeer({ [CONNECT]: () => {} });
  await using peer = await startPeer();
  // A look at what it is would take for ever.
  await using client = subject([deaf.url, peer.url], { ...endless, connectTimeout: 100, lookTimeout: 600_000 });
  await client.opened.take();
  expect(client.log.of('mqtt.disconnected')).toMatchObject([{ broker: host(deaf.url), code: 'timed_out' }]);
});

test('each one speaks its own version', async () => {
  await using old = await startAedes();
  await using peer = await startPeer();
  await using client = subject([`mqtt://127.0.0.1:${old.port}`, peer.url]);
  expect((await client.opened.take()).version).toBe('3.1.1');
  await old.kill();
  expect((await client.opened.take()).version).toBe('5.0');
  await old.start();
  peer.connections.all.at(-1)?.socket.resetAndDestroy();
  expect((await client.opened.take()).version).toBe('3.1.1');
});

test('a mistake in any address is told at the start', () => {
  for (const urls of [[], ['mqtt://a', 'tcp://b']]) expect(() => subject(urls)).toThrow(TypeError);
});
