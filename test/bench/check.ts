import { encodeQuery } from '../../src/checks/findhost/packet.ts';
import { type BenchBridge, startBridge } from './bridge.ts';
import { Child } from './child.ts';
import { type Spread, spread } from './numbers.ts';
import { startPeers } from './peers.ts';
import { type Place, startPlace } from './place.ts';
import { floor, measured, type Row, type Section } from './report.ts';

/** Checks a figure of CPU time is the mean of. */
const batch = 10;
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
 * connects to the same ports and, for the full one, makes the same requests over TCP and UDP.
 */
export async function check(count: number): Promise<Section[]> {
  await using place = await startPlace();
  const peers = await startPeers(1, { checks: place.checks() });
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
  const same = depth === 'cheap' ? 'the same connects' : 'the same connects and requests';
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

/** The requests of a full check of DSM, which is up after it: `5000 GET /…`. */
async function learn(place: Place, { child, peers }: BenchBridge): Promise<readonly string[]> {
  const up = peers.broker.published.next(({ payload }) => payload.includes('"verdict":"up"'), 'the verdict');
  const full = () => child.repeat({ depth: 'command', ping: false }, { count: 1, pause });
  // The second knows everything that the first learnt.
  await full();
  const before = place.dsm.requests.length;
  await full();
  await up;
  return place.dsm.requests.slice(before);
}

/** A bare program (check-bare.js) that asks what the bridge asked. */
async function startBareCheck(place: Place, findhost: number, asked: readonly string[]): Promise<Child> {
  const { address, ports, dsm } = place;
  const requests = asked.map(request => {
    const [port, method, target] = request.split(' ');
    if (port !== '5000') throw new Error(`a request over TLS: ${request}`);
    return `${method} ${target} HTTP/1.1\r\nHost: ${address}\r\nConnection: close\r\n\r\n`;
  });
  const child = Child.start('check-bare', []);
  const ready = child.heard();
  child.send({ ...{ address, ports, findhost, query: encodeQuery() }, web: dsm.port(5000), requests });
  await ready;
  return child;
}
