import { lookup } from 'node:dns/promises';
import { isIPv4 } from 'node:net';
import type { Nic } from '../model/domain.ts';
import type { VmKey } from '../model/snapshot.ts';
import type { Findhost } from './findhost/client.ts';
import type { Findings, Limits } from './finding.ts';
import { bridge } from './probes/bridge.ts';
import { type DiscoveryTarget, discovery } from './probes/discovery.ts';
import { type DsmTarget, dsm } from './probes/dsm.ts';
import { neighbour } from './probes/neighbour.ts';
import { ping } from './probes/ping.ts';
import { type TcpTarget, tcp } from './probes/tcp.ts';
import { type WebTarget, web } from './probes/web.ts';

/** Everything that a check asks, as one bundle: a test, or a VM on another planet, may bring its own. */
export interface Probes {
  bridge(target: { nics: readonly Nic[]; local: boolean }, limits: Limits): Promise<Findings['bridge']>;
  neighbour(
    target: { macs: readonly string[]; candidates: readonly string[]; around?: readonly string[] },
    limits: Limits,
  ): Promise<Findings['neighbour']>;
  ping(target: { address: string }, limits: Limits): Promise<Findings['ping']>;
  tcp(target: TcpTarget, limits: Limits): Promise<Findings['tcp']>;
  web(target: WebTarget, limits: Limits): Promise<Findings['web']>;
  dsm(target: DsmTarget, limits: Limits): Promise<Findings['dsm']>;
  discovery(target: DiscoveryTarget, limits: Limits): Promise<Findings['discovery']>;
  /** IPv4 addresses that libvirt knows of a VM's NICs. */
  addresses(key: VmKey, limits: Limits): Promise<readonly string[]>;
  /** IPv4 of a configured name or address; null: it has none, or nobody could say. */
  resolve(name: string): Promise<string | null>;
}

/** The real ones. */
export function realProbes(findhost: Pick<Findhost, 'find'>, addresses: Probes['addresses']): Probes {
  return {
    bridge,
    neighbour,
    ping,
    tcp,
    web,
    dsm,
    discovery: (target, limits) => discovery(findhost, target, limits),
    addresses,
    resolve: resolver(),
  };
}

/** One question at a time for each name: a name server that does not answer would fill the threads of the process. */
function resolver(): Probes['resolve'] {
  const asked = new Map<string, Promise<string | null>>();
  return async name => {
    if (isIPv4(name)) return name;
    const under = asked.get(name);
    if (under !== undefined) return under;
    const answer = lookup(name, { family: 4 }).then(
      ({ address }) => address,
      () => null,
    );
    asked.set(name, answer);
    return answer.finally(() => asked.delete(name));
  };
}
