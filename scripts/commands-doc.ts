import { readFileSync } from 'node:fs';
import { codes } from '../src/model/codes.ts';
import { isInvalid, maxPayload, parseCommand } from '../src/model/command.ts';
import {
  type CommandWord,
  commands,
  commandWords,
  type Interruption,
  interruption,
  type Meaning,
  type Occupation,
  occupations,
  rowOf,
  type Situation,
} from '../src/model/commands.ts';
import { notifications } from '../src/model/notice/notification.ts';
import { propertyRuns } from '../test/model/runs.ts';
import { code, fillIn, keep, table } from './page.ts';

/**
 * Fills the generated parts of docs/commands.md from the tables that decide: `node scripts/commands-doc.ts --write`,
 * without it checks that they are current. Everything between the markers is the script's.
 */

const file = new URL('../docs/commands.md', import.meta.url);

/** The page with every part as the code has it. */
export function filled(page: string): string {
  return fillIn(page, parts);
}

const parts: Readonly<Record<string, () => string>> = {
  fields: fieldTable,
  decisions: decisionTable,
  interruptions: interruptionTable,
  codes: codeTable,
  events: () =>
    table(
      ['`event_type`', ''],
      Object.entries(notifications).map(([type, meaning]) => [code(type), meaning]),
    ),
  runs: () =>
    `Each test run gives the parser ${count(propertyRuns.payloads)} random payloads. The whole path of a command, ` +
    `from the broker to libvirt, gets ${count(propertyRuns.histories)} random histories.`,
};

/** What a key may hold is what the parser says when it holds something else. */
function fieldTable(): string {
  const takes = new Map(commandWords.map(word => [word, keysOf(word)]));
  const keys = [...new Set([...keysOf('shutdown'), ...[...takes.values()].flat()])];
  const rows = keys.map(key => {
    const words = commandWords.filter(word => takes.get(word)?.includes(key));
    const everywhere = words.length === commandWords.length;
    return [code(key), expected(key, words[0]), everywhere ? 'every command' : words.map(code).join(', ')];
  });
  const all = table(['Key', 'Holds', 'With'], [[code('command'), 'one of the commands below', ''], ...rows]);
  return `${all}\n\nA payload has at most ${count(maxPayload)} bytes.`;
}

function keysOf(word: CommandWord): string[] {
  return answer({ command: word, '?': 1 }, /known are command, (.+)$/).split(', ');
}

function expected(key: string, word: CommandWord | undefined): string {
  return answer({ command: word, [key]: [] }, new RegExp(`^${key} is (.+)$`));
}

function answer(payload: object, pattern: RegExp): string {
  const parsed = parseCommand('command', JSON.stringify(payload));
  const [, found] = (isInvalid(parsed) && pattern.exec(parsed.message)) || [];
  if (!found) throw new Error(`the parser says nothing like ${pattern} of ${JSON.stringify(payload)}`);
  return found;
}

/** Situations in which every command means the same share a column. */
function decisionTable(): string {
  const columns = grouped(Object.keys(commands.start.means) as Situation[], situation =>
    commandWords.map(word => decided(meaning(word, situation))),
  );
  const rows = commandWords.map(word => [
    code(word),
    ...columns.map(([situation]) => (situation ? decided(meaning(word, situation)) : '')),
  ]);
  return table(['', ...columns.map(names => names.map(heading).join(', '))], rows);
}

function heading(situation: string): string {
  return situation === 'absent' ? 'no such domain' : code(situation);
}

function meaning(word: CommandWord, situation: Situation): Meaning {
  return rowOf(word).means?.[situation] ?? 'do';
}

function decided(means: Meaning): string {
  if (typeof means !== 'string') return 'no' in means ? '–' : '=';
  return means === 'do' ? '✓' : means.replace('_', ' ');
}

const underWay: Record<Occupation, string> = {
  waiting: 'the pause before a start',
  shutdown: 'a shutdown',
  reboot: 'a reboot, until it is off',
  call: 'anything else: libvirt carries it out',
  rebuild: 'a rebuild of the loader, or a rollback',
};

const means: Record<Interruption, string> = {
  busy: '–',
  end: 'ends it',
  replace: 'takes its place',
  drop: 'takes its place',
  amend: 'shortens it',
  keep: 'follows it',
  beside: '✓',
};

function interruptionTable(): string {
  const columns = grouped(commandWords, word => occupations.map(occupation => interruption(occupation, word)));
  const rows = occupations.map(occupation => [
    underWay[occupation],
    ...columns.map(([word]) => (word ? means[interruption(occupation, word)] : '')),
  ]);
  return table(['Under way', ...columns.map(words => words.map(code).join(', '))], rows);
}

function codeTable(): string {
  const rows = Object.entries(codes).flatMap(([status, meanings]) =>
    Object.entries(meanings).map(([name, meaning], at) => [at === 0 ? code(status) : '', code(name), meaning]),
  );
  return table(['Status', 'Code', ''], rows);
}

/** Those alike together, in the order of the first of them. */
function grouped<T extends string>(names: readonly T[], content: (name: T) => readonly string[]): T[][] {
  return [...Map.groupBy(names, name => content(name).join()).values()];
}

function count(number: number): string {
  return number.toLocaleString('en');
}

if (process.argv[1] === import.meta.filename) keep(file, filled(readFileSync(file, 'utf8')), import.meta.filename);
