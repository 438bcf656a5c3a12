import { procedures } from '../../src/libvirt/procedures.ts';
import { startNothing } from './bare.ts';
import { type BenchBridge, startBridge } from './bridge.ts';
import type { Usage } from './child.ts';
import { slope } from './numbers.ts';
import { floor, measured, type Section } from './report.ts';

const MiB = 2 ** 20;
const day = 2_880;
const samples = 24;
/** Milliseconds. */
const apart = 5;
const { number: statsCall } = procedures.connectGetAllDomainStats;

/** A day's worth of polls at 30 s, a few milliseconds apart; the heap is looked at after a collection. */
export async function memory(polls = day): Promise<Section> {
  await using nothing = await startNothing();
  await using bridge = await startBridge({ interval: apart, gc: true });
  const seen: (Usage & { polls: number })[] = [];
  const step = Math.ceil(polls / samples);
  for (let at = 0; at <= polls; at += step) {
    if (at > 0) await pass(bridge, step);
    seen.push({ ...(await bridge.child.usage({ gc: true })), polls: at });
  }
  const [first, last] = [seen.at(0), seen.at(-1)];
  // The first quarter is code being compiled and buffers finding their size.
  const late = seen.slice(samples / 4).map(({ polls: x, heap: y }) => ({ x, y }));
  return {
    title: `memory over ${polls} polls of one domain, accelerated: ${apart} ms apart`,
    rows: [
      measured('resident before', 'MiB', { median: (first?.resident ?? 0) / MiB }, { limit: 70, on: 'median' }),
      measured('resident after', 'MiB', { median: (last?.resident ?? 0) / MiB }, { limit: 70, on: 'median' }),
      floor('resident, a Node that does nothing', 'MiB', { median: (await nothing.usage()).resident / MiB }),
      measured('heap before', 'MiB', { median: (first?.heap ?? 0) / MiB }),
      measured('heap after', 'MiB', { median: (last?.heap ?? 0) / MiB }),
      // Of fewer polls, nothing but the noise would be told.
      ...(polls < day ? [] : [measured('heap trend a day', 'KiB', { median: (slope(late) * day) / 1_024 })]),
    ],
  };
}

async function pass({ peers }: BenchBridge, polls: number): Promise<void> {
  let left = polls;
  const isLast = ({ procedure }: { procedure: number }) => procedure === statsCall && --left === 0;
  await peers.libvirtd.called.next(isLast, `${polls} polls`, 60_000);
}
