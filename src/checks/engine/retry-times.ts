import type { Age } from '../diagnosis/evidence.ts';
import { type Cause, diagnoses } from '../diagnosis/table.ts';
import type { Debounced } from './debounce.ts';

/** When a VM is checked again, and how closely. Pure; milliseconds. */

/** How much is asked. `cheap`: the lower layers, if those are as they were. `command`: a person waits, and all is asked. */
export type Depth = 'cheap' | 'deep' | 'command';

/** Until a check that found something worse is made again, before anybody is told. */
export const retest = 15_000;
/** Between checks while DSM comes up. */
export const whileBooting = 5_000;
/** After a change in the network, of which several come at once. */
export const afterChange = 1_000;

const depths: readonly Depth[] = ['cheap', 'deep', 'command'];

export function asksAsMuch(one: Depth, other: Depth): boolean {
  return depths.indexOf(one) >= depths.indexOf(other);
}

/** What would look otherwise from the lower layers, if it changed. */
const seenFromBelow: ReadonlySet<Cause> = new Set(['up', 'up_asleep', 'up_behind', 'behind', 'port_closed', 'cut_off']);

/** Where something is wrong, all is asked; where the disks may be asleep (`quiet`), no more than must be. */
export function isCheapEnough(depth: Depth, { cause, failures }: Debounced, quiet: boolean): boolean {
  const settled = seenFromBelow.has(cause) && failures === 0;
  return settled && (depth === 'cheap' || (depth === 'deep' && quiet));
}

/** Verdicts that another one follows soon. */
const onTheWay: ReadonlySet<string> = new Set(['booting', 'starting', 'loader', 'updating']);

/** Until the next check, apart from the schedule; null: there is no hurry. */
export function pauseAfter({ cause, failures }: Debounced, age: Age): number | null {
  if (failures > 0) return retest;
  if (!onTheWay.has(diagnoses[cause].verdict)) return null;
  return age === 'young' ? whileBooting : retest;
}

/** Between two searches of a whole network for a guest that nobody knows an address of. */
export function betweenSweeps(age: Age): number {
  return age === 'young' ? 30_000 : 600_000;
}
