import type { Nic } from '../../model/domain.ts';
import type { Kind } from '../finding.ts';
import type { Plug } from './plug.ts';

/** Pure: judges the facts of one NIC. The fault nearest to the guest is reported first. */

export interface Judgement {
  kind: Kind<'bridge'>;
  /** A sentence without its full stop, which may begin in lower case. */
  words: string;
}

/** libvirt's types of NIC that have a tap on the host. */
const tapped: readonly (string | null)[] = ['bridge', 'network', 'ethernet'];

/** The finding that needs no look at the host; null: it needs one. */
export function judgeDefinition({ mac, link, type, source }: Nic, local: boolean): Judgement | null {
  const its = `its NIC ${mac}`;
  if (link === 'down') {
    const words = `the link of ${its} is set down at libvirt, as if its cable were pulled`;
    return { kind: 'link_down', words };
  }
  if (type === 'direct') {
    const over = `${source ?? 'a network card'} by macvtap, over which a guest and its own host cannot talk to each other`;
    return { kind: 'macvtap', words: `${its} is on ${over}` };
  }
  if (!tapped.includes(type)) return unseen(`${its} is of type ${type ?? 'unknown'}, which has no tap here`);
  return local ? null : unseen('libvirt runs on another machine, whose bridge cannot be seen from here');
}

export function judgePlug(plug: Plug): Judgement {
  const { nic, tap, master, bridge, kind } = plug;
  if (!tap && !bridge) {
    return unseen("this process does not see the host's network; a container needs the host's network for this");
  }
  if (!tap) {
    const none = `its NIC ${nic.mac} has no tap that libvirt could name`;
    return { kind: 'no_tap', words: nic.tap === null ? none : `its tap ${nic.tap} does not exist` };
  }
  const its = `its tap ${tap.name}`;
  if (!tap.up) return { kind: 'tap_down', words: `${its} is down` };
  if (nic.source === null) return { kind: 'ok', words: `${its} is up, and libvirt does not say where it belongs` };
  if (bridge && kind !== 'linux-bridge') {
    const unknown = `what else Open vSwitch does with it at ${bridge.name} is not known`;
    return { kind: 'ok', words: `${its} is up, and ${unknown}` };
  }
  if (!bridge || master !== bridge.name) {
    const gone = bridge || nic.type === 'network' ? '' : ', which does not exist';
    const where = `plugged into ${master ?? 'no bridge'}`;
    return { kind: 'misplugged', words: `${its} is ${where} instead of ${nic.source}${gone}` };
  }
  if (!bridge.up) return { kind: 'bridge_down', words: `its bridge ${bridge.name} is down` };
  return judgeBridge(plug, its, bridge.name);
}

function judgeBridge({ uplinks, heard, filtered, docker }: Plug, its: string, bridge: string): Judgement {
  const names = uplinks.map(({ name }) => name).join(', ');
  const linked = uplinks.filter(({ carrier }) => carrier).map(({ name }) => name);
  if (uplinks.length > 0 && linked.length === 0) {
    return { kind: 'no_uplink', words: `its bridge ${bridge} is cut off: no cable or no link at ${names}` };
  }
  const island = 'which has no network card, so that only this host, or a route through it, reaches the guest';
  const out = linked.length > 0 ? `whose way out ${linked.join(', ')} has a link` : island;
  const words = [`${its} is up and plugged into ${bridge}, ${out}`];
  if (heard) words.push(lastFrame(heard));
  if (filtered) {
    const docked = docker ? ", and Docker's are known to drop it" : '';
    words.push(`the host's firewall rules judge this traffic too${docked}`);
  }
  return { kind: 'ok', words: words.join('; ') };
}

function unseen(words: string): Judgement {
  return { kind: 'not_applicable', words };
}

function lastFrame({ ago }: NonNullable<Plug['heard']>): string {
  if (ago === null) return 'no frame of it has been heard lately';
  return `its last frame was heard ${ago < 1_000 ? 'less than a second' : `${Math.floor(ago / 1_000)} s`} ago`;
}
