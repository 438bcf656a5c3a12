import type { Rejection } from '../model/codes.ts';
import type { CommandWord } from '../model/command.ts';
import { type Decision, decide } from '../model/decide.ts';
import type { Guest } from '../model/job/guest.ts';
import type { Snapshot, VmKey } from '../model/snapshot.ts';

export type Ruling = Exclude<Decision, { do: 'reject' }> | { do: 'refuse'; rejection: Rejection };

export const libvirtAway: Rejection = { code: 'libvirt_unavailable', message: 'libvirt is away' };

/** What a command means for a VM as it is now. `missing`: that libvirt has no such domain, in words. */
export function rulingOn(
  word: CommandWord,
  key: VmKey,
  { hypervisor, vms }: Snapshot,
  { verdict }: Guest,
  missing: (key: VmKey) => string,
): Ruling {
  // A check asks DSM itself, libvirt or not.
  if (word === 'cancel' || word === 'check' || word === 'arm') return { do: word };
  if (!hypervisor.up) return { do: 'refuse', rejection: libvirtAway };
  const domain = vms[key]?.domain ?? null;
  const same = Object.values(vms).filter(vm => domain && vm.domain?.uuid === domain.uuid);
  // One that became this domain while a command is under way does not take it over.
  const first = same.find(({ work }) => work) ?? same[0];
  // By its name and by its UUID: two slots would be at one domain.
  if (first && first.key !== key) {
    return refuse('not_allowed', `this domain is configured twice: command it as '${first.key}'`);
  }
  const decision = decide(word, domain, verdict);
  return decision.do === 'reject' ? refuse('wrong_state', domain ? decision.message : missing(key)) : decision;
}

function refuse(code: Rejection['code'], message: string): Ruling {
  return { do: 'refuse', rejection: { code, message } };
}
