/** How the bridge is, as a supervisor asks: over HTTP, and by `dsm2mqtt health`. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, test } from 'vitest';
import { health } from '../../src/cli/health.ts';
import { Running } from '../bridge/running.ts';
import { freePort } from '../lab/processes.ts';
import { captured } from './output.ts';

function ask(running: Running, port: number, changes: { baseTopic?: string } = {}) {
  const config = { ...running.config({ mqtt: changes }), health: { listen: { host: '127.0.0.1', port } } };
  return captured(streams => health({ config, json: false, ...streams }));
}

test('ready, and not when the broker or libvirt is away, and again', async () => {
  const port = await freePort();
  await using running = await Running.start({ health: { host: '127.0.0.1', port } });
  const { seen, daemon, broker } = running;
  expect(await ask(running, port)).toMatchObject({ code: 0, stdout: 'broker   ok\nlibvirt  ok\nchecks   ok\n' });
  await daemon.kill();
  await seen.take('b/DSM/availability', 'offline');
  expect(await ask(running, port)).toMatchObject({ code: 1, stdout: expect.stringMatching(/^libvirt {2}(?!ok)/m) });
  await daemon.listen();
  await seen.take('b/DSM/availability', 'online');
  expect(await ask(running, port)).toMatchObject({ code: 0 });
  await broker.kill();
  await expect.poll(() => ask(running, port).then(({ code }) => code)).toBe(1);
  // It lives all the same.
  expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200);
  await running.stop();
  const words = expect.stringContaining('does it run on this machine?');
  expect(await ask(running, port)).toMatchObject({ code: 3, stderr: words });
});

test('another bridge’s answer is none of ours', async () => {
  const port = await freePort();
  await using running = await Running.start({ health: { host: '127.0.0.1', port } });
  expect(await ask(running, port, { baseTopic: 'other' })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('another bridge, of b/'),
  });
});

test.each([
  ['GET', '/', 404],
  ['GET', '/ready/x', 404],
  ['POST', '/ready', 405],
  ['HEAD', '/ready', 200],
  ['GET', '/ready?x=1', 200],
])('%s %s is %i', async (method, path, status) => {
  const port = await freePort();
  await using _ = await Running.start({ health: { host: '127.0.0.1', port } });
  expect((await fetch(`http://127.0.0.1:${port}${path}`, { method })).status).toBe(status);
});

test('/metrics is what Prometheus reads of the running bridge', async () => {
  const port = await freePort();
  await using running = await Running.start({ health: { host: '127.0.0.1', port } });
  const of = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    return response.text();
  };
  running.daemon.domain('DSM').start();
  await expect.poll(of).toContain('dsm2mqtt_vm_active{vm="DSM"} 1\n');
  expect(await of()).toContain('dsm2mqtt_mqtt_connected 1\n');
  await running.daemon.kill();
  await expect.poll(of).toContain('dsm2mqtt_libvirt_up 0\n');
});

test('a port that is taken is told, and the bridge does without', async () => {
  const other = createServer((_, response) => response.end('hello'));
  await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  try {
    await using running = await Running.start({ health: { host: '127.0.0.1', port } });
    expect(running.log.of('health.unavailable')).toHaveLength(1);
    expect(await ask(running, port)).toMatchObject({ code: 3 });
  } finally {
    await other[Symbol.asyncDispose]();
  }
});

test('a hundred connections that say nothing do not keep a supervisor away', async () => {
  const port = await freePort();
  await using running = await Running.start({ health: { host: '127.0.0.1', port } });
  const silent = Array.from({ length: 100 }, () => connect(port, '127.0.0.1').on('error', () => {}));
  await Promise.all(silent.map(socket => once(socket, 'connect')));
  expect(await ask(running, port)).toMatchObject({ code: 0 });
  for (const socket of silent) socket.destroy();
});

test('a connection that says nothing is soon closed', async () => {
  const port = await freePort();
  await using _ = await Running.start({ health: { host: '127.0.0.1', port } });
  const silent = connect(port, '127.0.0.1').on('error', () => {});
  await once(silent.resume(), 'close', { signal: AbortSignal.timeout(20_000) });
}, 25_000);
