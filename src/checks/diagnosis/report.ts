import { type Check, type DsmIdentity, isReachable, type ProbeName, type ProbeRow } from '../../model/check.ts';
import type { Debounced } from '../engine/debounce.ts';
import type { Machine } from './evidence.ts';
import { type Expectation, isProblem, ofExpectation } from './expected.ts';
import { type Facts, messageOf } from './messages.ts';
import { type Cause, diagnoses } from './table.ts';

/** Everything that has been found, as the one thing that is told. Pure. */

export interface ReportInput extends Expectation {
  debounced: Debounced;
  machine: Machine;
  facts: Facts;
  rows: Readonly<Partial<Record<ProbeName, ProbeRow>>>;
  latency: number | null;
  checkedAt: number | null;
  nextAt: number | null;
  wasUp: boolean;
  bootSeconds: number | null;
  dsm: DsmIdentity;
}

export function report(told: ReportInput): Check {
  const { debounced, machine, wish, busy, facts, rows, latency, wasUp, bootSeconds, dsm } = told;
  const { cause, since, failures } = debounced;
  const { verdict } = diagnoses[cause];
  const problem = isProblem(cause, machine, told);
  const words = sentences(cause, facts, busy ? null : ofExpectation(machine, told));
  return {
    verdict,
    cause,
    reachable: isReachable(verdict),
    problem,
    reason: words.reason,
    // Off, or paused, as it is meant to be: there is nothing to do.
    nextStep: machineSpeaks(machine) && problem !== true ? null : words.next,
    since: iso(since),
    failures,
    expected: wish,
    probes: rows,
    latency,
    checkedAt: told.checkedAt === null ? null : iso(told.checkedAt),
    nextAt: told.nextAt === null ? null : iso(told.nextAt),
    wasUp,
    bootSeconds,
    dsm,
  };
}

function sentences(cause: Cause, facts: Facts, more: { reason: string; next: string } | null) {
  const { reason, next } = messageOf(cause, facts);
  return more ? { reason: `${reason} ${more.reason}`, next: more.next } : { reason, next };
}

function machineSpeaks(machine: Machine): boolean {
  return machine === 'off' || machine === 'paused' || machine === 'asleep';
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
