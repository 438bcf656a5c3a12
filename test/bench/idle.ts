import { setTimeout as delay } from 'node:timers/promises';
import { startNothing } from './bare.ts';
import { type BenchBridge, startBridge } from './bridge.ts';
import { startPeers } from './peers.ts';
import { type Place, startPlace } from './place.ts';
import { floor, measured, type Section } from './report.ts';

/** CPU of a bridge that polls and checks: one cheap check in the time, beside the same bridge that checks nothing. */
export async function idle(seconds: 2 | 60): Promise<Section> {
  await using place = await startPlace();
  await using checking = await startChecking(place, seconds);
  await using quiet = await startBridge({ interval: 30_000 });
  await using nothing = await startNothing();
  const children = [checking.child, quiet.child, nothing];
  const used = () => Promise.all(children.map(async child => (await child.usage()).cpu));
  const before = await used();
  await delay(seconds * 1_000);
  const after = await used();
  const [checked = 0, whole = 0, none = 0] = after.map((cpu, i) => (cpu - (before[i] ?? 0)) / (seconds * 10));
  return {
    title: `idle for ${seconds} s, one domain, a poll every 30 s, a cheap check every ${seconds} s`,
    rows: [
      measured('bridge', '% of a core', { median: checked }, seconds === 60 ? { limit: 0.3, on: 'median' } : null),
      measured('bridge that checks nothing, beside it', '% of a core', { median: whole }),
      floor('a Node that does nothing', '% of a core', { median: none }),
    ],
  };
}

/** Found its DSM up. */
async function startChecking(place: Place, seconds: 2 | 60): Promise<BenchBridge> {
  const schedule = seconds === 60 ? '* * * * *' : '*/2 * * * * *';
  const peers = await startPeers(1, { checks: place.checks(`schedule: "${schedule}", deep_schedule: never`) });
  const [domain] = peers.libvirtd.fake.domains;
  if (!domain) throw new Error('no domain');
  await place.plug(domain);
  const findhost = (await place.discovery(domain)).port;
  const up = peers.broker.published.next(({ payload }) => payload.includes('"verdict":"up"'), 'the verdict');
  const setting = { ...place.setting, findhost, command: 'true' };
  const bridge = await startBridge({ interval: 30_000, peers, setting });
  await up;
  return bridge;
}
