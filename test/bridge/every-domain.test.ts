/** A bridge that takes every domain of its hosts: those that are there, and those that come. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mainOfAll } from '../../src/app/renewal.ts';
import type { Probes } from '../../src/checks/probes.ts';
import { lockFolder } from '../../src/util/lock.ts';
import { expanded } from '../discovery/expanded.ts';
import { eventually } from '../eventually.ts';
import { FakeLibvirtd } from '../fakes/libvirtd/daemon.ts';
import { freePort } from '../lab/processes.ts';
import { type ConfigChanges, Running, response, state, stateOf, template, vmConfig } from './running.ts';

/** Milliseconds: as usual, but sooner. */
const renewal = { gather: 100, apart: 300, idle: 20 };
const all: ConfigChanges = { vms: [], templates: [template()], renewal };
const uuid = (nth: number) => `00000000-0000-4000-8000-00000000000${nth}`;
const mac = (nth: number) => `52:54:00:00:00:0${nth}`;
const web = { name: 'web', uuid: uuid(1), mac: mac(1) };
const mail = { name: 'mail', uuid: uuid(2), mac: mac(2) };

const renewals = ({ log }: Running) => log.of('bridge.renewed').map(each => each['domains']);

async function device(seen: Awaited<ReturnType<Running['observe']>>, of: string) {
  const { payload } = await seen.seen.take(
    each => each.topic === `ha/device/dsm2mqtt_${of}/config` && each.payload !== '',
  );
  return expanded(payload);
}

test.concurrent('all that is there, read-only; what has an entry of its own is as that says', async () => {
  await using running = await Running.prepare();
  for (const each of [web, mail]) running.daemon.define(each);
  running.daemon.define();
  const seen = await running.observe();
  await running.start({ ...all, vms: [vmConfig()], templates: [template({ except: ['mail'] })] });
  await seen.take('b/DSM/availability', 'online');
  await seen.take('b/web/availability', 'online');
  const { device: about, components } = await device(seen, uuid(1));
  expect(about).toMatchObject({ name: 'web', model: 'Virtual machine' });
  // No button, no switch.
  expect(Object.values(components).filter(one => 'command_topic' in one)).toEqual([]);
  await seen.publish('b/web/command', 'start');
  expect(await response(seen, 'web')).toMatchObject({ status: 'rejected', code: 'not_allowed' });
  expect(running.daemon.domain('web').active).toBe(false);
  await seen.publish('b/mail/command', 'start');
  expect(await response(seen, 'mail')).toMatchObject({ status: 'rejected', code: 'unknown_vm' });
});

test.concurrent('one that is called as no object should be', async () => {
  await using running = await Running.prepare();
  running.daemon.define({ ...web, name: 'constructor' });
  const seen = await running.observe();
  await running.start(all);
  await seen.take('b/constructor/availability', 'online');
  running.daemon.domain('constructor').start();
  await state(seen, ({ power }) => power === 'ON', 'constructor');
});

test.concurrent('ended while it starts: it ends, and leaves data_dir', async () => {
  await using running = await Running.prepare();
  running.daemon.define(web);
  const config = running.config(all);
  const end = new AbortController();
  // These are looked at when data_dir is taken, and before anything runs.
  const probes = {
    get tcp(): Probes['tcp'] {
      end.abort(new Error('told to end'));
      return () => Promise.reject(new Error('nobody asks'));
    },
  };
  const bridge = await mainOfAll(config, running.log, { signal: end.signal, renewal, probes });
  expect(end.signal.aborted).toBe(true);
  await bridge.close();
  const lock = await lockFolder(config.dataDir);
  expect(lock.reason).toBeNull();
  if (lock.reason === null) lock.release();
});

test.concurrent('with commands listed, they are carried out', async () => {
  await using running = await Running.prepare();
  running.daemon.define(web);
  const seen = await running.observe();
  await running.start({ ...all, templates: [template({ commands: ['start'] })] });
  await seen.take('b/web/availability', 'online');
  await seen.publish('b/web/command', 'start');
  await state(seen, ({ power }) => power === 'ON', 'web');
});

test.concurrent('the page keeps its samples when another domain comes', async () => {
  await using running = await Running.prepare();
  running.daemon.define(web).start();
  const seen = await running.observe();
  const port = await freePort();
  await running.start({ ...all, libvirt: { statsInterval: 100 }, web: { listen: { host: '127.0.0.1', port } } });
  const sampled = async () => {
    const graph = await fetch(`http://127.0.0.1:${port}/api/samples?vm=web`);
    return ((await graph.json()) as { at: number[] }).at;
  };
  await eventually(async () => expect(await sampled()).not.toEqual([]));
  const before = await sampled();
  // The next bridge has none of its own.
  running.daemon.hang('connectGetAllDomainStats');
  running.daemon.define(mail);
  await seen.take('b/mail/availability', 'online');
  await eventually(async () => expect(await sampled()).toEqual(expect.arrayContaining(before)));
});

test.concurrent('one that is defined while it runs is there, with a device of its own', async () => {
  await using running = await Running.prepare();
  const seen = await running.observe();
  await running.start(all);
  await seen.take('b/bridge/state', 'online');
  running.daemon.define(web);
  await seen.take('b/web/availability', 'online');
  expect((await device(seen, uuid(1))).device).toMatchObject({ name: 'web' });
  // A transient one is there once it is started.
  const transient = running.daemon.define(mail);
  transient.start();
  transient.undefine();
  await state(seen, ({ power }) => power === 'ON', 'mail');
  expect(renewals(running)).toEqual([['web'], ['mail']]);
});

test.concurrent('ten at once: once; what was known of the others goes on', async () => {
  await using running = await Running.prepare();
  running.daemon.define(web);
  const seen = await running.observe();
  const health = { host: '127.0.0.1', port: await freePort() };
  await running.start({ ...all, health, templates: [template({ commands: ['start'] })] });
  await seen.take('b/web/availability', 'online');
  await seen.publish('b/web/command', '{"command":"start","id":"x"}');
  const { started_at } = await state(seen, ({ power }) => power === 'ON', 'web');
  running.daemon.defineMany(10);
  await seen.take('b/bridge/state', 'offline');
  const from = seen.seen.all.length;
  await seen.take('b/vm-9/availability', 'online');
  expect(renewals(running)).toEqual([Array.from({ length: 9 }, (_, nth) => `vm-${nth + (nth > 0 ? 1 : 0)}`)]);
  const since = () =>
    seen.seen.all
      .slice(from)
      .filter(({ topic }) => topic === 'b/web/state')
      .map(stateOf);
  await eventually(() => expect(since().at(-1)).toMatchObject({ power: 'ON', started_at }));
  expect((await fetch(`http://127.0.0.1:${health.port}/ready`)).status).toBe(200);
  await seen.publish('b/web/command', '{"command":"start","id":"x"}');
  await seen.seen.take(({ topic, payload }) => topic === 'b/web/response' && JSON.parse(payload).code === 'duplicate');
});

test.concurrent('a host whose domains cannot be listed just then is asked again', async () => {
  await using running = await Running.prepare();
  const seen = await running.observe();
  await running.start(all);
  await eventually(() => expect(running.log.of('libvirt.connected')).not.toHaveLength(0));
  const before = running.daemon.callsOf('connectListAllDomains').length;
  const refused = running.daemon.refuse('connectListAllDomains', 38);
  running.daemon.define(web);
  await eventually(() => expect(running.daemon.callsOf('connectListAllDomains').length).toBeGreaterThan(before + 1));
  expect(renewals(running)).toEqual([]);
  refused[Symbol.dispose]();
  await seen.take('b/web/availability', 'online');
});

test.concurrent('a job that is under way comes to its end first', async () => {
  await using running = await Running.prepare();
  const domain = running.daemon.define(web);
  domain.start();
  domain.guest.powerButton = 'ignored';
  const seen = await running.observe();
  await running.start({ ...all, templates: [template({ commands: ['shutdown', 'cancel'] })] });
  await state(seen, ({ power }) => power === 'ON', 'web');
  await seen.publish('b/web/command', 'shutdown');
  await state(seen, ({ activity }) => activity === 'shutting_down', 'web');
  running.daemon.define(mail);
  await eventually(() => expect(running.log.of('bridge.renewal_waits')).toHaveLength(1));
  expect(renewals(running)).toEqual([]);
  domain.powerOff();
  await seen.seen.take(
    ({ topic, payload }) => topic === 'b/web/response' && JSON.parse(payload).status === 'succeeded',
  );
  await seen.take('b/mail/availability', 'online');
});

test.concurrent('libvirt is away at the start: what was there is there, and nothing is removed', async () => {
  await using running = await Running.prepare();
  running.daemon.define(web);
  const seen = await running.observe();
  await running.start(all);
  await device(seen, uuid(1));
  running.daemon.domain('web').rename('shop');
  const announced = join(running.folder, 'announced.json');
  await eventually(async () => expect(await readFile(announced, 'utf8')).toContain('"name": "shop"'));
  await running.stop();
  await running.daemon.kill();
  const again = await running.observe();
  await running.start(all);
  await again.take('b/bridge/state', 'online');
  await again.take('b/web/availability', 'offline');
  // Its key is that of its first name.
  await running.daemon.listen();
  running.daemon.define(mail);
  await again.take('b/web/availability', 'online');
  await again.take('b/mail/availability', 'online');
  expect(again.seen.all.filter(({ topic, payload }) => /^(b|ha)\//.test(topic) && payload === '')).toEqual([]);
});

test.concurrent('one that is undefined is unavailable, and no longer there after the next start', async () => {
  await using running = await Running.prepare();
  for (const each of [web, mail]) running.daemon.define(each);
  const seen = await running.observe();
  await running.start(all);
  await seen.take('b/web/availability', 'online');
  await seen.take('b/mail/availability', 'online');
  running.daemon.domain('web').undefine();
  await seen.take('b/web/availability', 'offline');
  expect(renewals(running)).toEqual([]);
  expect(seen.seen.all.filter(({ topic, payload }) => topic.startsWith('ha/') && payload === '')).toEqual([]);
  running.daemon.defineMany(1);
  await seen.take(`ha/device/dsm2mqtt_${uuid(1)}/config`, '');
  await seen.take('b/web/state', '');
});

test.concurrent('two hosts with a VM of one name, and one host that comes later', async () => {
  await using running = await Running.prepare();
  await using two = await FakeLibvirtd.listen();
  running.daemon.define(web);
  two.define({ ...mail, name: 'web' });
  await two.kill();
  const host = (name: string, { uri }: FakeLibvirtd) => ({ name, uri, readOnly: false, statsInterval: 60_000 });
  const seen = await running.observe();
  const templates = ['one', 'two'].map(on => template({ on }));
  await running.start({ ...all, hosts: [host('one', running.daemon), host('two', two)], templates });
  await seen.take('b/web/availability', 'online');
  await two.listen();
  await seen.take('b/web_two/availability', 'online');
  await seen.take('b/web/availability', 'online');
  expect((await device(seen, uuid(2))).device['via_device']).toBe('dsm2mqtt_host_nas_two');
});

test.concurrent('a start and an end in the midst of it', async () => {
  await using running = await Running.prepare();
  const bridge = await running.start(all);
  running.daemon.defineMany(3);
  await eventually(() => expect(renewals(running)).toHaveLength(1));
  await bridge.close();
  await rm(join(running.folder, 'announced.json'), { force: true });
  const seen = await running.observe();
  await running.start(all);
  await seen.take('b/vm-2/availability', 'online');
});
