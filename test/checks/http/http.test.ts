import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import { failureWord, get, type HttpAnswer, type HttpResult } from '../../../src/checks/http/get.ts';
import { slow } from '../../eventually.ts';
import { address, closedPort, oldCertificate, ownCertificate, type Peer, startHttp, startRaw } from './peer.ts';

const { signal } = new AbortController();

interface Ways {
  secure?: boolean;
  timeout?: number;
  path?: string;
}

function ask(
  peer: Pick<Peer, 'port'>,
  { secure = false, timeout = 5_000, path = '/' }: Ways = {},
): Promise<HttpResult> {
  return get({ address, name: null, port: peer.port, secure, path }, { timeout, signal });
}

async function answerOf(peer: Peer, ways: Ways = {}): Promise<HttpAnswer> {
  const result = await ask(peer, ways);
  if (result.failure !== null) throw new Error(result.failure);
  return result;
}

test('an answer is its status, its headers and its body', async () => {
  await using peer = await startHttp((_, response) => {
    response.writeHead(404, { 'X-One': 'a', 'Set-Cookie': ['b', 'c'] }).end('grün');
  });
  const { status, headers, body, ms } = await answerOf(peer, { path: '/a?b=c' });
  expect({ status, body }).toEqual({ status: 404, body: 'grün' });
  expect(headers).toMatchObject({ 'x-one': 'a', 'set-cookie': 'b,c' });
  expect(ms).toBeGreaterThanOrEqual(0);
  expect(peer.asked).toEqual(['/a?b=c']);
  expect(peer.requests[0]?.headers).toMatchObject({ 'accept-encoding': 'identity', connection: 'close' });
  await peer.quiet();
});

test.each([
  ['a certificate of its own', ownCertificate],
  ['one that expired, and TLS 1.0', oldCertificate],
])('%s will do', async (_, tls) => {
  await using peer = await startHttp((_request, response) => void response.end('secure'), tls);
  expect(await answerOf(peer, { secure: true })).toMatchObject({ status: 200, body: 'secure' });
});

test.each([
  ['http', undefined],
  ['https', ownCertificate],
] as const)('the name that is asked for by %s is asked for at that address', async (scheme, tls) => {
  await using peer = await startHttp((_request, response) => void response.end('here'), tls);
  const ask = (name: string | null) =>
    get({ address, name, port: peer.port, secure: tls !== undefined, path: '/' }, { timeout: 5_000, signal });
  expect(await ask('nas.example.com')).toMatchObject({ body: 'here' });
  expect(await ask(null)).toMatchObject({ body: 'here' });
  const hosts = [`nas.example.com:${peer.port}`, `${address}:${peer.port}`];
  expect(peer.requests.map(({ headers: { host, referer } }) => [host, referer])).toEqual(
    hosts.map(host => [host, `${scheme}://${host}/`]),
  );
  if (tls) expect(peer.requests.map(servername)).toEqual(['nas.example.com', false]);
});

/** What TLS was asked for by name. */
function servername({ socket }: IncomingMessage): unknown {
  return (socket as TLSSocket & { servername?: unknown }).servername;
}

test.each([
  ['no content', 'HTTP/1.1 204 No Content\r\n\r\n', { status: 204, body: '' }],
  ['nothing in it', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', { status: 200, body: '' }],
  ['bare line ends, as shell scripts write them', 'HTTP/1.0 200 OK\nContent-type: text/plain\n\n{}', { body: '{}' }],
  ['another answer first', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na', { body: 'a' }],
  ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n', { body: 'ab' }],
  ['no length', 'HTTP/1.1 200 OK\r\n\r\nto the end', { body: 'to the end' }],
])('an answer with %s', async (_, bytes, expected) => {
  await using peer = await startRaw(socket => socket.once('data', () => socket.end(bytes)));
  expect(await ask(peer)).toMatchObject({ failure: null, ...expected });
});

test.each([
  ['SSH', 'SSH-2.0-OpenSSH_9.0\r\n', 'not_http'],
  ['TLS', Buffer.from([0x15, 3, 1, 0, 2, 2, 70]), 'not_http'],
  ['a header without an end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(40_000)}`, 'not_http'],
  ['headers without an end', `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(10_000)}`, 'not_http'],
  ['half a head', 'HTTP/1.1 200 OK\r\nContent-Le', 'reset'],
  ['half a body', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"a":', 'reset'],
  ['half of the chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{"a":', 'reset'],
  ['a chunk without a length', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{"a":1}\r\n', 'not_http'],
  ['more than was announced', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}{}', 'not_http'],
  ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n', 'not_http'],
  ['nothing', '', 'reset'],
])('%s is no answer', async (_, bytes, failure) => {
  await using peer = await startRaw(socket => socket.once('data', () => socket.end(bytes)));
  expect(await ask(peer)).toEqual({ failure, accepted: true });
  await peer.quiet();
});

test('a connection that is reset in the middle', async () => {
  await using peer = await startRaw(socket => {
    socket.once('data', () =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc', () => socket.resetAndDestroy()),
    );
  });
  expect(await ask(peer)).toEqual({ failure: 'reset', accepted: true });
});

test('a port that nobody listens on', async () => {
  expect(await ask({ port: await closedPort() })).toEqual({ failure: 'refused', accepted: false });
});

test('plain where TLS is due, and TLS where plain is', async () => {
  await using plain = await startHttp((_, response) => void response.end());
  await using secure = await startHttp((_, response) => void response.end(), ownCertificate);
  expect(await ask(plain, { secure: true })).toEqual({ failure: 'tls', accepted: true });
  expect(await ask(secure)).toEqual({ failure: 'reset', accepted: true });
});

test.each<[string, (write: (bytes: string) => void) => NodeJS.Timeout | undefined]>([
  ['nothing is said', () => undefined],
  [
    'the headers drip',
    write => {
      write('HTTP/1.1 200 OK\r\n');
      return setInterval(write, 5, 'X: y\r\n');
    },
  ],
  [
    'the body drips',
    write => {
      write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n');
      return setInterval(write, 5, 'a');
    },
  ],
])('it is over at the deadline, when %s', async (_, say) => {
  await using peer = await startRaw(socket => {
    socket.once('data', () => {
      const timer = say(bytes => socket.write(bytes));
      socket.once('close', () => clearInterval(timer));
    });
  });
  const began = performance.now();
  expect(await ask(peer, { timeout: 100 })).toEqual({ failure: 'timeout', accepted: true });
  expect(performance.now() - began).toBeLessThan(slow);
  await peer.quiet();
});

test('TLS that never begins is over at the deadline', async () => {
  await using peer = await startRaw(() => {});
  expect(await ask(peer, { secure: true, timeout: 50 })).toEqual({ failure: 'timeout', accepted: true });
});

test('an abort ends it at once, before and while', async () => {
  await using peer = await startRaw(() => {});
  const abort = new AbortController();
  const limits = { timeout: 60_000, signal: abort.signal };
  const target = { address, name: null, port: peer.port, secure: false, path: '/' };
  const waiting = get(target, limits);
  abort.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  await expect(get(target, limits)).rejects.toThrow('enough');
  await peer.quiet();
});

test.each([
  ['10 MB', 160],
  ['what has no end', Number.POSITIVE_INFINITY],
])('of %s only the beginning is read', async (_, chunks) => {
  const chunk = Buffer.alloc(65_536, 'a');
  let finished = false;
  await using peer = await startHttp(async (_request, response) => {
    response.on('finish', () => {
      finished = true;
    });
    const closed = once(response, 'close');
    for (let sent = 0; sent < chunks && !response.destroyed; sent++) {
      if (!response.write(chunk)) await Promise.race([once(response, 'drain'), closed]);
    }
    response.end();
  });
  const { body } = await answerOf(peer);
  expect(body).toHaveLength(256 * 1024);
  await peer.quiet();
  expect(finished).toBe(false);
  // The kernel takes some more on the way.
  expect(peer.sockets[0]?.bytesWritten).toBeLessThan(9_000_000);
});

test.each([
  ['ECONNREFUSED', false, 'refused'],
  ['EHOSTUNREACH', false, 'unreachable'],
  ['ENETUNREACH', false, 'unreachable'],
  ['ETIMEDOUT', false, 'timeout'],
  ['EPIPE', true, 'reset'],
  ['HPE_INVALID_CONSTANT', true, 'not_http'],
  ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', true, 'tls'],
  ['EPROTO', true, 'tls'],
  ['constructor', true, 'reset'],
  [undefined, false, 'unreachable'],
])('%s is told in a word', (code, accepted, word) => {
  expect(failureWord(code, accepted)).toBe(word);
});
