import type { Wish } from '../model/check.ts';
import { type Cause, diagnoses } from './diagnoses.ts';
import type { Machine } from './evidence.ts';

/** How it stands to what it is meant to be. `busy`: the bridge is carrying a command out, which changes that. */
interface Intention {
  wish: Wish | null;
  busy: boolean;
}

/** A problem is a difference from what is meant; null: nobody can tell. */
export function isProblem(cause: Cause, machine: Machine, { wish, busy }: Intention): boolean | null {
  if (machine === 'crashed' || machine === 'io_error') return true;
  if (busy) return false;
  const halted = machine === 'paused' || machine === 'asleep';
  if (wish === 'off') return machine === 'unseen' ? null : machine === 'running' || halted;
  if (machine === 'off') return wish !== null;
  if (machine === 'died') return true;
  if (halted) return wish !== 'paused';
  const { verdict, problem } = diagnoses[cause];
  if (verdict !== 'unknown' || machine === 'absent') return problem;
  return machine === 'stopping' ? false : null;
}

/** What a difference from what is meant adds to the sentence, and to what there is to do. */
export function ofIntention(machine: Machine, wish: Wish | null): { reason: string; next: string } | null {
  if (wish === 'off' && !['off', 'died', 'absent'].includes(machine)) {
    return {
      reason: 'It is meant to be off.',
      next: 'Shut it down; or command a start, which says that it is meant to run.',
    };
  }
  if (wish !== null && wish !== 'off' && machine === 'off') {
    return {
      reason: 'It is meant to run.',
      next: 'Start it; or command a shutdown, which says that it is meant to be off.',
    };
  }
  return null;
}
