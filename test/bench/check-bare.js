/**
 * The floor of a check: a program that connects to the same ports and hangs up, and for a full one also says what the
 * bridge said and waits until as many bytes have come back, looking at nothing else of them.
 */
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { answer } from './usage.js';

/**
 * `beside` is said at once until the first is answered, then `turns` one after another: each a `port`, what to `say`,
 * and the `bytes` that come back. `query` goes to UDP port `findhost`, and its answer comes to the same.
 */
process.once('message', async ({ address, ports, findhost, query, beside, turns }) => {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  socket.bind(findhost, '0.0.0.0');
  await once(socket, 'listening');

  answer(async ({ depth, ping }) => {
    const heard = depth === 'cheap' ? null : discover();
    await Promise.all([...ports.map(port => visit({ port })), ping ? run('true') : null]);
    if (depth === 'cheap') return;
    const answered = new AbortController();
    await Promise.race(beside.map(each => visit(each, answered.signal)));
    answered.abort();
    for (const turn of turns) await visit(turn);
    await heard;
  });
  process.send('ready');

  function discover() {
    const heard = once(socket, 'message');
    socket.send(query, findhost, address);
    return heard;
  }

  function visit({ port, say, bytes }, signal) {
    return new Promise(resolve => {
      const socket = connect({ host: address, port });
      const leave = () => {
        signal?.removeEventListener('abort', leave);
        socket.destroy();
        resolve();
      };
      signal?.addEventListener('abort', leave);
      socket.once('connect', () => (say ? socket.write(say) : leave()));
      let left = bytes;
      socket.on('data', chunk => {
        left -= chunk.length;
        if (left <= 0) leave();
      });
    });
  }
});

function run(command) {
  return new Promise(resolve => {
    execFile(command, resolve);
  });
}
