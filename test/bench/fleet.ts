import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startCluster } from '../brokers/cluster.ts';
import { Commander, type Member, readRetained, vmsOf, wrongTopics } from '../brokers/fleet.ts';
import { poll } from '../lab/lab.ts';
import { type Bridge, type Made, prepare } from './fleet-bridge.ts';
import { entrypoint } from './image.ts';
import { spread } from './numbers.ts';
import { nanoseconds } from './others.ts';
import { measured, progress, type Section } from './report.ts';

export interface Extent {
  /** Bridges, each in a process of its own. */
  real: number;
  /** More of them, all in one process. */
  simulated: number;
  /** Of each. */
  vms: number;
}

/** A line of a bridge's log, as far as it counts here. */
interface Line {
  event?: string;
  id?: string;
  remaining_ms?: number | null;
}

/** A bridge's process. */
interface Real extends Omit<Made, 'config'> {
  child: ChildProcess;
  log: Line[];
}

/** A fleet on three NATS servers: its start, Home Assistant's birth, a killed server, a rolling restart. */
export async function fleet({ real, simulated, vms }: Extent): Promise<Section> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'dsm2mqtt-fleet-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const { nodes, urls } = stack.use(await startCluster());
  const bridge = (number: number): Bridge => ({ number, folder, urls, vms });
  const numbers = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);
  const startedAt = performance.now();
  const reals: Real[] = [];
  for (const number of numbers(0, real)) reals.push(await startReal(bridge(number), stack));
  const others = numbers(real, simulated).map(number => ({
    base: `b${number}`,
    daemon: { domains: vmsOf(number, vms) },
  }));
  if (simulated > 0) await startSimulated(numbers(real, simulated).map(bridge), stack);
  const members: Member[] = [...reals, ...others];
  /** Seconds from then until each of these servers has every topic right. */
  const right = async (since: number, at: readonly number[]) => {
    for (const index of at) {
      let wrong: string[] = [];
      const look = async () => {
        wrong = wrongTopics(await readRetained(urls[index] ?? ''), members);
        progress(`node ${index}: ${wrong.length} topics are not right`);
        return wrong.length === 0;
      };
      await poll(look, { deadline: 900_000, interval: 1_000, what: 'that all topics are right' });
    }
    return (performance.now() - since) / 1_000;
  };
  const start = await right(startedAt, [0]);
  const commander = stack.use(new Commander(urls, reals));
  await commander.open();
  const birth = await commander.birth(members.length + members.length * vms);

  const idle = await usage(reals, 60_000);
  commander.start(50);
  await delay(5_000);
  progress('a server is killed');
  const killedAt = performance.now();
  await nodes[0]?.end('SIGKILL');
  for (const { daemon } of reals) daemon.domain('vm-1').destroy();
  const killed = await right(killedAt, [1, 2]);
  await nodes[0]?.start();
  await right(killedAt, [0]);
  const rolling: number[] = [];
  for (const [index, node] of nodes.entries()) {
    progress(`server ${index} is restarted`);
    const at = performance.now();
    await node.end('SIGTERM');
    await node.start();
    rolling.push(await right(at, [0, 1, 2]));
  }
  commander.stop();
  await delay(15_000);

  const finals = reals.flatMap(({ log }) => log.filter(isFinal));
  const received = new Set(finals.map(({ id = '' }) => id));
  const answers = [...received].map(id => commander.answers(id));
  const done = finals.filter(({ event }) => event === 'command.succeeded').length;
  const calls = reals.reduce((sum, { daemon }) => sum + daemon.callsOf('domainSetAutostart').length, 0);
  const taken = [...commander.published].filter(([, isTaken]) => isTaken);
  const count = (name: string, median: number, limit?: number) =>
    measured(name, 'of them', { median }, limit === undefined ? null : { limit, on: 'median' });
  return {
    title: `${real} bridges and ${simulated} simulated ones, ${vms} VMs each, on three NATS servers`,
    rows: [
      measured('start → every topic right', 's', { median: start }),
      measured('birth of Home Assistant → last device', 's', { median: birth.seconds }),
      count('· announcements', birth.messages, members.length * (vms + 1)),
      count('· announcements in the busiest second', birth.busiest),
      measured('kill -9 of a server → every topic right at the others', 's', { median: killed }),
      measured('restart of a server → every topic right at all', 's', spread(rolling)),
      count('commands published meanwhile', commander.published.size),
      count('· that the cluster did not acknowledge', commander.published.size - taken.length),
      count('· that it did, and no bridge was there for', taken.filter(([id]) => !received.has(id)).length),
      count('· that a bridge received', received.size),
      count('· · with more than one final answer of the bridge', finals.length - received.size, 0),
      count('· · whose final answer reached nobody', answers.filter(each => each === 0).length),
      count('· · acted on more than once', Math.max(0, calls - done), 0),
      measured('resident, one bridge', 'MiB', idle.resident),
      measured('CPU of a bridge at rest', '% of a core', idle.cpu),
    ],
  };
}

function isFinal({ event = '', remaining_ms }: Line): boolean {
  return event.startsWith('command.') && remaining_ms === null;
}

async function startReal(bridge: Bridge, stack: AsyncDisposableStack): Promise<Real> {
  const { base, daemon, config } = await prepare(bridge);
  stack.use(daemon);
  const [command = '', ...args] = entrypoint;
  const child = spawn(command, [...args, 'run', '--config', config], { stdio: ['ignore', 'pipe', 'inherit'] });
  const log: Line[] = [];
  createInterface({ input: child.stdout }).on('line', line => log.push(JSON.parse(line)));
  stack.defer(() => gone(child));
  return { base, daemon, child, log };
}

async function startSimulated(bridges: readonly Bridge[], stack: AsyncDisposableStack): Promise<void> {
  const child = fork(fileURLToPath(new URL('fleet-simulated.ts', import.meta.url)));
  stack.defer(() => gone(child));
  child.send(bridges);
  await once(child, 'message');
}

async function gone(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** In so many milliseconds, in which nothing happens but polls. */
async function usage(reals: readonly Real[], milliseconds: number) {
  const cpu = () => Promise.all(reals.map(({ child }) => nanoseconds(child.pid)));
  const before = await cpu();
  await delay(milliseconds);
  const shares = (await cpu()).map((after, i) => (100 * (after - (before[i] ?? 0))) / 1e6 / milliseconds);
  const resident = await Promise.all(
    reals.map(async ({ child }) => {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
      return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1_024;
    }),
  );
  return { cpu: spread(shares), resident: spread(resident) };
}
