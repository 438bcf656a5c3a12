import type { GuestKind } from '../model/check.ts';
import { type Finding, type Level, levels } from '../model/doctor.ts';
import type { Facts, Rule, Source } from './facts.ts';
import { diskRules } from './rules/disks.ts';
import { loaderRules } from './rules/loader.ts';
import { machineRules } from './rules/machine.ts';
import { networkRules } from './rules/network.ts';

/** THE table of rules, the gravest first. docs/doctor.md is made from it. */
export const rules: readonly Rule[] = [...machineRules, ...loaderRules, ...diskRules, ...networkRules].toSorted(
  gravestFirst,
);

export interface Examination {
  /** The gravest first. */
  findings: readonly Finding[];
  /** Codes of the rules that could not tell, with what they lack. */
  unseen: readonly { code: string; source: Source }[];
}

/** Pure. */
export function examine(facts: Facts, guest: GuestKind = 'dsm'): Examination {
  const fitting = rules.filter(({ everyGuest }) => guest === 'dsm' || everyGuest);
  const looks = fitting.map(rule => ({ rule, found: rule.find(facts) }));
  const findings = looks.flatMap(({ rule: { level, code, message, advice }, found }) =>
    (found ?? []).map(each => ({
      level,
      code,
      message,
      advice,
      ...(typeof each === 'string' ? { seen: each } : each),
    })),
  );
  return {
    findings: findings.toSorted(gravestFirst),
    unseen: looks.flatMap(({ rule: { code, source }, found }) => (found === null ? [{ code, source }] : [])),
  };
}

function gravestFirst(a: { level: Level }, b: { level: Level }): number {
  return levels.indexOf(a.level) - levels.indexOf(b.level);
}
