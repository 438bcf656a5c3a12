import type { GuestKind } from '../../model/check.ts';
import { outcomeOf } from '../finding.ts';
import { cutAt, diagnose, isThere } from './diagnose.ts';
import type { Cause, OtherCause } from './diagnoses.ts';
import { canAnswer, type Evidence, type OtherEvidence } from './evidence.ts';

/** The diagnosis of a guest that is not DSM, from the evidence alone. Pure and total, as that of DSM is. */
export function diagnoseOther(evidence: OtherEvidence): OtherCause {
  const { machine } = evidence;
  if (!canAnswer(machine)) return machine;
  return answers(evidence) ? whileAnswering(evidence) : whileSilent(evidence);
}

/** If another machine has its address, what answers may be that one. */
function answers({ askable, neighbour, ping, tcp, http, ssh, agent }: OtherEvidence): boolean {
  if (neighbour === 'taken') return false;
  if (askable === 'agent') return agent === 'ok';
  if (askable === 'nothing') return neighbour === 'ok' || ping === 'ok';
  return (
    tcp === 'all' ||
    tcp === 'some' ||
    ssh === 'ok' ||
    ssh === 'other' ||
    ['ok', 'expired', 'wrong', 'some'].includes(http)
  );
}

function whileAnswering(evidence: OtherEvidence): OtherCause {
  const { bridge, http, age, past } = evidence;
  if (outcomeOf('bridge', bridge) === 'failed') return 'cut_off';
  const missing = missingOf(evidence);
  if (missing && age === 'young' && past === 'fresh') return 'starting';
  return missing ?? (http === 'expired' ? 'certificate_invalid' : 'up');
}

/** The first of what is checked that is not as it should be. */
function missingOf({ tcp, http, ssh, agent }: OtherEvidence): OtherCause | null {
  if (outcomeOf('tcp', tcp) === 'failed') return 'port_closed';
  if (http === 'wrong') return 'page_wrong';
  if (http !== 'expired' && outcomeOf('http', http) === 'failed') return 'page_missing';
  if (outcomeOf('ssh', ssh) === 'failed') return 'ssh_missing';
  return outcomeOf('agent', agent) === 'failed' ? 'agent_missing' : null;
}

/** After the time for a boot, the lowest layer that fails is the cause. */
function whileSilent(evidence: OtherEvidence): OtherCause {
  const { machine, age, past, bridge, neighbour, ping, tcp, http, ssh, agent, askable } = evidence;
  if (machine === 'stopping') return 'stopping';
  const there = isThere(evidence) || [tcp, http, ssh].some(kind => kind === 'refused' || kind === 'mute');
  if (machine === 'unseen') return there && neighbour !== 'taken' ? 'services_silent' : 'unseen';
  const cut = cutAt(bridge);
  if (cut) return cut;
  if (neighbour === 'taken') return 'taken';
  if (age === 'young' && past === 'fresh') return 'booting';
  if (bridge === 'no_uplink') return 'no_uplink';
  if (askable === 'agent' && outcomeOf('agent', agent) === 'failed') return there ? 'agent_missing' : 'services_silent';
  if (there) return 'services_silent';
  if (bridge === 'macvtap') return 'out_of_sight';
  // The kernel keeps a neighbour in its table for half a minute after its end.
  if (neighbour !== 'not_applicable') return 'silent';
  if ([ping, tcp, http, ssh].some(kind => kind !== 'not_applicable')) return 'no_answer';
  return askable === 'nothing' ? 'nothing_to_ask' : 'address_unknown';
}

interface Guest {
  /** In a sentence. */
  name: string;
  diagnose: (evidence: Evidence & OtherEvidence) => Cause;
}

/** What is particular to each kind of guest. */
export const guests: Readonly<Record<GuestKind, Guest>> = {
  dsm: { name: 'DSM', diagnose },
  other: { name: 'the guest', diagnose: diagnoseOther },
};
