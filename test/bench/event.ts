import { setTimeout as delay } from 'node:timers/promises';
import { procedures } from '../../src/libvirt/procedures.ts';
import { startBare } from './bare.ts';
import { startBridge } from './bridge.ts';
import { type Spread, spread } from './numbers.ts';
import { isState, overhear, type Peers, topic } from './peers.ts';
import { beside, type Section } from './report.ts';

const reads = [procedures.domainLookupByName, procedures.domainGetState];

/**
 * From a lifecycle event's bytes handed to the socket until the new state's bytes are read at the broker, both seen
 * from outside in one clock. Two hops through the kernel and the daemon's time for the read are therefore in it. The floor
 * makes the same calls, and publishes the same bytes when it has both answers.
 */
export async function event(count: number): Promise<Section> {
  await using bridge = await startBridge({ interval: 30_000 });
  const [exchange] = await Promise.all([overhear(bridge.peers, isState, { procedures: reads }), change(bridge.peers)]);
  await using bare = await startBare(bridge.peers, { on: 'event', ...exchange });
  const [whole, least] = await changesInTurns([bridge, bare], count);
  return { title: 'libvirt event → MQTT publication', rows: beside(whole, least) };
}

/**
 * What `change` takes with each of them, after a hundred to warm up; in turns, so that all meet the same machine.
 * `rest`: milliseconds after each.
 */
export async function changesInTurns(
  [first, second]: readonly [{ peers: Peers }, { peers: Peers }],
  count: number,
  rest = 4,
): Promise<readonly [Spread, Spread]> {
  const [times, others]: [number[], number[]] = [[], []];
  const warm = Math.min(100, count);
  for (let i = -warm; i < count; i++) {
    for (const [{ peers }, taken] of [
      [first, times],
      [second, others],
    ] as const) {
      const time = await change(peers);
      if (i >= 0) taken.push(time);
      await delay(rest);
    }
  }
  return [spread(times), spread(others)];
}

/** Pauses or resumes the domain; milliseconds until the broker has been told. */
export async function change({ libvirtd, broker }: Peers): Promise<number> {
  const [domain] = libvirtd.fake.domains;
  if (!domain) throw new Error('no domain');
  const told = libvirtd.told.next(() => true, 'the event');
  const published = broker.published.next(({ topic: name }) => name === topic.vm(domain.name).state, 'the state');
  if (domain.state.state === 1) domain.pause();
  else domain.resume();
  return (await published).at - (await told);
}
