/** What only MQTT 5 tells of a command: the sender's retain flag, and where the answers are to go. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Peer, PUBLISH, readPublish, SUBSCRIBE, startPeer, text } from '../mqtt/peer.ts';
import { Running } from './running.ts';

type Line = Awaited<ReturnType<Peer['connections']['take']>>;

const RETAINED = 1;
const RESPONSE_TOPIC = 0x08;
const CORRELATION = 0x09;

let peer: Peer;
let running: Running;
let line: Line;

/** The next thing that the bridge publishes there. */
async function said(topic: string) {
  const packet = await line.packets.take(one => one.type === PUBLISH && readPublish(one, 5).topic === topic);
  return readPublish(packet, 5);
}

const answer = async (topic = 'b/DSM/response') => JSON.parse((await said(topic)).payload);

beforeEach(async () => {
  peer = await startPeer({
    // A code for each of its filters.
    [SUBSCRIBE]: (packet, connection) => connection.suback(packet, ...Array.from({ length: 6 }, () => 1)),
  });
  running = await Running.prepare();
  running.daemon.define();
  await running.start({ mqtt: { url: peer.url } });
  line = await peer.connections.take();
  while ((await said('b/DSM/availability')).payload !== 'online');
});
afterEach(async () => {
  await running[Symbol.asyncDispose]();
  await peer[Symbol.asyncDispose]();
});

test('a command with the retain flag does nothing, live as it is', async () => {
  const { body } = await line.take(SUBSCRIBE);
  const asPublished = 0b1101;
  for (const filter of ['b/+/power/set', 'b/+/command']) {
    expect(body.includes(Buffer.concat([text(filter), Buffer.from([asPublished])]))).toBe(true);
  }
  // The claim and Home Assistant's birth need to know what was stored.
  for (const filter of ['b/bridge/state', 'b/bridge/info', 'b/bridge/claim', 'ha/status']) {
    expect(body.includes(Buffer.concat([text(filter), Buffer.from([asPublished])]))).toBe(false);
  }
  for (const [topic, payload] of [
    ['b/DSM/power/set', 'ON'],
    ['b/DSM/command', 'start'],
  ] as const) {
    line.send(PUBLISH, RETAINED, text(topic), [0], payload);
    expect(await answer()).toMatchObject({ status: 'rejected', code: 'retained', command: 'start' });
  }
  expect(running.daemon.callsOf('domainCreateWithFlags')).toEqual([]);
  line.publish('b/DSM/power/set', 'ON');
  expect(await answer()).toMatchObject({ status: 'accepted' });
});

test('answers go to the sender’s topic too, and never to the bridge’s own or Home Assistant’s', async () => {
  const ask = (topic: string) =>
    line.publish('b/DSM/command', 'shutdown', [RESPONSE_TOPIC, ...text(topic), CORRELATION, ...text('7')]);
  for (const topic of ['b/bridge/state', 'b/DSM/state', 'ha/device/x/config', 'ha/status']) {
    const before = line.published().filter(each => each === topic).length;
    ask(topic);
    expect(await answer()).toMatchObject({ status: 'rejected', code: 'invalid_payload' });
    expect(line.published().filter(each => each === topic)).toHaveLength(before);
  }
  ask('reply/ups');
  expect(await answer()).toMatchObject({ code: 'already' });
  const reply = await said('reply/ups');
  expect(JSON.parse(reply.payload)).toMatchObject({ code: 'already' });
  expect(reply.properties.includes(Buffer.from([CORRELATION, ...text('7')]))).toBe(true);
});
