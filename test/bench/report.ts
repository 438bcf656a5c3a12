import { cpus, release, totalmem } from 'node:os';
import { styleText } from 'node:util';
import type { Spread } from './numbers.ts';

/** One line of the table. Where a floor stands below a measurement, both were measured in turns. */
export interface Row {
  name: string;
  kind: 'measured' | 'floor';
  unit: 's' | 'ms' | 'ms CPU' | 'MiB' | '% of a core' | 'of them';
  median: number;
  p99: number | null;
  samples: number;
  goal: Goal | null;
}

export interface Goal {
  limit: number;
  on: 'median' | 'p99';
}

export interface Section {
  title: string;
  /** How many it is about, where the same is measured with several numbers of them. */
  domains?: number;
  rows: readonly Row[];
}

type Values = { median: number; p99?: number; count?: number };

export function measured(name: string, unit: Row['unit'], values: Values, goal: Goal | null = null): Row {
  return { name, kind: 'measured', unit, ...told(values), goal };
}

export function floor(name: string, unit: Row['unit'], values: Values | Spread): Row {
  return { name, kind: 'floor', unit, ...told(values), goal: null };
}

/** A latency, and at its p99 half as much more than its floor's may be. */
export function beside(whole: Spread, least: Spread): Row[] {
  const goal = { limit: 1.5 * least.p99, on: 'p99' } as const;
  return [measured('bridge', 'ms', whole, goal), floor('the same bytes', 'ms', least)];
}

/** A Markdown table that reads well on a terminal too. */
export function table(sections: readonly Section[]): string {
  const lines = sections.flatMap(({ title, rows }) => [[`**${title}**`, '', '', '', ''], ...rows.map(cells)]);
  return markdown([['', 'median', 'p99', 'n', 'goal'], ...lines]);
}

const thousandth = { s: 'ms', ms: 'µs', 'ms CPU': 'µs CPU', MiB: 'kiB', '% of a core': '', 'of them': '' };

/** The same medians by number of domains, and what each further domain adds; linear growth adds the same everywhere. */
export function growth(sections: readonly Section[]): string | null {
  const columns = sections.filter(({ domains }) => domains !== undefined);
  const [first] = columns;
  if (!first || columns.length < 2) return null;
  const lines = first.rows.flatMap(({ name, unit, kind }, i) => {
    const values = columns.map(({ domains = 0, rows }) => ({ domains, median: rows[i]?.median ?? Number.NaN }));
    const added = values.map(({ domains, median }, j) => {
      const before = values[j - 1];
      return before ? digits(((median - before.median) * 1_000) / (domains - before.domains)) : '';
    });
    const line = [label({ name, unit, kind }), ...values.map(({ median }) => digits(median))];
    return kind === 'floor' ? [line] : [line, [`· each further domain, ${thousandth[unit]}`, ...added]];
  });
  return markdown([['domains', ...columns.map(({ domains }) => String(domains))], ...lines]);
}

/** The first line is its head. */
function markdown([head = [], ...lines]: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) => Math.max(3, ...[head, ...lines].map(line => line[column]?.length ?? 0)));
  const format = (line: readonly string[]) =>
    `| ${widths.map((width, i) => pad(line[i] ?? '', width, i)).join(' | ')} |`;
  const rule = `| ${widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [format(head), rule, ...lines.map(format)].join('\n');
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

export function isMissed({ goal, median, p99 }: Row): boolean {
  return goal !== null && (goal.on === 'p99' ? (p99 ?? median) : median) > goal.limit;
}

function told({ median, p99, count }: Values): Pick<Row, 'median' | 'p99' | 'samples'> {
  return { median, p99: p99 ?? null, samples: count ?? 1 };
}

function cells(row: Row): string[] {
  const { median, p99, samples, goal } = row;
  const limit = goal ? `≤ ${digits(goal.limit)}${goal.on === 'p99' ? ' p99' : ''} ${isMissed(row) ? '✗' : '✓'}` : '';
  return [label(row), digits(median), p99 === null ? '' : digits(p99), samples > 1 ? String(samples) : '', limit];
}

function label({ kind, name, unit }: Pick<Row, 'kind' | 'name' | 'unit'>): string {
  return `${kind === 'floor' ? '– floor: ' : ''}${name}, ${unit}`;
}

/** Three figures that matter. */
function digits(value: number): string {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return value.toFixed(Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3);
}

function pad(text: string, width: number, column: number): string {
  return column === 0 ? text.padEnd(width) : text.padStart(width);
}
