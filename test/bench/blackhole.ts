import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { probeTcp } from '../../src/util/tcp-probe.ts';

/** As many as the queue of a listener with a backlog of 1 takes. */
const queue = 2;

/** Ports that say nothing to whoever wants in, as behind a firewall that drops. */
export async function startBlackhole(address: string, ports: readonly number[]): Promise<AsyncDisposable> {
  const worker = new Worker(new URL('./blackhole.js', import.meta.url), { workerData: { address, ports } });
  await once(worker, 'message');
  const sockets: Socket[] = [];
  for (const port of ports) {
    for (let i = 0; i < queue; i++) {
      const socket = connect(port, address).on('error', () => {});
      sockets.push(socket);
      await once(socket, 'connect');
    }
    const { answer } = await probeTcp(address, port, { timeout: 100 });
    if (answer !== 'silent') throw new Error(`port ${port} is ${answer}`);
  }
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await worker.terminate();
    },
  };
}
