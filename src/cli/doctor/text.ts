import type { Examination } from '../../doctor/examine.ts';
import type { Source } from '../../doctor/facts.ts';
import { fold } from '../../loader/plan/plan-text.ts';
import type { Finding } from '../../model/doctor.ts';

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
  const who = `${name} (${id})`;
  if (trouble !== null) return `${who}: ${trouble}`;
  const counts = [...Map.groupBy(findings, ({ level }) => level)].map(
    ([level, { length }]) => `${length} ${level}${length > 1 && plural.test(level) ? 's' : ''}`,
  );
  const alike = Map.groupBy(findings, ({ level, code, advice }) => `${level} ${code} ${advice}`);
  const why = { ...reasons, ...(local ? {} : { host: 'libvirt runs on another machine' }) };
  const lacking = [...Map.groupBy(unseen, ({ source }) => source)].flatMap(([source, rules]) => {
    const codes = rules.map(({ code }) => code).join(', ');
    return ['', ...fold(`Not looked at, because ${why[source]}: ${codes}.`, '  ')];
  });
  return [
    `${who}: ${counts.join(', ') || 'nothing was found'}.`,
    ...[...alike.values()].flatMap(lines),
    ...lacking,
  ].join('\n');
}

/** Why a rule could not tell, by what it needs most. */
const reasons: Readonly<Record<Source, string>> = {
  definition: 'this connection does not get the passwords of the definition',
  libvirt: 'libvirt does not tell here',
  loader: 'not enough is known of the loader, or of the processor',
  host: 'this process cannot see it, or it was never measured',
};

const plural = /warning|hint/;

const beside = ' '.repeat(11);

/** Findings with one reason and one advice. */
function lines(findings: readonly Finding[]): string[] {
  const seen = findings.flatMap(each => fold(each.seen, beside));
  return findings.slice(0, 1).flatMap(({ level, code, message, advice }) => {
    const word = (level === 'harm' || level === 'warning' ? level.toUpperCase() : level).padEnd(7);
    const told = [...fold(message, beside), ...fold(advice, `${beside}→ `, `${beside}  `)];
    return ['', `  ${word}  ${code}`, ...seen, ...told];
  });
}
