/** Several hosts under one bridge: each VM as if its host were the only one, and a VM that goes from one to another. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Host } from '../../src/config/config.ts';
import type { HostDocument } from '../../src/model/documents.ts';
import { readLines } from '../../src/util/line-file.ts';
import { eventually } from '../eventually.ts';
import { FakeLibvirtd } from '../fakes/libvirtd/daemon.ts';
import type { Observer } from '../mqtt/observer.ts';
import { type ConfigChanges, Running, response, state, vmConfig } from './running.ts';

/** Two daemons, `one` with DSM and `two` with another VM. */
class Pair implements AsyncDisposable {
  readonly running: Running;
  readonly two: FakeLibvirtd;
  readonly seen: Observer;

  private constructor(running: Running, two: FakeLibvirtd, seen: Observer) {
    this.running = running;
    this.two = two;
    this.seen = seen;
  }

  static async prepare(): Promise<Pair> {
    const running = await Running.prepare();
    return new Pair(running, await FakeLibvirtd.listen(), await running.observe());
  }

  get one(): FakeLibvirtd {
    return this.running.daemon;
  }

  async start(vms: ConfigChanges['vms'], more: ConfigChanges = {}): Promise<void> {
    const host = (name: string, { uri }: FakeLibvirtd): Host => ({ name, uri, readOnly: false, statsInterval: 60_000 });
    await this.running.start({ hosts: [host('one', this.one), host('two', this.two)], ...(vms && { vms }), ...more });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.running[Symbol.asyncDispose]();
    await this.two.close();
  }
}

const both = [vmConfig({ on: 'one' }), vmConfig({ on: 'two', domain: 'DSM', key: 'other', label: 'The other' })];
/** Until `b/bridge/info` says so of libvirt. */
const info = (pair: Pair, holds: (libvirt: { up: boolean; reason: string | null }) => boolean) =>
  pair.seen.seen.take(({ topic, payload }) => topic === 'b/bridge/info' && holds(JSON.parse(payload).libvirt));

async function lastResponse(pair: Pair): Promise<{ status: string; code: string }> {
  for (;;) {
    const document = await response(pair.seen);
    if (document.status !== 'accepted' && document.status !== 'progress') return document;
  }
}

test.concurrent('two VMs of one name on two hosts: each has its state, its commands and its record', async () => {
  await using pair = await Pair.prepare();
  pair.one.define();
  pair.two.define();
  await pair.start(both);
  await pair.seen.take('b/DSM/availability', 'online');
  await pair.seen.take('b/other/availability', 'online');
  await pair.seen.publish('b/other/command', 'start');
  await state(pair.seen, ({ power }) => power === 'ON', 'other');
  expect(await response(pair.seen, 'other')).toMatchObject({ status: 'accepted' });
  expect(pair.one.domain('DSM').active).toBe(false);
  expect(pair.two.domain('DSM').active).toBe(true);
});

test.concurrent('a host that is away takes nothing from the other, and says which it is', async () => {
  await using pair = await Pair.prepare();
  pair.one.define();
  pair.two.define();
  await pair.start(both);
  await pair.seen.take('b/other/availability', 'online');
  await info(pair, ({ up }) => up);
  await pair.two.kill();
  await pair.seen.take('b/other/availability', 'offline');
  await info(pair, ({ up, reason }) => !up && reason?.startsWith('two: ') === true);
  pair.one.domain('DSM').start();
  await state(pair.seen, ({ power }) => power === 'ON');
  await pair.seen.publish('b/other/command', 'start');
  expect(await response(pair.seen, 'other')).toMatchObject({ status: 'rejected', code: 'libvirt_unavailable' });
  await pair.two.listen();
  await pair.seen.take('b/other/availability', 'online');
});

test.concurrent('each host is a device with its load and its pools, and its VMs belong to it', async () => {
  await using pair = await Pair.prepare();
  pair.one.define();
  const { uuid } = pair.two.define();
  const folder = pair.running.folder;
  pair.one.storage.create(`<pool><name>default</name><target><path>${folder}</path></target></pool>`);
  pair.one.storage.available = 5 * 2 ** 30;
  await pair.start(both);
  const host = async (name: string, holds: (document: HostDocument) => boolean): Promise<HostDocument> => {
    const topic = `b/host/${name}/state`;
    const { payload } = await pair.seen.seen.take(each => each.topic === topic && holds(JSON.parse(each.payload)));
    return JSON.parse(payload);
  };
  const { memory, pools, load } = await host('one', each => each.sampled_at !== null);
  expect(memory).toEqual({ total: 8 * 2 ** 30, available: 2 * 2 ** 30, used: 75 });
  expect(pools['default']).toMatchObject({ available: 5 * 2 ** 30 });
  // Its host name is not this machine's.
  expect(load).toBeNull();
  await pair.seen.take('b/host/two/availability', 'online');
  const device = async (id: string) => {
    const { payload } = await pair.seen.take(`ha/device/${id}/config`);
    const { dev, cmps } = JSON.parse(payload) as { dev: { via_device: string }; cmps: object };
    return { via: dev.via_device, keys: Object.keys(cmps) };
  };
  expect((await device('dsm2mqtt_host_nas_one')).via).toBe('dsm2mqtt_bridge_nas');
  expect((await device('dsm2mqtt_host_nas_one')).keys).toContain('pool_default_available');
  expect((await device(`dsm2mqtt_${uuid}`)).via).toMatch(/^dsm2mqtt_host_nas_/);
  await pair.two.kill();
  await pair.seen.take('b/host/two/availability', 'offline');
  expect(await host('two', ({ up }) => !up)).toMatchObject({ reason: expect.any(String) });
});

test.concurrent('a host that is configured no more: its topics and its device are gone', async () => {
  await using pair = await Pair.prepare();
  pair.one.define();
  pair.two.define();
  await pair.start(both);
  await pair.seen.take('b/host/two/availability', 'online');
  await eventually(async () =>
    expect(await readFile(join(pair.running.folder, 'announced.json'), 'utf8')).toContain('"two"'),
  );
  await pair.running.stop();
  await pair.running.start();
  await pair.seen.take('b/host/two/availability', '');
  await pair.seen.take('b/host/two/state', '');
  await pair.seen.take('ha/device/dsm2mqtt_host_nas_two/config', '');
});

describe('a VM by its UUID, on whichever host has it', () => {
  const roaming = (uuid: string) => [vmConfig({ domain: uuid })];

  test.concurrent('it is found on the second host, and commanded there', async () => {
    await using pair = await Pair.prepare();
    const { uuid } = pair.two.define();
    await pair.start(roaming(uuid));
    await pair.seen.take('b/DSM/availability', 'online');
    await pair.seen.publish('b/DSM/command', 'start');
    await state(pair.seen, ({ power }) => power === 'ON');
    expect(pair.two.domain('DSM').active).toBe(true);
  });

  test.concurrent('it goes to the other host: told as migrated, neither stopped nor started, and the same entities', async () => {
    await using pair = await Pair.prepare();
    const { uuid } = pair.one.define();
    await pair.start(roaming(uuid));
    await pair.seen.take('b/DSM/availability', 'online');
    pair.one.domain('DSM').start();
    await state(pair.seen, ({ power }) => power === 'ON');
    const there = pair.two.define();
    there.start();
    pair.one.domain('DSM').powerOff();
    pair.one.domain('DSM').undefine();
    await pair.seen.seen.take(({ topic, payload }) => {
      const { event_type, reason } = topic === 'b/DSM/event' ? JSON.parse(payload) : {};
      return event_type === 'migrated' && reason === 'from one to two';
    });
    await pair.seen.publish('b/DSM/command', 'force_off');
    await state(pair.seen, ({ power, last_stop }) => power === 'OFF' && last_stop.reason === 'destroyed');
    expect(pair.two.domain('DSM').active).toBe(false);
    await pair.running.stop();
    const { lines } = await readLines(join(pair.running.folder, 'history', 'DSM'));
    expect(lines).toMatchObject([
      { what: 'start', run: { host: 'one' } },
      { what: 'moved', path: 'from one to two', run: { host: 'two' } },
      { what: 'stop', how: 'destroyed' },
    ]);
  });

  test.concurrent('a command that is under way when it moves has failed, and its sender is not blamed for what comes later', async () => {
    await using pair = await Pair.prepare();
    const { uuid } = pair.one.define();
    pair.one.domain('DSM').start();
    pair.one.domain('DSM').guest.powerButton = 'ignored';
    await pair.start(roaming(uuid));
    await state(pair.seen, ({ power }) => power === 'ON');
    await pair.seen.publish('b/DSM/command', '{"command":"shutdown","by":"ups"}');
    await state(pair.seen, ({ activity }) => activity === 'shutting_down');
    pair.one.domain('DSM').migrate();
    pair.two.define().start();
    expect(await lastResponse(pair)).toMatchObject({ status: 'failed', code: 'interfered' });
    pair.two.domain('DSM').powerOff();
    const { last_stop } = await state(pair.seen, ({ power }) => power === 'OFF');
    expect(last_stop).toMatchObject({ by: 'guest', seconds: null });
  });

  test.concurrent('its host dies, and it is started on the other one: there it stays, whatever the dead one had said', async () => {
    await using pair = await Pair.prepare();
    const { uuid } = pair.two.define();
    pair.one.define();
    pair.two.domain('DSM').start();
    await pair.start(roaming(uuid));
    await state(pair.seen, ({ power }) => power === 'ON');
    // It is off on the other one, which may have answered first.
    expect(pair.running.log.of('vm.started')).toEqual([]);
    // Before anybody has noticed that the host is gone.
    pair.one.domain('DSM').start();
    await pair.two.kill();
    await pair.seen.seen.take(({ topic, payload }) => {
      return topic === 'b/DSM/event' && JSON.parse(payload).reason === 'from two to one';
    });
    pair.one.domain('DSM').powerOff();
    await state(pair.seen, ({ power }) => power === 'OFF');
    await pair.seen.publish('b/DSM/command', 'start');
    expect(await lastResponse(pair)).toMatchObject({ status: 'succeeded' });
    expect(pair.one.domain('DSM').active).toBe(true);
  });

  test.concurrent('a new bridge: defined on both and running on the second, or its host is away: nothing stopped', async () => {
    await using pair = await Pair.prepare();
    const { uuid } = pair.two.define();
    pair.two.domain('DSM').start();
    await pair.start(roaming(uuid));
    await state(pair.seen, ({ power }) => power === 'ON');
    await pair.running.stop();
    pair.one.define();
    await pair.two.kill();
    await pair.start(roaming(uuid));
    await eventually(() => expect(pair.running.log.of('libvirt.connected')).toHaveLength(3));
    await pair.two.listen();
    await state(pair.seen, ({ power }) => power === 'ON');
    await pair.running.stop();
    expect(await readLines(join(pair.running.folder, 'history', 'DSM'))).toMatchObject({ lines: [] });
  });

  test.concurrent('gone from one, and defined on the other a while later: no moment without a domain', async () => {
    await using pair = await Pair.prepare();
    const { uuid } = pair.one.define();
    await pair.start(roaming(uuid));
    await pair.seen.take('b/DSM/availability', 'online');
    pair.one.domain('DSM').undefine();
    pair.two.define().start();
    await state(pair.seen, ({ power }) => power === 'ON');
    expect(pair.running.log.of('vm.undefined')).toEqual([]);
  });

  test.concurrent('gone from one, and nowhere else in time: it is gone', async () => {
    await using pair = await Pair.prepare();
    const { uuid } = pair.one.define();
    await pair.start(roaming(uuid), { roamingPatience: 50 });
    await pair.seen.take('b/DSM/availability', 'online');
    pair.one.domain('DSM').undefine();
    await eventually(() => expect(pair.running.log.of('vm.undefined')).toHaveLength(1));
  });

  test.concurrent('on no host: that is said, once all have been asked', async () => {
    await using pair = await Pair.prepare();
    await pair.start(roaming('00000000-0000-4000-8000-000000000001'));
    await state(pair.seen, ({ reason }) => reason === 'no_such_domain');
    await eventually(() => expect(pair.running.log.of('domain.missing')).toHaveLength(1));
  });

  test.concurrent('on the second host: that the first has no such domain is no mistake', async () => {
    await using pair = await Pair.prepare();
    const { uuid } = pair.two.define();
    await pair.start(roaming(uuid));
    await pair.seen.take('b/DSM/availability', 'online');
    await pair.one.kill();
    await pair.seen.take('b/host/one/availability', 'offline');
    await pair.one.listen();
    await pair.seen.take('b/host/one/availability', 'online');
    expect(pair.running.log.of('domain.missing')).toEqual([]);
  });

  test.concurrent('a new bridge: defined on both and off: it stays where it last was', async () => {
    await using pair = await Pair.prepare();
    const { uuid } = pair.two.define();
    await pair.start(roaming(uuid));
    await pair.seen.take('b/DSM/availability', 'online');
    await eventually(async () => {
      expect(await readFile(join(pair.running.folder, 'announced.json'), 'utf8')).toContain('"on": "two"');
    });
    await pair.running.stop();
    await pair.seen.take('b/bridge/state', 'offline');
    pair.one.define();
    await pair.start(roaming(uuid));
    await pair.seen.take('b/DSM/availability', 'online');
    await pair.seen.publish('b/DSM/command', 'start');
    await state(pair.seen, ({ power }) => power === 'ON');
    expect([pair.one, pair.two].map(host => host.domain('DSM').active)).toEqual([false, true]);
  });

  test.concurrent('it runs on both at once: that is told', async () => {
    await using pair = await Pair.prepare();
    const [one, two] = [pair.one.define(), pair.two.define()];
    one.start();
    await pair.start(roaming(two.uuid));
    await state(pair.seen, ({ power }) => power === 'ON');
    two.start();
    await eventually(() =>
      expect(pair.running.log.of('domain.twice')).toMatchObject([{ level: 'error', vm: 'DSM', hosts: ['one', 'two'] }]),
    );
  });
});
