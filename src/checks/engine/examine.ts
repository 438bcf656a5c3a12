import { isDeepStrictEqual } from 'node:util';
import { type DsmIdentity, unknownDsm } from '../../model/check.ts';
import { bare, type DsmPlace, type Findings, type Kind } from '../finding.ts';
import { usualPorts, type WebPort, webPorts } from '../probes/web/port.ts';
import type { Probes } from '../probes.ts';
import { type Ask, createAsk, nowhere } from './ask.ts';
import { type CheckTarget, cable, type Lower, locate, openPorts, relocate } from './locate.ts';

export interface ExamineOptions {
  /** Updates what is known of the target; null: not needed. */
  prepare: (() => Promise<void>) | null;
  /** Whether the lower layers are enough, which disturb no disk. Null: every probe runs in any case. */
  enough: ((lower: Examination['findings'], address: string | null) => boolean) | null;
  /** The disks may be asleep: asks DSM that first, and nothing more if they are. */
  gentle: boolean;
  /** Milliseconds for each probe. */
  probeTimeout: number;
  signal: AbortSignal;
}

export interface Examination {
  /** The upper layers are missing if the lower ones were enough. */
  findings: Lower & Partial<Findings>;
  /** IPv4, the best that is known; null: none. */
  address: string | null;
  /** Where DSM's page is, or should be. */
  port: number;
  /** What DSM, or its installer, reported about itself in this check; null: nothing. */
  identity: DsmIdentity | null;
  /** The whole network was searched. */
  swept: boolean;
}

/**
 * One check of one DSM: the probes in order, from the host's cable up to its own answers. Rejects only when `signal`
 * aborts.
 */
export async function examine(
  targetNow: () => CheckTarget,
  probes: Probes,
  { prepare, enough, gentle, probeTimeout, signal }: ExamineOptions,
): Promise<Examination> {
  const ask = createAsk(probes, probeTimeout, signal);
  if (prepare) await ask.any(undefined, prepare);
  const target = targetNow();
  const macs = target.nics.map(({ mac }) => mac);
  const bridging = cable(target, ask);

  const found = await locate(target, probes, ask);
  const known = found.neighbour.kind === 'ok' ? [found.neighbour.address].filter(address => address !== null) : [];
  const discover = () => ask('discovery', { macs, addresses: known, answeredBefore: target.discovered });
  // Discovery takes seconds: if it is certainly needed, it runs beside the rest.
  const early = enough === null || found.lost ? discover() : null;
  const said = found.lost ? ((await early)?.device?.address ?? null) : null;
  const { address, neighbour, swept } = await relocate(found, said, macs, ask);

  const [bridge, tcp] = await Promise.all([bridging, openPorts(target, address, ask)]);
  const lower: Lower = { bridge, neighbour, tcp };
  const ports = webPorts(target.services.ports, target.identity);
  const port = ports[0]?.port ?? usualPorts.http;
  if (enough?.(lower, address)) return { findings: lower, address, port, identity: null, swept };

  const [ping, { web, dsm }, discovery] = await Promise.all([
    address === null ? nowhere('ping') : ask('ping', { address }),
    askDsm(address, ports, gentle, ask),
    early ?? discover(),
  ]);
  return {
    findings: { ...lower, ping, web, dsm, discovery },
    address,
    port: web.port ?? port,
    identity: merged(discovery.device, dsm.identity, target.identity),
    swept,
  };
}

/** Probes DSM's page, then DSM itself. `gentle`: asks first whether its disks sleep, and stops if they do. */
async function askDsm(
  address: string | null,
  ports: readonly WebPort[],
  gentle: boolean,
  ask: Ask,
): Promise<Pick<Findings, 'web' | 'dsm'>> {
  if (address === null) return { web: nowhere('web'), dsm: nowhere('dsm') };
  const [first] = ports;
  const usual = { port: first?.port ?? usualPorts.http, secure: first?.secure ?? false, name: null, base: '' };
  const before = gentle ? await ask('dsm', { address, ...usual }) : null;
  if (before?.kind === 'asleep') {
    return { web: bare('web', 'not_applicable', 'It was not asked for, because the disks are asleep.'), dsm: before };
  }
  const web = await ask('web', { address, ports, loaderSigns: true });
  const { kind, port, secure, name, base } = web;
  // A loader's terminal is not asked. A loader's page at DSM's place is, because it may be the installer's.
  const elsewhere = kind === 'loader' && !ports.some(page => page.port === port);
  if (port === null || elsewhere) {
    return { web, dsm: bare('dsm', 'not_applicable', 'It was not asked, because its page does not answer.') };
  }
  const place: DsmPlace = { port, secure, name, base };
  // DSM has already answered there.
  if (before && isDeepStrictEqual(place, usual) && before.kind !== 'silent') return { web, dsm: before };
  return { web, dsm: await ask('dsm', { address, ...place }) };
}

/** Discovery knows most, then the installer, then the older report. Null: neither of the two answered. */
function merged(
  device: DsmIdentity | null,
  installer: DsmIdentity | null,
  known: DsmIdentity | null,
): DsmIdentity | null {
  if (!device && !installer) return null;
  const sources = [known, installer, device].filter(source => source !== null);
  const said = sources.map(source => Object.entries(source).filter(([, value]) => value !== null));
  // An update belongs to its version.
  const update = sources.findLast(({ version }) => version !== null)?.update ?? null;
  return { ...unknownDsm, ...Object.fromEntries(said.flat()), update };
}

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
