import { failed, type Outcome, succeeded } from '../codes.ts';
import type { Domain } from '../domain.ts';

/** What a domain's state means while a job waits for its guest to power off. */

/** Who or what caused it, by libvirt's reason for `shut_off`. */
const otherEnds: ReadonlyMap<string, Outcome> = new Map([
  ['destroyed', failed('power_cut', 'it is off: somebody at libvirt cut its power')],
  ['crashed', failed('crashed', 'it is off: QEMU crashed')],
  ['killed', failed('crashed', 'it is off: its QEMU was killed')],
  ['failed', failed('crashed', 'it is off: QEMU failed')],
  ['daemon', failed('crashed', 'it is off: libvirt ended it')],
  ['unseen', failed('interfered', 'it was off, and somebody else has started it again')],
  ['saved', failed('interfered', 'it is off: somebody at libvirt saved it to disk')],
  ['migrated', failed('interfered', 'it is off here: somebody at libvirt migrated it')],
  ['from_snapshot', failed('interfered', 'it is off: somebody at libvirt went back to a snapshot')],
]);

/** For a domain that is off. A transient one is then gone, and so is its reason. */
export function endOf(domain: Domain | null): Outcome {
  return otherEnds.get(domain?.reason ?? 'shutdown') ?? succeeded('done', 'it is off');
}

/** Pauses that libvirt itself begins and ends: for a save, a dump, a snapshot, a migration. */
const passing: ReadonlySet<string> = new Set([
  'migration',
  'save',
  'dump',
  'snapshot',
  'shutting_down',
  'starting_up',
  'unknown',
]);

/** Why a domain that is active will not power off, or null. */
export function hindrance({ state, reason }: Domain): Outcome | null {
  if (state === 'crashed') return failed('crashed', `the guest has crashed (${reason})`);
  if (state === 'pmsuspended') return failed('interfered', 'it was suspended meanwhile');
  if (state !== 'paused' || passing.has(reason)) return null;
  if (reason === 'io_error') return failed('io_error', 'it is paused: a disk of the host failed or is full');
  if (reason === 'crashed') return failed('crashed', 'it is paused: the guest has crashed');
  return failed('interfered', `it was paused meanwhile (${reason})`);
}
