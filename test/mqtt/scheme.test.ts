/** A wrong scheme in `mqtt.url` is told by what answers at the address. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createWeb } from 'node:http';
import { createServer as createSecureWeb } from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createSecure } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { otherScheme } from '../../src/mqtt/scheme.ts';
import { subject } from './subject.ts';

const tls = {
  cert: readFileSync(new URL('tls/cert.pem', import.meta.url)),
  key: readFileSync(new URL('tls/key.pem', import.meta.url)),
};
const patience = 30_000;
const schemes = ['mqtt', 'mqtts', 'ws', 'wss'] as const;

/** As Mosquitto: answers a CONNECT, and hangs up on anything else. */
function broker(socket: Socket): void {
  socket.on('error', () => {});
  socket.on('data', bytes => (bytes[0] === 0x10 ? socket.write(Buffer.from([0x20, 2, 0, 0])) : socket.destroy()));
}

const listeners: Readonly<Record<(typeof schemes)[number], () => Server>> = {
  mqtt: () => createServer(broker),
  mqtts: () => createSecure(tls, broker).on('tlsClientError', () => {}),
  // Both answer all that is not HTTP with 400.
  ws: () => createWeb((_, response) => response.end()),
  wss: () => createSecureWeb(tls, (_, response) => response.end()),
};

async function listen(server: Server): Promise<AsyncDisposable & { place: string }> {
  const sockets = new Set<Socket>();
  server.on('connection', socket => sockets.add(socket.on('error', () => {})));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    place: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

const look = (url: string) => otherScheme(url, patience, new AbortController().signal);

describe.each(schemes)('at a port for %s', right => {
  test.each(schemes)('%s', async written => {
    await using there = await listen(listeners[right]());
    const words = await look(`${written}://${there.place}`);
    if (written === right) expect(words).toBeNull();
    else expect(words).toMatch(`write ${right}://${there.place}`);
  });
});

test('what the words are', async () => {
  await using plain = await listen(listeners.mqtt());
  expect(await look(`mqtts://${plain.place}`)).toBe(
    `what listens at ${plain.place} speaks MQTT without TLS: write mqtt://${plain.place} in mqtt.url, or the port for TLS (8883 as a rule)`,
  );
  await using web = await listen(listeners.ws());
  expect(await look(`mqtt://${web.place}`)).toBe(
    `what listens at ${web.place} speaks HTTP without TLS: write ws://${web.place}/mqtt in mqtt.url with the path of its WebSocket, or the port for MQTT itself`,
  );
  await using secureWeb = await listen(listeners.wss());
  expect(await look(`ws://${secureWeb.place}/my/path`)).toContain(`write wss://${secureWeb.place}/my/path in`);
});

test('a broker that wants to see a certificate expects TLS, whatever it speaks over it', async () => {
  const server = createSecure({ ...tls, requestCert: true, rejectUnauthorized: true, ca: tls.cert }, broker);
  await using there = await listen(server.on('tlsClientError', () => {}));
  expect(await look(`mqtt://${there.place}`)).toMatch(`expects TLS: write mqtts://${there.place} in`);
  expect(await look(`mqtts://${there.place}`)).toBeNull();
});

test.each([
  ['hangs up on everyone', (socket: Socket) => socket.destroy()],
  ['is no broker', (socket: Socket) => socket.on('error', () => {}).write('SSH-2.0-OpenSSH_9.2\r\n')],
])('nothing is made up of what %s', async (_, welcome) => {
  await using there = await listen(createServer(welcome));
  for (const scheme of ['mqtt', 'ws']) expect(await look(`${scheme}://${there.place}`)).toBeNull();
  for (const scheme of ['mqtts', 'wss']) expect((await look(`${scheme}://${there.place}`)) ?? '').not.toMatch(/write/);
});

test('nothing is made up of a port where nobody listens, of silence, or of a look that was broken off', async () => {
  expect(await look('mqtt://127.0.0.1:1')).toBeNull();
  await using silent = await listen(createServer(() => {}));
  expect(await otherScheme(`mqtts://${silent.place}`, 20, new AbortController().signal)).toBeNull();
  const abort = new AbortController();
  const looking = otherScheme(`mqtt://${silent.place}`, patience, abort.signal);
  abort.abort();
  expect(await looking).toBeNull();
});

test('neither the password nor the client id is given to what is there', async () => {
  const heard: Buffer[] = [];
  const server = createServer(socket => {
    broker(socket);
    socket.on('data', bytes => heard.push(bytes));
  });
  await using there = await listen(server);
  await look(`ws://user:secret@${there.place}/`);
  expect(Buffer.concat(heard).toString('latin1')).not.toMatch(/user|secret|dsm2mqtt/);
});

test('the outage is told once, with what to write, however often it is tried', async () => {
  await using there = await listen(listeners.mqtts());
  await using client = subject(`mqtt://${there.place}`, { lookTimeout: patience });
  expect(await client.failures.take()).toMatchObject({ code: 'scheme', message: expect.stringContaining('mqtts://') });
  expect(client.log.of('mqtt.disconnected')).toMatchObject([{ level: 'error', code: 'scheme' }]);
});
