import { encodeQuery } from '../../src/checks/findhost/packet.ts';
import { type BenchBridge, startBridge } from './bridge.ts';
import { Child, type Repeated } from './child.ts';
import { type Spread, spread } from './numbers.ts';
import { startPeers } from './peers.ts';
import { type Place, type Said, startPlace } from './place.ts';
import { floor, measured, type Row, type Section } from './report.ts';

/** Checks a figure of CPU time is the mean of. */
const batch = 10;
/** The first byte of TLS. */
const handshake = 0x16;
/** Milliseconds between checks: what comes after one is over by then. */
const pause = 5;

interface CheckTarget {
  child: Child;
  ping: boolean;
  walls: number[];
  costs: number[];
}

/**
 * A cheap check (the lower layers of a guest that is as it was) and a full one of a healthy DSM, in a whole bridge: from
 * its beginning to its verdict, and CPU of the whole process, the publication included. Beside it a program that only
 * connects to the same ports and, for the full one, says and hears as many bytes over TCP and UDP.
 */
export async function check(count: number): Promise<Section[]> {
  await using place = await startPlace();
  const peers = await startPeers(1, place.checks());
  const [domain] = peers.libvirtd.fake.domains;
  if (!domain) throw new Error('no domain');
  await place.plug(domain);
  const [asked, askedBare] = [await place.discovery(domain), await place.discovery(domain)];
  const setting = { ...place.setting, findhost: asked.port, command: 'true' };
  await using bridge = await startBridge({ interval: 30_000, peers, setting });
  await using bare = await startBareCheck(place, askedBare.port, await learn(place, bridge));
  const sections: Section[] = [];
  for (const depth of ['cheap', 'command'] as const) {
    const before = place.dsm.requests.length;
    sections.push(await measure(depth, bridge.child, bare, count));
    const requests = place.dsm.requests.length - before;
    if (requests > 0 !== (depth === 'command')) throw new Error(`a ${depth} check made ${requests} requests`);
  }
  return sections;
}

async function measure(depth: 'cheap' | 'command', whole: Child, bare: Child, count: number): Promise<Section> {
  // A cheap check pings nobody.
  const variants = depth === 'cheap' ? [false] : [false, true];
  const subjects = variants.flatMap(ping =>
    [whole, bare].map((child): CheckTarget => ({ child, ping, walls: [], costs: [] })),
  );
  const warm = Math.min(50, count);
  for (let done = -warm; done < count; done += batch) {
    for (const { child, ping, walls, costs } of subjects) {
      const seen = await child.repeat({ depth, ping }, { count: batch, pause });
      if (done < 0) continue;
      walls.push(...seen.walls);
      costs.push(seen.cpu);
    }
  }
  const [quiet, quietFloor, pinging, pingingFloor] = subjects;
  const goal = { limit: depth === 'cheap' ? 2 : 6, on: 'median' } as const;
  const bridge: typeof floor = (name, unit, values) => measured(name, unit, values, unit === 'ms CPU' ? goal : null);
  const same = depth === 'cheap' ? 'the same connects' : 'the same connects and bytes';
  const title = `${depth === 'cheap' ? 'a cheap' : 'a full'} check of a healthy DSM`;
  return {
    title,
    rows: [
      ...rows(quiet, depth === 'cheap' ? 'bridge' : 'bridge, without ping', bridge),
      ...rows(quietFloor, same, floor),
      ...rows(pinging, 'bridge, with a program started for ping', bridge),
      ...rows(pingingFloor, `${same}, and a program`, floor),
    ],
  };
}

function rows(subject: CheckTarget | undefined, name: string, row: typeof floor): Row[] {
  if (!subject) return [];
  const cpu: Spread = { ...spread(subject.costs), count: subject.walls.length };
  return [row(name, 'ms', spread(subject.walls)), row(name, 'ms CPU', cpu)];
}

/** What the bridge says in a full check of DSM, which is up after it. */
async function learn(place: Place, { child, peers }: BenchBridge): Promise<readonly Said[]> {
  const up = peers.broker.published.next(({ payload }) => payload.includes('"verdict":"up"'), 'the verdict');
  // The second knows everything that the first learnt.
  await place.overhear(() => once(child));
  const said = await place.overhear(() => once(child));
  await up;
  return said;
}

function once(child: Child): Promise<Repeated> {
  return child.repeat({ depth: 'command', ping: false }, { count: 1, pause });
}

/** A bare program (check-bare.js) that says what the bridge said. */
async function startBareCheck({ address, ports }: Place, findhost: number, said: readonly Said[]): Promise<Child> {
  const spoken = said.filter(({ say }) => say.length > 0);
  const isSecure = ({ say }: Said) => say[0] === handshake;
  const isBeside = (each: Said) => isSecure(each) || each.say.toString('latin1').startsWith('GET / ');
  const child = Child.start('check-bare', []);
  const ready = child.heard();
  child.send({
    ...{ address, ports, findhost, query: encodeQuery() },
    // The page is there first, and what began in TLS is given up then.
    beside: spoken.filter(isBeside).map(each => (isSecure(each) ? { ...each, bytes: Number.POSITIVE_INFINITY } : each)),
    turns: spoken.filter(each => !isBeside(each)),
  });
  await ready;
  return child;
}
