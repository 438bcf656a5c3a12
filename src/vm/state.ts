import type { DomainState } from '../model/domain.ts';

/** `virDomainState`, with the words of its reasons, by their numbers (libvirt-domain.h). */
const states: readonly (readonly [DomainState, reasons: string])[] = [
  ['unknown', 'unknown'],
  [
    'running',
    'unknown booted migrated restored from_snapshot unpaused migration_canceled save_canceled wakeup crashed ' +
      'postcopy postcopy_failed',
  ],
  ['idle', 'unknown'],
  [
    'paused',
    'unknown user migration save dump io_error watchdog from_snapshot shutting_down snapshot crashed starting_up ' +
      'postcopy postcopy_failed api_error',
  ],
  ['shutting_down', 'unknown user'],
  ['shut_off', 'unknown shutdown destroyed crashed migrated saved failed from_snapshot daemon'],
  ['crashed', 'unknown panicked'],
  ['pmsuspended', 'unknown'],
];

/** A number that a newer libvirt invented is `unknown`, or `reason_42`. */
export function stateWords(state: number, reason: number): { state: DomainState; reason: string } {
  const [word, reasons] = states[state] ?? [];
  if (!word) return { state: 'unknown', reason: `state_${state}` };
  return { state: word, reason: reasons?.split(' ')[reason] ?? `reason_${reason}` };
}
