import type { Wish } from '../../model/check.ts';
import type { VmSnapshot } from '../../model/snapshot.ts';
import type { Machine } from './evidence.ts';
import { type Cause, diagnoses } from './table.ts';

/** How it stands to what it is meant to be. */
export interface Expectation {
  wish: Wish | null;
  /** The bridge is carrying a command out, which changes that. */
  busy: boolean;
  /** Its guest has powered itself off: whether that was meant is not known yet. */
  settling: boolean;
}

/** Milliseconds for which a guest that has powered itself off must stay off: then that is what was meant. */
const settlingTime = 600_000;

/** Milliseconds until a VM that is off by its guest's own doing is meant to be off, 0 if it is; null: it is no such VM. */
export function leftToSettle({ selfOffAt, wish }: VmSnapshot, now: number): number | null {
  if (selfOffAt === null || wish === null || wish === 'off') return null;
  const passed = Math.max(0, now - Date.parse(selfOffAt));
  return Math.max(0, settlingTime - passed);
}

/** A problem is a difference from what is meant; null: nobody can tell. */
export function isProblem(cause: Cause, machine: Machine, { wish, busy, settling }: Expectation): boolean | null {
  if (machine === 'crashed' || machine === 'io_error') return true;
  if (busy) return false;
  const halted = machine === 'paused' || machine === 'asleep';
  if (wish === 'off') return machine === 'unseen' ? null : machine === 'running' || halted;
  if (machine === 'off') return wish !== null && !settling;
  if (machine === 'died') return true;
  if (halted) return wish !== 'paused';
  const { verdict, problem } = diagnoses[cause];
  if (verdict !== 'unknown' || machine === 'absent') return problem;
  return machine === 'stopping' ? false : null;
}

/** What a difference from what is meant adds to the sentence, and to what there is to do. */
export function ofExpectation(
  machine: Machine,
  { wish, settling }: Pick<Expectation, 'wish' | 'settling'>,
): { reason: string; next: string } | null {
  if (wish === 'off') {
    const next = 'Shut it down; or command a start, which says that it is meant to run.';
    return ['off', 'died', 'absent'].includes(machine) ? null : { reason: 'It is meant to be off.', next };
  }
  if (wish === null || machine !== 'off') return null;
  if (settling) {
    const reason = 'Its guest has powered it off. If it stays off for 10 minutes, that is what is meant.';
    return { reason, next: 'Start it, if it is meant to run.' };
  }
  const next = 'Start it; or command a shutdown, which says that it is meant to be off.';
  return { reason: 'It is meant to run.', next };
}
