import { setTimeout as delay } from 'node:timers/promises';
import { procedures } from '../../src/libvirt/procedures.ts';
import { startBare } from './bare.ts';
import { startBridge } from './bridge.ts';
import type { Published } from './broker.ts';
import type { Child } from './child.ts';
import { spread } from './numbers.ts';
import { type Exchange, isSample, isState, overhear, type Peers, startPeers } from './peers.ts';
import { floor, type Goal, measured, progress, type Row, type Section } from './report.ts';

export interface PollPlan {
  domains: 1 | 10 | 100 | 1_000;
  /** Milliseconds. */
  interval: number;
  /** Before those that are measured: the bridge polls for months, with all its code compiled. */
  warm: number;
  polls: number;
}

const MiB = 2 ** 20;
/** Polls a figure of CPU time is the mean of. */
const batch = 10;
/** Milliseconds until what belongs to a start is over: a device is not announced again within five seconds. */
const settle = 6_000;
const stats = procedures.connectGetAllDomainStats;
const birth = 'homeassistant/status';
const goals = { 1: 0.6, 10: null, 100: 4, 1000: 40 };
/** Seconds. The bridge waits up to a third one after a birth; a measured one does not (see subject.ts). */
const [firstStates, announcing] = [3, 2];

/**
 * A bridge with so many domains, and beside it a program that makes the same calls at once, does not read the answers,
 * and writes the same publications.
 */
export async function poll(plan: PollPlan): Promise<Section> {
  const { domains } = plan;
  const rows = [...(await beginning(domains)), ...(await polling(plan))];
  return { title: `${domains} ${domains === 1 ? 'domain' : 'domains'}`, domains, rows };
}

/** From its process's start until it has published each domain's state; from Home Assistant's birth to the last device. */
async function beginning(domains: PollPlan['domains']): Promise<Row[]> {
  const devices = domains + 1;
  const peers = await startPeers(domains);
  const startedAt = performance.now();
  const states = overhear(peers, isState, { count: domains });
  const introduced = overhear(peers, isAnnouncement, { count: devices });
  await using _ = await startBridge({ peers, interval: 30_000 });
  const [first] = await Promise.all([states, introduced]);
  await delay(settle);
  const again = overhear(peers, isAnnouncement, { count: devices, procedures: [] });
  const bornAt = peers.broker.send(birth, 'online');
  const last = await again;
  const [leastFirst, leastLast] = [await repeat(first, isState, domains), await repeat(last, isAnnouncement, devices)];
  const goal = (limit: number): Goal | null => (domains === 1_000 ? { limit, on: 'median' } : null);
  return [
    measured('process start → last first state', 's', { median: (first.at - startedAt) / 1_000 }, goal(firstStates)),
    floor('the same bytes', 's', { median: leastFirst }),
    measured('birth of Home Assistant → last device', 's', { median: (last.at - bornAt) / 1_000 }, goal(announcing)),
    floor('the same bytes', 's', { median: leastLast }),
  ];

  /** Seconds that a bare program takes for it. */
  async function repeat(exchange: Exchange, match: (message: Published) => boolean, count: number): Promise<number> {
    await using bare = await startBare(peers, { on: 'publication', ...exchange });
    const all = overhear(bare.peers, match, { count });
    const at = bare.peers.broker.send(birth, 'online');
    return ((await all).at - at) / 1_000;
  }
}

/**
 * A poll: CPU of the whole process, all threads, as the mean of ten, and the time from the call's arrival at libvirt to
 * the last publication's at the broker.
 */
async function polling(plan: PollPlan): Promise<Row[]> {
  const { domains, interval } = plan;
  await using bridge = await startBridge({ domains, interval });
  const whole = await watch(bridge.child, bridge.peers, plan);
  const { resident } = await bridge.child.usage();
  await using bare = await startBare(bridge.peers, { on: 'time', interval, ...whole.exchange });
  const least = await watch(bare.child, bare.peers, plan);
  const limit = goals[domains];
  return [
    measured('CPU of a poll', 'ms CPU', whole.cpu, limit === null ? null : { limit, on: 'median' }),
    floor('the same bytes', 'ms CPU', least.cpu),
    measured('a poll, call → last publication', 'ms', whole.wall),
    floor('the same bytes', 'ms', least.wall),
    measured('resident after these polls', 'MiB', { median: resident / MiB }),
  ];
}

function isAnnouncement({ topic, payload }: Published): boolean {
  return topic.startsWith('homeassistant/') && payload.length > 0;
}

/** Watches a process poll: what it costs, and what it asked and said last. */
async function watch(child: Child, { libvirtd, broker }: Peers, { domains, interval, warm, polls }: PollPlan) {
  const walls: number[] = [];
  const said = new Map<string, Buffer>();
  let ask = Buffer.alloc(0);
  let [askedAt, saidAt, missing, lost, count] = [0, 0, 0, 0, 0];
  using _calls = libvirtd.called.each(({ procedure, bytes, at }) => {
    if (procedure !== stats.number) return;
    if (saidAt > 0) walls.push(saidAt - askedAt);
    lost = Math.max(lost, missing);
    count += 1;
    [ask, askedAt, saidAt, missing] = [Buffer.from(bytes), at, 0, domains];
  });
  using _publications = broker.published.each(message => {
    if (!isSample(message)) return;
    said.set(message.topic, Buffer.from(message.packet));
    [saidAt, missing] = [message.at, missing - 1];
  });
  const pass = (until: number) => libvirtd.called.next(() => count >= until, `poll ${until}`, 180_000);

  await pass(warm);
  walls.length = 0;
  lost = 0;
  const costs: number[] = [];
  for (let done = 0; done < polls; done += batch) {
    const [before, from] = [await child.usage(), count];
    await pass(from + batch);
    const after = await child.usage();
    costs.push((after.cpu - before.cpu) / batch);
  }
  if (lost > 0) progress(`of ${domains} samples, ${lost} were not published within ${interval} ms`);
  const exchange = { ask, answers: 1, say: Buffer.concat([...said.values()]) };
  return { cpu: { ...spread(costs), count: polls }, wall: spread(walls), exchange };
}
