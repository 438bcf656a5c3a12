/** The whole bridge, as people and Home Assistant see it: on the broker. */

import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { main } from '../../src/app/run.ts';
import type { Stats } from '../../src/model/stats.ts';
import { expanded } from '../discovery/expanded.ts';
import { eventually, slow } from '../eventually.ts';
import { dsmXml } from '../fakes/libvirtd/xml.ts';
import { recorder } from '../mqtt/inbox.ts';
import { type Line, startProxy } from '../mqtt/proxy.ts';
import { Running, response, state, stateOf, vmConfig } from './running.ts';

const uuid = '186682f9-0f0b-4a9e-867b-364706339405';
const otherUuid = '00000000-0000-4000-8000-0000000000aa';
const deviceOf = (id: string) => `ha/device/dsm2mqtt_${id}/config`;

test.concurrent('a start: what is there, who it is, and then that it is online', async () => {
  await using running = await Running.start();
  const late = await running.observe();
  for (const topic of ['b/bridge/info', 'b/DSM/state', 'b/DSM/availability', 'b/bridge/state', deviceOf(uuid)]) {
    expect(await late.take(topic)).toMatchObject({ retain: true });
  }
  const info = running.seen.seen.all.filter(({ topic }) => topic === 'b/bridge/info').at(-1)?.payload ?? '';
  expect(JSON.parse(info)).toMatchObject({ instance: 'nas', libvirt: { up: true, libvirt: '9.0.0' } });
  expect(running.log.entries.filter(({ level }) => level !== 'info')).toEqual([]);
});

test.concurrent('ON and OFF by topic: every state in its order, and the outcome by event', async () => {
  await using running = await Running.start();
  const { seen, daemon } = running;
  const begun = seen.seen.all.length;
  await seen.publish('b/DSM/power/set', 'ON');
  expect(await response(seen)).toMatchObject({ status: 'accepted', command: 'start', id: null });
  expect(await response(seen)).toMatchObject({ status: 'succeeded', code: 'done' });
  await state(seen, ({ nics, activity }) => nics['525400d53001']?.tap === 'vnet0' && activity === 'none');
  daemon.domain('DSM').stats.add({ 'net.0.rx.bytes': 7 });
  await seen.publish('b/DSM/power/set', 'OFF');
  expect(await response(seen)).toMatchObject({ status: 'accepted', command: 'shutdown' });
  expect(await response(seen)).toMatchObject({ status: 'succeeded', code: 'done', message: 'it is off' });
  expect(daemon.domain('DSM').presses).toBe(1);
  await state(seen, ({ state, activity, nics }) => {
    return state === 'shut_off' && activity === 'none' && nics['525400d53001']?.tap === null;
  });

  const documents = seen.seen.all
    .slice(begun)
    .filter(({ topic }) => topic === 'b/DSM/state')
    .map(stateOf);
  const words = documents.map(({ power, state, activity }) => `${power} ${state} ${activity}`);
  expect(words.filter((word, i) => word !== words[i - 1])).toEqual([
    ...['OFF shut_off starting', 'ON running starting', 'ON running none'],
    ...['ON running shutting_down', 'OFF shut_off shutting_down', 'OFF shut_off none'],
  ]);
  expect(documents.at(-1)?.last_stop).toMatchObject({ by: 'bridge', reason: 'shutdown', seconds: expect.any(Number) });
  expect(documents.find(({ power }) => power === 'ON')?.started_at).toMatch(/^20/);
  // The outcome is told when it is there to be read.
  const topics = seen.seen.all.slice(begun).map(({ topic }) => topic);
  expect(topics.lastIndexOf('b/DSM/response')).toBeGreaterThan(topics.indexOf('b/DSM/state'));
});

test.concurrent('what others do at libvirt is seen', async () => {
  await using running = await Running.start();
  const { seen, daemon } = running;
  const domain = daemon.domain('DSM');
  domain.start();
  await state(seen, ({ power }) => power === 'ON');
  domain.pause();
  await state(seen, ({ state }) => state === 'paused');
  domain.resume();
  domain.destroy();
  const { last_stop } = await state(seen, ({ reason }) => reason === 'destroyed');
  expect(last_stop).toMatchObject({ by: 'host', reason: 'destroyed', seconds: null });
});

test.concurrent('numbers: with the start, again soon, and none when it is off', async () => {
  await using running = await Running.start({ libvirt: { statsInterval: 100 } });
  const { seen, daemon } = running;
  const sample = async (matches: (stats: Stats) => boolean): Promise<Stats> => {
    const { payload } = await seen.seen.take(
      message => message.topic === 'b/DSM/stats' && matches(JSON.parse(message.payload)),
    );
    return JSON.parse(payload);
  };
  daemon.domain('DSM').start();
  const first = await sample(({ cpu }) => cpu.vcpus === 2);
  expect(first.disks).toMatchObject({ sda: { read_bytes: 0 } });
  await sample(({ disks }) => disks['sda']?.write_bytes_per_second === 0);
  daemon.domain('DSM').stats.add({ 'block.0.wr.bytes': 4e6 });
  await sample(({ disks }) => (disks['sda']?.write_bytes_per_second ?? 0) > 0);
  await state(seen, ({ disks }) => disks['sda']?.capacity === 2 ** 30);
  daemon.domain('DSM').destroy();
  await state(seen, ({ reason }) => reason === 'destroyed');
  expect(await sample(({ cpu }) => cpu.vcpus === null)).toMatchObject({
    stale: false,
    disks: { sda: { read_bytes: null } },
  });
});

describe('commands', () => {
  test.concurrent('each is answered, and none does any harm', async () => {
    await using running = await Running.start();
    const { seen, daemon } = running;
    for (const [topic, payload, answer] of [
      ['b/DSM/command', 'fly', { code: 'unknown_command', command: 'fly' }],
      ['b/DSM/command', '{"command":"shutdown","id":"x"}', { status: 'succeeded', code: 'already', id: 'x' }],
      ['b/DSM/power/set', 'toString', { code: 'invalid_payload' }],
      ['b/nobody/command', 'start', { code: 'unknown_vm' }],
      ['b/constructor/command', 'start', { code: 'unknown_vm' }],
      ['b/__proto__/power/set', 'ON', { code: 'unknown_vm' }],
      ['b/bridge/command', 'start', { code: 'unknown_vm' }],
    ] as const) {
      await seen.publish(topic, payload);
      expect(await response(seen, topic.split('/')[1])).toMatchObject(answer);
    }
    expect(daemon.callsOf('domainCreateWithFlags')).toEqual([]);
  });

  test.concurrent('a stored one is refused at every start, and carried out at none', async () => {
    await using running = await Running.prepare();
    running.daemon.define();
    const seen = await running.observe();
    await seen.publish('b/DSM/power/set', 'ON', true);
    await running.start();
    expect(await response(seen)).toMatchObject({ status: 'rejected', code: 'retained', command: 'start' });
    await seen.publish('b/DSM/power/set', '', true);
    await seen.take('b/DSM/availability', 'online');
    await seen.publish('b/DSM/command', 'shutdown');
    expect(await response(seen)).toMatchObject({ code: 'already' });
    expect(running.daemon.callsOf('domainCreateWithFlags')).toEqual([]);
  });

  test.concurrent('read-only: every one is refused, on a connection that could not', async () => {
    await using running = await Running.start({ libvirt: { readOnly: true } });
    await running.seen.publish('b/DSM/power/set', 'ON');
    expect(await response(running.seen)).toMatchObject({ status: 'rejected', code: 'read_only' });
    const device = await running.seen.take(deviceOf(uuid));
    expect(Object.keys(expanded(device.payload).components)).not.toContain('power');
    expect(running.daemon.callsOf('connectOpen').map(({ args }) => args.flags)).toEqual([1, 1, 1]);
  });

  test.concurrent('one that libvirt refuses because it has come about already has succeeded', async () => {
    await using running = await Running.start();
    const { seen, daemon } = running;
    // Somebody else is faster, and libvirt's refusal faster than its event.
    using stuck = daemon.hang('domainGetState');
    using _refusal = daemon.refuse('domainCreateWithFlags', 55, 'domain is already running', { effect: true });
    await seen.publish('b/DSM/command', 'start');
    expect(await response(seen)).toMatchObject({ status: 'accepted' });
    await daemon.called('domainCreateWithFlags');
    stuck.release();
    expect(await response(seen)).toMatchObject({ status: 'succeeded', code: 'done' });
  });

  test.concurrent.each([true, false])(
    'the connection is lost in the middle: outcome unknown, no second try, and the truth',
    async effect => {
      await using running = await Running.start();
      const { seen, daemon } = running;
      using _drop = daemon.drop('domainCreateWithFlags', { effect, times: 1 });
      await seen.publish('b/DSM/command', 'start');
      expect(await response(seen)).toMatchObject({ status: 'accepted' });
      const last = await response(seen);
      // The event may be faster than the end of the connection.
      expect(effect ? ['outcome_unknown', 'done'] : ['outcome_unknown']).toContain(last.code);
      await seen.take('b/DSM/availability', 'online');
      if (effect) await state(seen, ({ power }) => power === 'ON');
      expect(daemon.callsOf('domainCreateWithFlags')).toHaveLength(1);
      expect(daemon.domain('DSM').active).toBe(effect);
    },
  );

  test.concurrent('one that is not heard in time leaves the VM alone', async () => {
    await using running = await Running.start();
    const { seen, daemon } = running;
    const domain = daemon.domain('DSM');
    domain.guest.powerButton = 'ignored';
    domain.start();
    await state(seen, ({ power }) => power === 'ON');
    await seen.publish('b/DSM/command', '{"command":"shutdown","timeout":0.1,"id":"u"}');
    expect(await response(seen)).toMatchObject({ status: 'accepted', id: 'u' });
    expect(await response(seen)).toMatchObject({ status: 'failed', code: 'timed_out', id: 'u' });
    expect(await state(seen, ({ last_error }) => last_error.code === 'timed_out')).toMatchObject({ power: 'ON' });
    expect(daemon.callsOf('domainDestroyFlags')).toEqual([]);
  });
});

const names = [
  'my DSM 7',
  'a.b.c',
  'plus+hash#',
  'Büro 群晖 🦊',
  `${'x'.repeat(196)}.dsm`,
  'NAS/DSM',
  '<&\'">',
  '$SYS',
];

test.concurrent.each(names)('a domain called %s', async name => {
  await using running = await Running.prepare();
  const domain = running.daemon.define({ name });
  const seen = await running.observe();
  await running.start({ vms: [vmConfig({ domain: name, key: 'key', label: name })] });
  await seen.take('b/key/availability', 'online');
  expect(await state(seen, document => document.domain !== null, 'key')).toMatchObject({ domain: name, power: 'OFF' });
  expect(expanded((await seen.take(deviceOf(uuid))).payload).device['name']).toBe(name);
  await seen.publish('b/key/power/set', 'ON');
  expect(await response(seen, 'key')).toMatchObject({ status: 'accepted' });
  expect(await response(seen, 'key')).toMatchObject({ status: 'succeeded' });
  expect(domain.active).toBe(true);
});

describe('the base topic', () => {
  test.concurrent('a second bridge is refused, and the first one does not notice', async () => {
    await using running = await Running.start();
    const { seen, folder } = running;
    const log = recorder();
    const dataDir = await mkdtemp(join(folder, 'second-'));
    const second = await main(running.config({ dataDir, mqtt: { clientId: 'second' } }), log);
    expect(await second.refused).toContain("another bridge, 'nas', serves b/…");
    await second.close();
    expect(log.of('bridge.refused')).toMatchObject([{ level: 'error', other: 'nas' }]);
    await seen.publish('b/DSM/command', 'shutdown');
    expect(await response(seen)).toMatchObject({ code: 'already' });
    expect(seen.seen.all.filter(({ topic }) => topic === 'b/bridge/state').map(({ payload }) => payload)).toEqual([
      'online',
    ]);
    expect(running.log.of('bridge.refused')).toEqual([]);
  });

  test.concurrent('a ghost is waited for, and its will is mended', async () => {
    await using running = await Running.prepare();
    const seen = await running.observe();
    await seen.publish('b/bridge/info', '{"session":"ghost"}', true);
    await seen.publish('b/bridge/state', 'online', true);
    await running.start();
    await seen.seen.take(({ topic, payload }) => topic === 'b/bridge/info' && payload.includes('"instance":"nas"'));
    expect(running.log.of('bridge.ghost')).toHaveLength(1);
    await seen.publish('b/bridge/state', 'offline', true);
    await seen.take('b/bridge/state', 'offline');
    await seen.take('b/bridge/state', 'online');
  });

  test.concurrent('what an earlier one left in good order is no ghost', async () => {
    await using running = await Running.start();
    await running.stop();
    await running.seen.take('b/bridge/state', 'offline');
    await running.start();
    await running.seen.take('b/bridge/state', 'online');
    expect(running.log.of('bridge.claimed')).toHaveLength(2);
    expect(running.log.of('bridge.ghost')).toEqual([]);
  });
});

describe('who is away at the start', () => {
  test.concurrent('libvirt: entities are there, unavailable; all is right when it comes, and the outage was told once', async () => {
    await using running = await Running.start();
    await running.seen.take(deviceOf(uuid));
    await running.stop();
    await running.daemon.stop();
    const seen = await running.observe('#');
    await seen.take('b/DSM/availability');
    await running.start();
    await seen.take('b/bridge/state', 'online');
    await seen.take('b/DSM/availability', 'offline');
    const info = await seen.seen.take(
      ({ topic, payload }) => topic === 'b/bridge/info' && payload.includes('no libvirt socket'),
    );
    expect(JSON.parse(info.payload).libvirt).toMatchObject({ up: false, hostname: null });
    expect(await seen.take(deviceOf(uuid))).toMatchObject({ payload: expect.stringContaining('disk_sda_read_rate') });
    await seen.publish('b/DSM/command', 'start');
    expect(await response(seen)).toMatchObject({ code: 'libvirt_unavailable' });
    await running.daemon.listen();
    await seen.take('b/DSM/availability', 'online');
    await state(seen, ({ state }) => state === 'shut_off');
    expect(running.log.of('libvirt.disconnected')).toHaveLength(1);
    expect(seen.seen.all.filter(({ topic, payload }) => topic.startsWith('ha/') && payload === '')).toEqual([]);
  });

  test.concurrent('the broker: all is said when it comes, and commands work', async () => {
    await using running = await Running.prepare();
    running.daemon.define();
    await running.broker.kill();
    await running.start();
    await running.daemon.called('connectGetHostname');
    await running.broker.start();
    const seen = await running.observe();
    await seen.take('b/bridge/state', 'online');
    await seen.take(deviceOf(uuid));
    await seen.publish('b/DSM/command', 'start');
    expect(await response(seen)).toMatchObject({ status: 'accepted' });
    expect(running.log.of('mqtt.disconnected')).toHaveLength(1);
  });

  test.concurrent('the domain: it is missed once, and welcome when it comes', async () => {
    await using running = await Running.prepare();
    const seen = await running.observe();
    await running.start();
    await seen.take('b/DSM/availability', 'offline');
    await seen.seen.take(({ topic, payload }) => topic === 'b/bridge/info' && payload.includes('"up":true'));
    await seen.publish('b/DSM/command', 'start');
    expect(await response(seen)).toMatchObject({ code: 'wrong_state' });
    running.daemon.define();
    await seen.take('b/DSM/availability', 'online');
    await seen.take(deviceOf(uuid));
    const reason = 'libvirt has no domain DSM. It has none.';
    expect(running.log.of('domain.missing')).toMatchObject([{ level: 'warn', vm: 'DSM', reason }]);
  });

  test.concurrent('whoever keeps what was announced: it works without', async () => {
    await using running = await Running.prepare();
    running.daemon.define();
    await writeFile(join(running.folder, 'file'), '');
    const seen = await running.observe();
    await running.start({ dataDir: join(running.folder, 'file') });
    await seen.take('b/bridge/state', 'online');
    await seen.take(deviceOf(uuid));
    await running.stop();
    expect(running.log.of('store.unlocked')).toHaveLength(1);
    const paths = running.log.of('store.unwritable').map(({ path }) => path);
    expect(new Set(paths).size).toBe(paths.length);
  });

  test.concurrent('and what was kept is damaged: told, and all is announced', async () => {
    await using running = await Running.prepare();
    running.daemon.define();
    await writeFile(join(running.folder, 'announced.json'), '{"version":1,"value":{"devices":3}}');
    const seen = await running.observe();
    await running.start();
    await seen.take(deviceOf(uuid));
    expect(running.log.of('store.ignored')).toHaveLength(1);
  });
});

describe('killed and started again', () => {
  test.concurrent('libvirtd: unavailable meanwhile, then as it is, and nothing was removed', async () => {
    await using running = await Running.start();
    const { seen, daemon } = running;
    const domain = daemon.domain('DSM');
    domain.start();
    await state(seen, ({ power }) => power === 'ON');
    for (const round of [1, 2]) {
      await daemon.kill();
      await seen.take('b/DSM/availability', 'offline');
      if (round === 1) domain.powerOff();
      else domain.start();
      await daemon.listen();
      await state(seen, ({ power }) => power === (round === 1 ? 'OFF' : 'ON'));
      await seen.take('b/DSM/availability', 'online');
      expect(running.log.of('libvirt.disconnected')).toHaveLength(round);
      expect(running.log.of('libvirt.connected')).toHaveLength(round + 1);
    }
    await seen.publish('b/DSM/command', 'shutdown');
    expect(await response(seen)).toMatchObject({ status: 'accepted' });
    expect(await response(seen)).toMatchObject({ status: 'succeeded' });
    expect(seen.seen.all.filter(({ topic, payload }) => topic.startsWith('ha/') && payload === '')).toEqual([]);
    expect(running.log.of('domain.read_failed')).toEqual([]);
  });

  test.concurrent('during a shutdown: its end is seen by the next connection', async () => {
    await using running = await Running.start();
    const { seen, daemon } = running;
    const domain = daemon.domain('DSM');
    domain.guest.powerButton = 'ignored';
    domain.start();
    await state(seen, ({ power }) => power === 'ON');
    await seen.publish('b/DSM/command', 'shutdown');
    expect(await response(seen)).toMatchObject({ status: 'accepted' });
    await daemon.called('domainShutdownFlags');
    await state(seen, ({ activity }) => activity === 'shutting_down');
    await daemon.kill();
    await seen.take('b/DSM/availability', 'offline');
    domain.powerOff();
    await daemon.listen();
    expect(await response(seen)).toMatchObject({ status: 'succeeded', code: 'done' });
    const { last_stop } = await state(seen, ({ reason }) => reason === 'shutdown');
    expect(last_stop.by).toBe('bridge');
  });

  test.concurrent('the broker, which forgets all: it is told all, and what happened meanwhile', async () => {
    await using running = await Running.start();
    const { daemon, broker } = running;
    await running.seen.take(deviceOf(uuid));
    await broker.kill();
    daemon.domain('DSM').start();
    await broker.start();
    const seen = await running.observe();
    await seen.take('b/bridge/state', 'online');
    await state(seen, ({ power, nics }) => power === 'ON' && nics['525400d53001']?.tap === 'vnet0');
    await seen.take('b/DSM/availability', 'online');
    await seen.publish('b/DSM/command', 'shutdown');
    expect(await response(seen)).toMatchObject({ status: 'accepted' });
    expect(running.log.of('mqtt.connected')).toHaveLength(2);
  });
});

test.concurrent('a domain by its UUID is followed through a new name, one by its name to another UUID', async () => {
  await using running = await Running.prepare();
  const { daemon } = running;
  daemon.define();
  daemon.define({ name: 'second', uuid: otherUuid });
  const seen = await running.observe();
  const byUuid = vmConfig({ domain: otherUuid.toUpperCase(), key: 'u' });
  await running.start({ vms: [vmConfig(), byUuid] });
  await state(seen, document => document.uuid === uuid);
  await state(seen, document => document.domain === 'second', 'u');
  daemon.domain('DSM').undefine();
  await seen.take('b/DSM/availability', 'offline');
  await state(seen, document => document.reason === 'no_such_domain');
  daemon.domain('second').rename('DSM');
  await state(seen, document => document.domain === 'DSM', 'u');
  expect(await state(seen, document => document.uuid !== null)).toMatchObject({ uuid: otherUuid });
});

test.concurrent('a disk more: announced, and with the numbers again, which Home Assistant takes for expired', async () => {
  await using running = await Running.start();
  const { seen } = running;
  await seen.take(deviceOf(uuid));
  for (const _ of ['the first', 'once more']) await seen.take('b/DSM/stats');
  const disk = "<disk type='file' device='disk'><source file='/c'/><target dev='sdc' bus='scsi'/></disk>";
  running.daemon.domain('DSM').redefine(dsmXml().replace('<controller', () => `${disk}<controller`));
  const { disks } = await state(seen, document => 'sdc' in document.disks);
  expect(disks['sdc']).toEqual({ role: 'data', bus: 'scsi', source: '/c', capacity: null });
  await seen.seen.take(message => message.topic === deviceOf(uuid) && message.payload.includes('sdc'));
  await seen.take('b/DSM/stats');
});

describe('closed', () => {
  test.concurrent('it says that it is offline, tells who waits, and touches no VM', async () => {
    await using running = await Running.start();
    const { seen, daemon } = running;
    const domain = daemon.domain('DSM');
    domain.guest.powerButton = 'ignored';
    domain.start();
    await state(seen, ({ power }) => power === 'ON');
    await seen.publish('b/DSM/command', 'shutdown');
    expect(await response(seen)).toMatchObject({ status: 'accepted' });
    await running.stop();
    expect(await response(seen)).toMatchObject({ status: 'failed', code: 'outcome_unknown' });
    await seen.take('b/bridge/state', 'offline');
    expect(domain.active).toBe(true);
    await eventually(() => expect(daemon.sessions.size).toBe(0));
    await running.stop();
  });

  test.concurrent.each<[what: string, kill: (running: Running, line: Line) => unknown]>([
    ['libvirt frozen', ({ daemon }) => daemon.freeze()],
    ['libvirt killed', ({ daemon }) => daemon.kill()],
    ['the broker killed', ({ broker }) => broker.kill()],
    ['both away', ({ broker, daemon }) => Promise.all([broker.kill(), daemon.stop()])],
    [
      'both silent',
      ({ daemon }, line) => {
        daemon.freeze();
        line.freeze();
      },
    ],
  ])('within 2 s with %s', async (_, kill) => {
    await using running = await Running.prepare();
    running.daemon.define();
    await using line = await startProxy(running.broker.port);
    const seen = await running.observe();
    await running.start({ mqtt: { url: line.url } });
    await seen.take('b/DSM/availability', 'online');
    await kill(running, line);
    const before = performance.now();
    await running.stop();
    expect(performance.now() - before).toBeLessThan(slow);
    running.daemon.thaw();
  });

  test.concurrent('at once after its start, while it reads from a libvirt that does not answer', async () => {
    await using running = await Running.prepare();
    running.daemon.define();
    using _stuck = running.daemon.hang('domainGetState');
    const seen = await running.observe();
    await running.start();
    await seen.take('b/bridge/state', 'online');
    await running.daemon.called('domainGetState');
    const before = performance.now();
    await running.stop();
    expect(performance.now() - before).toBeLessThan(slow);
    await seen.take('b/bridge/state', 'offline');
    await eventually(() => expect(running.daemon.sessions.size).toBe(0));
  });
});
