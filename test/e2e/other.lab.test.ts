/** The lab's guest as one that is not DSM: its pages, its certificate, its SSH and its agent, on real libvirt. */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ownCertificate } from '../checks/http/peer.ts';
import { expanded } from '../discovery/expanded.ts';
import { linkDown } from '../lab/faults.ts';
import { address, guest, inLab, type Mosquitto, startMosquitto, virsh } from '../lab/lab.ts';
import { type BridgeProcess, isFinal, type Json, Listener, runCli, startBridge, usual, vmTopic } from './bridge.ts';

const channel = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>";
const checks = {
  ...{ schedule: '*/2 * * * * *', probe_timeout: '3s', ports: [445], ssh: 22 },
  http: [{ port: 5000 }, { port: 8443, tls: true, host: 'shop.lan', path: '/health', status: 204 }],
};
const config = (url: string, more: object = {}) =>
  usual(url, { vms: [{ domain: 'DSM', guest: 'other', checks: { ...checks, ...more }, shutdown: { timeout: '1m' } }] });

let server: Server;
let folder: string;
let broker: Mosquitto;
let listener: Listener;
let bridge: BridgeProcess;

const change = (verb: string) => virsh(verb, address.domain, join(folder, 'channel.xml'), '--config');

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  await guest.off();
  folder = await mkdtemp(join(tmpdir(), 'other-'));
  await writeFile(join(folder, 'channel.xml'), channel);
  await change('attach-device');
  // The guest has no TLS: it passes on what comes to its port.
  server = createServer(ownCertificate, (request, response) => {
    const known = request.url === '/health' && request.headers.host === 'shop.lan:8443';
    response.writeHead(known ? 204 : 404).end();
  });
  await once(server.listen(0, address.host), 'listening');
  broker = await startMosquitto();
  listener = await Listener.on(broker.url);
  bridge = await startBridge(config(broker.url));
  await listener.text(vmTopic('availability'), text => text === 'online');
});

afterAll(async () => {
  await bridge?.[Symbol.asyncDispose]();
  await listener?.[Symbol.asyncDispose]();
  await broker?.stop();
  server?.close();
  if (!inLab()) return;
  await guest.off();
  await change('detach-device');
  await rm(folder, { recursive: true });
});

const verdict = (wanted: string, from: number): Promise<Json> =>
  listener.document(vmTopic('check'), document => document.verdict === wanted, { from });

/** Serves TLS and a banner, each by a process of its own. */
const serve = () =>
  guest.run(`nc -ll -p 8443 -e nc ${address.host} ${(server.address() as AddressInfo).port} >/dev/null 2>&1 &
    nc -ll -p 22 -e echo SSH-2.0-lab >/dev/null 2>&1 &`);

test('from power on: it boots, its services start, it is up, with its certificate', async () => {
  await listener.publish(vmTopic('power/set'), 'ON');
  expect(await verdict('booting', 0)).toMatchObject({ problem: false, expected: 'running' });
  await guest.up();
  expect(await verdict('starting', 0)).toMatchObject({ problem: false, probes: { http: { outcome: 'failed' } } });
  await serve();
  const up = await verdict('up', 0);
  expect(up).toMatchObject({
    ...{ cause: 'up', problem: false, reason: `The guest answers at ${address.guest}.`, address: address.guest },
    probes: { bridge: { outcome: 'ok' }, neighbour: { outcome: 'ok' }, tcp: { outcome: 'ok' }, ssh: { outcome: 'ok' } },
  });
  expect(up.certificate_days).toBeGreaterThan(0);
  expect(up.boot_seconds).toBeGreaterThan(5);
  const { device, components } = expanded(
    await listener.text(`homeassistant/device/dsm2mqtt_${address.uuid}/config`, text => text !== ''),
  );
  expect(device['model']).toBe('Virtual machine');
  expect(Object.keys(components)).toEqual(expect.arrayContaining(['certificate_days', 'probe_agent', 'address']));
  expect(Object.keys(components).filter(key => /dsm|loader/.test(key))).toEqual([]);
});

test('a service is down, and back', async () => {
  const from = listener.now;
  await guest.run('killall nc');
  expect(await verdict('degraded', from)).toMatchObject({
    ...{ cause: 'page_missing', problem: true, reachable: true },
    reason: expect.stringContaining('Port 8443 does not accept connections.'),
  });
  const since = listener.now;
  await serve();
  expect(await verdict('up', since)).toMatchObject({ problem: false });
});

test('its cable is out, and back', async () => {
  const from = listener.now;
  const fault = await linkDown();
  expect(await verdict('unreachable', from)).toMatchObject({
    ...{ cause: 'link_down', problem: true, certificate_days: null },
    reason: expect.stringMatching(/^The guest cannot be reached: its network cable is unplugged/),
  });
  const since = listener.now;
  await fault.undo();
  expect(await verdict('up', since)).toMatchObject({ problem: false });
});

test('an agent that does not answer is named', async () => {
  const { stdout } = await runCli(config(broker.url, { agent: true }), 'check', '--json');
  expect(JSON.parse(stdout)[0]).toMatchObject({
    ...{ verdict: 'degraded', cause: 'agent_missing' },
    probes: { agent: { outcome: 'failed', explanation: 'The guest agent does not answer libvirt.' } },
  });
});

test('a shutdown is heard, and counts', async () => {
  const from = listener.now;
  await listener.publish(vmTopic('command'), 'shutdown');
  const done = await listener.document(vmTopic('response'), isFinal, { from });
  expect(done).toMatchObject({ command: 'shutdown', status: 'succeeded' });
  expect(listener.texts(vmTopic('response'), from).join()).not.toMatch(/nobody hears|closed its ports/);
});
