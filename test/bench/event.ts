import { setTimeout as delay } from 'node:timers/promises';
import { procedures } from '../../src/libvirt/procedures.ts';
import { startBare } from './bare.ts';
import { startBridge } from './bridge.ts';
import { type Spread, spread } from './numbers.ts';
import { type Peers, topic } from './peers.ts';
import { floor, measured, type Section } from './report.ts';

/**
 * From a lifecycle event's bytes handed to the socket until the new state's bytes are read at the broker, both seen
 * from outside in one clock. Two hops through the kernel and the daemon's time for the read are therefore in it.
 */
export async function event(count: number): Promise<Section> {
  await using bridge = await startBridge({ interval: 30_000 });
  const { ask, say } = await learn(bridge.peers);
  await using reading = await startBare(bridge.peers, { job: 'event', ask, say });
  await using echo = await startBare(bridge.peers, { job: 'echo', ask, say });
  const [whole, reads, bare] = await changesInTurns([bridge, reading, echo], count);
  return {
    title: 'libvirt event → MQTT publication',
    rows: [
      ...(whole ? [measured('bridge', 'ms', whole, { limit: 2, on: 'p99' })] : []),
      ...(reads ? [floor('the same bytes with the read that the event asks for', 'ms', reads)] : []),
      ...(bare ? [floor('the same bytes without it', 'ms', bare)] : []),
    ],
  };
}

/** What `change` takes with each of them, after a hundred to warm up; in turns, so that all meet the same machine. */
export async function changesInTurns(subjects: readonly { peers: Peers }[], count: number): Promise<Spread[]> {
  const measuring = subjects.map(({ peers }) => ({ peers, times: [] as number[] }));
  const warm = Math.min(100, count);
  for (let i = -warm; i < count; i++) {
    for (const { peers, times } of measuring) {
      const time = await change(peers);
      if (i >= 0) times.push(time);
      await delay(4);
    }
  }
  return measuring.map(({ times }) => spread(times));
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

/** What the bridge asks and says on an event. */
async function learn(peers: Peers): Promise<{ ask: Buffer; say: Buffer }> {
  const { called } = peers.libvirtd;
  const { published } = peers.broker;
  const asked = [procedures.domainLookupByName, procedures.domainGetState].map(({ number, name }) =>
    called.next(({ procedure }) => procedure === number, name),
  );
  const said = published.next(({ topic: name }) => name.endsWith('/state'), 'the state');
  await change(peers);
  return { ask: Buffer.concat((await Promise.all(asked)).map(({ bytes }) => bytes)), say: (await said).packet };
}
