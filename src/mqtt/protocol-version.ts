/**
 * Which version of MQTT to speak next: 5 until the broker is known to be older.
 *
 * A broker that says "unsupported version" is believed at once. One that only hangs up may be an old broker or a dead
 * one behind something that accepts for it; it counts as old when it hangs up on version 5, takes 3.1.1, and hangs up
 * on version 5 again. Pure: an attempt's outcome in, the next attempt out.
 */
import type { FailureCode } from './failure.ts';

export type Version = 5 | 4;

export interface ProtocolVersion {
  readonly version: Version;
  /** Connect only to see whether 3.1.1 is taken. */
  readonly trial: boolean;
  /** The trial was taken: the next hang-up on version 5 is proof. */
  readonly alive: boolean;
}

export const newest: ProtocolVersion = { version: 5, trial: false, alive: false };
const oldest: ProtocolVersion = { version: 4, trial: false, alive: true };

/** A trial that was taken ends with `done`. */
export function afterwards(protocol: ProtocolVersion, outcome: FailureCode | 'opened'): ProtocolVersion {
  if (outcome === 'version') return protocol.version === 5 ? oldest : newest;
  if (protocol.trial) return outcome === 'done' ? { ...newest, alive: true } : newest;
  if (protocol.version === 4) return protocol;
  if (outcome !== 'closed_early') return newest;
  return protocol.alive ? oldest : { version: 4, trial: true, alive: false };
}
