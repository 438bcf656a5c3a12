import {
  ages,
  askables,
  type Evidence,
  machines,
  type OtherEvidence,
  pasts,
} from '../../../src/checks/diagnosis/evidence.ts';
import { type Kind, kinds } from '../../../src/checks/finding.ts';
import type { ProbeName } from '../../../src/model/check.ts';

const all = <P extends ProbeName>(probe: P) => Object.values(kinds[probe]).flat() as Kind<P>[];

type Values<E> = { [K in keyof E]: readonly E[K][] };

const common = {
  ...{ machine: machines, age: ages, past: pasts },
  ...{ bridge: all('bridge'), neighbour: all('neighbour'), ping: all('ping'), tcp: all('tcp') },
};

/** Every value of every field, as the types declare them. */
const ofDsm: Values<Evidence> = {
  ...common,
  web: all('web'),
  dsm: all('dsm'),
  discovery: all('discovery'),
};

const ofOther: Values<OtherEvidence> = {
  ...common,
  http: all('http'),
  ssh: all('ssh'),
  agent: all('agent'),
  askable: askables,
};

const count = (values: object) => Object.values(values).reduce((product: number, { length }) => product * length, 1);
export const combinations = count(ofDsm);
export const otherCombinations = count(ofOther);

/** Calls `visit` with every combination there is. The object is one and the same: it is to be read, not kept. */
export const eachEvidence = (visit: (evidence: Evidence) => void): void => each(ofDsm, visit);
export const eachOtherEvidence = (visit: (evidence: OtherEvidence) => void): void => each(ofOther, visit);

function each<E extends object>(values: Values<E>, visit: (evidence: E) => void): void {
  const fields = Object.keys(values) as (keyof E)[];
  const evidence = Object.fromEntries(fields.map(field => [field, values[field][0]])) as unknown as E;
  const descend = (depth: number): void => {
    const field = fields[depth];
    if (field === undefined) {
      visit(evidence);
      return;
    }
    for (const value of values[field]) {
      evidence[field] = value;
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
