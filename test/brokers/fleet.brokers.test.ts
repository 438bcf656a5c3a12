import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Running, vmConfig } from '../bridge/running.ts';
import { eventually } from '../eventually.ts';
import { FakeLibvirtd } from '../fakes/libvirtd/daemon.ts';
import type { Entry } from '../mqtt/inbox.ts';
import { startCluster } from './cluster.ts';
import { Commander, defineVms, readRetained, wrongTopics } from './fleet.ts';

/** Each bridge begins at another node. */
async function startBridge(number: number, urls: readonly string[]) {
  const daemon = await FakeLibvirtd.listen();
  defineVms(daemon, number, 2);
  const elsewhere = { port: 0, version: '3.1.1' as const, start: async () => {}, kill: async () => {} };
  const broker = { ...elsewhere, [Symbol.asyncDispose]: async () => {} };
  const running = new Running(daemon, broker, await mkdtemp(join(tmpdir(), 'bridge-')));
  const base = `b${number}`;
  const url = [...urls.slice(number), ...urls.slice(0, number)];
  await running.start({
    mqtt: { url, clientId: base, baseTopic: base },
    vms: daemon.domains.map(({ name }) => vmConfig({ domain: name, key: name, label: name })),
  });
  return Object.assign(running, { base });
}

function isFinal({ event, remaining_ms }: Entry): boolean {
  return event.startsWith('command.') && remaining_ms === null;
}

test('a node of the cluster is killed: all topics are right again, and nothing is done twice', async () => {
  await using stack = new AsyncDisposableStack();
  const { nodes, urls } = stack.use(await startCluster());
  const fleet: Awaited<ReturnType<typeof startBridge>>[] = [];
  for (const number of [0, 1, 2]) fleet.push(stack.use(await startBridge(number, urls)));
  // The other nodes may have old topics in their caches, for two minutes.
  const right = () => eventually(async () => expect(wrongTopics(await readRetained(urls[0] ?? ''), fleet)).toEqual([]));
  await right();
  const commander = stack.use(new Commander(urls, fleet));
  await commander.open();
  commander.start(200);
  const answered = () => [...commander.published.keys()].filter(id => commander.answers(id) > 0).length;
  await eventually(() => expect(answered()).toBeGreaterThan(3));

  await nodes[0]?.end('SIGKILL');
  for (const { daemon } of fleet) daemon.domain('vm-1').destroy();
  // The one that was connected there goes to another node.
  await eventually(() => expect(fleet[0]?.log.of('mqtt.connected')).toHaveLength(2), { timeout: 120_000 });
  await nodes[0]?.start();
  await right();
  // What was said while the cluster had no leader may be lost; from now on nothing is.
  const early = new Set(commander.published.keys());
  const late = () => [...commander.published.keys()].filter(id => !early.has(id));
  await eventually(() => expect(late().filter(id => commander.answers(id) === 1).length).toBeGreaterThan(10));
  commander.stop();

  const received = fleet.flatMap(({ log }) => log.entries.filter(isFinal).map(({ id }) => String(id)));
  expect(new Set(received).size).toBe(received.length);
  expect(received.filter(id => commander.answers(id) > 1)).toEqual([]);
  for (const { daemon, log } of fleet) {
    await eventually(() =>
      expect(daemon.callsOf('domainSetAutostart')).toHaveLength(log.of('command.succeeded').length),
    );
  }
});
