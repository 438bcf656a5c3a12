import type { Examination } from '../../doctor/examine.ts';
import type { Source } from '../../doctor/rule.ts';
import { fold } from '../../loader/plan/plan-text.ts';
import { type Finding, levels } from '../../model/doctor.ts';

/** What was found in a VM, as lines for a terminal of 100 columns. Pure. */

export interface Examined extends Examination {
  id: string;
  name: string;
  /** libvirt runs on this machine. */
  local: boolean;
  /** Why nothing was looked at, a sentence; null: it was. */
  trouble: string | null;
}

export function renderExamined({ id, name, local, trouble, findings, unseen }: Examined): string {
  if (trouble !== null) return `${name} (${id}): ${trouble}`;
  const groups = Map.groupBy(findings, ({ code, advice }) => `${code} ${advice}`);
  const lacking = Map.groupBy(unseen, ({ source }) => source);
  return [
    `${name} (${id}): ${summary(findings)}`,
    ...[...groups.values()].flatMap(group),
    ...[...lacking].flatMap(([source, rules]) => {
      const codes = rules.map(({ code }) => code).join(', ');
      return ['', ...fold(`Not looked at, because ${why(source, local)}: ${codes}.`, '  ')];
    }),
  ].join('\n');
}

function summary(findings: readonly Finding[]): string {
  const counts = levels.flatMap(level => {
    const count = findings.filter(each => each.level === level).length;
    const word = level === 'warning' || level === 'hint' ? `${level}${count === 1 ? '' : 's'}` : level;
    return count === 0 ? [] : [`${count} ${word}`];
  });
  return counts.length === 0 ? 'nothing was found.' : `${counts.join(', ')}.`;
}

const beside = ' '.repeat(11);

/** Findings with one reason and one advice. */
function group(findings: readonly Finding[]): string[] {
  const [first] = findings;
  if (!first) return [];
  const { level, code, message, advice } = first;
  const word = level === 'harm' || level === 'warning' ? level.toUpperCase() : level;
  return [
    '',
    `  ${word.padEnd(7)}  ${code}`,
    ...findings.flatMap(({ seen }) => fold(seen, beside)),
    ...fold(message, beside),
    ...fold(advice, `${beside}→ `, `${beside}  `),
  ];
}

function why(source: Source, local: boolean): string {
  if (source === 'definition') return 'this connection does not get the passwords of the definition';
  if (source === 'libvirt') return 'libvirt does not tell here';
  if (source === 'loader') return 'not enough is known of the loader, or of the processor';
  return local ? 'this process cannot see it, or it was never measured' : 'libvirt runs on another machine';
}
