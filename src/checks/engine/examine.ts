import { isDeepStrictEqual } from 'node:util';
import type { DsmIdentity } from '../../model/check.ts';
import type { DsmPlace, Findings } from '../finding.ts';
import type { WebPort } from '../probes/web/port.ts';
import { usualPorts, webPorts } from '../probes/web/ports.ts';
import type { Probes } from '../probes.ts';
import { type CheckTarget, discover, locate, relocate } from './locate.ts';
import { type Ask, createAsk, nowhere, unasked } from './probe-timeout.ts';

/** One check of one VM: the probes in their order, from the host's wire up to DSM's own words. */

export interface ExamineOptions {
  /** Brings what is known of the subject up to date; null: it is. */
  prepare: (() => Promise<void>) | null;
  /** Whether what the lower layers say will do; they disturb nobody. Null: all is asked in any case. */
  enough: ((lower: Lower, address: string | null) => boolean) | null;
  /** The disks may be asleep: DSM is asked that first, and if they are, no more. */
  gentle: boolean;
  /** Milliseconds for each probe. */
  probeTimeout: number;
  signal: AbortSignal;
}

export interface Examination {
  /** Without the upper layers, where the lower ones were enough. */
  findings: Lower & Partial<Upper>;
  /** IPv4, the best that is known; null: none. */
  address: string | null;
  /** Where DSM's page is, or should be. */
  port: number;
  /** What DSM, or its installer, said of itself in this check; null: nothing. */
  identity: DsmIdentity | null;
  /** The whole network was searched. */
  swept: boolean;
}

export type Lower = Pick<Findings, 'bridge' | 'neighbour' | 'tcp'>;
/** A ping is a process of its own: too dear for every minute. */
type Upper = Pick<Findings, 'ping' | 'web' | 'dsm' | 'discovery'>;

/** Milliseconds that a check takes at most: no more than so many probes wait for one another. */
export function longest(probeTimeout: number): number {
  return 4 * probeTimeout;
}

/** Rejects when `signal` aborts, and never otherwise. */
export async function examine(
  subjectNow: () => CheckTarget,
  probes: Probes,
  options: ExamineOptions,
): Promise<Examination> {
  const { prepare, enough, gentle, probeTimeout, signal } = options;
  const ask = createAsk({ probeTimeout, whole: longest(probeTimeout), signal });
  if (prepare) await ask.any(undefined, prepare);
  const subject = subjectNow();
  const macs = subject.nics.map(nic => nic.mac);
  const bridging =
    macs.length === 0
      ? unasked('bridge', 'Its NICs are not known.')
      : ask('bridge', limits => probes.bridge({ nics: subject.nics, local: subject.local }, limits));

  const found = await locate(subject, macs, probes, ask);
  const broadcast = () => discover(subject, macs, found, probes, ask);
  // Its answer takes seconds: where it is wanted in any case, it is awaited beside the rest.
  const hearing = enough === null || found.lost ? broadcast() : null;
  const { address, neighbour, swept } =
    found.lost && hearing !== null ? await relocate(found, await hearing, macs, probes, ask) : found;

  const [bridge, tcp] = await Promise.all([bridging, openPorts(subject, address, probes, ask)]);
  const lower: Lower = { bridge, neighbour, tcp };
  const ports = webPorts(subject.ports, subject.identity);
  const port = ports[0]?.port ?? usualPorts.http;
  if (enough?.(lower, address)) return { findings: lower, address, port, identity: null, swept };

  const discovering = hearing ?? broadcast();
  const [ping, { web, dsm }, discovery] = await Promise.all([
    address === null ? nowhere('ping') : ask('ping', limits => probes.ping({ address }, limits)),
    gentle ? wake(address, ports, probes, ask) : converse(address, ports, probes, ask),
    discovering,
  ]);
  return {
    findings: { ...lower, ping, web, dsm, discovery },
    address,
    port: web.port ?? port,
    identity: merged(discovery.device, dsm.identity, subject.identity),
    swept,
  };
}

async function openPorts(
  { ports }: CheckTarget,
  address: string | null,
  probes: Probes,
  ask: Ask,
): Promise<Findings['tcp']> {
  if (address === null) return nowhere('tcp');
  if (ports.length === 0) return unasked('tcp', 'No ports are configured.');
  return ask('tcp', limits => probes.tcp({ address, ports }, limits));
}

type Conversation = Pick<Findings, 'web' | 'dsm'>;
/** What DSM has said in this check, where it was asked. */
type Said = { place: DsmPlace } & Pick<Findings, 'dsm'>;

/** Its page, and whoever is behind that, who is not asked twice. */
async function converse(
  address: string | null,
  ports: readonly WebPort[],
  probes: Probes,
  ask: Ask,
  said: Said | null = null,
): Promise<Conversation> {
  if (address === null) return { web: nowhere('web'), dsm: nowhere('dsm') };
  const web = await ask('web', limits => probes.web({ address, ports, loaderSigns: true }, limits));
  const { kind, port, secure, name, base } = web;
  // A loader's terminal is no place to ask; its page where DSM's should be may be that of the installer.
  const elsewhere = kind === 'loader' && !ports.some(page => page.port === port);
  if (port === null || elsewhere) {
    return { web, dsm: unasked('dsm', 'It was not asked, because its page does not answer.') };
  }
  const place: DsmPlace = { port, secure, name, base };
  if (said && isDeepStrictEqual(said.place, place) && said.dsm.kind !== 'silent') return { web, dsm: said.dsm };
  return { web, dsm: await ask('dsm', limits => probes.dsm({ address, ...place }, limits)) };
}

/** Only whether its disks sleep; the rest if they do not. */
async function wake(
  address: string | null,
  ports: readonly WebPort[],
  probes: Probes,
  ask: Ask,
): Promise<Conversation> {
  const [{ port, secure: known } = { port: usualPorts.http, secure: false }] = ports;
  if (address === null) return converse(address, ports, probes, ask);
  const place: DsmPlace = { port, secure: known ?? false, name: null, base: '' };
  const dsm = await ask('dsm', limits => probes.dsm({ address, ...place }, limits));
  if (dsm.kind !== 'asleep') return converse(address, ports, probes, ask, { place, dsm });
  return { web: unasked('web', 'It was not asked for, because the disks are asleep.'), dsm };
}

/** Discovery says most; then the installer, and then what was known. Null: nothing was said. */
function merged(
  device: DsmIdentity | null,
  installer: DsmIdentity | null,
  known: DsmIdentity | null,
): DsmIdentity | null {
  if (!device && !installer) return null;
  const said = [device, installer, known].filter(source => source !== null);
  const pick = <K extends keyof DsmIdentity>(key: K): DsmIdentity[K] =>
    (said.find(source => source[key] !== null)?.[key] ?? null) as DsmIdentity[K];
  // An update belongs to its version.
  const versioned = said.find(source => source.version !== null);
  return {
    name: pick('name'),
    model: pick('model'),
    version: versioned?.version ?? null,
    update: versioned?.update ?? null,
    address: pick('address'),
    httpPort: pick('httpPort'),
    httpsPort: pick('httpsPort'),
  };
}
