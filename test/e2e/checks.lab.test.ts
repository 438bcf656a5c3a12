/** Every verdict that a guest can show, on MQTT with its sentence, and as soon as the configuration promises. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { announcesPage, expanded } from '../discovery/expanded.ts';
import type { ScenarioName } from '../fakes/dsm/scenario.ts';
import { bridgeDown, type Fault, linkDown, tapDown, wrongBridge } from '../lab/faults.ts';
import {
  address,
  guest,
  inLab,
  libvirtd,
  type Mosquitto,
  patience,
  qemuPid,
  startMosquitto,
  virsh,
} from '../lab/lab.ts';
import { type BridgeProcess, isFinal, type Json, Listener, runCli, startBridge, usual, vmTopic } from './bridge.ts';

const check = vmTopic('check');
const failuresBeforeDown = 2;
/** Every six seconds: devices are asked for their discovery no more often than every five. */
const checks = { schedule: '*/6 * * * * *', failures_before_down: failuresBeforeDown, probe_timeout: '3s' };
const config = (url: string) => usual(url, { vms: [{ domain: 'DSM', checks, shutdown: { timeout: '1m' } }] });

let broker: Mosquitto;
let listener: Listener;
let bridge: BridgeProcess;

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  await guest.off();
  await guest.bootScenario('loader');
  broker = await startMosquitto();
  listener = await Listener.on(broker.url);
  bridge = await startBridge(config(broker.url));
  await listener.text(vmTopic('availability'), text => text === 'online');
});

afterAll(async () => {
  await bridge?.[Symbol.asyncDispose]();
  await listener?.[Symbol.asyncDispose]();
  await broker?.stop();
  if (!inLab()) return;
  await guest.off();
  await guest.bootScenario('up');
});

/** The first document from there on with this verdict. */
function verdict(wanted: string, from: number, deadline = patience): Promise<Json> {
  return listener.document(check, document => document.verdict === wanted, { from, deadline });
}

/** Checks that were made from there on until the document, the one that was under way there included. */
function checksUntil(from: number, { checked_at }: Json): number {
  const times = listener.documents(check, from).map(document => document.checked_at);
  const until = times.slice(0, times.indexOf(checked_at) + 1);
  return new Set(until).size;
}

async function becomes(change: () => Promise<unknown>, expected: Json): Promise<Json> {
  const from = listener.now;
  await change();
  const found = await listener.document(
    check,
    document => document.verdict === expected.verdict && (!expected.cause || document.cause === expected.cause),
    { from },
  );
  expect(found).toMatchObject(expected);
  // One more may have begun before the change.
  expect(checksUntil(from, found)).toBeLessThanOrEqual(failuresBeforeDown + 1);
  return found;
}

const scenario = (name: ScenarioName) => () => guest.scenario(name);

test('off, and nobody has said what it is meant to be: no problem', async () => {
  const found = await verdict('off', 0);
  expect(found).toMatchObject({
    problem: false,
    reachable: false,
    expected: null,
    reason: 'It is off.',
    next_step: null,
  });
});

describe('powered on', () => {
  test('booting, until the loader answers instead of DSM', async () => {
    const from = listener.now;
    await listener.publish(vmTopic('power/set'), 'ON');
    expect(await verdict('booting', from)).toMatchObject({ problem: false, expected: 'running' });
    const found = await verdict('loader', from);
    expect(found).toMatchObject({ cause: 'loader_passing', problem: false, reachable: false });
    expect(found.reason).toMatch(/^The loader answers, and DSM does not yet\. .*7681/);
    expect(found.dsm.address).toBe(address.guest);
  });

  test.each<[ScenarioName, Json]>([
    ['booting', { verdict: 'booting', cause: 'booting_dsm', problem: false, reason: 'DSM boots, and says so itself.' }],
    ['updating', { verdict: 'updating', problem: false, reason: 'DSM is being installed or updated.' }],
    ['installing', { verdict: 'updating', problem: false, next_step: 'Wait, and do not switch it off.' }],
    [
      'installer',
      {
        ...{ verdict: 'installer', cause: 'installer', problem: true, reachable: false },
        reason: 'No DSM is installed: the Web Assistant waits.',
        next_step: `Open http://${address.guest}:5000 and install DSM.`,
      },
    ],
    ['no-disk', { verdict: 'installer', cause: 'no_disk', problem: true }],
    [
      'migratable',
      {
        ...{ verdict: 'installer', cause: 'migratable', problem: true },
        reason: 'The Web Assistant waits: the disks come from another machine, or from another build of DSM.',
      },
    ],
    [
      'recoverable',
      {
        ...{ verdict: 'recoverable', problem: true },
        reason: "DSM's system is damaged, and the Web Assistant offers to recover it.",
      },
    ],
    [
      'starting',
      {
        ...{ verdict: 'starting', problem: false, boot_seconds: null },
        reason: `DSM answers at ${address.guest}, and still starts its services.`,
      },
    ],
    [
      'up',
      { verdict: 'up', problem: false, reachable: true, reason: `DSM answers at ${address.guest}.`, next_step: null },
    ],
  ])('%s', async (name, expected) => {
    await becomes(scenario(name), expected);
  });

  test('it was up: how long that took, and what DSM is, are told; its serial number is nowhere', async () => {
    const found = listener.documents(check).at(-1);
    expect(found.boot_seconds).toBeGreaterThan(5);
    expect(found.dsm).toMatchObject({ name: 'diskstation', model: 'DS918+', version: '7.1.1-42962' });
    expect(found.probes).toMatchObject({
      ...{ bridge: { outcome: 'ok' }, neighbour: { outcome: 'ok' }, tcp: { outcome: 'ok' } },
      ...{ web: { outcome: 'ok' }, dsm: { outcome: 'ok' }, discovery: { outcome: 'ok' } },
    });
    expect(found.latency_ms).toBeGreaterThan(0);
    const device = await listener.text(`homeassistant/device/dsm2mqtt_${address.uuid}/config`, announcesPage);
    expect(expanded(device).device).toMatchObject({
      ...{ model: 'DS918+', sw_version: expect.stringContaining('DSM 7.1.1-42962') },
      configuration_url: `http://${address.guest}:5000`,
    });
    const everything = JSON.stringify([listener.heard, bridge.log]);
    expect(everything).not.toContain('SERIALOFANAS1');
  });
});

describe('it was up, and something happens to DSM', () => {
  test.each<[ScenarioName, Json]>([
    [
      'port-closed',
      {
        ...{ verdict: 'degraded', cause: 'port_closed', reachable: true, problem: true },
        reason: `DSM answers at ${address.guest}, but not on port 445.`,
      },
    ],
    ['up', { verdict: 'up', problem: false }],
    [
      'web-dead',
      {
        ...{ verdict: 'unreachable', cause: 'web_dead', problem: true, reachable: false },
        reason: 'DSM is on the network and says that it is ready, but its page does not answer.',
      },
    ],
    ['up', { verdict: 'up', problem: false }],
    ['portal', { verdict: 'up', problem: false, reason: `DSM answers at ${address.guest}.` }],
    [
      'other-page',
      {
        ...{ verdict: 'unreachable', cause: 'other_page', problem: true },
        reason: expect.stringMatching(/^Something else than DSM answers at 10\.99\.0\.20\. ./),
      },
    ],
    ['up', { verdict: 'up', problem: false }],
    [
      'silent-boot',
      {
        ...{ verdict: 'unreachable', cause: 'ports_closed', problem: true },
        reason: expect.stringMatching(/its ports 5000, 5001 and 445 are closed/),
      },
    ],
    ['up', { verdict: 'up', problem: false }],
    ['hibernating', { verdict: 'up', problem: false, reason: expect.stringContaining('DSM answers') }],
  ])('%s', async (name, expected) => {
    await becomes(scenario(name), expected);
  });

  test('hibernating: asked for everything, it is not asked more than whether its disks sleep', async () => {
    await guest.scenario('hibernating');
    const from = listener.now;
    await listener.publish(vmTopic('command'), 'check');
    const final = await listener.document(vmTopic('response'), isFinal, { from });
    expect(final).toMatchObject({ status: 'succeeded', message: expect.stringMatching(/^up: .*asleep/) });
    const requests = await guest.requests();
    expect(requests.some(line => line.includes('pingpong.cgi'))).toBe(true);
    expect(requests.filter(line => line.includes('webapi'))).toEqual([]);
    await becomes(scenario('up'), { verdict: 'up' });
  });
});

describe('it was up, and something happens on the host', () => {
  test.each<[string, () => Promise<Fault>, Json]>([
    [
      'its link is set down',
      linkDown,
      { cause: 'link_down', next_step: expect.stringContaining('virsh domif-setlink') },
    ],
    [
      'its tap is in another bridge',
      () => wrongBridge(),
      { cause: 'misplugged', reason: expect.stringContaining('br1') },
    ],
    ['its tap is down', tapDown, { cause: 'tap_down', reason: expect.stringContaining('vnet') }],
    ['its bridge is down', bridgeDown, { cause: 'bridge_down', reason: expect.stringContaining('br0') }],
  ])('%s, and back', async (_, fault, expected) => {
    let made: Fault | undefined;
    await becomes(
      async () => {
        made = await fault();
      },
      { verdict: 'unreachable', problem: true, ...expected },
    );
    await becomes(async () => made?.undo(), { verdict: 'up', problem: false });
  });

  test('paused by somebody, and resumed', async () => {
    await becomes(() => virsh('suspend', address.domain), {
      verdict: 'paused',
      problem: true,
      reason: 'It is paused.',
    });
    await becomes(() => virsh('resume', address.domain), { verdict: 'up', problem: false });
  });

  test('libvirt is gone: DSM still answers, and then it does not', async () => {
    await libvirtd.kill();
    const from = listener.now;
    await listener.text(vmTopic('availability'), text => text === 'offline');
    await listener.publish(vmTopic('command'), 'check');
    const final = await listener.document(vmTopic('response'), isFinal, { from });
    expect(final).toMatchObject({ status: 'succeeded', message: expect.stringMatching(/^up: /) });
    await becomes(scenario('silent-boot'), { verdict: 'unreachable', cause: 'ports_closed', problem: true });
    await libvirtd.start();
    await becomes(scenario('up'), { verdict: 'up', problem: false });
  });
});

test('dsm2mqtt check: the same from a shell, beside the bridge and without a broker', async () => {
  const up = await runCli(config('mqtt://127.0.0.1:1'), 'check', 'DSM');
  expect(up).toMatchObject({ code: 0, stderr: '' });
  expect(up.stdout).toMatch(
    /^DSM \(DSM\): up\n {2}DSM answers at 10\.99\.0\.20\.\n {2}diskstation, DS918\+, DSM 7\.1\.1-42962/,
  );
  expect(up.stdout).toMatch(/\n {2}discovery +ok /);
  await guest.scenario('recoverable');
  const broken = await runCli(config('mqtt://127.0.0.1:1'), 'check', '--json');
  expect(broken.code).toBe(1);
  expect(JSON.parse(broken.stdout)).toMatchObject([
    { id: 'DSM', verdict: 'recoverable', probes: { web: { outcome: 'failed' } } },
  ]);
  expect(broken.stdout).not.toContain('SERIALOFANAS1');
  await becomes(scenario('up'), { verdict: 'up' });
});

test('the guest hangs: nothing on the network answers for it', async () => {
  await becomes(() => guest.hang(), { verdict: 'unreachable', problem: true });
  const found = await listener.document(check, ({ cause }) => cause === 'silent');
  expect(found.reason).toBe('The VM runs, but nothing on the network answers for it: DSM hangs, or has no address.');
});

test('it hangs, and libvirt is away: nobody can tell', async () => {
  await becomes(() => libvirtd.kill(), {
    ...{ verdict: 'unknown', cause: 'unseen', problem: null, reachable: null },
    reason: 'libvirt is away, and DSM is not heard.',
  });
  await becomes(() => libvirtd.start(), { verdict: 'unreachable', cause: 'silent', problem: true });
});

test('it is reset: it boots, and how long is measured anew', async () => {
  await guest.bootScenario('up');
  const from = listener.now;
  await virsh('reset', address.domain);
  expect(await verdict('booting', from)).toMatchObject({ problem: false, boot_seconds: null });
  const found = await verdict('up', from);
  expect(found.boot_seconds).toBeGreaterThan(3);
  expect(found.boot_seconds).toBeLessThan(90);
});

test('its QEMU is killed, and it is started again', async () => {
  const from = listener.now;
  const qemu = qemuPid();
  if (qemu === undefined) throw new Error('QEMU does not run');
  process.kill(qemu, 'SIGKILL');
  expect(await verdict('crashed', from)).toMatchObject({
    ...{ cause: 'died', problem: true, reason: 'It is off, because its QEMU crashed or was killed.' },
  });
  await listener.publish(vmTopic('power/set'), 'ON');
  expect(await verdict('booting', from)).toMatchObject({ problem: false });
  await verdict('up', from);
});

describe('off', () => {
  test('on purpose: no problem, and none on the way', async () => {
    const from = listener.now;
    await listener.publish(vmTopic('power/set'), 'OFF');
    const found = await verdict('off', from);
    expect(found).toMatchObject({ problem: false, expected: 'off', reason: 'It is off.', next_step: null });
    expect(listener.documents(check, from).filter(({ problem }) => problem === true)).toEqual([]);
  });

  test('by somebody else: a problem, also for the next bridge; a shutdown says that it is meant', async () => {
    let from = listener.now;
    await virsh('start', address.domain);
    await verdict('booting', from);
    from = listener.now;
    await virsh('destroy', address.domain);
    expect(await verdict('off', from)).toMatchObject({
      ...{ problem: true, expected: 'running', reason: 'It is off. It is meant to run.' },
    });
    from = listener.now;
    await listener.publish(vmTopic('command'), 'shutdown');
    const found = await listener.document(check, ({ problem }) => problem === false, { from });
    expect(found).toMatchObject({ verdict: 'off', expected: 'off' });
  });
});
