import { type Cause, diagnoses } from '../diagnosis/table.ts';

/** What a VM's checks have come to so far: one bad check is no verdict yet. Pure. */
export interface Debounced {
  cause: Cause;
  /** Since when its verdict stands, milliseconds since 1970. */
  since: number;
  /** Checks in a row that found less than stands. */
  failures: number;
}

/**
 * Takes in what a check found. Silence that makes it worse than it stands has to be found `needed` times in a row;
 * what DSM or its installer says in so many words counts at once, and so does what libvirt says of the machine.
 */
export function debounce(before: Debounced, found: Cause, needed: number, now: number): Debounced {
  const failures = badness(found) > badness(before.cause) ? before.failures + 1 : 0;
  if (failures > 0 && failures < needed) return { ...before, failures };
  const same = diagnoses[before.cause].verdict === diagnoses[found].verdict;
  return { cause: found, since: same ? before.since : now, failures: 0 };
}

/** Only silence can be a mishap of one check. */
export function isSilence(cause: Cause): boolean {
  return badness(cause) > 0;
}

/** No answer that could be understood. SSH alone looks like a loader. */
const wanting: ReadonlySet<Cause> = new Set(['loader', 'unseen', 'address_unknown', 'out_of_sight', 'behind']);

function badness(cause: Cause): number {
  const { verdict } = diagnoses[cause];
  if (verdict === 'unreachable') return 2;
  return verdict === 'degraded' || wanting.has(cause) ? 1 : 0;
}

/** The verdict came from libvirt, and not from a probe. */
export function saidByMachine(cause: Cause): boolean {
  return ['off', 'paused', 'crashed'].includes(diagnoses[cause].verdict) || cause === 'absent';
}
