import { setTimeout as delay } from 'node:timers/promises';
import { png } from '../fakes/libvirtd/screen.ts';
import { freePort } from '../lab/processes.ts';
import { type BenchBridge, startBridge } from './bridge.ts';
import { startPeers } from './peers.ts';
import { floor, measured, type Section } from './report.ts';

const MiB = 2 ** 20;

/** A bridge whose page is open, its screen hidden or shown, beside the same one with a page that nobody looks at. */
export async function page(seconds: number): Promise<Section> {
  await using alone = await startWeb();
  await using hidden = await startWeb();
  await using shown = await startWeb();
  const end = new AbortController();
  const looks = [look(hidden.root, end.signal), look(shown.root, end.signal), watch(shown.root, end.signal)];
  // What belongs to their beginning is over.
  await delay(3_000);
  const bridges = [alone, hidden, shown];
  const used = () => Promise.all(bridges.map(async ({ child }) => (await child.usage()).cpu));
  const before = await used();
  await delay(seconds * 1_000);
  const after = await used();
  const [none = 0, least = 0, most = 0] = after.map((cpu, i) => (cpu - (before[i] ?? 0)) / (seconds * 10));
  const [empty = 0, ...open] = await Promise.all(
    bridges.map(async ({ child }) => (await child.usage()).resident / MiB),
  );
  end.abort();
  await Promise.allSettled(looks);
  const goal = (limit: number) => (seconds >= 60 ? ({ limit, on: 'median' } as const) : null);
  return {
    title: `a page that is open for ${seconds} s, one domain, a poll every 30 s`,
    rows: [
      measured('one page, its screen hidden', '% of a core', { median: least }, goal(none + 0.5)),
      measured('one page, its screen shown', '% of a core', { median: most }, goal(none + 3)),
      floor('a page that nobody has open', '% of a core', { median: none }),
      measured('resident more with a page', 'MiB', { median: Math.max(...open) - empty }, goal(10)),
    ],
  };
}

async function startWeb(): Promise<BenchBridge & { root: string }> {
  const port = await freePort();
  const peers = await startPeers(1, {
    checks: 'commands: [screenshot]',
    more: [`web: { listen: "127.0.0.1:${port}" }`],
  });
  for (const { guest } of peers.libvirtd.fake.domains) guest.screens = [png(1_024, 768, letters)];
  return { ...(await startBridge({ interval: 30_000, peers })), root: `http://127.0.0.1:${port}` };
}

/** As a console full of text: cells of 8 by 16 pixels, in each something else. */
function letters(x: number, y: number): number {
  const letter = ((x >> 3) * 7_919 + (y >> 4) * 104_729) % 8_191;
  return (letter >> ((x + y) % 13)) & 1 ? 170 : 0;
}

async function look(root: string, signal: AbortSignal): Promise<void> {
  const { body } = await fetch(`${root}/api/live`, { signal });
  await body?.pipeTo(new WritableStream(), { signal });
}

/** As the page does it. */
async function watch(root: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    const picture = await fetch(`${root}/api/screen?vm=vm-0`, { signal });
    if (!picture.ok) throw new Error(`no picture: ${await picture.text()}`);
    await picture.arrayBuffer();
    await delay(2_000, undefined, { signal });
  }
}
