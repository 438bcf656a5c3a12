import { setTimeout as delay } from 'node:timers/promises';
import { startNothing } from './bare.ts';
import { startBridge } from './bridge.ts';
import type { Usage } from './child.ts';
import { floor, measured, progress, type Section } from './report.ts';

const MiB = 2 ** 20;

/** So many minutes of one poll a second, untouched: a collection is forced at the beginning and at the end only. */
export async function soak(minutes: number): Promise<Section> {
  await using nothing = await startNothing();
  await using bridge = await startBridge({ interval: 1_000, settle: 10_000, gc: true });
  const seen: Usage[] = [await bridge.child.usage({ gc: true })];
  for (let minute = 1; minute <= minutes; minute++) {
    await delay(60_000);
    const usage = await bridge.child.usage();
    seen.push(usage);
    progress(`minute ${minute}: ${(usage.resident / MiB).toFixed(1)} MiB resident`);
  }
  const [first, last] = [seen.at(0), seen.at(-1)];
  const most = Math.max(...seen.map(({ resident }) => resident));
  const cpu = ((last?.cpu ?? 0) - (first?.cpu ?? 0)) / (minutes * 60_000);
  return {
    title: `${minutes} minutes of one poll a second, one domain`,
    rows: [
      measured('resident 10 s after the start', 'MiB', { median: (first?.resident ?? 0) / MiB }),
      measured('resident at the end', 'MiB', { median: (last?.resident ?? 0) / MiB }),
      measured('resident at most', 'MiB', { median: most / MiB }),
      floor('resident, a Node that does nothing', 'MiB', { median: (await nothing.usage()).resident / MiB }),
      measured('heap 10 s after the start, collected', 'MiB', { median: (first?.heap ?? 0) / MiB }),
      measured('heap at the end, collected', 'MiB', { median: (await bridge.child.usage({ gc: true })).heap / MiB }),
      measured('CPU', '% of a core', { median: cpu * 100 }),
    ],
  };
}
