import type { Finding, Level, PreflightFacts } from './finding.ts';
import { changes, hostFindings, identityFindings } from './preflight-host.ts';
import { loaderDiskFindings, vmFindings } from './preflight-vm.ts';

/** Judges, before anything is changed, whether a rebuild can work. Pure: gets all facts as arguments. */

const order: readonly Level[] = ['refuse', 'warn', 'tell'];

/** The most serious first. A rebuild does not begin while one of them refuses. `own`: of the loader's kind. */
export function preflight(facts: PreflightFacts, own: readonly Finding[]): readonly Finding[] {
  const tables = [vmFindings, loaderDiskFindings, hostFindings, identityFindings];
  // What cannot be built changes nothing.
  const after = own.some(({ level }) => level === 'refuse') ? [] : changes(facts);
  return gravestFirst([...after, ...own, ...tables.flatMap(table => table(facts))]);
}

export function gravestFirst(findings: readonly Finding[]): readonly Finding[] {
  return findings.toSorted((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
}
