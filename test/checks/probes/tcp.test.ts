import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test } from 'vitest';
import { tcp } from '../../../src/checks/probes/tcp.ts';
import { anyPortOpen } from '../../../src/util/tcp-probe.ts';

const address = '127.0.0.1';
const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise(resolve => server.close(resolve));
});

/** A port that accepts. */
async function open(): Promise<number> {
  const server = createServer(socket => socket.on('error', () => {}).resume());
  servers.push(server);
  await new Promise<void>(resolve => server.listen(0, address, resolve));
  return (server.address() as AddressInfo).port;
}

/** A port that nobody has any more. */
async function closed(): Promise<number> {
  const port = await open();
  await new Promise(resolve => servers.pop()?.close(resolve));
  return port;
}

function probeTcp(ports: number[], { timeout = 10_000, signal = new AbortController().signal } = {}) {
  return tcp({ address, ports }, { timeout, signal });
}

test('every port is open', async () => {
  const [one, two] = [await open(), await open()];
  const finding = await probeTcp([one, two]);
  expect(finding).toMatchObject({ kind: 'all', open: [one, two], closed: [] });
  expect(finding.explanation).toBe(`At ${address} ports ${one} and ${two} are open.`);
  expect(finding.ms).toBeGreaterThanOrEqual(0);
});

test('some are, and the others are named', async () => {
  const [one, two] = [await open(), await closed()];
  const finding = await probeTcp([two, one]);
  expect(finding).toMatchObject({ kind: 'some', open: [one], closed: [two] });
  expect(finding.explanation).toBe(`At ${address} port ${one} is open, port ${two} refuses.`);
});

test('none is, but a machine is there', async () => {
  const ports = [await closed(), await closed(), await closed()];
  const finding = await probeTcp(ports);
  expect(finding).toMatchObject({ kind: 'refused', ms: null, open: [], closed: ports });
  expect(finding.explanation).toBe(`At ${address} ports ${ports[0]}, ${ports[1]} and ${ports[2]} refuse.`);
});

describe('a port that says nothing', () => {
  test('is waited for as long as is allowed', async () => {
    await using mute = await muted();
    const finding = await probeTcp([mute.port], { timeout: 50 });
    expect(finding).toMatchObject({ kind: 'silent', ms: null, open: [], closed: [mute.port] });
    expect(finding.explanation).toBe(`At ${address} port ${mute.port} does not answer.`);
  });

  test('does not hide that others refuse or accept', async () => {
    await using mute = await muted();
    const [one, two] = [await open(), await closed()];
    expect(await probeTcp([mute.port, two], { timeout: 50 })).toMatchObject({
      kind: 'refused',
      closed: [mute.port, two],
    });
    const { kind, explanation } = await probeTcp([mute.port, one, two], { timeout: 50 });
    expect(kind).toBe('some');
    expect(explanation).toBe(
      `At ${address} port ${one} is open, port ${two} refuses, port ${mute.port} does not answer.`,
    );
  });

  test('is left at once when told to', async () => {
    await using mute = await muted();
    const controller = new AbortController();
    const knocked = probeTcp([mute.port], { timeout: 60_000, signal: controller.signal });
    const stopped = expect(knocked).rejects.toThrow('stop');
    controller.abort(new Error('stop'));
    await stopped;
  });
});

test('what is left of a check need not be whole milliseconds', async () => {
  expect(await probeTcp([await open()], { timeout: 1_234.5 })).toMatchObject({ kind: 'all' });
});

test('told to stop beforehand, it does not try', async () => {
  const signal = AbortSignal.abort(new Error('stop'));
  await expect(probeTcp([await open()], { signal })).rejects.toThrow('stop');
});

test('no port, nothing to say', async () => {
  expect(await probeTcp([])).toMatchObject({ kind: 'not_applicable', open: [], closed: [] });
});

test('of a guest that shuts down: whether any port is still open', async () => {
  await using mute = await muted();
  const [one, two] = [await open(), await closed()];
  expect(await anyPortOpen(address, [two, one], 2_000)).toBe(true);
  expect(await anyPortOpen(address, [two, mute.port], 50)).toBe(false);
});

/** A port whose queue is full and whose owner never looks at it: the kernel drops what comes. */
async function muted() {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     const server = require('node:net').createServer();
     server.listen({ host: '${address}', port: 0, backlog: 1 }, () => {
       parentPort.postMessage(server.address().port);
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
     });`,
    { eval: true },
  );
  const [port] = (await once(worker, 'message')) as [number];
  // One more than the backlog is let in.
  const queued = [connect(port, address), connect(port, address)];
  await Promise.all(queued.map(socket => once(socket, 'connect')));
  const end = async () => {
    for (const socket of queued) socket.on('error', () => {}).destroy();
    await worker.terminate();
  };
  return { port, [Symbol.asyncDispose]: end };
}
