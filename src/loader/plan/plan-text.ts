import type { Finding } from './finding.ts';
import { type Plan, type PlanCommand, type PlanPhase, size } from './plan.ts';

/** The plan of a rebuild as lines for a terminal of 100 columns; `dry`: it will not be carried out. Pure. */
export function planText(plan: Plan, dry = true): string[] {
  const { name, id, model, version, platform, findings, phases, failure } = plan;
  // The notes on the map are shown where it is set.
  const told = findings.filter(({ code }) => code !== 'sata_map' || phases.length === 0);
  const done = ['', 'What would be done', ...phases.flatMap(phase)];
  const failed = ['', 'If it fails', ...failure.flatMap(sentence => fold(sentence, '  '))];
  const what = `${name} (${id}): a rebuild of its loader for ${model} ${version}.`;
  return [
    ...fold(dry ? `${what} A dry run: nothing is changed.` : what),
    '',
    ...table([
      ['Loader', `${plan.loader_title}, ${platform}`],
      ['Image', plan.image ? `${plan.image.path}, ${size(plan.image.size)}` : 'not found'],
      ['Boot menu', plan.boot_entry.now === null ? 'not known' : `starts ${plan.boot_entry.now}`],
    ]),
    '',
    verdict(findings),
    ...told.flatMap(finding),
    ...(phases.length === 0 ? [] : [...done, ...failed]),
  ];
}

const words = { refuse: 'REFUSED', warn: 'WARNING', tell: 'note' } as const satisfies Record<Finding['level'], string>;

function verdict(findings: readonly Finding[]): string {
  const count = (level: Finding['level']) => findings.filter(each => each.level === level).length;
  const [refusals, warnings] = [count('refuse'), count('warn')];
  if (refusals > 0)
    return `It cannot be done: ${refusals === 1 ? 'one thing is' : `${refusals} things are`} in its way.`;
  if (warnings > 0) return `It can be done, with ${warnings === 1 ? 'one warning' : `${warnings} warnings`}.`;
  return 'It can be done: nothing is in its way.';
}

function finding({ level, message, advice }: Finding): string[] {
  const beside = ' '.repeat(11);
  return [
    ...fold(message, `  ${words[level].padEnd(7)}  `, beside),
    ...(advice === null ? [] : fold(advice, `${beside}→ `, `${beside}  `)),
  ];
}

const indent = ' '.repeat(5);
const deeper = ' '.repeat(9);

function phase({ title, does, values, commands }: PlanPhase, index: number): string[] {
  return [
    '',
    `${String(index + 1).padStart(3)}  ${title}`,
    ...table(Object.entries(values), indent),
    ...does.flatMap(sentence => fold(sentence, indent)),
    ...commands.flatMap(command),
  ];
}

function command({ title, command: line, condition, prompts, settings, notes }: PlanCommand, index: number): string[] {
  const when = condition === null ? '' : ` (${condition})`;
  const asked = prompts.map(({ asks, answer, times }) => {
    const often = times > 1 ? ` (up to ${times} times)` : '';
    return `? ${asks} → ${answer === '' ? 'ENTER' : answer}${often}`;
  });
  return [
    ...fold(`${title}${when}`, `${indent}${String(index + 1).padStart(2)}  `, deeper),
    ...fold(shellWords(line), `${deeper}$ `, `${deeper}    `, ' \\'),
    ...asked.flatMap(text => fold(text, deeper, `${deeper}  `)),
    ...table(
      Object.entries(settings ?? {}).map(([key, value]) => [key, value === '' ? '(empty)' : value]),
      deeper,
    ),
    ...notes.flatMap(note => fold(note, `${deeper}· `, `${deeper}  `)),
  ];
}

function table(rows: readonly (readonly string[])[], before = '  '): string[] {
  const width = Math.max(0, ...rows.map(([name = '']) => name.length));
  const beside = ' '.repeat(before.length + width + 2);
  return rows.flatMap(([name = '', value = '']) => fold(value, `${before}${name.padEnd(width)}  `, beside));
}

const columns = 100;

/**
 * Wraps text (or words that stay whole) at 100 columns, except longer words. `first` and `rest` are the prefixes of the
 * first line and of the others; `end` follows each line but the last.
 */
export function fold(text: string | readonly string[], first = '', rest = first, end = ''): string[] {
  const words = typeof text === 'string' ? text.split(' ') : text;
  const lines: string[] = [];
  let line: string | null = null;
  for (const word of words) {
    if (line === null) line = first + word;
    else if (line.length + 1 + word.length + end.length <= columns) line += ` ${word}`;
    else {
      lines.push(line + end);
      line = rest + word;
    }
  }
  return [...lines, line ?? first].map(each => each.trimEnd());
}

export function shellWords(line: string): string[] {
  return line.match(/(?:'[^']*'|[^\s'])+/g) ?? [];
}
