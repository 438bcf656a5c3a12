import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Incoming, takeIn } from '../../src/bridge/intake.ts';
import { rejectionCodes } from '../../src/model/command.ts';
import { topics } from '../../src/model/topics.ts';

const message = (topic: string, payload: string | Buffer, more: Partial<Incoming> = {}): Incoming => ({
  topic,
  payload: Buffer.from(payload),
  retain: false,
  responseTopic: null,
  correlationData: null,
  ...more,
});
const take = (incoming: Incoming) => takeIn(topics('b'), key => key === 'DSM', incoming, 7);

test('a command, with where its answer goes', () => {
  const correlationData = Buffer.from([1, 2]);
  const payload = '{"command":"shutdown","id":"ups-1","timeout":"4m"}';
  expect(take(message('b/DSM/command', payload, { responseTopic: 'me', correlationData }))).toEqual({
    request: { key: 'DSM', command: 'shutdown', id: 'ups-1', responseTopic: 'me', correlationData, receivedAt: 7 },
    command: { word: 'shutdown', id: 'ups-1', timeout: 240_000 },
  });
  expect(take(message('b/DSM/power/set', 'ON'))).toMatchObject({
    request: { command: 'start' },
    command: { word: 'start' },
  });
});

test.each(['b/bridge/state', 'b/DSM/state', 'homeassistant/status', 'x/DSM/command', 'b/DSM/command/more'])(
  '%s is no command',
  topic => {
    expect(take(message(topic, 'start'))).toBeNull();
  },
);

test('nothing at all is what clears a stored command', () => {
  expect(take(message('b/DSM/command', ''))).toBeNull();
  expect(take(message('b/DSM/power/set', '', { retain: true }))).toBeNull();
});

describe('refused', () => {
  test.each<[what: string, incoming: Incoming, code: string, request: object]>([
    ['stored', message('b/DSM/command', 'start', { retain: true }), 'retained', { command: 'start' }],
    ['stored and wrong', message('b/DSM/command', 'x', { retain: true }), 'retained', { command: 'x' }],
    ['stored, of another VM', message('b/other/power/set', 'ON', { retain: true }), 'retained', { key: 'other' }],
    ['of another VM', message('b/other/command', '{"command":"start","id":"a"}'), 'unknown_vm', { id: 'a' }],
    ['of no VM', message('b/bridge/command', 'start'), 'unknown_vm', { key: 'bridge' }],
    ['unknown', message('b/DSM/command', 'fly'), 'unknown_command', { command: 'fly' }],
    ['wrong', message('b/DSM/power/set', 'maybe'), 'invalid_payload', { command: null }],
    ['no text', message('b/DSM/power/set', Buffer.from([0xff, 0xfe, 0])), 'invalid_payload', { command: null }],
  ])('%s', (_, incoming, code, request) => {
    expect(take(incoming)).toMatchObject({ request, rejection: { code, message: expect.stringMatching(/./) } });
  });
});

test('whatever comes on whatever topic is a command, a refusal with its code, or nothing', () => {
  const topic = fc.oneof(
    fc.constantFrom(
      'b/DSM/command',
      'b/DSM/power/set',
      'b/x/command',
      'b/constructor/command',
      'b/__proto__/power/set',
    ),
    fc.string(),
  );
  fc.assert(
    fc.property(topic, fc.uint8Array(), fc.boolean(), (where, payload, retain) => {
      const taken = take(message(where, Buffer.from(payload), { retain }));
      if (taken === null) return;
      expect('command' in taken || rejectionCodes.includes(taken.rejection.code)).toBe(true);
    }),
  );
});
