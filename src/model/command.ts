import { type CommandWord, commandWords, rowOf } from './commands.ts';
import { quietTime } from './notice/quiet.ts';
import type { CommandTopic } from './topics.ts';

/** Parses commands. Pure: any bytes give a command, or a refusal with a stable code. */

/** Milliseconds: a day, because a timer cannot wait for 25 of them. */
export const maxTimeout = 24 * 3_600_000;

/** How the guest is asked to power off: the ACPI button, the guest agent, or the agent and then the button. */
export const shutdownMethods = ['acpi', 'agent', 'auto'] as const;
export type ShutdownMethod = (typeof shutdownMethods)[number];
/** `shutdown`: the VM powers off, then is started. `guest`: the guest restarts itself, and the VM is never off. */
export const rebootMethods = ['shutdown', 'guest'] as const;
export type RebootMethod = (typeof rebootMethods)[number];
/** What a shutdown does when its time is up: report it and leave the guest running, or cut its power. */
export const timeoutPolicies = ['report', 'force_off'] as const;
export type TimeoutPolicy = (typeof timeoutPolicies)[number];

export interface Command {
  word: CommandWord;
  /** The sender's id for this one command. Every response contains it; a second command with it is a duplicate. */
  id: string | null;
  /** Who the sender is; `last_stop.by` shows it. */
  by: string | null;
  /** Milliseconds the sender grants, or null for the configured time. */
  timeout: number | null;
  onTimeout: TimeoutPolicy | null;
  method: ShutdownMethod | RebootMethod | null;
  /** Of `autostart`, `arm` and `quiet`. */
  enabled: boolean | null;
  /** Of `quiet`: milliseconds, or milliseconds since 1970. */
  duration: number | null;
  until: number | null;
  /** Confirms `rebuild` or `rollback` when no confirmation window is open. */
  confirm: boolean;
  /** Milliseconds since 1970; later the command is refused. */
  expiresAt: number | null;
}

export interface InvalidCommand {
  code: 'invalid_payload' | 'unknown_command';
  message: string;
  /** Null where the payload does not tell. */
  word: string | null;
  id: string | null;
}

/** Bytes. */
export const maxPayload = 4_096;
const maxId = 128;

/** Words that `last_stop.by` uses when no sender did it. */
export const reservedMarks = ['guest', 'host', 'fault'] as const;

const plain: Omit<Command, 'word'> = {
  id: null,
  by: null,
  timeout: null,
  onTimeout: null,
  method: null,
  enabled: null,
  duration: null,
  until: null,
  confirm: false,
  expiresAt: null,
};

const powerWords: ReadonlyMap<string, CommandWord> = new Map([
  ['ON', 'start'],
  ['OFF', 'shutdown'],
]);

export function command(word: CommandWord, options: Partial<Command> = {}): Command {
  return { ...plain, ...options, word };
}

/** Parses a message on `B/V/power/set` or `B/V/command`. */
export function parseCommand(kind: CommandTopic['kind'], payload: string): Command | InvalidCommand {
  if (Buffer.byteLength(payload) > maxPayload) return invalid(`a command has at most ${maxPayload} bytes`);
  const text = payload.trim();
  if (kind === 'power') {
    const word = powerWords.get(text);
    return word ? command(word) : invalid(`expected ON or OFF, got ${quote(text)}`);
  }
  return text.startsWith('{') ? parseJson(text) : parseWord(text, {}, null);
}

export function isInvalid(value: Command | InvalidCommand): value is InvalidCommand {
  return 'code' in value;
}

interface Field {
  expected: string;
  /** Null: the value is not allowed. */
  read: (value: unknown, word: CommandWord) => Partial<Command> | null;
}

const yesOrNo = (key: 'enabled' | 'confirm'): Field => ({
  expected: 'true or false',
  read: value => (typeof value === 'boolean' ? { [key]: value } : null),
});

const time = (key: 'until' | 'expiresAt'): Field => ({
  expected: 'a time like "2026-11-22T18:00:00Z", with its zone',
  read: value => given(key, typeof value === 'string' ? timeOf(value) : null),
});

const fields: Readonly<Record<string, Field>> = {
  id: {
    expected: `a text of at most ${maxId} characters`,
    read: value => (isMark(value) ? { id: value } : null),
  },
  by: {
    expected: `1 to 32 letters, digits, _ or -, and none of ${reservedMarks.join(', ')}`,
    read: value => {
      const reserved = reservedMarks.some(mark => mark === value);
      return typeof value === 'string' && /^[\w-]{1,32}$/.test(value) && !reserved ? { by: value } : null;
    },
  },
  timeout: {
    expected: `seconds, or a text like "90s" or "4m", more than 0 and at most ${maxTimeout / 3_600_000} h`,
    read: value => given('timeout', parseTimeLimit(value)),
  },
  on_timeout: {
    expected: `one of ${timeoutPolicies.join(', ')}`,
    read: value => oneOf('onTimeout', timeoutPolicies, value),
  },
  method: {
    expected: `one of ${shutdownMethods.join(', ')} for shutdown, ${rebootMethods.join(', ')} for reboot`,
    read: (value, word) => oneOf('method', rowOf(word).byGuest ? rebootMethods : shutdownMethods, value),
  },
  enabled: yesOrNo('enabled'),
  confirm: yesOrNo('confirm'),
  for: {
    expected: 'seconds, or a text like "90m", "2h" or "3d", more than 0 and at most 30 days',
    read: value => given('duration', parseTimeLimit(value, quietTime.longest)),
  },
  until: time('until'),
  expires_at: time('expiresAt'),
};

function given<K extends keyof Command>(key: K, value: Command[K] | null | undefined): Partial<Command> | null {
  return value === null || value === undefined ? null : ({ [key]: value } as Partial<Command>);
}

function oneOf<K extends 'onTimeout' | 'method'>(key: K, words: readonly Command[K][], value: unknown) {
  const word = words.find(each => each === value);
  return given(key, word);
}

const zoned = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;

/** Milliseconds since 1970; null if the text is no date. `Date` reads 30 February as 2 March. */
function timeOf(text: string): number | null {
  const [year = 0, month = 0, day = 0] = text.slice(0, 10).split('-').map(Number);
  if (!zoned.test(text) || day > new Date(Date.UTC(year, month, 0)).getUTCDate()) return null;
  const time = Date.parse(text);
  return Number.isNaN(time) ? null : time;
}

function parseJson(text: string): Command | InvalidCommand {
  let body: Record<string, unknown>;
  try {
    body = JSON.parse(text);
  } catch {
    return invalid(`not JSON: ${quote(text)}`);
  }
  const { command: word, ...rest } = body;
  const id = isMark(rest['id']) ? rest['id'] : null;
  if (typeof word !== 'string') return invalid('command is missing, or no text', null, id);
  return parseWord(word, rest, id);
}

/** The refusal has the `id` too, so that the sender recognises it. */
function parseWord(text: string, options: Record<string, unknown>, id: string | null): Command | InvalidCommand {
  const word = commandWords.find(candidate => candidate === text);
  if (!word) {
    const message = `${quote(text)} is not one of ${commandWords.join(', ')}`;
    return { code: 'unknown_command', message, word: text.slice(0, maxId), id };
  }
  let found = command(word);
  for (const [key, value] of Object.entries(options)) {
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
    if (!field) return invalid(`unknown key ${quote(key)}; known are command, ${known(word).join(', ')}`, word, id);
    if (value === null) continue;
    if (!known(word).includes(key)) return invalid(`${word} takes no ${key}`, word, id);
    const option = field.read(value, word);
    if (!option) return invalid(`${key} is ${field.expected}`, word, id);
    found = { ...found, ...option };
  }
  const missing = missingIn(found);
  return missing === null ? found : invalid(`${word} needs ${missing}`, word, id);
}

function missingIn({ word, enabled, duration, until }: Command): string | null {
  const { options = [] } = rowOf(word);
  if (!options.includes('enabled')) return null;
  if (!options.includes('until')) return enabled === null ? '"enabled": true or false' : null;
  const given = [enabled, duration, until].filter(value => value !== null);
  return given.length === 1 ? null : 'exactly one of "for", "until" and "enabled"';
}

const everywhere = ['id', 'by', 'expires_at'];

/** In the order of `fields`. */
function known(word: CommandWord): string[] {
  const taken: readonly string[] = [...everywhere, ...(rowOf(word).options ?? [])];
  return Object.keys(fields).filter(key => taken.includes(key));
}

function isMark(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= maxId;
}

function invalid(message: string, word: string | null = null, id: string | null = null): InvalidCommand {
  return { code: 'invalid_payload', message, word, id };
}

function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds of `240`, `"240"` (seconds), `"4m"`, `"90s"`, `"1h"`, `"1d"`; null if it is none of these, 0 or over `most`. */
function parseTimeLimit(value: unknown, most = maxTimeout): number | null {
  if (typeof value !== 'string' && typeof value !== 'number') return null;
  const [, digits, unit = 's'] = /^(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)?$/.exec(String(value)) ?? [];
  if (digits === undefined) return null;
  const milliseconds = Math.round(Number(digits) * units[unit as keyof typeof units]);
  return milliseconds > 0 && milliseconds <= most ? milliseconds : null;
}
