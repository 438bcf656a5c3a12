/** What arrives on a command topic, whatever it is, and what it means for a VM as it is. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type CommandWord,
  commandWords,
  decide,
  decisions,
  isRejection,
  parseCommand,
  rejectionCodes,
} from '../../src/model/command.ts';
import { type DomainState, domainStates } from '../../src/model/domain.ts';
import { domain, vmOf } from './samples.ts';

describe('the power topic', () => {
  test.each([
    ['ON', 'start'],
    ['OFF', 'shutdown'],
    [' ON\n', 'start'],
  ])('%j is %s', (payload, word) => {
    expect(parseCommand('power', payload)).toEqual({ word, id: null, timeout: null });
  });

  test.each(['on', 'Off', 'start', 'TOGGLE', '1', '{}', 'ON OFF', 'constructor', 'toString', '__proto__', 'valueOf'])(
    '%j is refused',
    payload => {
      expect(parseCommand('power', payload)).toEqual({
        code: 'invalid_payload',
        message: `expected ON or OFF, got ${JSON.stringify(payload)}`,
        command: null,
        id: null,
      });
    },
  );
});

describe('the command topic', () => {
  test.each<[payload: string, command: { word: CommandWord; id?: string; timeout?: number }]>([
    ['start', { word: 'start' }],
    [' shutdown\n', { word: 'shutdown' }],
    ['{"command":"shutdown"}', { word: 'shutdown' }],
    ['{"command":"shutdown","id":null,"timeout":null}', { word: 'shutdown' }],
    [' {"command":"start","id":"ups-1"} ', { word: 'start', id: 'ups-1' }],
    ['{"command":"start","id":""}', { word: 'start', id: '' }],
    ['{"command":"shutdown","timeout":240}', { word: 'shutdown', timeout: 240_000 }],
    ['{"command":"shutdown","timeout":0.5}', { word: 'shutdown', timeout: 500 }],
    ['{"command":"shutdown","timeout":"240"}', { word: 'shutdown', timeout: 240_000 }],
    ['{"command":"shutdown","timeout":"90s"}', { word: 'shutdown', timeout: 90_000 }],
    ['{"command":"shutdown","timeout":"4m"}', { word: 'shutdown', timeout: 240_000 }],
    ['{"command":"shutdown","timeout":"24h"}', { word: 'shutdown', timeout: 86_400_000 }],
  ])('%s', (payload, command) => {
    expect(parseCommand('command', payload)).toEqual({ id: null, timeout: null, ...command });
  });

  const long = 'x'.repeat(129);
  test.each<[payload: string, refusal: { code: string; command?: string; id?: string; message?: RegExp }]>([
    ['   ', { code: 'unknown_command', command: '' }],
    ['Start', { code: 'unknown_command', command: 'Start' }],
    ['constructor', { code: 'unknown_command', command: 'constructor' }],
    ['"start"', { code: 'unknown_command', command: '"start"' }],
    ['force_off', { code: 'unknown_command', command: 'force_off' }],
    [long, { code: 'unknown_command', command: 'x'.repeat(128) }],
    ['{"command":"restart","id":"a"}', { code: 'unknown_command', command: 'restart', id: 'a' }],
    ['{"command":"start"', { code: 'invalid_payload', message: /not JSON/ }],
    ['{}', { code: 'invalid_payload', message: /command is missing/ }],
    ['{"id":"a"}', { code: 'invalid_payload', id: 'a' }],
    ['{"command":["start"],"id":"a"}', { code: 'invalid_payload', id: 'a' }],
    ['{"command":"start","id":7}', { code: 'invalid_payload', message: /id is a text/ }],
    [`{"command":"start","id":"${long}"}`, { code: 'invalid_payload', message: /id is a text/ }],
    ['{"command":"start","force":true,"id":"a"}', { code: 'invalid_payload', id: 'a', message: /"force"/ }],
    ['{"command":"start","__proto__":{}}', { code: 'invalid_payload', message: /"__proto__"/ }],
    ...['0', '-1', '"soon"', '"4 m"', '"-4m"', '"25h"', '86401', '["4m"]', '{}', 'true', '1e999', '"1e3s"'].map(
      (timeout): [string, { code: string; command: string; id: string; message: RegExp }] => [
        `{"command":"shutdown","id":"a","timeout":${timeout}}`,
        { code: 'invalid_payload', command: 'shutdown', id: 'a', message: /timeout is/ },
      ],
    ),
  ])('refuses %s', (payload, { message = /./, ...refusal }) => {
    const parsed = parseCommand('command', payload);
    expect(parsed).toMatchObject({ command: null, id: null, ...refusal });
    expect(isRejection(parsed) && parsed.message).toMatch(message);
  });

  test('refuses to read a novel', () => {
    expect(parseCommand('command', `start${' '.repeat(4_092)}`)).toMatchObject({
      code: 'invalid_payload',
      message: 'a command has at most 4096 characters',
    });
  });
});

const payloads = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes).toString('utf8')),
  fc.json(),
  fc.constantFrom(...Object.getOwnPropertyNames(Object.prototype)),
  fc
    .record(
      {
        command: fc.constantFrom(...commandWords),
        id: fc.string({ maxLength: 128 }),
        timeout: fc.constantFrom('4m', 90),
      },
      { requiredKeys: ['command'] },
    )
    .map(body => JSON.stringify(body)),
  fc
    .record(
      {
        command: fc.oneof(fc.constantFrom<unknown>(...commandWords), fc.anything()),
        id: fc.anything(),
        timeout: fc.oneof(fc.constantFrom<unknown>('4m', 90), fc.anything()),
        more: fc.anything(),
      },
      { requiredKeys: [] },
    )
    .map(body => JSON.stringify(body, (_, value) => (typeof value === 'bigint' ? String(value) : value))),
);

test('whatever comes is a command or a refusal with its code, and short enough to be told', () => {
  let commands = 0;
  fc.assert(
    fc.property(fc.constantFrom('power' as const, 'command' as const), payloads, (kind, payload) => {
      const parsed = parseCommand(kind, payload);
      if (isRejection(parsed)) {
        expect(rejectionCodes).toContain(parsed.code);
        expect(parsed.message.length).toBeGreaterThan(0);
        expect(JSON.stringify(parsed).length).toBeLessThan(2_500);
      } else {
        commands += 1;
        expect(commandWords).toContain(parsed.word);
        expect(parsed.id === null || parsed.id.length <= 128).toBe(true);
        expect(parsed.timeout === null || (parsed.timeout > 0 && parsed.timeout <= 86_400_000)).toBe(true);
      }
    }),
    { numRuns: 2_000 },
  );
  expect(commands).toBeGreaterThan(0);
});

describe('what a command means', () => {
  // One letter a state: c(all), n(othing to do), r(efused).
  const table: Record<CommandWord, Record<DomainState, 'c' | 'n' | 'r'>> = {
    start: {
      running: 'n',
      idle: 'n',
      paused: 'r',
      shutting_down: 'r',
      shut_off: 'c',
      crashed: 'r',
      pmsuspended: 'r',
      unknown: 'c',
    },
    shutdown: {
      running: 'c',
      idle: 'c',
      paused: 'r',
      shutting_down: 'c',
      shut_off: 'n',
      crashed: 'r',
      pmsuspended: 'r',
      unknown: 'c',
    },
  };
  const cells = commandWords.flatMap(word => domainStates.map(state => ({ word, state, letter: table[word][state] })));

  test.each(cells)('$word while $state', ({ word, state, letter }) => {
    const decision = decide(word, vmOf({ domain: { ...domain, state, active: state !== 'shut_off' } }));
    expect(decision).toBe(decisions[word][state]);
    expect(decision.do[0]).toBe(letter);
    if (decision.do !== 'call') expect(decision.message).not.toBe('');
  });

  test.each([
    ['start', 'call'],
    ['shutdown', 'nothing'],
  ] as const)('%s of one that crashed and is gone', (word, what) => {
    const crashed = { ...domain, state: 'crashed', active: false } as const;
    expect(decide(word, vmOf({ domain: crashed })).do).toBe(what);
  });

  test.each(commandWords)('%s without a domain', word => {
    expect(decide(word, vmOf({ domain: null }))).toMatchObject({ do: 'reject' });
  });
});
