import { setTimeout as delay } from 'node:timers/promises';

/** What `Child` asks for; see child.ts. */
interface Question<What> {
  gc?: boolean;
  repeat?: { count: number; pause: number; what: What };
}

type Act<What> = (what: What) => unknown;

/** A measured process's side of `Child.usage()`, and of `Child.repeat()` if there is something to repeat. */
export function answer<What>(act: Act<What> = () => {}): void {
  process.on('message', async ({ gc, repeat }: Question<What>) => {
    if (gc) await globalThis.gc?.();
    process.send?.(repeat ? await times(act, repeat) : { cpu: process.cpuUsage(), memory: process.memoryUsage() });
  });
  process.on('disconnect', () => process.exit());
}

async function times<What>(act: Act<What>, { count, pause, what }: NonNullable<Question<What>['repeat']>) {
  const walls: number[] = [];
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
