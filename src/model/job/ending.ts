import { failed, type Outcome, succeeded } from '../codes.ts';
import type { Domain } from '../domain.ts';

/** What a domain's state means while a job waits for its guest to power off. */

/** Who stopped it, and how a command ends that waited for the guest. */
interface Stop {
  by: 'guest' | 'host' | 'fault' | null;
  type: 'shut_down' | 'power_cut' | 'crashed' | 'saved' | 'migrated';
  outcome: Outcome;
}

const stop = (
  by: Stop['by'],
  type: Stop['type'] = 'shut_down',
  outcome: Outcome = succeeded('done', 'it is off'),
): Stop => ({ by, type, outcome });
const crash = (words: string) => stop('fault', 'crashed', failed('crashed', words));
const interference = (by: Stop['by'], type: Stop['type'], words: string) => stop(by, type, failed('interfered', words));

/** By libvirt's reason for `shut_off`. An ACPI shutdown by virsh looks like the guest's own. */
const stops: ReadonlyMap<string, Stop> = new Map([
  ['shutdown', stop('guest')],
  ['gone', stop('host')],
  ['destroyed', stop('host', 'power_cut', failed('power_cut', 'it is off: somebody at libvirt cut its power'))],
  ['crashed', crash('it is off: QEMU crashed')],
  ['killed', crash('it is off: its QEMU was killed')],
  ['failed', crash('it is off: QEMU failed')],
  ['daemon', crash('it is off: libvirt ended it')],
  ['unseen', interference(null, 'shut_down', 'it was off, and somebody else has started it again')],
  ['saved', interference('host', 'saved', 'it is off: somebody at libvirt saved it to disk')],
  ['migrated', interference('host', 'migrated', 'it is off here: somebody at libvirt migrated it')],
  ['from_snapshot', interference('host', 'shut_down', 'it is off: somebody at libvirt went back to a snapshot')],
]);

export function stopBy(reason: string): Stop {
  return stops.get(reason) ?? stop(null);
}

/** For a domain that is off. A transient one is then gone, and so is its reason. */
export function endOf(domain: Domain | null): Outcome {
  return stopBy(domain?.reason ?? 'shutdown').outcome;
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
