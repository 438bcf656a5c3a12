import { setTimeout as delay } from 'node:timers/promises';

/** A measured process's side of `Child.usage()`, and of `Child.repeat()` if there is something to repeat. */
export function answer(act) {
  process.on('message', async ({ gc, repeat }) => {
    if (gc) globalThis.gc();
    process.send(repeat ? await times(act, repeat) : { cpu: process.cpuUsage(), memory: process.memoryUsage() });
  });
  process.on('disconnect', () => process.exit());
}

async function times(act, { count, pause, what }) {
  const walls = [];
  const before = process.cpuUsage();
  for (let i = 0; i < count; i++) {
    const at = performance.now();
    await act(what);
    walls.push(performance.now() - at);
    // What comes after it, as the answers of the broker, is in its CPU.
    await delay(pause);
  }
  const { user, system } = process.cpuUsage(before);
  return { walls, cpu: (user + system) / 1_000 / count };
}
