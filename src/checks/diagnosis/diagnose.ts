import { outcomeOf } from '../finding.ts';
import type { Cause } from './diagnoses.ts';
import { canAnswer, type Evidence } from './evidence.ts';

/** The diagnosis, from the evidence alone. Pure and total: the tests try every combination there is. */
export function diagnose(evidence: Evidence): Cause {
  const { machine } = evidence;
  if (!canAnswer(machine)) return machine;
  // What DSM, its installer or its loader reports counts more than any lower layer.
  return fromApi(evidence) ?? fromDiscovery(evidence) ?? fromPage(evidence) ?? withoutWords(evidence);
}

function fromApi(evidence: Evidence): Cause | null {
  const { dsm, age } = evidence;
  if (dsm === 'ready' || dsm === 'asleep') return whileReady(evidence);
  if (dsm === 'starting') return age === 'young' ? 'starting' : 'starting_late';
  if (dsm === 'updating') return updating(evidence);
  if (dsm === 'mute') return booting(evidence) ? 'starting' : 'api_silent';
  return dsm === 'other' || dsm === 'silent' || dsm === 'not_applicable' ? null : dsm;
}

/** DSM has not been up since power on, and has time left. */
function booting({ age, past }: Evidence): boolean {
  return age === 'young' && past === 'fresh';
}

/** The API answers: is anything missing? For minutes after it reports the end of the boot, services still start. */
function whileReady(evidence: Evidence): Cause {
  const { bridge, neighbour, tcp, dsm, discovery, past, age } = evidence;
  if (discovery === 'updating') return updating(evidence);
  if ((discovery === 'booting' || discovery === 'starting') && past === 'fresh') {
    return age === 'young' ? 'starting' : 'starting_late';
  }
  if (outcomeOf('bridge', bridge) === 'failed') return 'cut_off';
  // Discovery knows it by its MAC.
  if (neighbour === 'taken' && discovery !== 'ready') return 'disputed';
  if (tcp === 'some') return 'port_closed';
  if (dsm === 'asleep') return 'up_asleep';
  return dsm === 'ready' ? 'up' : 'up_behind';
}

function fromDiscovery(evidence: Evidence): Cause | null {
  const { discovery, age } = evidence;
  if (discovery === 'booting') return age === 'young' ? 'booting_dsm' : 'booting_late';
  if (discovery === 'starting') return age === 'young' ? 'starting' : 'starting_late';
  if (discovery === 'updating') return updating(evidence);
  return discovery === 'ready' || discovery === 'silent' || discovery === 'not_applicable' ? null : discovery;
}

function fromPage(evidence: Evidence): Cause | null {
  const { web, age, past, discovery, neighbour } = evidence;
  if (web === 'dsm') return booting(evidence) ? 'starting' : 'api_silent';
  if (web === 'installer') return web;
  if (web === 'loader') {
    // A DSM that was up, or that answers discovery, may have SSH too: SSH alone then shows no loader.
    if (past === 'was_up' || discovery === 'ready') return null;
    return age === 'young' ? 'loader_passing' : 'loader';
  }
  // Discovery reports that DSM is ready, so its owner has put this page before it. Unless its API hangs.
  const isBefore = (web === 'behind' || web === 'other') && discovery === 'ready' && neighbour !== 'taken';
  return isBefore && evidence.dsm !== 'silent' ? whileReady(evidence) : null;
}

function updating({ age }: Evidence): Cause {
  return age === 'old' ? 'updating_late' : 'updating';
}

/** No answer could be understood: after the time for a boot, the lowest layer that fails is the cause. */
function withoutWords(evidence: Evidence): Cause {
  const { machine, bridge, neighbour, web } = evidence;
  if (machine === 'stopping') return 'stopping';
  if (machine === 'unseen') return answersAtAll(evidence) ? unlessSilent(byPage(evidence)) : 'unseen';
  const cut = cutAt(bridge);
  if (cut) return cut;
  if (neighbour === 'taken') return 'taken';
  if (web === 'other') return 'other_page';
  if (booting(evidence)) return 'booting';
  if (bridge === 'no_uplink') return 'no_uplink';
  return evidence.discovery === 'ready' ? 'web_dead' : byPage(evidence);
}

/** A page answers that is not DSM's, or none does. */
function byPage(evidence: Evidence): Cause {
  const { web, dsm, tcp } = evidence;
  if (web === 'other') return 'other_page';
  // A proxy before DSM answers by itself: DSM may hang behind it, and its other ports may be closed.
  if (web !== 'behind' || dsm === 'silent' || tcp === 'refused' || tcp === 'silent') return byPorts(evidence);
  return tcp === 'some' ? 'port_closed' : 'behind';
}

/** If it is unknown whether the machine runs, it may be silent because it is off. */
function unlessSilent(cause: Cause): Cause {
  return cause === 'silent' || cause === 'no_answer' ? 'unseen' : cause;
}

/** A machine is there, though libvirt is away. */
function answersAtAll({ neighbour, ping, tcp }: Evidence): boolean {
  return isThere({ neighbour, ping }) || (tcp !== 'silent' && tcp !== 'not_applicable');
}

/** Where the guest's own way to the network ends; null: not on this host. */
export function cutAt(bridge: Evidence['bridge']) {
  return cuts.find(cut => cut === bridge) ?? null;
}

const cuts = ['link_down', 'no_tap', 'tap_down', 'misplugged', 'bridge_down'] as const;

/** A neighbour that answers no ping may be gone, and still in the kernel's table. */
export function isThere({ neighbour, ping }: Pick<Evidence, 'neighbour' | 'ping'>): boolean {
  return ping === 'ok' || (neighbour === 'ok' && ping !== 'silent');
}

function byPorts({ bridge, neighbour, ping, tcp, web, discovery }: Evidence): Cause {
  switch (tcp) {
    case 'all':
    case 'some':
      return web === 'closed' || web === 'loader' ? 'no_web' : 'hangs';
    case 'refused':
      return 'ports_closed';
    case 'silent':
      if (isThere({ neighbour, ping })) return 'filtered';
      if (bridge === 'macvtap') return 'out_of_sight';
      // The kernel keeps a neighbour in its table for half a minute after its end.
      return neighbour === 'not_applicable' ? 'no_answer' : 'silent';
    case 'not_applicable':
      if (web === 'silent' || web === 'behind') return 'hangs';
      // No ports are configured, so only its page was probed.
      if (web !== 'not_applicable') return neighbour === 'ok' || ping === 'ok' ? 'no_web' : 'no_answer';
      if (bridge === 'macvtap') return 'out_of_sight';
      return neighbour === 'silent' || discovery === 'silent' ? 'silent' : 'address_unknown';
  }
}
