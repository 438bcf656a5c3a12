/** The whole command set on a real guest: what the table says, and what becomes of a guest that does not hear. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { address, domainState, guest, inLab, patience, poll, qemuPid, virsh } from '../lab/lab.ts';
import { isFinal, type Json, Listener, type Stage, setStage, startBridge, usual, vmTopic } from './bridge.ts';

const state = vmTopic('state');
const response = vmTopic('response');
const event = vmTopic('event');
const command = vmTopic('command');
const every = [
  ...['start', 'shutdown', 'reboot', 'suspend', 'resume', 'reset', 'force_off', 'screenshot', 'autostart'],
  ...['refresh', 'cancel', 'check'],
];
const vms = [{ domain: 'DSM', commands: every, shutdown: { timeout: '1m', resend_every: '2s' } }];

let stage: Stage;
let listener: Listener;
let from: number;

beforeAll(async () => {
  stage = await setStage({ vms });
  listener = stage.listener;
});
afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
  if (inLab()) await guest.off();
});
beforeEach(async () => {
  // `guest.start` would not wake a domain that an earlier test has left paused.
  if ((await domainState()) === 'paused') await virsh('resume', address.domain);
  await guest.start();
  await listener.document(state, ({ power, activity }) => power === 'ON' && activity === 'none');
  from = listener.now;
});

/** Gives a command, and waits for its last word. */
async function ask(word: string, options: Record<string, unknown> = {}, deadline = patience): Promise<Json> {
  const id = `${word}-${from}-${Math.random()}`;
  await listener.publish(command, JSON.stringify({ command: word, id, ...options }));
  return outcome(id, deadline);
}

function outcome(id: string, deadline = patience): Promise<Json> {
  const last = (answer: Json) => answer.id === id && isFinal(answer);
  return listener.document(response, last, { from, deadline });
}

const events = () => listener.documents(event, from).map(({ event_type }) => event_type);
const now = (wanted: (document: Json) => boolean) => listener.document(state, wanted, { from });

test('suspend and resume; a start resumes too; what is so already is said to be', async () => {
  expect(await ask('suspend')).toMatchObject({ status: 'succeeded', code: 'done' });
  expect(await domainState()).toBe('paused');
  expect(await ask('suspend')).toMatchObject({ status: 'succeeded', code: 'already' });
  expect(await ask('shutdown')).toMatchObject({ status: 'rejected', code: 'wrong_state' });
  expect(await ask('resume')).toMatchObject({ status: 'succeeded', code: 'done' });
  expect(await domainState()).toBe('running');
  await ask('suspend');
  expect(await ask('start')).toMatchObject({ status: 'succeeded', code: 'done' });
  expect(await domainState()).toBe('running');
  expect(events()).toEqual(expect.arrayContaining(['suspend_requested', 'paused', 'resumed', 'command_rejected']));
});

test('reboot: seen off, and started after a pause', async () => {
  const before = qemuPid();
  expect(await ask('reboot', { by: 'me' })).toMatchObject({ status: 'succeeded', code: 'done' });
  expect(qemuPid()).not.toBe(before);
  const [off, on] = [await now(({ power }) => power === 'OFF'), listener.documents(state, from).at(-1)];
  expect(off).toMatchObject({ activity: 'rebooting', last_stop: { by: 'me', reason: 'shutdown' } });
  expect(Date.parse(on.started_at) - Date.parse(off.last_stop.at)).toBeGreaterThanOrEqual(9_900);
  await guest.up();
});

test('reboot by the guest itself: never off', async () => {
  const before = qemuPid();
  expect(await ask('reboot', { method: 'guest' })).toMatchObject({ status: 'succeeded', code: 'done' });
  expect(qemuPid()).toBe(before);
  expect(events()).toContain('rebooted');
  expect(listener.documents(state, from).every(({ power }) => power === 'ON')).toBe(true);
  await guest.up();
});

test('reset: the same QEMU, from the beginning', async () => {
  const before = qemuPid();
  expect(await ask('reset')).toMatchObject({ status: 'succeeded', code: 'done' });
  expect(qemuPid()).toBe(before);
  await listener.document(event, ({ event_type }) => event_type === 'rebooted', { from });
  await guest.up();
});

test('force_off cuts its power, and says so', async () => {
  expect(await ask('force_off', { by: 'me' })).toMatchObject({ status: 'succeeded', code: 'done' });
  expect(await domainState()).toBe('shut off');
  expect(await now(({ power }) => power === 'OFF')).toMatchObject({ last_stop: { by: 'me', reason: 'destroyed' } });
  expect(events()).toContain('power_cut');
});

test('autostart, both ways, and refresh', async () => {
  for (const enabled of [true, false]) {
    expect(await ask('autostart', { enabled })).toMatchObject({ status: 'succeeded' });
    expect(await virsh('dominfo', address.domain)).toMatch(new RegExp(`Autostart: +${enabled ? 'enable' : 'disable'}`));
    await listener.document(state, document => document.autostart === enabled, { from });
  }
  const before = listener.now;
  expect(await ask('refresh')).toMatchObject({ status: 'succeeded' });
  expect(listener.documents(state, before)).not.toEqual([]);
});

test('a screenshot is a PNG, kept by the broker', async () => {
  expect(await ask('screenshot')).toMatchObject({ status: 'succeeded' });
  await using late = await Listener.on(stage.broker.url);
  await late.text(vmTopic('screen'), text => text.slice(1, 4) === 'PNG');
});

/** A guest that is off has forgotten that it was deaf. */
async function hearing(): Promise<void> {
  if ((await domainState()) === 'running') await guest.deaf(false).catch(() => guest.off());
}

describe('a guest that ignores the power button', () => {
  beforeEach(async () => {
    // Presses count from when DSM is known to be up.
    const before = listener.now;
    await ask('check');
    await listener.document(vmTopic('check'), ({ verdict }) => verdict === 'up', { from: before });
    await guest.deaf();
  });
  afterEach(hearing);

  test('is asked three times, reported, and left running; its late power-off is told as what it is', async () => {
    expect(await ask('shutdown', { timeout: '8s', by: 'ups' })).toMatchObject({ status: 'failed', code: 'timed_out' });
    expect(await domainState()).toBe('running');
    expect(listener.documents(response, from).filter(({ code }) => code === 'pressed')).toHaveLength(2);
    expect(events()).toContain('shutdown_timed_out');
    expect(await now(({ last_error }) => last_error.code === 'timed_out')).toMatchObject({ power: 'ON' });
    await guest.run('poweroff -f', { deadline: 500 }).catch(() => {});
    const told = await listener.document(event, ({ event_type }) => event_type === 'shut_down', { from });
    expect(told).toMatchObject({ by: 'ups', late: true, reason: 'shutdown' });
    expect(await now(({ power }) => power === 'OFF')).toMatchObject({ last_stop: { by: 'ups', reason: 'shutdown' } });
  });

  test('loses its power after a minute, where that is asked for and listed', async () => {
    const began = performance.now();
    const last = await ask('shutdown', { timeout: '5s', on_timeout: 'force_off', by: 'ups' });
    expect(last).toMatchObject({ status: 'succeeded', code: 'forced' });
    expect(performance.now() - began).toBeGreaterThanOrEqual(60_000);
    expect(await domainState()).toBe('shut off');
    expect(await now(({ power }) => power === 'OFF')).toMatchObject({ last_stop: { by: 'ups', reason: 'destroyed' } });
  });

  test('cancel ends the shutdown; nothing is pressed any more', async () => {
    await listener.publish(command, '{"command":"shutdown","id":"a"}');
    await now(({ activity }) => activity === 'shutting_down');
    expect(await ask('cancel')).toMatchObject({ status: 'succeeded', code: 'done' });
    expect(await outcome('a')).toMatchObject({ status: 'cancelled', code: 'cancelled' });
    expect(await now(({ activity, power }) => activity === 'none' && power === 'ON')).toMatchObject({ deadline: null });
    expect(await domainState()).toBe('running');
  });

  test('a start that comes meanwhile is kept, and carried out when it is off at last', async () => {
    await listener.publish(command, '{"command":"shutdown","id":"b"}');
    await now(({ activity }) => activity === 'shutting_down');
    await listener.publish(command, '{"command":"start","id":"c"}');
    await now(({ start_after_off }) => start_after_off === true);
    await guest.run('poweroff -f', { deadline: 500 }).catch(() => {});
    expect(await outcome('b')).toMatchObject({ status: 'succeeded' });
    expect(await outcome('c')).toMatchObject({ status: 'succeeded', code: 'done' });
    expect(await domainState()).toBe('running');
  });
});

test('what libvirt makes of a QEMU that does not obey is told as it is', async () => {
  const pid = qemuPid() ?? 0;
  process.kill(pid, 'SIGSTOP');
  try {
    const asked = ask('force_off');
    await now(({ activity }) => activity === 'shutting_down');
    // Meanwhile libvirt keeps back even the state, which must not cost the connection that waits for the outcome.
    await listener.publish(command, '{"command":"refresh","id":"beside"}');
    const { status, code } = await asked;
    const runs = (await domainState()) === 'running';
    // libvirt 9.0 ends it with SIGKILL after 25 s, graceful or not; 12.8 gives up after 15.
    expect([status, code]).toEqual(runs ? ['failed', 'libvirt_error'] : ['succeeded', 'done']);
    await now(({ power }) => power === (runs ? 'ON' : 'OFF'));
  } finally {
    if (qemuPid() === pid) process.kill(pid, 'SIGCONT');
  }
});

describe('killed with -9 in the middle of a shutdown', () => {
  test.each([
    ['the guest powers off meanwhile', true],
    ['the guest runs on', false],
  ])('%s: the next start tells the truth', async (_, off) => {
    await stage.bridge[Symbol.asyncDispose]();
    const folder = await mkdtemp(join(tmpdir(), 'dsm2mqtt-kill-'));
    const config = usual(stage.broker.url, { vms, data_dir: folder });
    await guest.deaf();
    try {
      await using first = await startBridge(config);
      await listener.text(vmTopic('availability'), text => text === 'online', { from: listener.now });
      from = listener.now;
      await listener.publish(command, '{"command":"shutdown","id":"k","by":"ups"}');
      await listener.document(state, ({ activity }) => activity === 'shutting_down', { from });
      // It is written down a few milliseconds after it is told.
      const written = async () => (await readFile(join(folder, 'vms.json'), 'utf8')).includes('"open": true');
      await poll(written, { what: 'the command in data_dir' });
      await first.end('SIGKILL');
      if (off) {
        await guest.run('poweroff -f', { deadline: 500 }).catch(() => {});
        await expect.poll(() => domainState()).toBe('shut off');
      }
      from = listener.now;
      await using _second = await startBridge(config);
      const told = await listener.document(event, ({ event_type }) => event_type === 'interrupted', { from });
      expect(told).toMatchObject({ command: 'shutdown', id: 'k', by: 'ups' });
      const after = await listener.document(state, ({ last_error }) => last_error.code === 'interrupted', { from });
      expect(after).toMatchObject({ power: off ? 'OFF' : 'ON', activity: 'none' });
      if (off) expect(after.last_stop).toMatchObject({ by: 'ups', reason: 'shutdown', seconds: null });
      expect(listener.documents(response, from)).toEqual([]);
      expect(await domainState()).toBe(off ? 'shut off' : 'running');
    } finally {
      await hearing();
      await rm(folder, { recursive: true, force: true });
      stage.bridge = await startBridge(usual(stage.broker.url, { vms }));
    }
  });
});
