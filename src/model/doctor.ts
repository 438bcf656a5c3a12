/** What `doctor` finds in a VM, its host and its loader. */

/**
 * `harm`: DSM does not start, cannot be shut down, or loses data; `warning`: it may; `hint`: it could be better;
 * `info`: worth knowing, never a problem.
 */
export const levels = ['harm', 'warning', 'hint', 'info'] as const;
export type Level = (typeof levels)[number];

export interface Finding {
  level: Level;
  code: string;
  /** The element and its value, or what the host says. */
  seen: string;
  /** Why it matters for DSM. */
  message: string;
  /** The XML or the command that mends it. */
  advice: string;
}
