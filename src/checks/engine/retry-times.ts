import { type Cause, diagnoses } from '../diagnosis/diagnoses.ts';
import type { Age } from '../diagnosis/evidence.ts';
import type { Debounced } from './debounce.ts';

/** When a VM is checked again, and how deep. Pure; milliseconds. */

/** How many probes run. `cheap`: the lower layers, if unchanged. `command`: a person waits, so all run. */
export type Depth = 'cheap' | 'deep' | 'command';

/** Until a check with a worse result is repeated, before anything is reported. */
export const retest = 15_000;
/** Between checks while DSM comes up. */
export const whileBooting = 5_000;
/** After a network change; several come at once. */
export const afterChange = 1_000;

const depths: readonly Depth[] = ['cheap', 'deep', 'command'];

export function asksAsMuch(one: Depth, other: Depth): boolean {
  return depths.indexOf(one) >= depths.indexOf(other);
}

/** Causes whose end the lower layers would show. */
const seenFromBelow: ReadonlySet<Cause> = new Set([
  ...(['up', 'up_asleep', 'up_behind', 'behind', 'port_closed', 'cut_off'] as const),
  ...(['page_wrong', 'page_missing', 'certificate_invalid', 'ssh_missing', 'agent_missing'] as const),
]);

/** If something is wrong, all probes run; if the disks may be asleep (`quiet`), only the necessary ones. */
export function isCheapEnough(depth: Depth, { cause, failures }: Debounced, quiet: boolean): boolean {
  const settled = seenFromBelow.has(cause) && failures === 0;
  return settled && (depth === 'cheap' || (depth === 'deep' && quiet));
}

/** Verdicts that soon change. */
const onTheWay: ReadonlySet<string> = new Set(['booting', 'starting', 'loader', 'updating']);

/** Until the next check, besides the schedule; null: the schedule is enough. */
export function pauseAfter({ cause, failures }: Debounced, age: Age): number | null {
  if (failures > 0) return retest;
  if (!onTheWay.has(diagnoses[cause].verdict)) return null;
  return age === 'young' ? whileBooting : retest;
}

/** Between two searches of a whole network, for a guest whose address is unknown. */
export function betweenSweeps(age: Age): number {
  return age === 'young' ? 30_000 : 600_000;
}
