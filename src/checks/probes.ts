import { lookup } from 'node:dns/promises';
import type { ProbeName } from '../model/check.ts';
import type { VmKey } from '../model/snapshot.ts';
import { shared } from '../util/shared.ts';
import type { Findhost } from './findhost/client.ts';
import type { Findings, Limits } from './finding.ts';
import { type AgentTarget, type AskAgent, agent } from './probes/agent.ts';
import { type BridgeTarget, bridge } from './probes/bridge.ts';
import { type DiscoveryTarget, discovery } from './probes/discovery.ts';
import { type DsmTarget, dsm } from './probes/dsm.ts';
import { type HttpProbeTarget, http } from './probes/http.ts';
import { type NeighbourTarget, neighbour } from './probes/neighbour.ts';
import { type PingTarget, ping } from './probes/ping.ts';
import { type SshTarget, ssh } from './probes/ssh.ts';
import { type TcpTarget, tcp } from './probes/tcp.ts';
import { type WebTarget, web } from './probes/web.ts';

/** The target of each probe, and what the probe must know of it. */
export interface Targets {
  bridge: BridgeTarget;
  neighbour: NeighbourTarget;
  ping: PingTarget;
  tcp: TcpTarget;
  web: WebTarget;
  dsm: DsmTarget;
  discovery: DiscoveryTarget;
  http: HttpProbeTarget;
  ssh: SshTarget;
  agent: AgentTarget;
}

/** A row for each probe. */
export type ProbeTable = { [P in ProbeName]: (target: Targets[P], limits: Limits) => Promise<Findings[P]> };

/** Everything that a check can ask, in one object, so that a test can replace it. */
export interface Probes extends ProbeTable {
  /** IPv4 addresses that libvirt knows of a VM's NICs. */
  addresses(key: VmKey, limits: Limits): Promise<readonly string[]>;
  /** IPv4 of a configured name or address; null: it has none, or the name server did not answer. */
  resolve(name: string): Promise<string | null>;
}

/** The real ones. */
export function realProbes(
  findhost: Pick<Findhost, 'find'>,
  askAgent: AskAgent,
  addresses: Probes['addresses'],
): Probes {
  return {
    ...{ bridge, neighbour, ping, tcp, web, dsm, http, ssh, addresses, resolve },
    agent: (target, limits) => agent(askAgent, target, limits),
    discovery: (target, limits) => discovery(findhost, target, limits),
  };
}

/** Shared, because otherwise a silent name server would occupy all threads of the process. */
const resolve: Probes['resolve'] = shared(async name => {
  const found = await lookup(name, { family: 4 }).catch(() => null);
  return found?.address ?? null;
});
