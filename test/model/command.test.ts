/** What arrives on a command topic, whatever it is: a command, or a refusal that its sender recognises. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Command,
  command,
  type InvalidCommand,
  isInvalid,
  maxPayload,
  maxTimeout,
  parseCommand,
  rebootMethods,
  reservedMarks,
  shutdownMethods,
  timeoutPolicies,
} from '../../src/model/command.ts';
import { type CommandWord, commandWords, rowOf } from '../../src/model/commands.ts';
import { propertyRuns } from './runs.ts';

const words: readonly CommandWord[] = [
  ...(['start', 'shutdown', 'reboot', 'suspend', 'resume', 'reset', 'force_off'] as const),
  ...(['rebuild', 'rollback', 'arm'] as const),
  ...(['screenshot', 'autostart', 'check', 'quiet', 'refresh', 'cancel'] as const),
];
/** Those that need `enabled`. */
const switches: readonly CommandWord[] = ['autostart', 'arm', 'quiet'];
const json = (body: object) => parseCommand('command', JSON.stringify(body));
const invalid = (more: Partial<InvalidCommand> = {}) => ({
  code: 'invalid_payload',
  word: null,
  id: null,
  message: expect.stringMatching(/./),
  ...more,
});

test('the words are these, and no others', () => {
  expect([...commandWords].sort()).toEqual([...words].sort());
});

describe('the power topic', () => {
  test.each([
    ['ON', 'start'],
    ['OFF', 'shutdown'],
    [' ON\n', 'start'],
  ] as const)('%j is %s', (payload, word) => {
    expect(parseCommand('power', payload)).toEqual(command(word));
  });

  test.each([
    ...['on', 'Off', 'start', 'shutdown', 'TOGGLE', '1', '{}', '{"command":"start"}', 'ON OFF', ' '],
    ...['constructor', 'toString', '__proto__', 'valueOf'],
  ])('%j is refused', payload => {
    expect(parseCommand('power', payload)).toEqual(
      invalid({ message: `expected ON or OFF, got ${JSON.stringify(payload.trim())}` }),
    );
  });
});

describe('a word', () => {
  test.each(words.filter(word => !switches.includes(word)))('%s', word => {
    const whole = {
      ...{ id: null, by: null, timeout: null, onTimeout: null },
      ...{ method: null, enabled: null, duration: null, until: null, confirm: false, expiresAt: null },
    };
    for (const payload of [word, ` ${word}\r\n`, `{"command":"${word}"}`, ` {"command" : "${word}"} `]) {
      expect(parseCommand('command', payload)).toEqual({ word, ...whole });
    }
  });

  test.each(switches)('%s alone does not say which', word => {
    for (const payload of [word, `{"command":"${word}"}`, `{"command":"${word}","enabled":null}`]) {
      const what = word === 'quiet' ? 'exactly one of "for", "until" and "enabled"' : '"enabled": true or false';
      const refusal = invalid({ word, message: `${word} needs ${what}` });
      expect(parseCommand('command', payload)).toEqual(refusal);
    }
  });

  const long = 'x'.repeat(129);
  test.each<[payload: string, word: string]>([
    ['   ', ''],
    ['Start', 'Start'],
    ['start shutdown', 'start shutdown'],
    ['start\0', 'start\0'],
    ['"start"', '"start"'],
    ['["start"]', '["start"]'],
    ['null', 'null'],
    ['constructor', 'constructor'],
    ['__proto__', '__proto__'],
    ['ON', 'ON'],
    [long, long.slice(0, 128)],
    ['{"command":"restart"}', 'restart'],
    ['{"command":""}', ''],
    ['{"command":" start"}', ' start'],
    ['{"command":"toString"}', 'toString'],
  ])('%j is none', (payload, word) => {
    expect(parseCommand('command', payload)).toEqual({ ...invalid({ word }), code: 'unknown_command' });
  });

  test('the refusal names the words there are', () => {
    const refused = parseCommand('command', 'fly');
    for (const word of words) expect(isInvalid(refused) && refused.message).toContain(word);
  });
});

describe('a key', () => {
  const mark = 'x'.repeat(128);
  const name = 'y'.repeat(32);
  test.each<[word: CommandWord, key: string, value: unknown, found: Partial<Command>]>([
    ['start', 'id', 'ups-1', { id: 'ups-1' }],
    ['cancel', 'id', ' ', { id: ' ' }],
    ['refresh', 'id', mark, { id: mark }],
    ['reset', 'id', '__proto__', { id: '__proto__' }],
    ['shutdown', 'by', 'ups', { by: 'ups' }],
    ['suspend', 'by', 'a_B-9', { by: 'a_B-9' }],
    ['resume', 'by', name, { by: name }],
    ['shutdown', 'by', 'bridge', { by: 'bridge' }],
    ['shutdown', 'timeout', 240, { timeout: 240_000 }],
    ['reboot', 'timeout', 0.5, { timeout: 500 }],
    ['start', 'timeout', '240', { timeout: 240_000 }],
    ['shutdown', 'timeout', '90s', { timeout: 90_000 }],
    ['shutdown', 'timeout', '4m', { timeout: 240_000 }],
    ['shutdown', 'timeout', '1.5h', { timeout: 5_400_000 }],
    ['shutdown', 'timeout', '1ms', { timeout: 1 }],
    ['shutdown', 'timeout', '24h', { timeout: 86_400_000 }],
    ['shutdown', 'on_timeout', 'report', { onTimeout: 'report' }],
    ['reboot', 'on_timeout', 'force_off', { onTimeout: 'force_off' }],
    ['shutdown', 'method', 'acpi', { method: 'acpi' }],
    ['shutdown', 'method', 'agent', { method: 'agent' }],
    ['shutdown', 'method', 'auto', { method: 'auto' }],
    ['reboot', 'method', 'shutdown', { method: 'shutdown' }],
    ['reboot', 'method', 'guest', { method: 'guest' }],
    ['quiet', 'for', '2h', { duration: 7_200_000 }],
    ['quiet', 'for', 90, { duration: 90_000 }],
    ['quiet', 'for', '30d', { duration: 2_592_000_000 }],
    ['quiet', 'until', '2026-11-22T18:00Z', { until: Date.UTC(2026, 10, 22, 18) }],
    ['start', 'expires_at', '2026-11-22T18:00:00Z', { expiresAt: Date.UTC(2026, 10, 22, 18) }],
    ['start', 'expires_at', '2026-11-22T18:00Z', { expiresAt: Date.UTC(2026, 10, 22, 18) }],
    ['cancel', 'expires_at', '2026-11-22T18:00:00.250+01:00', { expiresAt: Date.UTC(2026, 10, 22, 17, 0, 0, 250) }],
    ['screenshot', 'expires_at', '2024-02-29T23:59:59-08:00', { expiresAt: Date.UTC(2024, 2, 1, 7, 59, 59) }],
  ])('%s with %s %j', (word, key, value, found) => {
    expect(json({ command: word, [key]: value })).toEqual(command(word, found));
  });

  test.each([
    { for: '2h', until: '2026-11-22T18:00Z' },
    { for: '2h', enabled: false },
    { until: '2026-11-22T18:00Z', enabled: true },
    { for: null, until: null },
  ])('quiet takes one time: not %j', times => {
    const message = 'quiet needs exactly one of "for", "until" and "enabled"';
    expect(json({ command: 'quiet', id: 'a', ...times })).toEqual(invalid({ word: 'quiet', id: 'a', message }));
  });

  test.each(['start', 'check', 'autostart'])('%s takes no time', word => {
    const enabled = word === 'autostart' ? true : null;
    for (const key of ['for', 'until'])
      expect(json({ command: word, enabled, [key]: '2h' })).toMatchObject({ message: `${word} takes no ${key}` });
  });

  test.each(switches)('%s says which', word => {
    for (const enabled of [true, false]) {
      expect(json({ command: word, enabled })).toEqual(command(word, { enabled }));
    }
  });

  const anything = [[], {}, true];
  test.each<[key: string, word: CommandWord, wrong: unknown[]]>([
    ['id', 'start', ['', `${mark}x`, 7, ...anything]],
    ['by', 'start', ['', `${name}y`, 'two words', 'ü', 'a\n', 'a/b', 7, ...reservedMarks, ...anything]],
    ['timeout', 'shutdown', [0, -1, 86_401, 1e300, 1e-9, '', 'soon', '4 m', '-4m', '25h', '1e3s', '٣s', ...anything]],
    ['for', 'quiet', [0, -1, '-2h', '31d', '721h', 2_592_001, '', 'soon', '2 h', '2w', ...anything]],
    [
      'until',
      'quiet',
      ['', 'tomorrow', '18:00', '2026-11-22T18:00:00', '2026-02-30T00:00Z', 1_795_370_400, ...anything],
    ],
    ['on_timeout', 'shutdown', ['', 'FORCE_OFF', 'destroy', 'toString', 0, ...anything]],
    ['method', 'shutdown', ['', 'guest', 'shutdown', 'ACPI', 'constructor', 1, ...anything]],
    ['method', 'reboot', ['', 'acpi', 'agent', 'auto', '__proto__', 1, ...anything]],
    ['enabled', 'autostart', ['true', 'yes', 0, 1, [], {}]],
    ['confirm', 'rebuild', ['true', 'yes', 0, 1, [], {}]],
    [
      'expires_at',
      'start',
      [
        ...[
          '',
          'tomorrow',
          '2026-11-22',
          '18:00',
          '2026-11-22T18:00:00',
          '2026-11-22 18:00:00Z',
          '22 Nov 2026 18:00 Z',
        ],
        ...['2026-13-01T00:00Z', '2026-02-30T00:00Z', '2025-02-29T00:00Z', '2026-11-00T00:00Z', '2026-11-22T25:00Z'],
        ...['2026-11-22T08:00+99:00', '+12026-11-22T18:00Z', 1_795_370_400_000, ...anything],
      ],
    ],
  ])('%s of %s may not be anything', (key, word, wrong) => {
    for (const value of wrong) {
      const id = key === 'id' ? null : 'a';
      const refusal = invalid({ word, id, message: expect.stringMatching(`^${key} is `) });
      expect(json({ command: word, ...(id && { id }), [key]: value }), JSON.stringify(value)).toEqual(refusal);
    }
  });

  const everywhere: Record<string, unknown> = { id: 'a', by: 'me', expires_at: '2026-11-22T18:00:00Z' };
  const somewhere: Record<string, [value: unknown, words: CommandWord[]]> = {
    timeout: [60, ['start', 'shutdown', 'reboot', 'rebuild', 'rollback']],
    on_timeout: ['report', ['shutdown', 'reboot', 'rebuild', 'rollback']],
    enabled: [true, ['autostart', 'arm', 'quiet']],
    confirm: [true, ['rebuild', 'rollback']],
  };
  const cells = words.flatMap(word => [
    ...Object.entries(everywhere).map(([key, value]) => ({ word, key, value, fits: true })),
    ...Object.entries(somewhere).map(([key, [value, fit]]) => ({ word, key, value, fits: fit.includes(word) })),
    ...(['acpi', 'guest'] as const).map(value => ({
      ...{ word, key: 'method', value },
      fits: word === (value === 'acpi' ? 'shutdown' : 'reboot'),
    })),
  ]);
  test.each(cells)('$word with $key $value', ({ word, key, value, fits }) => {
    const enabled = switches.includes(word) && { enabled: true };
    const parsed = json({ command: word, ...enabled, [key]: value });
    expect(isInvalid(parsed)).toBe(!fits);
    if (!fits) expect(parsed).toMatchObject({ code: 'invalid_payload', word });
  });

  test.each(words)('%s: what is null was not said, whether it would fit or not', word => {
    const enabled = switches.includes(word) ? true : null;
    const nothing = Object.fromEntries(
      ['id', 'by', ...Object.keys(somewhere), 'method', 'expires_at'].map(key => [key, null]),
    );
    expect(json({ command: word, ...nothing, enabled })).toEqual(command(word, { enabled }));
  });

  test('all that a shutdown takes, at once', () => {
    const given = {
      ...{ command: 'shutdown', id: 'ups-1', by: 'ups', timeout: '4m', on_timeout: 'force_off' },
      ...{ method: 'auto', expires_at: '2026-11-22T18:00:00Z' },
    };
    expect(json(given)).toEqual({
      ...{ word: 'shutdown', id: 'ups-1', by: 'ups', timeout: 240_000, onTimeout: 'force_off' },
      ...{
        method: 'auto',
        enabled: null,
        duration: null,
        until: null,
        confirm: false,
        expiresAt: Date.UTC(2026, 10, 22, 18),
      },
    });
  });

  test.each(['force', 'Timeout', 'word', '', 'constructor', 'toString', 'hasOwnProperty'])('%j is unknown', key => {
    const refused = json({ command: 'start', id: 'a', [key]: 1 });
    expect(refused).toEqual(
      invalid({ word: 'start', id: 'a', message: expect.stringContaining(`key ${JSON.stringify(key)}`) }),
    );
    // Only what would have helped.
    expect(refused).toMatchObject({
      message: expect.stringMatching(/known are command, id, by, timeout, expires_at$/),
    });
  });

  test('__proto__ is a key like any other, and unknown', () => {
    const refusal = invalid({ word: 'start', message: expect.stringContaining('"__proto__"') });
    for (const value of ['null', '{}', '{"id":"a"}', '1']) {
      const parsed = parseCommand('command', `{"command":"start","__proto__":${value}}`);
      expect(parsed).toEqual(refusal);
    }
    expect(parseCommand('command', '{"__proto__":{"command":"start"}}')).toEqual(invalid());
    expect(parseCommand('command', '{"command":"autostart","constructor":{"prototype":{}}}')).toMatchObject(
      invalid({ word: 'autostart' }),
    );
  });
});

describe('JSON that says nothing', () => {
  test.each<[payload: string, message: RegExp, id?: string]>([
    ['{', /not JSON/],
    ['{"command":"start"', /not JSON/],
    ["{'command':'start'}", /not JSON/],
    ['{"command":"start"}}', /not JSON/],
    ['{"command":"start"} start', /not JSON/],
    [`{${'['.repeat(4_000)}`, /not JSON/],
    ['{}', /command is missing/],
    ['{"id":"a"}', /command is missing/, 'a'],
    ['{"id":7}', /command is missing/],
    ['{"command":null,"id":"a"}', /command is missing/, 'a'],
    ['{"command":["start"],"id":"a"}', /command is missing/, 'a'],
    ['{"command":{"command":"start"},"id":"a"}', /command is missing/, 'a'],
    ['{"command":1}', /command is missing/],
    [`{"a":${'['.repeat(2_000)}${']'.repeat(2_000)}}`, /command is missing/],
  ])('%s', (payload, message, id) => {
    expect(parseCommand('command', payload)).toEqual(
      invalid({ message: expect.stringMatching(message), ...(id && { id }) }),
    );
  });

  test('nested junk is no value of anything', () => {
    const junk = `${'[{"a":'.repeat(400)}1${'}]'.repeat(400)}`;
    expect(parseCommand('command', `{"command":"shutdown","id":"a","timeout":${junk}}`)).toEqual(
      invalid({ word: 'shutdown', id: 'a', message: expect.stringMatching(/^timeout is/) }),
    );
  });
});

describe('refuses to read a novel', () => {
  const tooLong = invalid({ message: 'a command has at most 4096 bytes' });
  test.each<[what: string, payload: string]>([
    ['a byte too many', `start${' '.repeat(maxPayload - 4)}`],
    ['few characters, but many bytes', `start${'\u3000'.repeat(1_500)}`],
    ['a mebibyte', 'start'.padEnd(2 ** 20)],
    ['a mebibyte of JSON', JSON.stringify({ command: 'start', id: 'x'.repeat(2 ** 20) })],
    ['a mebibyte of brackets', `{"command":${'['.repeat(2 ** 20)}`],
  ])('%s', (_, payload) => {
    expect(parseCommand('command', payload)).toEqual(tooLong);
    expect(parseCommand('power', payload)).toEqual(tooLong);
  });

  test('but not a long command', () => {
    expect(parseCommand('command', `start${' '.repeat(maxPayload - 5)}`)).toEqual(command('start'));
    expect(parseCommand('power', `${' '.repeat(maxPayload - 2)}ON`)).toEqual(command('start'));
  });
});

/** A value of a key: mostly one that fits some key, sometimes of another kind altogether. */
const values = fc.oneof(
  fc.constantFrom<unknown>(
    ...['4m', 90, 0, -1, 86_400, 86_401, 'report', 'force_off', 'acpi', 'guest', 'shutdown', true, false, null],
    ...['2026-11-22T18:00:00Z', '2026-02-30T00:00Z', 'a', 'guest', 'host', 'toString', '', 'x'.repeat(129)],
  ),
  fc.anything({ withBigInt: false, maxDepth: 3 }),
  fc.string({ unit: 'binary' }),
  fc.double(),
);
const keys = ['id', 'by', 'timeout', 'on_timeout', 'method', 'enabled', 'confirm', 'expires_at'];
const bodies = fc
  .record({
    command: fc.oneof({ weight: 6, arbitrary: fc.constantFrom<unknown>(...commandWords) }, values),
    options: fc.dictionary(
      fc.oneof(
        { weight: 12, arbitrary: fc.constantFrom(...keys) },
        fc.constantFrom('force', '__proto__', ''),
        fc.string(),
      ),
      values,
      { maxKeys: 3 },
    ),
  })
  .map(({ command, options }) => JSON.stringify({ ...options, command }));
const options: (readonly [string, unknown])[] = [
  ...([
    ['id', 'a'],
    ['by', 'me'],
    ['timeout', '4m'],
    ['timeout', 0.5],
    ['on_timeout', 'force_off'],
  ] as const),
  ...([
    ['method', 'acpi'],
    ['method', 'guest'],
    ['enabled', true],
    ['confirm', true],
  ] as const),
  ['expires_at', '2026-11-22T18:00Z'],
];
const fitting = fc
  .tuple(fc.constantFrom(...commandWords), fc.subarray(options, { maxLength: 2 }))
  .map(([command, given]) => JSON.stringify({ command, ...Object.fromEntries(given) }));
const payloads = fc.oneof(
  { weight: 4, arbitrary: fitting },
  { weight: 4, arbitrary: bodies },
  fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes).toString('utf8')),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.json(),
  fc.json().map(value => `{"command":${value}}`),
  fc.constantFrom(...commandWords, 'ON', 'OFF', ...Object.getOwnPropertyNames(Object.prototype)),
  fc.constantFrom(...commandWords).map(word => word.toUpperCase()),
);

const shortest = (command: CommandWord) =>
  JSON.stringify({ command, ...(rowOf(command).options?.includes('enabled') && { enabled: false }) });

test('whatever comes is a command with all in range, or a refusal with its code, short enough to be told', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(
      fc.constantFrom('power' as const, 'command' as const, 'command' as const),
      payloads,
      (kind, payload) => {
        const parsed = parseCommand(kind, payload);
        seen.add(isInvalid(parsed) ? parsed.code : parsed.word);
        if (!isInvalid(parsed)) return isSound(parsed);
        expect(['invalid_payload', 'unknown_command']).toContain(parsed.code);
        expect(parsed.message.length).toBeGreaterThan(0);
        expect(JSON.stringify(parsed).length).toBeLessThan(4_000);
        expect(parsed.id === null || (parsed.id !== '' && parsed.id.length <= 128)).toBe(true);
        expect(parsed.word === null || parsed.word.length <= 128).toBe(true);
      },
    ),
    // No word is left to chance.
    { numRuns: propertyRuns.payloads, examples: commandWords.map(word => ['command', shortest(word)]) },
  );
  expect([...seen].sort()).toEqual([...commandWords, 'invalid_payload', 'unknown_command'].sort());
});

function isSound({ word, id, by, timeout, onTimeout, method, enabled, confirm, expiresAt }: Command): void {
  const long = word === 'rebuild' || word === 'rollback';
  const stops = word === 'shutdown' || word === 'reboot';
  const methods: readonly string[] = word === 'reboot' ? rebootMethods : shutdownMethods;
  expect(commandWords).toContain(word);
  expect(id === null || (id !== '' && id.length <= 128)).toBe(true);
  expect(by === null || (/^[\w-]{1,32}$/.test(by) && !['guest', 'host', 'fault'].includes(by))).toBe(true);
  const timed = (stops || long || word === 'start') && timeout !== null && timeout > 0 && timeout <= maxTimeout;
  expect(timeout === null || (timed && Number.isInteger(timeout))).toBe(true);
  expect(onTimeout === null || ((stops || long) && timeoutPolicies.includes(onTimeout))).toBe(true);
  expect(method === null || (stops && methods.includes(method))).toBe(true);
  expect(typeof enabled === 'boolean').toBe(switches.includes(word));
  expect(!confirm || long).toBe(true);
  expect(expiresAt === null || Number.isInteger(expiresAt)).toBe(true);
}
