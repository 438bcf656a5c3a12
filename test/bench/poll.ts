import { procedures } from '../../src/libvirt/procedures.ts';
import { startBare } from './bare.ts';
import { startBridge } from './bridge.ts';
import type { Child } from './child.ts';
import { type Spread, spread } from './numbers.ts';
import type { Peers } from './peers.ts';
import { floor, measured, type Row, type Section } from './report.ts';

export interface PollPlan {
  domains: number;
  /** Milliseconds. */
  interval: number;
  polls: number;
}

/** Polls a figure of CPU time is the mean of. */
const batch = 10;
const { number: statsCall } = procedures.connectGetAllDomainStats;

/**
 * One statistics poll: CPU of the whole process, all threads, as the mean of ten polls; and the time from the call's
 * arrival at libvirt to the last publication's at the broker. Beside it, a program that writes the same call and the
 * same publications, with and without decoding the reply.
 */
export async function poll({ domains, interval, polls }: PollPlan): Promise<Section> {
  const rows: Record<'cpu' | 'wall', Row[]> = { cpu: [], wall: [] };
  const { model, orders } = await whole(rows);
  for (const [job, name] of floors) {
    await using bare = await startBare(model, { job, interval, ...orders });
    const least = await watch(bare.child, bare.peers, polls);
    rows.cpu.push(floor(name, 'ms CPU', least.cpu));
    rows.wall.push(floor(name, 'ms', least.wall));
  }
  const title = `one poll, ${domains} ${domains === 1 ? 'domain' : 'domains'}`;
  return { title, rows: [...rows.cpu, ...rows.wall] };

  async function whole({ cpu, wall }: typeof rows): Promise<{ model: Peers; orders: { ask: Buffer; say: Buffer } }> {
    await using bridge = await startBridge({ domains, interval });
    const cost = await watch(bridge.child, bridge.peers, polls);
    const limit = domains === 1 ? 1 : domains === 100 ? 10 : null;
    cpu.push(measured('CPU', 'ms CPU', cost.cpu, limit === null ? null : { limit, on: 'median' }));
    wall.push(measured('reply → last publication', 'ms', cost.wall));
    return { model: bridge.peers, orders: cost };
  }
}

const floors = [
  ['poll, decoded', 'the same bytes, decoded'],
  ['poll', 'the same bytes'],
] as const;

/** Watches a process poll: what it costs, and what it asks and says. */
async function watch(child: Child, { libvirtd, broker, domains }: Peers, polls: number) {
  const walls: number[] = [];
  const said = new Map<string, Buffer>();
  let ask = Buffer.alloc(0);
  let [askedAt, waiting, count] = [0, 0, 0];
  using _calls = libvirtd.called.each(({ procedure, bytes, at }) => {
    if (procedure !== statsCall) return;
    count += 1;
    [ask, askedAt, waiting] = [Buffer.from(bytes), at, domains];
  });
  using _publications = broker.published.each(({ topic, packet, at }) => {
    if (!topic.endsWith('/stats')) return;
    said.set(topic, Buffer.from(packet));
    waiting -= 1;
    if (waiting === 0) walls.push(at - askedAt);
  });
  const pass = (until: number) => libvirtd.called.next(() => count >= until, `poll ${until}`, 60_000);

  await pass(Math.max(20, Math.ceil(polls / 2)));
  walls.length = 0;
  const costs: number[] = [];
  for (let done = 0; done < polls; done += batch) {
    const [before, from] = [await child.usage(), count];
    await pass(from + batch);
    const after = await child.usage();
    costs.push((after.cpu - before.cpu) / batch);
  }
  const cpu: Spread = { ...spread(costs), count: polls };
  return { cpu, wall: spread(walls), ask, say: Buffer.concat([...said.values()]) };
}
