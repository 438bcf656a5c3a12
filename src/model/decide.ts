import type { Verdict } from './check.ts';
import type { Rejection } from './codes.ts';
import { type CommandWord, type Meaning, rowOf, type Situation } from './commands.ts';
import type { Domain } from './domain.ts';
import type { Snapshot, VmKey } from './snapshot.ts';

/** What a command means for a domain as it is now, by the table of commands. Pure. */

export type Action = CommandWord | 'wake_up';

export type Decision =
  | { do: Action }
  /** It is as it should be. */
  | { do: 'nothing'; message: string }
  | ({ do: 'reject' } & Rejection);

/** `verdict`: of the checks on DSM, as far as it is still believed. */
export function decide(word: CommandWord, domain: Domain | null, verdict: Verdict = 'unknown'): Decision {
  if (word === 'autostart' && domain?.persistent === false) return refuse('a transient domain cannot start by itself');
  const { means, whileUpdating } = rowOf(word);
  const decision = decisionOf(word, means?.[situation(domain)] ?? 'do');
  if (whileUpdating === undefined || verdict !== 'updating' || !domain?.active || decision.do !== word) return decision;
  return refuse(`DSM is being installed or updated: ${whileUpdating}`);
}

export const libvirtAway: Rejection = { code: 'libvirt_unavailable', message: 'libvirt is away' };

/** What a command means for a VM as it is now. `missing`: that libvirt has no such domain, in words. */
export function decideFor(
  key: VmKey,
  word: CommandWord,
  { hypervisor, vms }: Snapshot,
  verdict: Verdict,
  missing: (key: VmKey) => string,
): Decision {
  if (!rowOf(word).means) return { do: word };
  if (!hypervisor.up) return { do: 'reject', ...libvirtAway };
  const domain = vms[key]?.domain ?? null;
  const same = Object.values(vms).filter(vm => domain && vm.domain?.uuid === domain.uuid);
  // One that became this domain while a command is under way does not take it over.
  const first = same.find(({ work }) => work) ?? same[0];
  // By its name and by its UUID: two jobs would be at one domain.
  if (first && first.key !== key) {
    return {
      do: 'reject',
      code: 'not_allowed',
      message: `this domain is configured twice: command it as '${first.key}'`,
    };
  }
  const decision = decide(word, domain, verdict);
  return decision.do === 'reject' && !domain ? refuse(missing(key)) : decision;
}

function situation(domain: Domain | null): Situation {
  if (!domain) return 'absent';
  // A crashed domain that is no longer active is simply off.
  return domain.state === 'crashed' && !domain.active ? 'shut_off' : domain.state;
}

function decisionOf(word: CommandWord, meaning: Meaning): Decision {
  if (typeof meaning === 'string') return { do: meaning === 'do' ? word : meaning };
  return 'no' in meaning ? refuse(meaning.no) : { do: 'nothing', message: meaning.already };
}

function refuse(message: string): Decision {
  return { do: 'reject', code: 'wrong_state', message };
}
