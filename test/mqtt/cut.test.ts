import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutPackets } from '../../src/mqtt/cut.ts';
import { CONNECT, PUBACK, PUBLISH, startPeer, text } from './peer.ts';
import { subject } from './subject.ts';

/** What comes out of a stream whose packets are cut. */
function cut(chunks: readonly Buffer[], most: number): Buffer {
  const out: Buffer[] = [];
  const stream = new Readable({ read: () => {} });
  stream.push = chunk => {
    out.push(chunk);
    return true;
  };
  cutPackets(stream, most);
  for (const chunk of chunks) stream.push(chunk);
  return Buffer.concat(out);
}

function packet(first: number, body: Buffer): Buffer {
  const length: number[] = [];
  for (let left = body.length; length.length === 0 || left > 0; left = left >> 7) length.push((left & 127) | 128);
  length.push((length.pop() ?? 0) & 127);
  return Buffer.concat([Buffer.from([first, ...length]), body]);
}

test('packets come through as they are, but for the end of those that are too long, however they are cut up', () => {
  const any = fc.array(fc.tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 400 })), { maxLength: 6 });
  fc.assert(
    fc.property(
      any,
      fc.integer({ min: 1, max: 300 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 300 })),
      (all, most, cuts) => {
        const whole = Buffer.concat(all.map(([first, body]) => packet(first, Buffer.from(body))));
        const chunks: Buffer[] = [];
        for (let at = 0; at < whole.length; ) {
          const { value: length } = cuts.next();
          chunks.push(whole.subarray(at, at + length));
          at += length;
        }
        const expected = all.map(([first, body]) => packet(first, Buffer.from(body.slice(0, most))));
        expect(cut(chunks, most)).toEqual(Buffer.concat(expected));
      },
    ),
  );
});

test('a length that is malformed stays so', () => {
  const bytes = Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x01]);
  expect(cut([bytes], 1_000_000_000).subarray(0, 5)).toEqual(bytes.subarray(0, 5));
});

test('3.1.1: of a payload of 64 MB the beginning is kept, it is acknowledged, and the next one comes through', async () => {
  await using peer = await startPeer({
    // An old broker.
    [CONNECT]: (_, connection) => connection.connack(connection.version === 5 ? 1 : 0),
  });
  await using client = subject(peer.url);
  await client.opened.take();
  const connection = await peer.connections.take(({ version }) => version === 4);
  const megabyte = Buffer.alloc(1024 ** 2, 'x');
  const topic = text('b/vm/command');
  const length = topic.length + 2 + 64 * megabyte.length;
  const header = [PUBLISH * 16 + 2, (length & 127) | 128, ((length >> 7) & 127) | 128, ((length >> 14) & 127) | 128];
  const { socket } = connection;
  socket.write(Buffer.concat([Buffer.from([...header, length >> 21]), topic, Buffer.from([0, 7])]));
  for (let nth = 0; nth < 64; nth++) await new Promise(resolve => socket.write(megabyte, resolve));
  connection.send(PUBLISH, 0, topic, 'next');
  const [long, next] = [await client.messages.take(), await client.messages.take()];
  expect(long.topic).toBe('b/vm/command');
  expect(long.payload.length).toBeGreaterThan(200_000);
  expect(long.payload.length).toBeLessThanOrEqual(256 * 1024);
  expect(next.payload.toString()).toBe('next');
  expect([...(await connection.take(PUBACK)).body]).toEqual([0, 7]);
  expect(client.failures.all).toEqual([]);
});

test('a WebSocket message that is too long is not kept, and is named', async () => {
  const server = createServer();
  server.on('upgrade', ({ headers }, socket) => {
    const key = `${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const answer = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Protocol: mqtt'];
    const accept = `Sec-WebSocket-Accept: ${createHash('sha1').update(key).digest('base64')}`;
    socket.on('error', () => {}).write(['HTTP/1.1 101 Switching Protocols', ...answer, accept, '\r\n'].join('\r\n'));
    // Whatever the client says to what comes now, the server hangs up.
    socket.on('data', () => socket.end());
    // A binary message of 5 MiB begins.
    socket.write(Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 0x50, 0, 0]));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await using client = subject(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const { code, message } = await client.failures.take();
    expect(code).toBe('protocol');
    expect(message).toContain('more than 4 MiB');
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
