import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * Finds the words that AGENTS.md has retired, in the names of files and in the code: `node scripts/words.ts`. Ends with
 * 1 and a line for each when there are any.
 */

/** Each with what to say instead. */
const retired: Readonly<Record<string, string>> = {
  chronicle: 'event publisher',
  asker: 'ticket, pending reply',
  askers: 'tickets, pending replies',
  desk: 'VM',
  ruling: 'decision',
  ledger: 'findings so far',
  radio: 'client',
  disguise: 'anonymizer',
  errand: 'simple command',
  errands: 'simple commands',
  happening: 'notification',
  happenings: 'notifications',
  shelf: 'entry',
  shelves: 'entries',
  knowledge: 'run state',
  steering: 'power',
  survey: 'plan',
  intake: 'reader',
  dialect: 'protocol version',
  admit: 'policy',
  standing: 'debounce',
  disguised: 'hidden, renamed',
};

const own = 'scripts/words.ts';
const files = execFileSync('git', ['ls-files', '--', 'src', 'test', 'scripts'], { encoding: 'utf8' })
  .split('\n')
  .filter(file => /\.[jt]s$/.test(file) && file !== own);
/** Also as a part of `camelCase` and of `kebab-case`. */
const pattern = new RegExp(`(?<![A-Za-z])(?:${Object.keys(retired).join('|')})(?![a-z])`, 'gi');
const humps = (text: string) => text.replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ');

for (const file of files) {
  const lines = [file, ...readFileSync(file, 'utf8').split('\n')];
  for (const [at, line] of lines.entries()) {
    for (const [word] of humps(line).matchAll(pattern)) {
      console.error(`${file}:${at}: '${word}' is retired, say: ${retired[word.toLowerCase()]}`);
      process.exitCode = 1;
    }
  }
}
