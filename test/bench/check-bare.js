/**
 * The floor of a check: a program that connects to the same ports and hangs up, and for a full one also makes the same
 * requests, over UDP and HTTP, looking at nothing of the answers.
 */
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { answer } from './usage.ts';

const run = promisify(execFile);

/** `query` goes to UDP port `findhost`, and its answer comes to the same; `requests` to TCP port `web`, in turn. */
process.once('message', async ({ address, ports, findhost, query, web, requests }) => {
  const udp = createSocket({ type: 'udp4', reuseAddr: true });
  udp.bind(findhost, '0.0.0.0');
  await once(udp, 'listening');

  answer(async ({ depth, ping }) => {
    const visits = ports.map(port => visit(port));
    if (depth !== 'cheap') visits.push(once(udp, 'message'), ...(ping ? [run('true')] : []));
    if (depth !== 'cheap') udp.send(query, findhost, address);
    await Promise.all(visits);
    if (depth !== 'cheap') for (const request of requests) await visit(web, request);
  });
  process.send('ready');

  async function visit(port, request) {
    const socket = connect({ host: address, port });
    await once(socket, 'connect');
    if (request) await once(socket.resume().end(request), 'end');
    socket.destroy();
  }
});
