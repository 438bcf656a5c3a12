import { readFileSync } from 'node:fs';
import { phases, type RunningPhase } from '../src/loader/job/phases.ts';
import type { OutputTable } from '../src/loader/kinds/adapter.ts';
import { outputTable as ofRr } from '../src/loader/kinds/rr/failures.ts';
import { outputTable as ofTcrp } from '../src/loader/kinds/tcrp/failures.ts';
import { code, fillIn, keep, table } from './page.ts';

/**
 * Fills the generated parts of docs/rebuild.md from the tables that decide: `node scripts/rebuild-doc.ts --write`,
 * without it checks that they are current. Everything between the markers is the script's.
 */

const file = new URL('../docs/rebuild.md', import.meta.url);

/** The page with every part as the code has it. */
export function filled(page: string): string {
  return fillIn(page, {
    phases: phaseTable,
    failures: () => failureTable(ofTcrp),
    'rr-failures': () => failureTable(ofRr),
  });
}

/** How long those may take that the table gives no time for. */
const otherwise: Readonly<Partial<Record<RunningPhase, string>>> = {
  shutting_down: '`shutdown.timeout`, or the command’s `timeout`',
  connecting: '5 min',
  building: '60 min for the build, 10 to 15 for each command before it; 15 and 5 without new output',
  checking: 'four times `boot_grace`, and 2 min',
  rolling_back: 'as `shutting_down` and `checking`',
};

function phaseTable(): string {
  const rows = Object.entries(phases).map(([name, { title, within, cancelled, killed = 'the same' }]) => [
    code(name),
    title,
    within === null ? (otherwise[name as RunningPhase] ?? '?') : `${within / 60_000} min`,
    cancelled,
    killed,
  ]);
  return table(['Phase', '', 'At most', '`cancel` leaves the VM', 'A `kill -9` of the bridge leaves it'], rows);
}

function failureTable({ failures }: OutputTable): string {
  const rows = failures.map(({ code: name, message, advice }) => [
    code(name),
    message
      .replace('The extension $1', 'An extension')
      .replace(' (curl says $1)', '')
      .replace(': $1', '')
      .replace(/\$1\.?/, '…'),
    advice ?? 'Read its last lines, which are shown with it.',
  ]);
  const once = rows.filter((row, at) => rows.findIndex(other => other[0] === row[0] && other[1] === row[1]) === at);
  return table(['Code', 'What it means', 'What to do'], once);
}

if (process.argv[1] === import.meta.filename) keep(file, filled(readFileSync(file, 'utf8')), import.meta.filename);
