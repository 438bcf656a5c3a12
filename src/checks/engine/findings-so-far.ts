import { type ProbeName, type ProbeRow, probeNames } from '../../model/check.ts';
import type { Evidence } from '../diagnosis/evidence.ts';
import { type Findings, type Kind, outcomeOf } from '../finding.ts';
import type { Examination, Lower } from './examine.ts';

/** What the probes found in this run of the machine: the latest of each, for a cheap check asks only some. Pure. */
export interface FindingsSoFar {
  readonly findings: Partial<Findings>;
  readonly rows: Readonly<Partial<Record<ProbeName, ProbeRow>>>;
  /** How the lower layers were when all was asked; null: it never was. */
  readonly whole: string | null;
}

export const noFindings: FindingsSoFar = { findings: {}, rows: {}, whole: null };

/** With what a check found. `at`: ISO 8601. */
export function withFindings(before: FindingsSoFar, { findings, address }: Examination, at: string): FindingsSoFar {
  const asked = probeNames.flatMap(name => {
    const finding = findings[name];
    return finding ? [[name, rowOf(name, finding, at)] as const] : [];
  });
  return {
    findings: { ...before.findings, ...findings },
    rows: { ...before.rows, ...Object.fromEntries(asked) },
    whole: findings.dsm ? signature(findings, address) : before.whole,
  };
}

/** Whether the lower layers are as they were when all was asked: then what was said above them still holds. */
export function isUnchanged(before: FindingsSoFar, lower: Lower, address: string | null): boolean {
  return before.whole === signature(lower, address);
}

/** The words that the verdict goes by. */
export function kindsIn({ findings }: FindingsSoFar): Pick<Evidence, ProbeName> {
  const kind = <P extends ProbeName>(probe: P): Kind<P> => (findings[probe]?.kind ?? 'not_applicable') as Kind<P>;
  return {
    bridge: kind('bridge'),
    neighbour: kind('neighbour'),
    ping: kind('ping'),
    tcp: kind('tcp'),
    web: kind('web'),
    dsm: kind('dsm'),
    discovery: kind('discovery'),
  };
}

function signature({ bridge, neighbour, tcp }: Lower, address: string | null): string {
  return JSON.stringify([bridge.kind, neighbour.kind, tcp.kind, tcp.open, address]);
}

function rowOf<P extends ProbeName>(probe: P, { kind, ms, explanation }: Findings[P], at: string): ProbeRow {
  return { outcome: outcomeOf(probe, kind as Kind<P>), ms, explanation, at };
}
