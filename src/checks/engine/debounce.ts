import { type Cause, diagnoses } from '../diagnosis/diagnoses.ts';

/** The result of a VM's checks so far: one bad check alone does not change it. Pure. */
export interface Debounced {
  cause: Cause;
  /** Since when the verdict has been the same, milliseconds since 1970. */
  since: number;
  /** Checks in a row that found less than the verdict says. */
  failures: number;
}

/**
 * Adds what a check found. A worse result that comes from silence counts after `needed` checks in a row. What DSM or
 * its installer reports counts at once, and so does what libvirt reports of the machine.
 */
export function debounce(before: Debounced, found: Cause, needed: number, now: number): Debounced {
  const failures = isDoubtful(before.cause, found) ? before.failures + 1 : 0;
  if (failures > 0 && failures < needed) return { ...before, failures };
  const same = diagnoses[before.cause].verdict === diagnoses[found].verdict;
  return { cause: found, since: same ? before.since : now, failures: 0 };
}

/** An API that one check did not hear looks like a start: that alone does not end an update. */
function isDoubtful(before: Cause, found: Cause): boolean {
  const [was, is] = [diagnoses[before].verdict, diagnoses[found].verdict];
  return badness(found) > badness(before) || (was === 'updating' && (is === 'starting' || is === 'booting'));
}

/** Only silence can be an accident of one check. */
export function isSilence(cause: Cause): boolean {
  return badness(cause) > 0;
}

/** No answer was understood. SSH alone looks like a loader. */
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
