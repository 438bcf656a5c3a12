/** The troubles that the fake makes on purpose; that it otherwise behaves is the contract suite's business. */

import { describe, expect, test, vi } from 'vitest';
import { Libvirt } from '../../../src/libvirt/client.ts';
import { ConnectError, ConnectionLost, TimeoutError } from '../../../src/libvirt/errors.ts';
import { frameStatus } from '../../../src/libvirt/frame.ts';
import { parseUri } from '../../../src/libvirt/uri.ts';
import { eventually } from '../../eventually.ts';
import { everyParam } from '../../libvirt/params.ts';
import { FakeLibvirtd } from './daemon.ts';
import { lively } from './lively.ts';
import { opened } from './opened.ts';
import { ppm } from './screen.ts';

test('a hung procedure answers when it is released, and others meanwhile', async () => {
  await using fake = await opened();
  const stuck = fake.daemon.hang('domainIsPersistent');
  const persistent = fake.client.persistent(fake.domain.ref);
  await fake.daemon.called('domainIsPersistent');
  expect(await fake.client.state(fake.domain.ref)).toEqual({ state: 5, reason: 0 });
  stuck.release();
  expect(await persistent).toBe(true);
});

test('a call can take effect though its reply never comes', async () => {
  await using fake = await opened();
  fake.daemon.drop('domainCreateWithFlags', { effect: true });
  await expect(fake.client.start(fake.domain.ref)).rejects.toThrow(ConnectionLost);
  expect(fake.domain.active).toBe(true);
});

test('or be dropped before it', async () => {
  await using fake = await opened();
  fake.daemon.drop('domainCreateWithFlags');
  await expect(fake.client.start(fake.domain.ref)).rejects.toThrow(ConnectionLost);
  expect(fake.domain.active).toBe(false);
});

test('a fault may spare the calls after the first', async () => {
  await using fake = await opened();
  fake.daemon.refuse('domainCreateWithFlags', 38, 'Resource busy', { times: 1 });
  await expect(fake.client.start(fake.domain.ref)).rejects.toMatchObject({ code: 38 });
  expect(await fake.client.start(fake.domain.ref)).toMatchObject({ id: 1 });
});

test('of a hung QEMU the first to ask for statistics waits, who asks without waiting gets what is known', async () => {
  await using fake = await opened();
  fake.domain.start();
  fake.domain.hang();
  await expect(fake.client.stats([], 0, everyParam, { timeout: 30 })).rejects.toThrow(TimeoutError);
  const [record] = await fake.client.stats([], 0, everyParam);
  const keys = record?.params.map(({ field }) => field) ?? [];
  expect(keys).toContain('cpu.time');
  expect(keys).toContain('net.0.rx.bytes');
  expect(keys).not.toContain('block.0.rd.bytes');
  expect(await fake.client.state(fake.domain.ref)).toEqual({ state: 1, reason: 1 });
  fake.domain.unhang();
  const [whole] = await fake.client.stats([], 0, everyParam);
  expect(whole?.params.map(({ field }) => field)).toContain('block.0.rd.bytes');
});

test('frozen it accepts and is silent; thawed it answers what it was asked', async () => {
  await using fake = await opened();
  fake.daemon.freeze();
  const state = fake.client.state(fake.domain.ref);
  const opening = Libvirt.open({ uri: parseUri(fake.daemon.uri), openTimeout: 30 });
  await expect(opening).rejects.toThrow(ConnectError);
  fake.daemon.thaw();
  expect(await state).toEqual({ state: 5, reason: 0 });
});

test('killed and started again it is the same daemon at the same place', async () => {
  await using fake = await opened();
  fake.domain.start();
  await fake.daemon.kill();
  const again = { uri: parseUri(fake.daemon.uri) };
  await expect(Libvirt.open(again)).rejects.toThrow(/nobody listens/);
  await fake.daemon.listen();
  await using client = await Libvirt.open(again);
  expect(await client.domains()).toEqual([{ ...fake.domain.ref, id: 1 }]);
  await fake.daemon.stop();
  await expect(Libvirt.open(again)).rejects.toThrow(/no libvirt socket/);
});

test('definitions come, change their name, and go', async () => {
  await using fake = await opened();
  const told: string[] = [];
  fake.client.onEvent(event => {
    if (event.name === 'lifecycle') told.push(`${event.domain.name} ${event.event}:${event.detail}`);
  });
  await fake.client.subscribe(['lifecycle']);
  fake.domain.rename('NAS/öne');
  fake.domain.undefine();
  const other = fake.daemon.define({ name: 'NAS/öne', uuid: '00000000-0000-4000-8000-0000000000aa' });
  other.start();
  other.undefine();
  expect(await fake.client.persistent(other.ref)).toBe(false);
  other.powerOff();
  expect(await fake.client.domains()).toEqual([]);
  expect(told).toEqual([
    ...['DSM 1:1', 'NAS/öne 0:2', 'NAS/öne 1:0', 'NAS/öne 0:0'],
    ...['NAS/öne 4:0', 'NAS/öne 2:0', 'NAS/öne 1:0', 'NAS/öne 6:1', 'NAS/öne 5:0'],
  ]);
});

describe('a stream in trouble', () => {
  async function running() {
    const fake = await opened();
    fake.domain.start();
    fake.domain.guest.screens = [ppm(30, 20)];
    const [session] = fake.daemon.sessions;
    if (!session) throw new Error('the session is missing');
    return { ...fake, session, streamEnds: session.streamEnds };
  }

  test('never ends, until the client gives it up', async () => {
    await using fake = await running();
    using _fault = fake.daemon.breakStream('domainScreenshot', 'stalls');
    await expect(fake.client.screenshot(fake.domain.ref, { timeout: 50 })).rejects.toThrow(TimeoutError);
    await fake.client.hostname();
    expect(fake.streamEnds).toEqual([frameStatus.error]);
  });

  test('is stuck at its call', async () => {
    await using fake = await running();
    const stuck = fake.daemon.hang('domainScreenshot');
    await expect(fake.client.screenshot(fake.domain.ref, { timeout: 20 })).rejects.toThrow(TimeoutError);
    stuck.release();
    await eventually(() => expect(fake.streamEnds).toEqual([frameStatus.error]));
    expect((await fake.client.screenshot(fake.domain.ref)).mime).toBe('image/x-portable-pixmap');
  });
});

test('a lively domain’s counters move, and its power button works', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'setTimeout'] });
  try {
    await using daemon = await FakeLibvirtd.listen();
    const domain = daemon.define();
    using _life = lively(domain, { random: () => 0.5 });
    domain.start();
    domain.memoryPeriod = 2;
    vi.advanceTimersByTime(10_000);
    for (const key of ['cpu.time', 'block.0.rd.bytes', 'net.0.tx.bytes', 'balloon.unused']) {
      expect(domain.stats.number(key)).toBeGreaterThan(0);
    }
    domain.pressPowerButton();
    vi.advanceTimersByTime(3_999);
    expect(domain.active).toBe(true);
    vi.advanceTimersByTime(1);
    expect(domain.state).toEqual({ state: 5, reason: 1 });
  } finally {
    vi.useRealTimers();
  }
});
