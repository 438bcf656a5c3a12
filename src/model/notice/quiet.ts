import type { Check } from '../check.ts';
import type { Rejection } from '../codes.ts';

/** Quiet time of a VM: its problems and alarms are held back, for example while somebody works on it. Pure. */

export interface Quiet {
  /** ISO 8601. */
  until: string;
  /** `bridge`, or a command's `by`. */
  by: string | null;
}

/** Milliseconds. `usual`: of a switch that is turned on. */
export const quietTime = { usual: 2 * 3_600_000, longest: 30 * 24 * 3_600_000 } as const;

/** Of a command. */
interface Wanted {
  duration: number | null;
  until: number | null;
  enabled: boolean | null;
}

/** Until when a command wants it to be quiet, milliseconds since 1970; null: no longer. */
export function quietUntil({ duration, until, enabled }: Wanted, now: number): number | null | Rejection {
  if (enabled === false) return null;
  const end = until ?? now + (duration ?? quietTime.usual);
  if (end > now && end - now <= quietTime.longest) return end;
  const wrong = end > now ? 'is more than 30 days from now' : 'has passed';
  return { code: 'invalid_payload', message: `until ${wrong}: it is ${new Date(now).toISOString()} here` };
}

/** Whether people are told of a problem; null: the bridge cannot tell. */
export function shownProblem({ check, quiet }: { check: Check | null; quiet: Quiet | null }): boolean | null {
  return check?.problem && quiet ? false : (check?.problem ?? null);
}
