/**
 * Ports that say nothing to whoever wants in. In a thread of its own, which listens and never accepts: once the kernel's
 * queue is full, it drops what comes.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

const { address, ports } = workerData;
for (const port of ports) {
  const server = createServer();
  server.listen({ host: address, port, backlog: 1 });
  await once(server, 'listening');
}
parentPort.postMessage('listening');
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
