import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../lab/processes.ts';
import { subject } from '../mqtt/subject.ts';
import { base, program, ready } from './nats.ts';
import { BrokerProcess } from './process.ts';

export interface Cluster extends AsyncDisposable {
  nodes: readonly BrokerProcess[];
  urls: readonly string[];
}

/** Three NATS servers, each with a copy of everything, ready for MQTT. */
export async function startCluster(): Promise<Cluster> {
  const routes = await Promise.all([1, 2, 3].map(() => freePort()));
  const others = routes.map(each => `"nats://127.0.0.1:${each}"`).join(', ');
  const nodes = await Promise.all(
    routes.map(async (route, index) => {
      const listen = await freePort();
      return await BrokerProcess.make('nats', async ({ folder, port }) => {
        const file = join(folder, 'nats.conf');
        const own = [
          `listen: "127.0.0.1:${listen}"`,
          `cluster { name: c, listen: "127.0.0.1:${route}", routes: [${others}] }`,
        ];
        await writeFile(file, [...base(`node-${index}`, folder, port, 3), ...own].join('\n'));
        return { command: program, args: ['-c', file], ready };
      });
    }),
  );
  await Promise.all(nodes.map(node => node.start()));
  const urls = nodes.map(({ port }) => `mqtt://127.0.0.1:${port}`);
  // They take sessions once they have elected a leader.
  for (const url of urls) {
    await using client = subject(url);
    await client.opened.take();
  }
  return {
    nodes,
    urls,
    async [Symbol.asyncDispose]() {
      await Promise.all(nodes.map(node => node[Symbol.asyncDispose]()));
    },
  };
}
