import { setTimeout as delay } from 'node:timers/promises';
import { procedures } from '../../src/libvirt/procedures.ts';
import { FakeLibvirtd } from '../fakes/libvirtd/daemon.ts';
import { type BenchBridge, startBridge } from './bridge.ts';
import { changesInTurns } from './event.ts';
import { type Spread, spread } from './numbers.ts';
import { startPeers } from './peers.ts';
import { measured, type Section } from './report.ts';

const { number } = procedures.connectGetAllDomainStats;
/** Milliseconds between polls. */
const interval = 1_000;
/** Milliseconds between an event of one bridge and the next one of the other. */
const rest = 50;

/**
 * Two bridges with two hosts each, in turns. Of one, the second host answers; of the other, it is frozen. What the first
 * host tells, and when it is polled, must be the same at both.
 */
export async function hosts(count: number, polls: number): Promise<Section> {
  await using answering = await FakeLibvirtd.listen();
  await using frozen = await FakeLibvirtd.listen();
  await using well = await startWith(answering);
  await using beside = await startWith(frozen);
  frozen.freeze();
  const [events, eventsBeside] = await changesInTurns([well, beside], count, rest);
  const [apart, apartBeside] = await Promise.all([well, beside].map(each => betweenPolls(each, polls)));
  if (!apart || !apartBeside) throw new Error('no polls');
  return {
    title: 'one of two hosts is frozen: the other one',
    rows: [
      measured('libvirt event → MQTT publication', 'ms', eventsBeside),
      measured('the same, while both answer, in turns with it', 'ms', events),
      measured('from one poll to the next, one a second', 'ms', apartBeside),
      measured('the same, while both answer', 'ms', apart),
    ],
  };
}

async function startWith(second: FakeLibvirtd): Promise<BenchBridge> {
  second.define({ name: 'there' }).start();
  return startBridge({ peers: await startPeers(1, { second: second.uri }), interval });
}

/** Milliseconds from a poll of the first host to the next one, while nothing happens. */
async function betweenPolls({ peers: { libvirtd } }: BenchBridge, polls: number): Promise<Spread> {
  const at: number[] = [];
  using _ = libvirtd.called.each(call => {
    if (call.procedure === number) at.push(call.at);
  });
  await delay((polls + 2) * interval);
  return spread(at.slice(1).map((each, i) => each - (at[i] ?? 0)));
}
