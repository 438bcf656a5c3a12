/** A message, from wherever it comes, as the command it is; and refused for what it may not be. */
import { describe, expect, test } from 'vitest';
import { readLocalRequest, readRequest } from '../../src/commands/reader.ts';
import { command, maxPayload } from '../../src/model/command.ts';
import { type Message, topics } from '../../src/model/topics.ts';

const date = Date.UTC(2026, 10, 22, 8);
const message = (topic: string, payload: string | Buffer, more: Partial<Message> = {}): Message => ({
  topic,
  payload: Buffer.from(payload),
  qos: 1,
  ...{ retain: false, duplicate: false, responseTopic: null, correlationData: null, expirySeconds: null },
  ...more,
});
const known = (key: string) => key === 'DSM';
const take = (incoming: Message) =>
  readRequest(incoming, { topics: topics('b'), reserved: ['b', 'ha', 'hass/status'], known, now: 7, date });

test('a command, with where its answer goes', () => {
  const correlationData = Buffer.from([1, 2]);
  const payload = '{"command":"shutdown","id":"ups-1","by":"ups","timeout":"4m"}';
  expect(take(message('b/DSM/command', payload, { responseTopic: 'me', correlationData }))).toEqual({
    request: {
      ...{ key: 'DSM', command: 'shutdown', id: 'ups-1', by: 'ups', responseTopic: 'me', correlationData },
      ...{ reply: null, receivedAt: 7 },
    },
    command: command('shutdown', { id: 'ups-1', by: 'ups', timeout: 240_000 }),
  });
  expect(take(message('b/DSM/power/set', 'ON'))).toMatchObject({
    request: { command: 'start', id: null, by: null, responseTopic: null },
    command: { word: 'start' },
  });
});

test.each(['b/bridge/state', 'b/DSM/state', 'homeassistant/status', 'x/DSM/command', 'b/DSM/command/more'])(
  '%s is no command',
  topic => {
    expect(take(message(topic, 'start'))).toBeNull();
    expect(take(message(topic, 'start', { retain: true, duplicate: true }))).toBeNull();
  },
);

test.each([{}, { retain: true }, { duplicate: true }])('nothing at all is what clears a stored command, %j', more => {
  expect(take(message('b/DSM/command', '', more))).toBeNull();
  expect(take(message('b/DSM/power/set', '', more))).toBeNull();
  expect(take(message('b/other/power/set', '', more))).toBeNull();
});

describe('refused', () => {
  const json = '{"command":"start","id":"a","by":"me"}';
  test.each<[what: string, incoming: Message, code: string, request: object]>([
    ['stored', message('b/DSM/command', json, { retain: true }), 'retained', { command: 'start', id: 'a', by: 'me' }],
    ['stored and wrong', message('b/DSM/command', 'x', { retain: true }), 'retained', { command: 'x', by: null }],
    ['stored, of another VM', message('b/other/power/set', 'ON', { retain: true }), 'retained', { key: 'other' }],
    ['stored and twice', message('b/DSM/command', json, { retain: true, duplicate: true }), 'retained', { id: 'a' }],
    ['twice', message('b/DSM/command', json, { duplicate: true }), 'duplicate', { command: 'start', id: 'a' }],
    ['twice and without an id', message('b/DSM/power/set', 'OFF', { duplicate: true }), 'duplicate', { id: null }],
    ['of another VM', message('b/other/command', json), 'unknown_vm', { key: 'other', id: 'a' }],
    ['of another VM and wrong', message('b/other/command', '{'), 'unknown_vm', { key: 'other', command: null }],
    ['of no VM', message('b/bridge/command', 'start'), 'unknown_vm', { key: 'bridge' }],
    ['of a key that is everywhere', message('b/constructor/command', 'start'), 'unknown_vm', { key: 'constructor' }],
    ['unknown', message('b/DSM/command', 'fly'), 'unknown_command', { command: 'fly' }],
    ['unknown, with its id', message('b/DSM/command', '{"command":"fly","id":"a"}'), 'unknown_command', { id: 'a' }],
    ['wrong', message('b/DSM/power/set', 'maybe'), 'invalid_payload', { command: null }],
    ['no text', message('b/DSM/power/set', Buffer.from([0xff, 0xfe, 0])), 'invalid_payload', { command: null }],
    ['a word and then no text', message('b/DSM/command', Buffer.from('start\xff', 'latin1')), 'unknown_command', {}],
    ['a mebibyte', message('b/DSM/command', 'start'.padEnd(2 ** 20)), 'invalid_payload', { command: null }],
    ['one byte too many', message('b/DSM/command', 'start'.padEnd(maxPayload + 1)), 'invalid_payload', {}],
    [
      'few characters but many bytes, and something else at their end',
      message('b/DSM/command', `start${'\u3000'.repeat(2_000)}shutdown`),
      'invalid_payload',
      { command: null },
    ],
  ])('%s', (_, incoming, code, request) => {
    expect(take(incoming)).toMatchObject({ request, rejection: { code, message: expect.stringMatching(/./) } });
    expect(take(incoming)).not.toHaveProperty('command');
  });
});

describe('where the answers are to go', () => {
  const asked = (responseTopic: string | null, correlationData: Buffer | null = null) =>
    take(message('b/DSM/command', 'start', { responseTopic, correlationData }));

  test.each([
    'me',
    'reply/ups',
    '/me/',
    'b/DSM/response',
    'bb/DSM/state',
    'B/DSM/state',
    'hass',
    'hass/statuses',
    'x'.repeat(1_000),
    'a/'.repeat(99),
  ])('%s is taken', responseTopic => {
    expect(asked(responseTopic)).toMatchObject({ command: { word: 'start' }, request: { responseTopic } });
  });

  test.each([
    ['nowhere', '', 'must not be empty'],
    ['a filter', 'me/#', 'wildcards'],
    ['another filter', 'me/+/x', 'wildcards'],
    ['a zero', 'me\0', 'character'],
    ['a line break', 'me\n', 'character'],
    ['half a character', 'me\ud800', 'character'],
    ['no character', 'me\uffff', 'character'],
    ['the broker’s own', '$SYS/x', '$'],
    ['a shared subscription', '$share/x/me', '$'],
    ['220 levels, on which Mosquitto hangs up', `me${'/x'.repeat(219)}`, 'levels'],
    ['more bytes than some brokers take', 'x'.repeat(1_001), 'bytes'],
    ['the bridge’s state', 'b/bridge/state', 'nor below'],
    ['the bridge’s claim', 'b/bridge/claim', 'nor below'],
    ['the VM’s state', 'b/DSM/state', 'nor below'],
    ['a command', 'b/DSM/command', 'nor below'],
    ['the answers of another VM', 'b/other/response', 'nor below'],
    ['the base topic', 'b', 'nor below'],
    ['Home Assistant’s discovery', 'ha/device/dsm2mqtt_x/config', 'nor below'],
    ['Home Assistant’s birth', 'hass/status', 'nor below'],
  ])('%s is refused before anything is done, on the VM’s own topic alone', (_, responseTopic, why) => {
    const taken = asked(responseTopic, Buffer.from('1'));
    expect(taken).toMatchObject({
      request: { command: 'start', responseTopic: null, correlationData: null },
      rejection: { code: 'invalid_payload', message: expect.stringContaining(why) },
    });
    expect(taken).not.toHaveProperty('command');
  });

  test('correlation data is given back, up to 1 024 bytes', () => {
    const most = Buffer.alloc(1_024, 'x');
    expect(asked('me', most)).toMatchObject({ request: { correlationData: most }, command: {} });
    expect(asked('me', Buffer.alloc(1_025))).toMatchObject({
      request: { responseTopic: null, correlationData: null },
      rejection: { code: 'invalid_payload', message: expect.stringContaining('1024 bytes') },
    });
  });

  test('another refusal comes first', () => {
    const wrong = { responseTopic: 'b/bridge/state' };
    expect(take(message('b/DSM/command', 'start', { ...wrong, retain: true }))).toMatchObject({
      request: { responseTopic: null },
      rejection: { code: 'retained' },
    });
    expect(take(message('b/DSM/command', 'fly', wrong))).toMatchObject({ rejection: { code: 'unknown_command' } });
  });
});

describe('the message’s own life', () => {
  const until = (seconds: number) => new Date(date + seconds * 1_000).toISOString();
  const json = (seconds: number) => JSON.stringify({ command: 'start', expires_at: until(seconds) });
  test.each<[what: string, payload: string, expirySeconds: number | null, seconds: number | null]>([
    ['none', 'start', null, null],
    ['its own', 'start', 60, 60],
    ['already over', 'start', 0, 0],
    ['the longest there is', 'start', 2 ** 32 - 1, 2 ** 32 - 1],
    ['the command’s', json(30), null, 30],
    ['the command’s is sooner', json(30), 60, 30],
    ['its own is sooner', json(30), 20, 20],
    ['the command’s is over', json(-30), 60, -30],
  ])('%s', (_, payload, expirySeconds, seconds) => {
    const expiresAt = seconds === null ? null : date + seconds * 1_000;
    expect(take(message('b/DSM/command', payload, { expirySeconds }))).toMatchObject({ command: { expiresAt } });
  });
});

describe('from this machine', () => {
  const reply = () => {};
  const local = (key: string, payload: string) => readLocalRequest(key, payload, { known, now: 7 }, reply);

  test('a command', () => {
    expect(local('DSM', '{"command":"shutdown","id":"cli","by":"cron"}')).toEqual({
      request: {
        ...{ key: 'DSM', command: 'shutdown', id: 'cli', by: 'cron', responseTopic: null, correlationData: null },
        ...{ reply, receivedAt: 7 },
      },
      command: command('shutdown', { id: 'cli', by: 'cron' }),
    });
    expect(local('DSM', 'start')).toMatchObject({ command: command('start') });
  });

  test.each([
    ['other', 'start', 'unknown_vm'],
    ['other', '{', 'unknown_vm'],
    ['__proto__', 'start', 'unknown_vm'],
    ['DSM', '', 'unknown_command'],
    ['DSM', 'ON', 'unknown_command'],
    ['DSM', '{"command":"start","x":1}', 'invalid_payload'],
    ['DSM', 'start'.padEnd(2 ** 20), 'invalid_payload'],
  ])('%s %s: %s', (key, payload, code) => {
    expect(local(key, payload)).toMatchObject({ request: { key, reply }, rejection: { code } });
  });
});
