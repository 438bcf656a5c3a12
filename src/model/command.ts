import type { DomainState } from './domain.ts';
import type { VmSnapshot } from './snapshot.ts';
import type { CommandTopic } from './topics.ts';

/** Commands as they arrive, and whether they may go on. Pure: every refusal is a value with a stable code. */

export const commandWords = ['start', 'shutdown'] as const;
export type CommandWord = (typeof commandWords)[number];

export interface Command {
  word: CommandWord;
  /** The sender's own mark, given back in every response. */
  id: string | null;
  /** Milliseconds the sender grants, or null for the configured time. */
  timeout: number | null;
}

/** Nothing was sent to libvirt. */
export const rejectionCodes = [
  'invalid_payload',
  'unknown_command',
  'unknown_vm',
  'retained',
  'busy',
  'not_allowed',
  'read_only',
  'wrong_state',
  'libvirt_unavailable',
] as const;
export type RejectionCode = (typeof rejectionCodes)[number];

export interface Rejection {
  code: RejectionCode;
  message: string;
  /** As far as the payload told. */
  command: string | null;
  id: string | null;
}

/** Something was sent to libvirt, and it did not end well. */
export type FailureCode = 'timed_out' | 'outcome_unknown' | 'libvirt_error' | 'domain_gone';

const maxPayload = 4_096;
const maxId = 128;
const maxTimeout = 24 * 3_600_000;
const powerWords: ReadonlyMap<string, CommandWord> = new Map([
  ['ON', 'start'],
  ['OFF', 'shutdown'],
]);

/** What a message on `B/V/power/set` or `B/V/command` asks for. */
export function parseCommand(kind: CommandTopic['kind'], payload: string): Command | Rejection {
  const text = payload.trim();
  if (kind === 'power') {
    const word = powerWords.get(text);
    return word
      ? { word, id: null, timeout: null }
      : reject('invalid_payload', `expected ON or OFF, got ${quote(text)}`);
  }
  if (payload.length > maxPayload) return reject('invalid_payload', `a command has at most ${maxPayload} characters`);
  return text.startsWith('{') ? parseJson(text) : parseWord(text, null, null);
}

export function isRejection(value: object): value is Rejection {
  return 'code' in value;
}

function parseJson(text: string): Command | Rejection {
  let body: Record<string, unknown>;
  try {
    body = JSON.parse(text);
  } catch {
    return reject('invalid_payload', `not JSON: ${quote(text)}`);
  }
  const { command, id = null, timeout = null, ...rest } = body;
  const mark = typeof id === 'string' && id.length <= maxId ? id : null;
  if (id !== null && mark === null) {
    return reject('invalid_payload', `id is a text of at most ${maxId} characters`);
  }
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined)
    return reject('invalid_payload', `unknown key ${quote(unknown)}; known are command, id, timeout`, null, mark);
  if (typeof command !== 'string') return reject('invalid_payload', 'command is missing, or no text', null, mark);
  if (timeout === null) return parseWord(command, mark, null);
  const limit = parseTimeout(timeout);
  if (limit === null) {
    return reject('invalid_payload', `timeout is seconds or a text like "90s" or "4m", at most 24 h`, command, mark);
  }
  return parseWord(command, mark, limit);
}

function parseWord(word: string, id: string | null, timeout: number | null): Command | Rejection {
  const known = commandWords.find(candidate => candidate === word);
  return known
    ? { word: known, id, timeout }
    : reject('unknown_command', `${quote(word)} is not one of ${commandWords.join(', ')}`, word.slice(0, maxId), id);
}

/** Milliseconds of `240`, `"240"` (seconds), `"4m"`, `"90s"`, `"1h"`; null if it is none of these. */
function parseTimeout(value: unknown): number | null {
  const [, digits, unit = 's'] = /^(\d+(?:\.\d+)?)(s|m|h)?$/.exec(String(value)) ?? [];
  if (digits === undefined || (typeof value !== 'string' && typeof value !== 'number')) return null;
  const milliseconds = Number(digits) * { s: 1_000, m: 60_000, h: 3_600_000 }[unit as 's' | 'm' | 'h'];
  return milliseconds > 0 && milliseconds <= maxTimeout ? milliseconds : null;
}

/** What a command means for a domain as it is now. */
export type Decision = { do: 'call' } | { do: 'nothing'; message: string } | { do: 'reject'; message: string };

/** One answer for each state and command. `idle` is libvirt's "blocked": running for all that matters here. */
export const decisions: Record<CommandWord, Record<DomainState, Decision>> = {
  start: {
    running: nothing('it runs already'),
    idle: nothing('it runs already'),
    paused: refuse('it is paused; resume it'),
    shutting_down: refuse('it is still shutting down'),
    shut_off: { do: 'call' },
    crashed: refuse('it has crashed and is kept for inspection; destroy it first'),
    pmsuspended: refuse('it is suspended; wake it up'),
    unknown: { do: 'call' },
  },
  shutdown: {
    running: { do: 'call' },
    idle: { do: 'call' },
    paused: refuse('it is paused and cannot hear the power button; resume it first'),
    shutting_down: { do: 'call' },
    shut_off: nothing('it is off already'),
    crashed: refuse('it has crashed and cannot hear the power button'),
    pmsuspended: refuse('it is suspended and cannot hear the power button; wake it up first'),
    unknown: { do: 'call' },
  },
};

export function decide(word: CommandWord, vm: VmSnapshot): Decision {
  const { domain } = vm;
  if (!domain) return refuse('libvirt has no such domain');
  // A crashed domain that is no longer active is simply off.
  return decisions[word][domain.state === 'crashed' && !domain.active ? 'shut_off' : domain.state];
}

function nothing(message: string): Decision {
  return { do: 'nothing', message };
}

function refuse(message: string): Decision {
  return { do: 'reject', message };
}

function reject(
  code: RejectionCode,
  message: string,
  command: string | null = null,
  id: string | null = null,
): Rejection {
  return { code, message, command, id };
}

function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
