import type { Check, Verdict } from '../check.ts';

/** What a job takes from the checks about DSM. Pure. */

export interface Guest {
  /** `unknown` when the check could not tell DSM's state. */
  verdict: Verdict;
  wasUp: boolean;
  /** Monotonic milliseconds until which the verdict counts. */
  until: number;
}

export const unknownGuest: Guest = { verdict: 'unknown', wasUp: false, until: 0 };

/** Verdicts on the machine, not on DSM. */
const ofMachine: ReadonlySet<Verdict> = new Set(['off', 'paused', 'crashed']);

/** Milliseconds after the next check is due, or after the last one if none is planned. */
const patience = 300_000;

/**
 * A verdict counts until the next check should certainly have ended. `date`: milliseconds since 1970, of a clock that
 * may have been set; `now`: monotonic milliseconds.
 */
export function guestOf(check: Check | null, date: number, now: number): Guest {
  if (!check) return unknownGuest;
  const checkedAt = check.checkedAt === null ? date : Date.parse(check.checkedAt);
  const nextAt = check.nextAt === null ? checkedAt : Date.parse(check.nextAt);
  const span = Math.max(0, nextAt - checkedAt) + patience;
  const age = Math.max(0, date - checkedAt);
  const { verdict, wasUp, probes } = check;
  // Then only libvirt says that it boots.
  const unasked = Object.keys(probes).length === 0 && check.nextAt === null;
  if (age >= span || unasked || ofMachine.has(verdict)) return { ...unknownGuest, wasUp };
  return { verdict, wasUp, until: now + span - age };
}
