import { cpus, release, totalmem } from 'node:os';
import { styleText } from 'node:util';
import type { Spread } from './numbers.ts';

/** One line of the table. Where a floor stands below a measurement, both were measured in turns. */
export interface Row {
  name: string;
  kind: 'measured' | 'floor';
  unit: 'ms' | 'ms CPU' | 'MiB' | '% of a core' | 'KiB';
  median: number;
  p99: number | null;
  samples: number;
  budget: { limit: number; on: 'median' | 'p99' } | null;
}

export interface Section {
  title: string;
  rows: readonly Row[];
}

type Values = { median: number; p99?: number; count?: number };

export function measured(name: string, unit: Row['unit'], values: Values, budget: Row['budget'] = null): Row {
  return { name, kind: 'measured', unit, ...told(values), budget };
}

export function floor(name: string, unit: Row['unit'], values: Values | Spread): Row {
  return { name, kind: 'floor', unit, ...told(values), budget: null };
}

/** A Markdown table that reads well on a terminal too. */
export function table(sections: readonly Section[]): string {
  const header = ['', 'median', 'p99', 'n', 'budget'];
  const lines = sections.flatMap(({ title, rows }) => [[`**${title}**`, '', '', '', ''], ...rows.map(cells)]);
  const widths = header.map((_, column) => Math.max(3, ...[header, ...lines].map(line => line[column]?.length ?? 0)));
  const format = (line: readonly string[]) =>
    `| ${widths.map((width, i) => pad(line[i] ?? '', width, i)).join(' | ')} |`;
  const rule = `| ${widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [format(header), rule, ...lines.map(format)].join('\n');
}

export function machine(): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpu?.model.trim()}, ${cpus().length} cores, ${memory} GiB; Linux ${release()}; Node ${process.versions.node}`;
}

/** What goes on, on a terminal's standard error. */
export function progress(text: string): void {
  process.stderr.write(`${styleText('dim', `… ${text}`, { stream: process.stderr })}\n`);
}

export function isMissed({ budget, median, p99 }: Row): boolean {
  if (!budget) return false;
  return (budget.on === 'p99' ? (p99 ?? median) : median) > budget.limit;
}

function told({ median, p99, count }: Values): Pick<Row, 'median' | 'p99' | 'samples'> {
  return { median, p99: p99 ?? null, samples: count ?? 1 };
}

function cells(row: Row): string[] {
  const { name, kind, unit, median, p99, samples, budget } = row;
  const limit = budget ? `≤ ${budget.limit}${budget.on === 'p99' ? ' p99' : ''} ${isMissed(row) ? '✗' : '✓'}` : '';
  const label = `${kind === 'floor' ? '– floor: ' : ''}${name}, ${unit}`;
  return [label, digits(median), p99 === null ? '' : digits(p99), samples > 1 ? String(samples) : '', limit];
}

/** Three figures that matter. */
function digits(value: number): string {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return value.toFixed(Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3);
}

function pad(text: string, width: number, column: number): string {
  return column === 0 ? text.padEnd(width) : text.padStart(width);
}
