import { createSocket } from 'node:dgram';
import { setTimeout as wait } from 'node:timers/promises';
import type { Findings, Kind, Limits } from '../finding.ts';
import { type Answers, answersIn, readArp } from '../host/arp.ts';
import { readDevice } from '../host/device.ts';
import { isInside, type Network, othersIn, ownNetworks } from '../host/networks.ts';

export interface NeighbourTarget {
  /** The guest's. */
  macs: readonly string[];
  /** IPv4 at which it may be. */
  candidates: readonly string[];
  /** Devices in whose networks every address is asked for, if the network is small. */
  around?: readonly string[];
  /** Where `sys` and `proc` are. */
  root?: string;
  /** This machine's networks; default: as the system lists them. */
  networks?: readonly Network[];
  /** Makes the kernel ask who has these addresses. */
  nudge?: (addresses: readonly string[]) => void;
}

/** Milliseconds: a machine on the same wire answers within a few, and the kernel asks again after a second. */
const patience = 1_000;
const interval = 25;
/** RFC 863, which nobody serves. */
const discardPort = 9;

/**
 * Whether the guest's own MAC answers for an address: the layer below IP, which no guest's firewall hides. Sends one
 * datagram to each candidate, so that the kernel asks who has the address, and reads the kernel's table until it knows.
 * A guest that is just gone may count as answering for up to a minute (see `Neighbour`).
 */
export async function neighbour(target: NeighbourTarget, limits: Limits): Promise<Findings['neighbour']> {
  limits.signal.throwIfAborted();
  const { around = [], root = '/', networks = ownNetworks(), nudge = sendDatagrams } = target;
  const started = performance.now();
  const deadline = started + Math.min(patience, limits.timeout);
  const macs = target.macs.map(mac => mac.toLowerCase());
  const near = networks.filter(own => around.includes(own.device) || target.candidates.some(at => isInside(own, at)));
  // In a tunnel there are no MACs to ask for.
  const direct = near.filter(({ device }) => readDevice(root, device)?.arp ?? true);
  const candidates = [...new Set(target.candidates)].filter(each => direct.some(network => isInside(network, each)));
  const own = candidates.find(candidate => networks.some(({ address }) => address === candidate));
  const others = candidates.filter(candidate => candidate !== own);
  const swept = direct.filter(({ device }) => around.includes(device)).flatMap(othersIn);
  const look = () => answersIn(readArp(root), macs, others);

  let answers = look();
  const known = answers.here ?? answers.elsewhere;
  // This also makes the kernel refresh its old entries.
  nudge([...new Set([...others, ...(answers.elsewhere ? [answers.elsewhere] : []), ...swept])]);
  const settled = () => answers.here !== null || (swept.length > 0 ? answers.elsewhere !== null : answers.all);
  while (!settled() && performance.now() < deadline) {
    await wait(interval, null, { signal: limits.signal });
    answers = look();
  }
  const address = answers.here ?? answers.elsewhere;
  if (address === null) return { ms: null, address, ...explainLost(target.candidates, candidates, own, answers) };
  const how = address === known ? 'has answered within the last minute' : 'answers';
  const instead = answers.here === null && candidates.length > 0 ? `, and not at ${candidates.join(', ')}` : '';
  const explanation = `The guest's network card ${how} at ${address}${instead}.`;
  return { kind: 'ok', ms: Math.round(performance.now() - started), address, explanation };
}

/** `given`: all candidates; `direct`: those that can be asked for; `own`: the one that is this machine's. */
function explainLost(
  given: readonly string[],
  direct: readonly string[],
  own: string | undefined,
  { taken }: Answers,
): { kind: Kind<'neighbour'>; explanation: string } {
  if (taken) {
    const explanation = `Another machine answers at ${taken.address}: its network card is ${taken.mac}.`;
    return { kind: 'taken', explanation };
  }
  if (own !== undefined) {
    return { kind: 'taken', explanation: `The address ${own} is this machine's own, so it cannot be the guest's.` };
  }
  if (direct.length > 0) return { kind: 'silent', explanation: `No network card answers at ${direct.join(', ')}.` };
  const explanation =
    given.length > 0
      ? `This machine has no link to a network of ${given.join(', ')}, and only there could it ask for the network card.`
      : 'No address of the guest is known, and its network card has not been heard of.';
  return { kind: 'not_applicable', explanation };
}

/** Whether they arrive does not matter. */
function sendDatagrams(addresses: readonly string[]): void {
  const socket = createSocket('udp4').once('error', () => socket.close());
  const sent = addresses.map(address => new Promise(done => socket.send('', discardPort, address, done)));
  // After an error it is closed already.
  void Promise.all(sent)
    .then(() => socket.close())
    .catch(() => {});
}
