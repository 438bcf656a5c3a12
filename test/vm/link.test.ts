/** One connection after the other, each ended before the next. */

import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Libvirt, type LibvirtOptions } from '../../src/libvirt/client.ts';
import { parseUri } from '../../src/libvirt/uri.ts';
import { Link, type LinkOptions } from '../../src/vm/link.ts';
import { slow } from '../eventually.ts';
import { FakeLibvirtd } from '../fakes/libvirtd/daemon.ts';
import { Inbox, recorder } from '../mqtt/inbox.ts';

let daemon: FakeLibvirtd;
const links: Link[] = [];
beforeEach(async () => {
  daemon = await FakeLibvirtd.listen();
});
afterEach(async () => {
  await Promise.all(links.splice(0).map(link => link.close()));
  await daemon.close();
});

function start(options: Partial<LinkOptions> = {}, openOptions: Partial<LibvirtOptions> = {}) {
  const log = recorder();
  const link = new Link({
    open: signal => Libvirt.open({ uri: parseUri(daemon.uri), signal, ...openOptions }),
    backoff: { first: 5, cap: 20 },
    logger: log,
    ...options,
  });
  links.push(link);
  const ups = new Inbox<Libvirt>();
  const downs = new Inbox<string>();
  link.on('up', ups.push).on('down', downs.push);
  link.start();
  return { link, log, ups, downs };
}

test('opens, tells, and has the connection to give', async () => {
  const { link, log, ups } = start();
  expect(link.client).toBeNull();
  const client = await ups.take();
  expect(link.client).toBe(client);
  expect(await client.type()).toBe('QEMU');
  expect(log.entries).toMatchObject([{ level: 'info', event: 'libvirt.connected' }]);
});

test('an outage is told once, its end once, and then the next', async () => {
  await daemon.stop();
  let daemonBack = Promise.withResolvers<void>();
  daemonBack.resolve();
  const { link, log, ups, downs } = start({
    // Else a dial into the gap would tell of a second reason.
    open: async signal => {
      await daemonBack.promise;
      return Libvirt.open({ uri: parseUri(daemon.uri), signal });
    },
  });
  link.prependListener('down', () => {
    daemonBack = Promise.withResolvers();
  });
  const bringBack = async () => {
    await daemon.listen();
    daemonBack.resolve();
    await ups.take();
  };
  expect(await downs.take()).toContain('no libvirt socket');
  await bringBack();
  for (const _ of [1, 2]) {
    await daemon.kill();
    expect(await downs.take()).toContain('closed the connection');
    expect(link.client).toBeNull();
    await bringBack();
  }
  expect(log.entries.map(({ event }) => event)).toEqual([
    ...['libvirt.disconnected', 'libvirt.connected', 'libvirt.disconnected', 'libvirt.connected'],
    ...['libvirt.disconnected', 'libvirt.connected'],
  ]);
  expect(downs.all).toHaveLength(3);
});

test('quiet, it tells only those who ask', async () => {
  const { log, ups, downs } = start({ quiet: true });
  await ups.take();
  await daemon.kill();
  await downs.take();
  expect(log.entries).toEqual([]);
});

test('what cannot be prepared is no connection, and is left behind', async () => {
  let failures = 3;
  const { ups, downs } = start({
    prepare: async client => {
      await client.hostname();
      if (failures-- > 0) throw new Error('not now');
    },
  });
  expect(await downs.take()).toBe('not now');
  await ups.take();
  expect(ups.all).toHaveLength(1);
  expect(downs.all).toHaveLength(1);
  expect(daemon.callsOf('connectOpen')).toHaveLength(4);
  await until(() => daemon.sessions.size === 1);
});

test('a connection that is lost while it is prepared is tried again', async () => {
  using _drop = daemon.drop('connectGetHostname', { times: 1 });
  const { ups, downs } = start({ prepare: async client => void (await client.hostname()) });
  expect(await downs.take()).toContain('closed the connection');
  await ups.take();
});

test('a daemon that falls silent is left', async () => {
  const { ups, downs } = start({}, { keepalive: { interval: 20, count: 2 } });
  await ups.take();
  daemon.freeze();
  expect(await downs.take()).toContain('keepalive');
  daemon.thaw();
  await ups.take();
});

test('closed, it ends its connection, tells nothing, and stays so', async () => {
  const { link, ups, downs } = start();
  await ups.take();
  await link.close();
  expect(link.client).toBeNull();
  await until(() => daemon.sessions.size === 0);
  await link.close();
  expect(downs.all).toEqual([]);
});

test.each<[what: string, when: (begun: ReturnType<typeof start>) => Promise<unknown>, options?: Partial<LinkOptions>]>([
  ['before it dials', async () => {}],
  ['while it opens', () => daemon.called('connectOpen')],
  ['while it pauses', async ({ downs }) => downs.take(), { open: () => Promise.reject(new Error('away')) }],
])('closed %s, at once', async (_, when, options) => {
  using _hang = daemon.hang('connectOpen');
  const begun = start({ backoff: { first: 60_000, cap: 60_000 }, ...options });
  await when(begun);
  const before = performance.now();
  await begun.link.close();
  expect(performance.now() - before).toBeLessThan(slow);
  expect(begun.ups.all).toEqual([]);
  await until(() => daemon.sessions.size === 0);
});

test.each([
  ['answers', false],
  ['does not', true],
])('closed while it prepares, it hangs up on a daemon that %s', async (_, hangs) => {
  using stuck = daemon.hang('connectGetHostname');
  const { link, ups, downs } = start({
    prepare: async client => {
      await client.hostname({ timeout: 60_000 }).catch(() => {});
    },
  });
  await daemon.called('connectGetHostname');
  if (hangs) daemon.freeze();
  const before = performance.now();
  const closing = link.close();
  if (!hangs) stuck.release();
  await closing;
  expect(performance.now() - before).toBeLessThan(slow);
  daemon.thaw();
  await until(() => daemon.sessions.size === 0);
  expect([...ups.all, ...downs.all]).toEqual([]);
});

test('closed, a frozen daemon does not hold it up', async () => {
  const { link, ups } = start();
  await ups.take();
  daemon.freeze();
  const before = performance.now();
  await link.close();
  expect(performance.now() - before).toBeLessThan(slow);
});

/** Of what happens at the other end of a socket nobody tells. */
async function until(holds: () => boolean): Promise<void> {
  const signal = AbortSignal.timeout(2_000);
  while (!holds()) {
    signal.throwIfAborted();
    await once(AbortSignal.timeout(2), 'abort');
  }
}
