import { bare, type Findings, type Kind } from '../finding.ts';
import type { Probes } from '../probes.ts';
import { type Ask, createAsk, nowhere } from './ask.ts';
import type { Examination, ExamineOptions } from './examine.ts';
import { type CheckTarget, locate } from './locate.ts';
import { cable, openPorts } from './lower.ts';

/**
 * One check of one guest that is not DSM: all that is configured, each time. Only the ping waits for a change or for a
 * deep check. Rejects only when `signal` aborts.
 */
export async function examineOther(
  targetNow: () => CheckTarget,
  probes: Probes,
  { prepare, enough, probeTimeout, signal }: ExamineOptions,
): Promise<Examination> {
  const ask = createAsk(probes, probeTimeout, signal);
  if (prepare) await ask.any(undefined, prepare);
  const target = targetNow();
  const bridging = cable(target, ask);
  const answering = target.services.agent ? ask('agent', { key: target.key }) : unasked('agent');
  const { address, neighbour, swept } = await locate(target, probes, ask);
  const [bridge, agent, tcp, http, ssh] = await Promise.all([
    ...([bridging, answering, openPorts(target, address, ask)] as const),
    ...([askPages(target, address, ask), askSsh(target, address, ask)] as const),
  ]);
  const findings = { bridge, neighbour, tcp, http, ssh, agent };
  const rest = { address, port: 80, identity: null, swept };
  if (enough?.(findings, address)) return { findings, ...rest };
  const ping = address === null ? nowhere('ping') : await ask('ping', { address });
  return { findings: { ...findings, ping }, ...rest };
}

function askPages({ services: { http: pages } }: CheckTarget, address: string | null, ask: Ask) {
  if (pages.length === 0) return unasked('http');
  return address === null ? nowhere('http') : ask('http', { address, pages });
}

function askSsh({ services: { ssh: port } }: CheckTarget, address: string | null, ask: Ask) {
  if (port === null) return unasked('ssh');
  return address === null ? nowhere('ssh') : ask('ssh', { address, port });
}

function unasked<P extends 'http' | 'ssh' | 'agent'>(probe: P): Findings[P] {
  return bare(probe, 'not_applicable' as Kind<P>, 'It is not configured.');
}
