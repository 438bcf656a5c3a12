import { type Check, isReachable, type ProbeName, type ProbeRow, unknownDsm, type Wish } from '../../model/check.ts';
import type { VmSnapshot } from '../../model/snapshot.ts';
import { enumerate } from '../../util/enumerate.ts';
import { guests } from '../diagnosis/diagnose-other.ts';
import { type Cause, diagnoses } from '../diagnosis/diagnoses.ts';
import type { Machine } from '../diagnosis/evidence.ts';
import { isProblem, ofExpectation } from '../diagnosis/expected.ts';
import { type Facts, messageOf, span } from '../diagnosis/messages.ts';
import { type Kind, outcomeOf } from '../finding.ts';
import { type CheckPolicy, type CheckState, sinceStart } from './state.ts';

/** Everything that the checks of a VM have found, as one document. Pure. */

export interface ReportContext {
  vm: VmSnapshot;
  machine: Machine;
  /** Its guest has powered itself off, and it is still open whether that was meant. */
  settling: boolean;
  /** Milliseconds since 1970; null: no check is planned. */
  nextAt: number | null;
  /** The configured name or UUID of the domain. */
  domain: string;
  /** The domains that libvirt has instead; for people. */
  instead: string;
  policy: CheckPolicy;
  /** Of the clock that only goes on. */
  now: number;
}

export function report(state: CheckState, context: ReportContext): Check {
  const { vm, machine, settling, nextAt } = context;
  const wish = wishOf(context);
  const { known, run, findings, checkedAt } = state;
  const { cause, since, failures } = state.debounced;
  const { verdict } = diagnoses[cause];
  const busy = vm.work !== null;
  const problem = isProblem(cause, machine, { wish, busy, settling });
  const words = messageOf(cause, factsOf(state, cause, context));
  const more = busy ? null : ofExpectation(machine, { wish, settling });
  // It is meant to be off, or paused, and it is: there is no next step.
  const idle = ['off', 'paused', 'asleep'].includes(machine) && problem !== true;
  return {
    ...{ verdict, cause, problem, failures, reachable: isReachable(verdict), since: iso(since), expected: wish },
    reason: more ? `${words.reason} ${more.reason}` : words.reason,
    nextStep: idle ? null : (more ?? words).next,
    probes: rowsOf(findings),
    latency: findings.tcp?.ms ?? null,
    checkedAt: checkedAt === null ? null : iso(checkedAt),
    nextAt: nextAt === null ? null : iso(nextAt),
    wasUp: run?.wasUp ?? false,
    bootSeconds: run?.bootSeconds ?? null,
    certificateDays: findings.http?.certificateDays ?? null,
    dsm: known.dsm?.address === known.address ? known.dsm : { ...(known.dsm ?? unknownDsm), address: known.address },
  };
}

/** The facts for a cause's sentence; a NIC that a probe named comes before the first one. */
export function factsOf(state: CheckState, cause: Cause, context: ReportContext): Facts {
  const { vm, domain, instead, policy, now } = context;
  const { known, port, run, findings } = state;
  const worst = findings.bridge?.worst ?? null;
  const cable = worst !== null && worst.kind === cause ? worst : findings.bridge;
  const nics = vm.domain?.hardware.nics ?? [];
  const nic = nics.find(({ mac }) => mac === cable?.mac) ?? nics[0];
  const age = run?.exact ? sinceStart(state, now) : null;
  return {
    ...{ domain: vm.domain?.name ?? domain, instead, address: known.address ?? policy.address ?? 'its address' },
    ...{ port: `${port}`, ports: enumerate(policy.ports), closed: enumerate(findings.tcp?.closed ?? []) },
    ...{ mac: nic?.mac ?? 'MAC', tap: nic?.tap ?? 'TAP', source: nic?.source ?? 'BRIDGE' },
    ...{ age: age === null ? 'a while' : span(age), grace: span(policy.bootGrace) },
    ...{ bridge: cable?.explanation ?? '', neighbour: findings.neighbour?.explanation ?? '' },
    ...{ web: findings.web?.explanation ?? '', http: findings.http?.explanation ?? '' },
    ...{ ssh: findings.ssh?.explanation ?? '', agent: findings.agent?.explanation ?? '' },
    services: faultsOf(findings),
    guest: guests[policy.guest].name,
  };
}

const services = ['tcp', 'http', 'ssh', 'agent'] as const;

/** The sentences of what was asked of a guest and failed. */
function faultsOf(findings: CheckState['findings']): string {
  const failed = services.filter(probe => rowsOf(findings)[probe]?.outcome === 'failed');
  return failed.map(probe => findings[probe]?.explanation).join(' ');
}

function rowsOf(findings: CheckState['findings']): Check['probes'] {
  const found = Object.entries(findings) as [ProbeName, NonNullable<CheckState['findings'][ProbeName]>][];
  const rows = found.map(([probe, { kind, ms, explanation, at }]): [ProbeName, ProbeRow] => {
    return [probe, { outcome: outcomeOf(probe, kind as Kind<ProbeName>), ms, explanation, at }];
  });
  return Object.fromEntries(rows);
}

/** A configured expectation counts more than a command. */
function wishOf({ vm, policy: { expected } }: ReportContext): Wish | null {
  return expected === 'running' || expected === 'off' ? expected : vm.wish;
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
