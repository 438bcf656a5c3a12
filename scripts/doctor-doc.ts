import { readFileSync } from 'node:fs';
import { rules } from '../src/doctor/examine.ts';
import type { Source } from '../src/doctor/facts.ts';
import { levels } from '../src/model/doctor.ts';
import { code, fillIn, keep, table } from './page.ts';

/**
 * Fills the generated part of docs/doctor.md from the table of rules: `node scripts/doctor-doc.ts --write`, without it
 * checks that it is current.
 */

const file = new URL('../docs/doctor.md', import.meta.url);

/** The page with its part as the table has it. */
export function filled(page: string): string {
  return fillIn(page, { rules: ruleTable });
}

const needs: Readonly<Record<Source, string>> = {
  definition: 'definition',
  libvirt: 'libvirt',
  loader: 'loader',
  host: '**host**',
};

function ruleTable(): string {
  const parts = levels.map(level => {
    const rows = rules
      .filter(rule => rule.level === level)
      .map(rule => [`${code(rule.code)}${rule.everyGuest ? ' *' : ''}`, needs[rule.source], rule.message, rule.advice]);
    return `### ${level}\n\n${table(['Code', 'Needs', 'Why it matters', 'What to do'], rows)}`;
  });
  return parts.join('\n\n');
}

if (process.argv[1] === import.meta.filename) keep(file, filled(readFileSync(file, 'utf8')), import.meta.filename);
