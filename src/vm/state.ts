import type { DomainState } from '../model/domain.ts';

/** libvirt's numbers for a domain's state and its reason, in words (libvirt-domain.h, `virDomainState` and its reasons). */
const states: Record<number, { state: DomainState; reasons: readonly string[] }> = {
  0: { state: 'unknown', reasons: ['unknown'] },
  1: {
    state: 'running',
    reasons: [
      'unknown',
      'booted',
      'migrated',
      'restored',
      'from_snapshot',
      'unpaused',
      'migration_canceled',
      'save_canceled',
      'wakeup',
      'crashed',
      'postcopy',
      'postcopy_failed',
    ],
  },
  2: { state: 'idle', reasons: ['unknown'] },
  3: {
    state: 'paused',
    reasons: [
      'unknown',
      'user',
      'migration',
      'save',
      'dump',
      'io_error',
      'watchdog',
      'from_snapshot',
      'shutting_down',
      'snapshot',
      'crashed',
      'starting_up',
      'postcopy',
      'postcopy_failed',
      'api_error',
    ],
  },
  4: { state: 'shutting_down', reasons: ['unknown', 'user'] },
  5: {
    state: 'shut_off',
    reasons: ['unknown', 'shutdown', 'destroyed', 'crashed', 'migrated', 'saved', 'failed', 'from_snapshot', 'daemon'],
  },
  6: { state: 'crashed', reasons: ['unknown', 'panicked'] },
  7: { state: 'pmsuspended', reasons: ['unknown'] },
};

/** A number that a newer libvirt invented is `unknown`, or `reason_42`. */
export function stateWords(state: number, reason: number): { state: DomainState; reason: string } {
  const row = states[state];
  if (!row) return { state: 'unknown', reason: `state_${state}` };
  return { state: row.state, reason: row.reasons[reason] ?? `reason_${reason}` };
}
