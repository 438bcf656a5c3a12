import { lookup } from 'node:dns/promises';
import type { ProbeName } from '../model/check.ts';
import type { VmKey } from '../model/snapshot.ts';
import { shared } from '../util/shared.ts';
import type { Findhost } from './findhost/client.ts';
import type { Findings, Limits } from './finding.ts';
import { type AgentTarget, type AskAgent, agent } from './probes/agent.ts';
import { bridge } from './probes/bridge.ts';
import { type DiscoveryTarget, discovery } from './probes/discovery.ts';
import { dsm } from './probes/dsm.ts';
import { http } from './probes/http.ts';
import { neighbour } from './probes/neighbour.ts';
import { ping } from './probes/ping.ts';
import { ssh } from './probes/ssh.ts';
import { tcp } from './probes/tcp.ts';
import { web } from './probes/web.ts';

/** The probes that need no help of another part. */
const own = { bridge, neighbour, ping, tcp, web, dsm, http, ssh };
type Own = typeof own;

/** The target of each probe, and what the probe must know of it. */
export type Targets = { [P in keyof Own]: Parameters<Own[P]>[0] } & { discovery: DiscoveryTarget; agent: AgentTarget };

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
    ...{ ...own, addresses, resolve },
    agent: (target, limits) => agent(askAgent, target, limits),
    discovery: (target, limits) => discovery(findhost, target, limits),
  };
}

/** Shared, because otherwise a silent name server would occupy all threads of the process. */
const resolve: Probes['resolve'] = shared(async name => {
  const found = await lookup(name, { family: 4 }).catch(() => null);
  return found?.address ?? null;
});
