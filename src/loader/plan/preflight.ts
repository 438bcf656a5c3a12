import type { Finding, Level, PreflightFacts } from './finding.ts';
import { hostFindings, identityFindings } from './preflight-host.ts';
import { modelFindings } from './preflight-model.ts';
import { loaderDiskFindings, vmFindings } from './preflight-vm.ts';

/** Judges, before anything is changed, whether a rebuild can work. Pure: gets all facts as arguments. */

const order: readonly Level[] = ['refuse', 'warn', 'tell'];

/** The most serious first. A rebuild does not begin while one of them refuses. */
export function preflight(facts: PreflightFacts): readonly Finding[] {
  const tables = [modelFindings, vmFindings, loaderDiskFindings, hostFindings, identityFindings];
  return gravestFirst(tables.flatMap(table => table(facts)));
}

export function gravestFirst(findings: readonly Finding[]): readonly Finding[] {
  return findings.toSorted((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
}
