import { ages, type Evidence, machines, pasts } from '../../../src/checks/diagnosis/evidence.ts';
import { type Kind, kinds } from '../../../src/checks/finding.ts';
import type { ProbeName } from '../../../src/model/check.ts';

const all = <P extends ProbeName>(probe: P) => Object.values(kinds[probe]).flat() as Kind<P>[];

/** Every value of every field, as the types declare them. */
const values: { [K in keyof Evidence]: readonly Evidence[K][] } = {
  machine: machines,
  age: ages,
  past: pasts,
  bridge: all('bridge'),
  neighbour: all('neighbour'),
  ping: all('ping'),
  tcp: all('tcp'),
  web: all('web'),
  dsm: all('dsm'),
  discovery: all('discovery'),
};

const fields = Object.keys(values) as (keyof Evidence)[];

export const combinations = fields.reduce((product, field) => product * values[field].length, 1);

/** Calls `visit` with every combination there is. The object is one and the same: it is to be read, not kept. */
export function eachEvidence(visit: (evidence: Evidence) => void): void {
  const evidence = Object.fromEntries(fields.map(field => [field, values[field][0]])) as unknown as Evidence;
  const descend = (depth: number): void => {
    const field = fields[depth];
    if (field === undefined) {
      visit(evidence);
      return;
    }
    for (const value of values[field]) {
      (evidence as unknown as Record<string, unknown>)[field] = value;
      descend(depth + 1);
    }
  };
  descend(0);
}

/** A DSM that is up, seen by every probe. */
export const healthy: Evidence = {
  machine: 'running',
  age: 'old',
  past: 'was_up',
  bridge: 'ok',
  neighbour: 'ok',
  ping: 'ok',
  tcp: 'all',
  web: 'dsm',
  dsm: 'ready',
  discovery: 'ready',
};

/** A machine that says nothing at all. */
export const mute: Evidence = {
  ...healthy,
  ...{ neighbour: 'silent', ping: 'silent', tcp: 'silent', web: 'closed', dsm: 'not_applicable', discovery: 'silent' },
};
