import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { spread } from './numbers.ts';
import { startPeers, topic } from './peers.ts';
import { floor, measured, type Section } from './report.ts';

const cli = fileURLToPath(new URL('../../dist/cli/index.js', import.meta.url));
const dependencies = ['commander', 'yaml', 'zod', 'pino', 'mqtt', 'fast-xml-parser'];
const importing = ['--input-type=module', '-e', dependencies.map(name => `import '${name}';`).join('')];

/** From the process's start to `online` at the broker, by the real command line; and what is resident a moment later. */
export async function start(count: number): Promise<Section> {
  const online: number[] = [];
  const resident: number[] = [];
  const unshared: number[] = [];
  const [loaded, empty]: [number[], number[]] = [[], []];
  for (let i = count > 1 ? -1 : 0; i < count; i++) {
    const bridge = await startOnce();
    const [libraries, node] = [await runs(importing), await runs(['-e', '0'])];
    // The first one warms the file cache.
    if (i < 0) continue;
    online.push(bridge.milliseconds);
    resident.push(bridge.resident);
    unshared.push(bridge.unshared);
    loaded.push(libraries);
    empty.push(node);
  }
  return {
    title: 'process start → `online`',
    rows: [
      measured('dsm2mqtt run', 'ms', spread(online), { limit: 500, on: 'median' }),
      floor('node, importing the dependencies', 'ms', spread(loaded)),
      floor('node -e 0', 'ms', spread(empty)),
      measured('resident 1 s after', 'MiB', spread(resident), { limit: 70, on: 'median' }),
      measured('of that its own, without the pages of files', 'MiB', spread(unshared)),
    ],
  };
}

async function startOnce(): Promise<{ milliseconds: number; resident: number; unshared: number }> {
  await using peers = await startPeers();
  const online = peers.broker.published.next(({ topic: name }) => name === topic.bridge.state, 'online');
  const at = performance.now();
  const child = spawn(process.execPath, [cli, 'run', '-c', peers.config], { stdio: ['ignore', 'ignore', 'inherit'] });
  const milliseconds = (await online).at - at;
  await delay(1_000);
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
  const size = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1_024;
  return { milliseconds, resident: size('VmRSS'), unshared: size('RssAnon') };
}

/** Milliseconds from start to end. */
async function runs(args: readonly string[]): Promise<number> {
  const at = performance.now();
  await once(spawn(process.execPath, args, { stdio: 'ignore' }), 'exit');
  return performance.now() - at;
}
