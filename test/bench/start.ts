import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { entrypoint, healthCheck } from './image.ts';
import { type Spread, spread } from './numbers.ts';
import { type Peers, startPeers, topic } from './peers.ts';
import { floor, measured, type Section } from './report.ts';

/** What a process took from its start to its end. */
interface Cost {
  /** Milliseconds. */
  wall: number;
  cpu: number;
  /** MiB, at most. */
  resident: number;
}

const run = promisify(execFile);
const empty = [process.execPath, '-e', '0'];
/** Says at a Node's end what it had resident at most. */
const hook = `process.on('exit', () => console.error('peak', process.resourceUsage().maxRSS));\n`;

/**
 * Programs as the image starts them: the bridge until `online` is at the broker, `--version`, and the health check of a
 * running bridge, in turns with a Node that does nothing. The first round, which fills the caches, does not count.
 */
export async function start(count: number): Promise<Section[]> {
  await using peers = await startPeers();
  const folder = dirname(peers.config);
  const require = join(folder, 'hook.cjs');
  await writeFile(require, hook);
  const env = { ...process.env, XDG_CACHE_HOME: folder, DSM2MQTT_CONFIG: peers.config };
  const cost = (command: readonly string[]) => costOf(command, { ...env, NODE_OPTIONS: `--require=${require}` });
  const [online, version, health, floors]: [number[], Cost[], Cost[], Cost[]] = [[], [], [], []];
  for (let i = 0; i < count; i++) {
    await using bridge = await startOnce(peers, env);
    online.push(bridge.online);
    floors.push(await cost(empty));
    version.push(await cost([...entrypoint, '--version']));
    health.push(await cost(healthCheck));
  }
  const of = (costs: readonly Cost[], what: keyof Cost) => rest(costs.map(each => each[what]));
  const least = of(floors, 'resident');
  return [
    {
      title: 'start of a process',
      rows: [
        measured('run, until `online`', 'ms', rest(online), { limit: 250, on: 'median' }),
        measured('--version', 'ms', of(version, 'wall'), { limit: 90, on: 'median' }),
        floor('node -e 0', 'ms', of(floors, 'wall')),
      ],
    },
    {
      title: 'a health check',
      rows: [
        measured('of the image', 'ms CPU', of(health, 'cpu'), { limit: 60, on: 'median' }),
        floor('node -e 0', 'ms CPU', of(floors, 'cpu')),
        measured('of the image, resident at most', 'MiB', of(health, 'resident'), {
          limit: least.median + 10,
          on: 'median',
        }),
        floor('node -e 0', 'MiB', least),
      ],
    },
  ];
}

function rest(values: readonly number[]): Spread {
  return spread(values.slice(1));
}

/** Milliseconds until it is online; it runs until it is disposed of. */
async function startOnce({ broker }: Peers, env: NodeJS.ProcessEnv): Promise<AsyncDisposable & { online: number }> {
  const told = broker.published.next(
    message => message.topic === topic.bridge.state && message.payload.toString() === 'online',
    'online',
  );
  const at = performance.now();
  const [command = '', ...args] = entrypoint;
  const child = spawn(command, [...args, 'run'], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  const online = (await told).at - at;
  return {
    online,
    async [Symbol.asyncDispose]() {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}

/** Node cannot tell what an ended child has used; bash can, and Node itself what it had resident. */
async function costOf(command: readonly string[], env: NodeJS.ProcessEnv): Promise<Cost> {
  const script = 'TIMEFORMAT="times %3R %3U %3S"; time "$@"';
  const { stderr } = await run('bash', ['-c', script, 'bash', ...command], { env });
  const [, wall, user, system] = /^times (\S+) (\S+) (\S+)$/m.exec(stderr) ?? [];
  const [, peak] = /^peak (\d+)$/m.exec(stderr) ?? [];
  if (!peak) throw new Error(`${command.join(' ')}: ${stderr}`);
  return { wall: 1_000 * Number(wall), cpu: 1_000 * (Number(user) + Number(system)), resident: Number(peak) / 1_024 };
}
