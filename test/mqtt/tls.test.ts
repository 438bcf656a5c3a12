import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { Aedes } from 'aedes';
import { expect, test } from 'vitest';
import { address } from '../../src/mqtt/address.ts';
import { startPeer } from './peer.ts';
import { subject } from './subject.ts';

/** Signed by itself, for localhost and 127.0.0.1, until 2126. */
const cert = readFileSync(new URL('tls/cert.pem', import.meta.url));
const key = readFileSync(new URL('tls/key.pem', import.meta.url));

async function startSecure(options: TlsOptions = {}): Promise<AsyncDisposable & { port: number }> {
  const aedes = await Aedes.createBroker();
  const sockets = new Set<TLSSocket>();
  const server = createServer({ cert, key, ...options }, socket => {
    sockets.add(socket);
    aedes.handle(socket);
  });
  server.on('tlsClientError', () => {});
  server.listen(0);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await new Promise<void>(resolve => aedes.close(resolve));
    },
  };
}

test.each(['localhost', '127.0.0.1'])('trusts the given authority for %s', async host => {
  await using broker = await startSecure();
  await using client = subject(`mqtts://${host}:${broker.port}`, { tls: { ca: cert } });
  await client.opened.take();
  expect(client.failures.all).toEqual([]);
});

test('shows its certificate', async () => {
  await using broker = await startSecure({ requestCert: true, rejectUnauthorized: true, ca: cert });
  const url = `mqtts://localhost:${broker.port}`;
  await using client = subject(url, { tls: { ca: cert.toString(), cert: cert.toString(), key: key.toString() } });
  await client.opened.take();
  await using stranger = subject(url, { tls: { ca: cert } });
  await stranger.failures.take();
});

test('does not talk to a broker that it cannot trust', async () => {
  await using broker = await startSecure();
  for (const [url, tls] of [
    [`mqtts://localhost:${broker.port}`, {}],
    [`mqtts://127.0.0.2:${broker.port}`, { ca: cert }],
    [`wss://localhost:${broker.port}`, {}],
    [`mqtts://localhost:${broker.port}`, { ca: 'no certificate', cert: 'nor this', key: 'nor that' }],
  ] as const) {
    await using client = subject(url, { tls });
    expect(await client.failures.take()).toMatchObject({ code: 'tls', needsPerson: true });
  }
});

test('says so when there is no TLS on the other end', async () => {
  await using peer = await startPeer();
  await using client = subject(peer.url.replace('mqtt:', 'mqtts:'), { connectTimeout: 200 });
  const { code } = await client.failures.take();
  expect(['tls', 'closed_early', 'timed_out']).toContain(code);
});

test.each<[string, object]>([
  ['mqtt://broker', { protocol: 'mqtt', hostname: 'broker' }],
  [
    'mqtts://u%40x:p%3A@broker:8884/ignored?clientId=other',
    { protocol: 'mqtts', hostname: 'broker', port: 8884, username: 'u@x', password: 'p:' },
  ],
  ['mqtt://[::1]:1884', { protocol: 'mqtt', hostname: '::1', port: 1884 }],
  ['ws://[::1]/mqtt?token=x', { protocol: 'ws', hostname: '[::1]', path: '/mqtt?token=x' }],
  ['wss://broker', { protocol: 'wss', hostname: 'broker', path: '/' }],
])('%s', (url, expected) => {
  const { wsOptions, rejectUnauthorized, ...options } = address(url);
  expect(options).toEqual(expected);
  expect(rejectUnauthorized).toBe(true);
});

test('refuses an address that cannot work', () => {
  for (const url of ['broker', 'http://broker', 'tcp://broker']) expect(() => address(url)).toThrow(TypeError);
  expect(() => subject('mqtt://broker', { tls: { ca: cert } })).toThrow(TypeError);
});
