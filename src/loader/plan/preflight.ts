import type { Finding, Level, PreflightFacts } from './finding.ts';
import { hostFindings, identityFindings } from './preflight-host.ts';
import { modelFindings } from './preflight-model.ts';
import { loaderDiskFindings, vmFindings } from './preflight-vm.ts';

/** Judges, before anything is touched, whether a rebuild can work. Pure: what is to be known is handed in. */

const order: readonly Level[] = ['refuse', 'warn', 'tell'];

/** The gravest first. A rebuild is not begun while one of them refuses. */
export function preflight(facts: PreflightFacts): readonly Finding[] {
  const tables = [modelFindings, vmFindings, loaderDiskFindings, hostFindings, identityFindings];
  return gravestFirst(tables.flatMap(table => table(facts)));
}

export function gravestFirst(findings: readonly Finding[]): readonly Finding[] {
  return findings.toSorted((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
}
