/** A guest that is not DSM, in the whole bridge: its entities, its document, its shutdown; nothing of DSM's. */
import { expect, test } from 'vitest';
import type { Probes } from '../../src/checks/probes.ts';
import { address, ownCertificate, startPages } from '../checks/http/peer.ts';
import { expanded } from '../discovery/expanded.ts';
import type { Observer } from '../mqtt/observer.ts';
import { Running, response, vmConfig } from './running.ts';

const quiet = { ms: null, explanation: 'So it is.' };
type Message = Awaited<ReturnType<Observer['take']>>;
/** As in a container: only what speaks TCP reaches it. */
const probes: Partial<Probes> = {
  bridge: async () => ({ ...quiet, kind: 'not_applicable', mac: null, worst: null }),
  neighbour: async () => ({ ...quiet, kind: 'not_applicable', address: null }),
  ping: async () => ({ ...quiet, kind: 'not_applicable' }),
};

/** A bridge to a guest that runs, of which a page and the agent are asked on command. */
async function start(port: number, changes: Parameters<typeof vmConfig>[0] = {}) {
  const running = await Running.prepare();
  const domain = running.daemon.define();
  domain.start();
  domain.guest.agent = 'answers';
  const seen = await running.observe();
  const http = [{ port, tls: true, path: '/', host: null, status: 200 }];
  const checks = { ...vmConfig().checks, http, agent: true, probeTimeout: 1_000 };
  await running.start({ vms: [vmConfig({ guest: 'other', address, checks, ...changes })], probes });
  await seen.take('b/DSM/availability', 'online');
  return Object.assign(running, { seen, domain });
}

test.concurrent('up, with its certificate; then its web server is gone', async () => {
  await using peer = await startPages({ '/': 'here' }, ownCertificate);
  await using running = await start(peer.port);
  const { seen } = running;
  await seen.publish('b/DSM/command', 'check');
  expect(await response(seen)).toMatchObject({ message: `up: The guest answers at ${address}.` });
  const isUp = ({ topic, payload }: Message) => topic === 'b/DSM/check' && payload.includes('"up"');
  const found = JSON.parse((await seen.seen.take(isUp)).payload);
  expect(found).toMatchObject({ verdict: 'up', address, certificate_days: expect.any(Number) });
  expect(Object.keys(found.probes)).toEqual(['bridge', 'neighbour', 'ping', 'tcp', 'http', 'ssh', 'agent']);
  expect(found).not.toHaveProperty('dsm');
  await peer[Symbol.asyncDispose]();
  await seen.publish('b/DSM/command', 'check');
  expect((await response(seen)).message).toContain('But this check found: The VM runs, but nothing of it');
});

test.concurrent('its device has nothing of DSM, and its boot disk is a disk', async () => {
  await using running = await start(1);
  const { payload } = await running.seen.seen.take(
    ({ topic, payload }) => /^ha.*_[0-9a-f-]{36}.config$/.test(topic) && payload !== '',
  );
  const { device, components } = expanded(payload);
  expect(device['model']).toBe('Virtual machine');
  expect(device).not.toHaveProperty('configuration_url');
  expect(components['power']?.['icon']).toBe('mdi:desktop-tower');
  expect(components['certificate_days']).toMatchObject({ unit_of_measurement: 'd', device_class: 'duration' });
  expect(components['probe_http']).toBeDefined();
  const words = Object.entries(components).map(([key, { name }]) => `${key} ${name}`);
  expect(words.filter(text => /dsm|loader|discovery|probe_web/i.test(text))).toEqual([]);
});

test.concurrent('a shutdown counts its presses, though the ports of a DSM would be closed', async () => {
  const shutdown = { ...vmConfig().shutdown, resendEvery: 20, maxPresses: 2 };
  await using running = await start(1, { shutdown });
  const { seen, domain } = running;
  domain.guest.powerButton = 'ignored';
  await seen.publish('b/DSM/command', '{"command":"shutdown","timeout":1}');
  const isOver = ({ topic, payload }: Message) => topic === 'b/DSM/response' && payload.includes('timed_out');
  expect((await seen.seen.take(isOver)).payload).not.toContain('nobody hears');
  expect(domain.presses).toBe(2);
});
