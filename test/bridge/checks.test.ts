/** The checks in the whole bridge: on MQTT, on command, in the device's page, and in nobody's way. */
import { describe, expect, test } from 'vitest';
import type { Findings, Kind } from '../../src/checks/finding.ts';
import type { Probes } from '../../src/checks/probes.ts';
import { type ProbeName, unknownDsm } from '../../src/model/check.ts';
import type { CheckDocument } from '../../src/model/documents.ts';
import { notAsked, up, type World } from '../checks/ward.ts';
import { expanded } from '../discovery/expanded.ts';
import type { Observer } from '../mqtt/observer.ts';
import { Running, response, state, vmConfig } from './running.ts';

const address = '10.0.0.20';
const often = { ...vmConfig().checks, schedule: '* * * * * *', ports: [5_000] };

/** DSM as the test wants it. */
function dsm(kinds: { [P in ProbeName]?: Kind<P> } = {}) {
  const world: World = {
    ...up,
    ...kinds,
  };
  const find = async <P extends ProbeName>(probe: P, rest: object = {}): Promise<Findings[P]> =>
    ({ kind: world[probe], ms: 1, explanation: `${probe} is ${world[probe]}.`, ...rest }) as unknown as Findings[P];
  const device = {
    ...unknownDsm,
    name: 'nas',
    model: 'DS918+',
    version: '7.1.1-42962',
    update: 6,
    httpPort: 5_000,
    address,
  };
  const probes: Probes = {
    bridge: () => find('bridge'),
    neighbour: () => find('neighbour', { address: world.neighbour === 'ok' ? address : null }),
    ping: () => find('ping'),
    tcp: () => find('tcp', { open: [5_000], closed: [] }),
    web: () => find('web', { port: 5_000, secure: false, name: null, base: '' }),
    dsm: () => find('dsm', { identity: null }),
    discovery: () => find('discovery', { device: world.discovery === 'ready' ? device : null }),
    ...notAsked,
    addresses: async () => [address],
    resolve: async name => name,
  };
  return { world, probes };
}

async function check(seen: Observer, matches: (document: CheckDocument) => boolean): Promise<CheckDocument> {
  const read = ({ payload }: { payload: string }): CheckDocument => JSON.parse(payload);
  return read(await seen.seen.take(message => message.topic === 'b/DSM/check' && matches(read(message))));
}

/** And libvirt has been read as well: DSM may be found before. */
function isUp(seen: Observer): Promise<CheckDocument> {
  return check(seen, ({ verdict, expected }) => verdict === 'up' && expected === 'running');
}

/** A bridge to a DSM that runs and is up, checked every second. */
async function start({ probes, ...changes }: Parameters<typeof Running.start>[0] & { probes: Probes }) {
  const running = await Running.prepare();
  running.daemon.define().start();
  const seen = await running.observe();
  await running.start({ vms: [vmConfig({ checks: often })], probes, ...changes });
  await seen.take('b/DSM/availability', 'online');
  return Object.assign(running, { seen });
}

test.concurrent('a DSM that is up: the verdict is retained, the device has its model, version and address', async () => {
  await using running = await start({ probes: dsm().probes });
  const { seen } = running;
  const found = await isUp(seen);
  expect(found).toMatchObject({
    ...{ cause: 'up', reachable: true, problem: false, reason: `DSM answers at ${address}.`, expected: 'running' },
    dsm: { model: 'DS918+', version: '7.1.1-42962', update: 6, address, http_port: 5_000 },
    probes: { dsm: { outcome: 'ok' } },
  });
  const device = await seen.seen.take(({ payload }) => payload.includes(`http://${address}`));
  expect(expanded(device.payload).device).toMatchObject({
    ...{ model: 'DS918+', sw_version: 'DSM 7.1.1-42962 Update 6', configuration_url: `http://${address}:5000` },
  });
  const late = await running.observe('b/DSM/check');
  expect(JSON.parse((await late.take('b/DSM/check')).payload)).toMatchObject({ verdict: 'up' });
});

test.concurrent('it goes and comes: told as an event, with the sentence', async () => {
  const { world, probes } = dsm();
  let failed = 0;
  const tcp: Probes['tcp'] = (...asked) => {
    if (world.tcp === 'silent') failed += 1;
    return probes.tcp(...asked);
  };
  const vms = [vmConfig({ checks: { ...often, failuresBeforeDown: 3 } })];
  await using running = await start({ probes: { ...probes, tcp }, vms });
  const { seen } = running;
  await isUp(seen);
  Object.assign(world, {
    neighbour: 'silent',
    ping: 'silent',
    tcp: 'silent',
    web: 'closed',
    dsm: 'silent',
    discovery: 'silent',
  });
  const failures: number[] = [];
  await check(seen, document => {
    failures.push(document.failures);
    return document.verdict === 'unreachable';
  });
  expect(failed).toBeGreaterThanOrEqual(3);
  // On a busy machine, not every document on the way is published.
  expect(Math.max(...failures)).toBeLessThanOrEqual(2);
  const event = await seen.seen.take(
    ({ topic, payload }) => topic === 'b/DSM/event' && payload.includes('"verdict":"unreachable"'),
  );
  expect(JSON.parse(event.payload)).toMatchObject({ event_type: 'verdict_changed', before: 'up' });
  const { at } = JSON.parse(event.payload);
  Object.assign(world, dsm().world);
  const again = await check(seen, ({ verdict, since }) => verdict === 'up' && since !== null && since > at);
  expect(again).toMatchObject({ problem: false, failures: 0 });
});

describe('on command', () => {
  test.concurrent('one check is made, and its sentence answered, whatever it is', async () => {
    const { world, probes } = dsm();
    await using running = await start({ probes, vms: [vmConfig()] });
    const { seen } = running;
    await seen.publish('b/DSM/command', 'check');
    expect(await response(seen)).toMatchObject({
      ...{ command: 'check', status: 'succeeded', code: 'done', message: `up: DSM answers at ${address}.` },
    });
    Object.assign(world, { web: 'installer', dsm: 'recoverable' });
    await seen.publish('b/DSM/command', '{"command":"check","id":"two"}');
    expect(await response(seen)).toMatchObject({ id: 'two', status: 'succeeded', message: /^recoverable: / });
  });

  test.concurrent('libvirt need not be there', async () => {
    const { probes } = dsm();
    await using running = await start({ probes, vms: [vmConfig({ address })] });
    await running.daemon.close();
    await running.seen.take('b/DSM/availability', 'offline');
    await running.seen.publish('b/DSM/command', 'check');
    expect(await response(running.seen)).toMatchObject({ status: 'succeeded', message: /^up: / });
  });
});

test.concurrent('every probe hangs: states and samples go out meanwhile, and the check ends in its time', async () => {
  const begun = Promise.withResolvers<void>();
  const never = () => {
    begun.resolve();
    return new Promise<never>(() => {});
  };
  const probes: Probes = {
    ...{ bridge: never, neighbour: never, ping: never, tcp: never, web: never, dsm: never, discovery: never },
    ...{ ...notAsked, addresses: never, resolve: never },
  };
  const checks = { ...vmConfig().checks, probeTimeout: 1_000 };
  await using running = await start({ probes, vms: [vmConfig({ checks })], libvirt: { statsInterval: 1_000 } });
  const { seen, daemon } = running;
  const [domain] = daemon.domains;
  await seen.publish('b/DSM/command', 'check');
  const answered = seen.seen.take(({ topic, payload }) => topic === 'b/DSM/response' && payload.includes('"check"'));
  let over = false;
  void answered.then(() => {
    over = true;
  });
  await begun.promise;
  for (let round = 0; round < 2; round++) {
    domain?.pause();
    await state(seen, ({ state: now }) => now === 'paused');
    domain?.resume();
    await state(seen, ({ reason }) => reason === 'unpaused');
  }
  await seen.take('b/DSM/stats');
  await seen.publish('b/DSM/command', '{"command":"refresh","id":"quick"}');
  await seen.seen.take(({ topic, payload }) => topic === 'b/DSM/response' && payload.includes('"quick"'));
  expect(over).toBe(false);
  expect(JSON.parse((await answered).payload)).toMatchObject({ command: 'check', status: 'succeeded' });
});

test.concurrent('a DSM that updates is not asked to power off, its power is not cut, and the rest is refused', async () => {
  const shutdown = { ...vmConfig().shutdown, timeout: 300 };
  const vms = [vmConfig({ checks: often, shutdown })];
  await using running = await start({ probes: dsm({ dsm: 'updating', discovery: 'updating' }).probes, vms });
  const { seen, daemon } = running;
  const [domain] = daemon.domains;
  const isUpdating = ({ verdict, expected }: CheckDocument) => verdict === 'updating' && expected === 'running';
  const first = await check(seen, isUpdating);
  // What was found before libvirt was read does not count for long.
  await check(seen, document => isUpdating(document) && document.probes.dsm?.at !== first.probes.dsm?.at);
  const asked = async (word: string) => {
    await seen.publish('b/DSM/command', word);
    for (;;) {
      const { status, ...rest } = await response(seen);
      if (status !== 'accepted' && status !== 'progress') return { status, ...rest };
    }
  };
  expect(await asked('shutdown')).toMatchObject({ code: 'timed_out', message: expect.stringContaining('updated') });
  for (const word of ['reboot', 'reset']) expect(await asked(word)).toMatchObject({ code: 'wrong_state' });
  expect(domain).toMatchObject({ active: true, presses: 0 });
  expect(await asked('force_off')).toMatchObject({ code: 'done', message: expect.stringContaining('updated') });
});

test.concurrent('nor is it rebooted by a bridge that has just begun', async () => {
  const { probes } = dsm({ dsm: 'updating', discovery: 'updating' });
  await using running = await start({ probes });
  await check(running.seen, ({ verdict, expected }) => verdict === 'updating' && expected === 'running');
  await running.stop();
  const next = await running.observe('b/DSM/#');
  // This one gets no answer of DSM.
  const bridge = () => new Promise<never>(() => {});
  await running.start({ vms: [vmConfig({ checks: often })], probes: { ...probes, bridge } });
  await next.take('b/DSM/availability', 'online');
  // It may be online before libvirt has been read.
  let answer = { code: 'libvirt_unavailable' };
  while (answer.code === 'libvirt_unavailable') {
    await next.publish('b/DSM/command', 'reboot');
    answer = await response(next);
  }
  expect(answer).toMatchObject({
    status: 'rejected',
    code: 'wrong_state',
    message: expect.stringContaining('updated'),
  });
});

test.concurrent('nothing is wrong between a command and the one that ends it, or takes its place', async () => {
  await using running = await start({ probes: dsm().probes, pause: 60_000 });
  const { seen, daemon, log } = running;
  daemon.domain('DSM').guest.powerButton = 'ignored';
  await isUp(seen);
  const give = async (word: string, wanted: string) => {
    await seen.publish('b/DSM/command', word);
    const isIt = ({ command, status }: Record<string, unknown>) => command === word && status === wanted;
    await seen.seen.take(({ topic, payload }) => topic === 'b/DSM/response' && isIt(JSON.parse(payload)));
  };
  for (const ending of ['cancel', 'force_off']) {
    await give('shutdown', 'accepted');
    await give(ending, 'succeeded');
  }
  // It waits until it has been off for a while.
  await give('start', 'accepted');
  await give('shutdown', 'succeeded');
  expect([...log.of('vm.problem'), ...log.of('vm.solved')]).toEqual([]);
});

test.concurrent('what it is meant to be survives the bridge, and a shutdown that was already done counts', async () => {
  await using running = await start({ probes: dsm().probes });
  const { seen, daemon } = running;
  const [domain] = daemon.domains;
  await isUp(seen);
  domain?.destroy();
  expect(await check(seen, ({ verdict }) => verdict === 'off')).toMatchObject({ problem: true, expected: 'running' });
  await running.stop();
  const [next, bridge] = [await running.observe('b/DSM/#'), await running.observe('b/bridge/state')];
  await running.start({ vms: [vmConfig({ checks: often })], probes: dsm().probes });
  // What the broker has kept of the VM is not yet this bridge's word.
  await bridge.take('b/bridge/state', 'online');
  expect(await check(next, ({ verdict, problem }) => verdict === 'off' && problem === true)).toMatchObject({
    reason: 'It is off. It is meant to run.',
  });
  await next.take('b/DSM/availability', 'online');
  // It may be online before libvirt has been read.
  let code = 'libvirt_unavailable';
  while (code === 'libvirt_unavailable') {
    await next.publish('b/DSM/command', 'shutdown');
    code = (await response(next)).code;
  }
  expect(code).toBe('already');
  // Before libvirt has been read, the check is still the one that is remembered.
  const meant = await check(next, ({ problem, expected }) => problem === false && expected === 'off');
  expect(meant).toMatchObject({ verdict: 'off', next_step: null });
});
