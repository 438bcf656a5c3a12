import { procedures } from '../../src/libvirt/procedures.ts';
import { startNothing } from './bare.ts';
import { type BenchBridge, startBridge } from './bridge.ts';
import { floor, measured, type Section } from './report.ts';

const MiB = 2 ** 20;
/** At 30 s. */
const day = 2_880;
/** Milliseconds between polls. */
const apart = 4;
const { number: statsCall } = procedures.connectGetAllDomainStats;

/**
 * A day's worth of polls, a few milliseconds apart, after as many as it takes until code is compiled. What is
 * resident afterwards is with all the garbage that V8 sees no reason to collect; what the heap still holds when it
 * is collected is what the bridge keeps.
 */
export async function memory(polls = day): Promise<Section> {
  await using nothing = await startNothing();
  await using bridge = await startBridge({ interval: apart, gc: true });
  await pass(bridge, Math.ceil(polls / 4));
  const before = await bridge.child.usage({ gc: true });
  await pass(bridge, polls);
  const { resident } = await bridge.child.usage();
  const after = await bridge.child.usage({ gc: true });
  return {
    title: `memory over ${polls} polls of one domain, accelerated: ${apart} ms apart`,
    rows: [
      measured('heap before, collected', 'MiB', { median: before.heap / MiB }),
      measured('heap after, collected', 'MiB', { median: after.heap / MiB }),
      measured('resident before', 'MiB', { median: before.resident / MiB }),
      measured('resident after, garbage and all', 'MiB', { median: resident / MiB }),
      floor('resident, a Node that does nothing', 'MiB', { median: (await nothing.usage()).resident / MiB }),
    ],
  };
}

async function pass({ peers }: BenchBridge, polls: number): Promise<void> {
  let left = polls;
  const isLast = ({ procedure }: { procedure: number }) => procedure === statsCall && --left === 0;
  await peers.libvirtd.called.next(isLast, `${polls} polls`, 60_000);
}
