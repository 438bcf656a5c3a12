/** Samples: one call however many domains, and whose QEMU hangs is stale while the others are not. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Libvirt } from '../../src/libvirt/client.ts';
import { parseUri } from '../../src/libvirt/uri.ts';
import { type Stats, unknownStats } from '../../src/model/stats.ts';
import { silent } from '../../src/util/logger.ts';
import { Poll, type PollOptions } from '../../src/vm/poll.ts';
import { Watch } from '../../src/vm/watch.ts';
import { eventually } from '../eventually.ts';
import { FakeLibvirtd } from '../fakes/libvirtd/daemon.ts';
import type { FakeDomain } from '../fakes/libvirtd/domain.ts';
import { Inbox, recorder } from '../mqtt/inbox.ts';

const now = new Date('2026-11-22T08:00:00.000Z');
const mac = '525400d53001';

let daemon: FakeLibvirtd;
let domain: FakeDomain;
const closing: (() => Promise<void> | void)[] = [];
beforeEach(async () => {
  daemon = await FakeLibvirtd.listen();
  domain = daemon.define();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await daemon.close();
});

async function connect(): Promise<Libvirt> {
  const client = await Libvirt.open({ uri: parseUri(daemon.uri), dial: daemon.dial });
  closing.push(() => client.close());
  return client;
}

/** A poll of all domains of the daemon, watched, on a connection of its own. */
async function polling(options: Partial<PollOptions> = {}) {
  const log = recorder();
  const samples = new Inbox<{ key: string; stats: Stats }>();
  const hints: string[] = [];
  const vms = daemon.domains.map(({ name }) => ({ key: name, domain: name }));
  const watch = new Watch({ vms, emit: () => {}, logger: silent });
  await watch.begin(await connect());
  const client: Libvirt = await connect();
  const poll = new Poll({
    client: () => client,
    interval: 60_000,
    timeout: 40,
    targets: () => watch.targets(),
    hint: key => {
      hints.push(key);
      void watch.hint(key);
    },
    readOnly: false,
    emit: event => {
      if (event.type === 'stats') for (const [key, stats] of event.stats) samples.push({ key, stats });
    },
    now: () => now,
    logger: log,
    ...options,
  });
  closing.push(() => poll.close());
  /** The next sample of a VM. */
  const next = async (key = 'DSM') => (await samples.take(sample => sample.key === key)).stats;
  const tick = async (key?: string) => {
    poll.tick();
    return next(key);
  };
  return { poll, client, watch, samples, hints, log, next, tick };
}

const bulkCalls = () => daemon.callsOf('connectGetAllDomainStats');

test('a first sample has totals, a second one rates', async () => {
  domain.start();
  const { tick } = await polling();
  const first = await tick();
  expect(first).toMatchObject({
    sampled_at: now.toISOString(),
    stale: false,
    cpu: { percent: null, vcpus: 2 },
    disks: { sda: { write_bytes: 0, write_bytes_per_second: null, capacity: 2 ** 30 } },
    nics: { [mac]: { rx_bytes: 0, rx_bytes_per_second: null } },
  });
  domain.stats.add({ 'block.0.wr.bytes': 1e6, 'block.1.rd.bytes': 2e6, 'net.0.rx.bytes': 3e6, 'vcpu.0.time': 1 });
  const second = await tick();
  expect(second.disks).toMatchObject({ sda: { write_bytes: 1e6, read_bytes_per_second: 0 }, sdb: { read_bytes: 2e6 } });
  const rate = second.disks['sda']?.write_bytes_per_second ?? 0;
  expect(rate).toBeGreaterThan(0);
  expect((second.disks['sdb']?.read_bytes_per_second ?? 0) / rate).toBeCloseTo(2, 1);
  expect((second.nics[mac]?.rx_bytes_per_second ?? 0) / rate).toBeCloseTo(3, 1);
  expect(second.nics[mac]?.tx_bytes_per_second).toBe(0);
  expect(second.cpu.percent).toBeGreaterThanOrEqual(0);
});

test('one call an interval, however many domains, asked of those that run', async () => {
  for (const each of daemon.defineMany(30)) each.start();
  const { tick, samples } = await polling();
  await tick('vm-29');
  expect(bulkCalls()).toHaveLength(1);
  expect(bulkCalls()[0]?.args).toMatchObject({ flags: 1 << 29, domains: { length: 30 } });
  expect(new Set(samples.all.map(({ key }) => key)).size).toBe(31);
});

test('one that is off has nothing to tell, and libvirt is not asked', async () => {
  const { tick } = await polling();
  expect(await tick()).toEqual(unknownStats(now.toISOString()));
  expect(bulkCalls()).toEqual([]);
});

test('another boot, other counters', async () => {
  domain.start();
  const { tick, watch } = await polling();
  await tick();
  domain.destroy();
  domain.start();
  domain.stats.add({ 'block.0.wr.bytes': 5e9 });
  await watch.hint('DSM');
  expect((await tick()).disks['sda']).toMatchObject({ write_bytes: 5e9, write_bytes_per_second: null });
  expect((await tick()).disks['sda']?.write_bytes_per_second).toBe(0);
});

describe('a QEMU that hangs', () => {
  test('is stale with its last numbers, and the others are told; released, it is not stale any more', async () => {
    const [healthy] = daemon.defineMany(1);
    domain.start();
    healthy?.start();
    const { tick, next, samples } = await polling();
    await tick();
    await next('vm-0');
    domain.stats.add({ 'block.0.rd.bytes': 7 });
    domain.hang();
    const [stale, fine] = await Promise.all([tick(), next('vm-0')]);
    expect(stale).toMatchObject({ stale: true, disks: { sda: { read_bytes: 0 } } });
    expect(fine).toMatchObject({ stale: false, disks: { sda: { read_bytes_per_second: 0 } } });
    // The call that is stuck is not waited for: a second brings the rest.
    expect(bulkCalls()).toHaveLength(3);
    expect(await tick()).toMatchObject({ stale: true });
    expect(bulkCalls()).toHaveLength(4);
    domain.unhang();
    await samples.take(sample => sample.key === 'vm-0');
    const back = await tick();
    expect(back).toMatchObject({ stale: false, disks: { sda: { read_bytes: 7 } } });
    expect(back.disks['sda']?.read_bytes_per_second).toBeGreaterThan(0);
  });

  test('from the start is stale, and has no numbers', async () => {
    domain.start();
    domain.hang();
    const { tick } = await polling();
    expect(await tick()).toEqual({ ...unknownStats(null), stale: true });
  });

  test('of one that then stops has the last word with its stop', async () => {
    domain.start();
    const { poll, tick, samples, watch } = await polling({ timeout: 200 });
    await tick();
    const before = samples.all.length;
    using stuck = daemon.hang('connectGetAllDomainStats', { effect: true, times: 1 });
    poll.tick();
    await daemon.called('connectGetAllDomainStats', 2);
    domain.destroy();
    await watch.hint('DSM');
    stuck.release();
    // Another round is possible only when that one has ended.
    await tick();
    expect(samples.all.slice(before).map(({ stats }) => stats)).toEqual([unknownStats(now.toISOString())]);
  });
});

describe('libvirt', () => {
  test('that does not answer twice makes all stale', async () => {
    domain.start();
    const { tick } = await polling();
    await tick();
    daemon.freeze();
    expect(await tick()).toMatchObject({ stale: true, disks: { sda: { read_bytes: 0 } } });
    daemon.thaw();
  });

  test('that is away makes all stale, time and again, and only those that run', async () => {
    daemon.defineMany(1);
    domain.start();
    let client: Libvirt | null = null;
    const { tick, samples } = await polling({ client: () => client });
    expect(await tick()).toEqual({ ...unknownStats(null), stale: true });
    expect(await tick()).toMatchObject({ stale: true });
    expect(samples.all.filter(({ key }) => key === 'vm-0').every(({ stats }) => !stats.stale)).toBe(true);
    client = await connect();
    expect(await tick()).toMatchObject({ stale: false });
  });

  test('that is lost in the middle makes all stale without a word more', async () => {
    domain.start();
    const { tick, log } = await polling();
    await tick();
    using _drop = daemon.drop('connectGetAllDomainStats');
    expect(await tick()).toMatchObject({ stale: true });
    expect(log.entries).toEqual([]);
  });

  test('that refuses makes all stale, and says why', async () => {
    domain.start();
    const { tick, log } = await polling();
    using _refusal = daemon.refuse('connectGetAllDomainStats', 1, 'no such thing');
    expect(await tick()).toMatchObject({ stale: true });
    expect(log.entries).toMatchObject([{ level: 'warn', event: 'stats.failed' }]);
  });
});

test('what statistics tell of the state is reason to look', async () => {
  domain.start();
  const { tick, hints, watch } = await polling();
  domain.become(3, 1);
  await tick();
  expect(hints).toEqual(['DSM']);
  await eventually(() => expect(watch.target('DSM')?.domain.state).toBe('paused'));
  await tick();
  expect(hints).toEqual(['DSM']);
});

test.each([
  ['is off', () => domain.become(5, 1)],
  [
    'runs anew',
    () => {
      domain.destroy();
      domain.start();
    },
  ],
])('a domain that %s by now is looked at, and its numbers are not taken', async (_, meanwhile) => {
  domain.start();
  const targets = (await polling()).watch.targets();
  const { poll, hints, samples } = await polling({ targets: () => targets });
  meanwhile();
  poll.tick();
  await eventually(() => expect(hints).toEqual(['DSM']));
  expect(samples.all).toEqual([]);
});

test('one that libvirt does not know any more is looked for', async () => {
  const [other] = daemon.defineMany(1);
  domain.start();
  other?.start();
  const { tick, hints, watch } = await polling({ hint: key => hints.push(key) });
  using _frozen = daemon.hang('domainLookupByName');
  domain.undefine();
  domain.destroy();
  await tick('vm-0');
  expect(hints).toContain('DSM');
  expect(watch.target('DSM')).not.toBeNull();
});

describe('rounds', () => {
  test('never overlap', async () => {
    domain.start();
    const { poll, next } = await polling({ timeout: 5_000 });
    using stuck = daemon.hang('connectGetAllDomainStats');
    poll.tick();
    poll.tick();
    await daemon.called('connectGetAllDomainStats');
    poll.tick();
    stuck.release();
    await next();
    expect(bulkCalls()).toHaveLength(1);
  });

  test('come by themselves', async () => {
    domain.start();
    const { poll, next } = await polling({ interval: 10 });
    poll.start();
    poll.start();
    for (let i = 0; i < 3; i++) await next();
    poll.close();
    const before = bulkCalls().length;
    poll.tick();
    expect(bulkCalls()).toHaveLength(before);
  });

  test('the second one soon after the first, so that there are rates', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    try {
      domain.start();
      const { tick, next } = await polling({ timeout: 5_000 });
      await tick();
      vi.advanceTimersByTime(1_999);
      expect(bulkCalls()).toHaveLength(1);
      vi.advanceTimersByTime(1);
      expect((await next()).disks['sda']?.read_bytes_per_second).toBe(0);
      vi.advanceTimersByTime(10_000);
      expect(bulkCalls()).toHaveLength(2);
    } finally {
      vi.useRealTimers();
    }
  });

  test('end with it: what is under way leaves nothing behind', async () => {
    domain.start();
    const { poll, samples, client } = await polling({ timeout: 5_000 });
    using stuck = daemon.hang('connectGetAllDomainStats');
    poll.tick();
    await daemon.called('connectGetAllDomainStats');
    poll.close();
    stuck.release();
    await client.hostname();
    expect(samples.all).toEqual([]);
    expect(daemon.callsOf('domainSetMemoryStatsPeriod')).toEqual([]);
  });
});

describe('the guest’s memory', () => {
  test('is asked for of one guest after the other, so that the numbers of all do not wait for it', async () => {
    const domains = [domain, ...daemon.defineMany(5)];
    for (const each of domains) each.start();
    const stuck = daemon.hang('domainSetMemoryStatsPeriod');
    const { tick, client } = await polling({ timeout: 5_000 });
    await tick();
    await client.hostname();
    expect(daemon.callsOf('domainSetMemoryStatsPeriod')).toHaveLength(1);
    stuck.release();
    await daemon.called('domainSetMemoryStatsPeriod', domains.length);
  });

  test('is asked for every interval, once a boot', async () => {
    domain.start();
    const { tick, watch } = await polling({ interval: 10_000 });
    expect((await tick()).memory).toMatchObject({ used: null, total: 2 ** 31, resident: 65_536 * 1_024 });
    await daemon.called('domainSetMemoryStatsPeriod');
    expect(domain.memoryPeriod).toBe(10);
    domain.stats.set({ 'balloon.available': 1_000, 'balloon.usable': 400, 'balloon.unused': 100 });
    expect((await tick()).memory).toMatchObject({ used: 600 * 1_024, used_percent: 60 });
    expect(daemon.callsOf('domainSetMemoryStatsPeriod')).toHaveLength(1);
    domain.destroy();
    domain.start();
    await watch.hint('DSM');
    await tick();
    await daemon.called('domainSetMemoryStatsPeriod', 2);
  });

  test.each<[string, Partial<PollOptions>, Record<string, number>]>([
    ['where nothing may be written', { readOnly: true }, {}],
    ['where it comes by itself', {}, { 'balloon.available': 1_000 }],
  ])('is not asked for %s', async (_, options, stats) => {
    domain.start();
    domain.stats.set(stats);
    const { tick, client } = await polling(options);
    await tick();
    await client.hostname();
    expect(daemon.callsOf('domainSetMemoryStatsPeriod')).toEqual([]);
  });

  test('that the domain cannot tell is no loss', async () => {
    domain.start();
    using _refusal = daemon.refuse('domainSetMemoryStatsPeriod', 84, 'no balloon');
    const { tick, client, log } = await polling();
    await tick();
    await client.hostname();
    expect(await tick()).toMatchObject({ stale: false });
    expect(log.entries).toEqual([]);
  });
});
