import { setTimeout as delay } from 'node:timers/promises';
import { procedures } from '../../src/libvirt/procedures.ts';
import { startBare, startNothing } from './bare.ts';
import { startBridge } from './bridge.ts';
import type { Peers } from './peers.ts';
import { floor, measured, type Section } from './report.ts';

/** CPU of a bridge that only polls and keeps its connections alive: one poll in the time, as by default in 30 s. */
export async function idle(seconds: number, settle: number): Promise<Section> {
  const interval = seconds * 1_000;
  await using bridge = await startBridge({ interval });
  await using bare = await startBare(bridge.peers, { job: 'poll', interval, ...(await learn(bridge.peers)) });
  await using nothing = await startNothing();
  await delay(settle * 1_000);
  const children = [bridge.child, bare.child, nothing];
  const used = () => Promise.all(children.map(async child => (await child.usage()).cpu));
  const before = await used();
  await delay(interval);
  const after = await used();
  const [whole = 0, least = 0, none = 0] = after.map((cpu, i) => ((cpu - (before[i] ?? 0)) / interval) * 100);
  return {
    title: `idle for ${seconds} s, one domain, a poll every ${seconds} s`,
    rows: [
      measured('bridge', '% of a core', { median: whole }, { limit: 0.3, on: 'median' }),
      floor('the same bytes', '% of a core', { median: least }),
      floor('a Node that does nothing', '% of a core', { median: none }),
    ],
  };
}

/** A change of state makes the bridge take a sample. */
async function learn({ libvirtd, broker }: Peers): Promise<{ ask: Buffer; say: Buffer }> {
  const { number, name } = procedures.connectGetAllDomainStats;
  const asked = libvirtd.called.next(({ procedure }) => procedure === number, name);
  const said = broker.published.next(({ topic }) => topic.endsWith('/stats'), 'the sample');
  for (const domain of libvirtd.fake.domains) domain.pause();
  const orders = { ask: Buffer.from((await asked).bytes), say: Buffer.from((await said).packet) };
  for (const domain of libvirtd.fake.domains) domain.resume();
  return orders;
}
