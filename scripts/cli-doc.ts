import { readFileSync } from 'node:fs';
import { verbs } from '../src/cli/verbs.ts';
import { code, fillIn, keep, table } from './page.ts';

/**
 * Fills the generated part of docs/command-line.md from the table of verbs: `node scripts/cli-doc.ts --write`, without it
 * checks that it is current.
 */

const file = new URL('../docs/command-line.md', import.meta.url);

/** The page with its part as the table has it. */
export function filled(page: string): string {
  return fillIn(page, { verbs: verbTable });
}

function verbTable(): string {
  const rows = verbs.map(({ name, args = {}, summary }) => [
    code(['dsm2mqtt', name, ...Object.keys(args)].join(' ')),
    summary,
  ]);
  return table(['', ''], rows);
}

if (process.argv[1] === import.meta.filename) keep(file, filled(readFileSync(file, 'utf8')), import.meta.filename);
