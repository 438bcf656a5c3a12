import type { Wish } from '../../model/check.ts';
import type { VmSnapshot } from '../../model/snapshot.ts';
import { type Cause, diagnoses } from './diagnoses.ts';
import type { Machine } from './evidence.ts';

/** What a VM is meant to be, and whether that may be about to change. */
export interface Expectation {
  wish: Wish | null;
  /** A command is under way that changes the VM's state. */
  busy: boolean;
  /** Its guest has powered itself off, and it is still open whether that was meant. */
  settling: boolean;
}

/** Milliseconds that a guest must stay off after it has powered itself off, until that counts as meant. */
const settlingTime = 600_000;

/** Milliseconds until a guest's own power-off counts as meant, 0 if it does already; null: there was none. */
export function leftToSettle({ selfOffAt, wish }: VmSnapshot, now: number): number | null {
  if (selfOffAt === null || wish === null || wish === 'off') return null;
  const passed = Math.max(0, now - Date.parse(selfOffAt));
  return Math.max(0, settlingTime - passed);
}

/** Whether the VM differs from what is meant; null: unknown. */
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

/** What such a difference adds to the sentence and to the next step. */
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
