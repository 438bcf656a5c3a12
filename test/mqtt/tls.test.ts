import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { Aedes } from 'aedes';
import { expect, test } from 'vitest';
import { address } from '../../src/mqtt/address.ts';
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

test('does not talk to a broker that it cannot trust, and says what to write', async () => {
  await using broker = await startSecure();
  const other = readFileSync(new URL('../lab/pki/ca.pem', import.meta.url));
  for (const [url, tls, words] of [
    [`mqtts://localhost:${broker.port}`, {}, /known here has signed .* in mqtt\.ca_file$/],
    [`wss://localhost:${broker.port}`, {}, /known here has signed .* in mqtt\.ca_file$/],
    [`mqtts://localhost:${broker.port}`, { ca: other }, /^the authority in mqtt\.ca_file has not signed/],
    [
      `mqtts://127.0.0.2:${broker.port}`,
      { ca: cert },
      /is for localhost, 127\.0\.0\.1, not for 127\.0\.0\.2: .* in mqtt\.url$/,
    ],
    [
      `wss://127.0.0.2:${broker.port}`,
      { ca: cert },
      /is for localhost, 127\.0\.0\.1, not for 127\.0\.0\.2: .* in mqtt\.url$/,
    ],
    [`mqtts://localhost:${broker.port}`, { ca: 'no certificate', cert: 'nor this', key: 'nor that' }, /^TLS failed/],
  ] as const) {
    await using client = subject(url, { tls });
    const failure = await client.failures.take();
    expect(failure).toMatchObject({ code: 'tls', needsPerson: true, message: expect.stringMatching(words) });
    expect(failure.message).not.toMatch(/--use|NODE_/);
  }
});

test('of several brokers, each certificate has to be for the name in its own address', async () => {
  await using broker = await startSecure();
  const urls = ['127.0.0.2', 'localhost'].map(host => `mqtts://${host}:${broker.port}`);
  await using client = subject(urls, { tls: { ca: cert } });
  await client.opened.take();
  expect(client.log.entries).toMatchObject([
    { event: 'mqtt.disconnected', broker: `127.0.0.2:${broker.port}`, code: 'tls' },
    { event: 'mqtt.connected', broker: `localhost:${broker.port}` },
  ]);
});

test('says that the broker wants to see a certificate', async () => {
  await using broker = await startSecure({ requestCert: true, rejectUnauthorized: true, ca: cert });
  await using client = subject(`mqtts://localhost:${broker.port}`, { tls: { ca: cert }, lookTimeout: 30_000 });
  const { message } = await client.failures.take(({ code }) => code === 'tls');
  expect(message).toMatch(/mqtt\.cert_file and mqtt\.key_file$/);
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
