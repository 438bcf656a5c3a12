/** KeptBoots of a real guest: one that hangs tells where, and nobody loses the console who had it first. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { KeptBoots } from '../../src/boot/recording.ts';
import { askControl } from '../../src/cli/control.ts';
import { redefine, withLogOfRoot, withPty } from '../lab/definition.ts';
import { address, guest, inLab, type Mosquitto, patience, poll, startMosquitto, virsh } from '../lab/lab.ts';
import { loader } from '../lab/loader.ts';
import { type BridgeProcess, type Json, Listener, runCli, startBridge, usual, vmTopic } from './bridge.ts';
import { isUnprivileged } from './unprivileged.ts';

const checks = { schedule: '*/5 * * * * *', probe_timeout: '3s', failures_before_down: 1 };
const commands = ['start', 'force_off', 'screenshot'];

let broker: Mosquitto;
let listener: Listener;
let folder: string;

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  broker = await startMosquitto();
  listener = await Listener.on(broker.url);
});

afterAll(async () => {
  await listener?.[Symbol.asyncDispose]();
  await broker?.stop();
});

beforeEach(async () => {
  await guest.off();
  folder = await mkdtemp(join(tmpdir(), 'dsm2mqtt-boot-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const config = (more: object = {}) =>
  usual(broker.url, { vms: [{ domain: 'DSM', commands, checks, ...more }], data_dir: folder });

async function begin(more: object = {}): Promise<BridgeProcess> {
  const from = listener.now;
  const bridge = await startBridge(config(more));
  await listener.text(vmTopic('availability'), text => text === 'online', { from });
  await listener.document(vmTopic('check'), ({ verdict }) => verdict === 'off' || verdict === 'up', { from });
  return bridge;
}

/** The boot after this, once it is as wanted. */
const boot = (wanted: (document: Json) => boolean, from: number) =>
  listener.document(vmTopic('boot'), wanted, { from });

const stored = async (): Promise<KeptBoots> =>
  JSON.parse(await readFile(join(folder, 'boots', 'DSM.json'), 'utf8')).value;

/** Resolves when the bridge has read something of a boot. */
async function heard(): Promise<void> {
  const options = { patience: 10_000, what: 'boot', signal: AbortSignal.timeout(patience) } as const;
  for await (const answer of askControl(join(folder, 'control.sock'), 'DSM', '', options)) {
    if ('lines' in answer && Array.isArray(answer.lines) && answer.lines.length > 0) return;
  }
}

/** `virsh console`, at a terminal. */
function virshConsole(...options: string[]) {
  let text = '';
  const child = spawn('script', ['-qfc', `virsh console ${address.domain} ${options.join(' ')}`, '/dev/null']);
  const keep = (bytes: Buffer) => {
    text += bytes.toString('latin1');
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  let over = false;
  child.once('close', () => {
    over = true;
  });
  return {
    says: (words: string | RegExp) =>
      poll(() => new RegExp(words).test(text), { what: `${words} in ${text.slice(-300)}` }),
    ended: () => poll(() => over, { what: 'the end of virsh console' }),
    isOver: () => over,
    /** Ctrl-]. */
    async [Symbol.asyncDispose]() {
      child.stdin.write('\u001d');
      await poll(() => over, { what: 'the end of virsh console' });
    },
  };
}

test('a guest whose kernel hangs: its last lines, what the good boot had next, and a picture', async () => {
  await using _original = await loader.keep();
  await loader.kernel('ignore_loglevel');
  // Only root may read the log: others have the console.
  await using _definition = isUnprivileged ? await redefine(await withLogOfRoot()) : null;
  const source = isUnprivileged ? 'console' : 'log';
  const more = { checks: { ...checks, boot_grace: '60s' }, ...(isUnprivileged ? { console: 'boots' } : {}) };
  await using _bridge = await begin(more);
  let from = listener.now;
  await listener.publish(vmTopic('command'), 'start');
  const good = await boot(({ result }) => result === 'ok', from);
  expect(good).toMatchObject({ source, phase: 'up', lines: [] });
  expect(good.phases.kernel).toBeGreaterThan(good.phases.menu);
  from = listener.now;
  await listener.publish(vmTopic('command'), 'force_off');
  await listener.document(vmTopic('state'), ({ power }) => power === 'OFF', { from });
  await loader.kernel('rdinit=/missing');
  from = listener.now;
  await listener.publish(vmTopic('command'), 'start');
  const bad = await boot(({ result }) => result === 'problem', from);
  expect(bad.lines.length).toBeLessThanOrEqual(40);
  expect(bad.lines.join('\n')).toMatch(/Kernel panic - not syncing/);
  expect(bad).toMatchObject({ source, phase: 'kernel' });
  expect(bad.next_in_good_boot.length).toBeGreaterThan(0);
  const { reason } = await listener.document(vmTopic('check'), ({ reason: text }) => text.includes('stopped after'), {
    from,
  });
  expect(reason.slice(reason.indexOf('The boot stopped after: ')).length).toBeLessThanOrEqual(120);
  const { retain } = await poll(() => listener.heard.find(({ topic }) => topic === vmTopic('screen')));
  expect(retain).toBe(false);
  const { sn = '', mac1 = '' } = Object.fromEntries(
    [...guest.serial().matchAll(/\b(sn|mac1)=(\w+)/g)].map(([, name, value]) => [name, value]),
  );
  expect(sn.length).toBeGreaterThan(5);
  expect(mac1.length).toBeGreaterThan(5);
  expect(JSON.stringify(await stored()).includes(sn)).toBe(false);
  expect(JSON.stringify(await stored()).includes(mac1)).toBe(false);
  const { code, stdout } = await runCli(config(), 'boot', 'DSM', '--diff');
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^\+ .*Kernel panic/m)]);
});

test('a `virsh console` that was there first is not disturbed; `--force` takes it from the bridge', async () => {
  await using _original = await loader.keep();
  await loader.kernel('ignore_loglevel');
  await using _definition = await redefine(withPty);
  await guest.start();
  await using bridge = await begin({ console: 'boots' });
  const unread = () => bridge.log.filter(({ event }) => event === 'boot.unread');
  {
    await using first = virshConsole();
    await first.says('Escape character');
    await virsh('reset', address.domain);
    const [line] = await poll(() => unread().length > 0 && unread(), { what: 'the console that is taken' });
    expect(line).toMatchObject({ reason: 'somebody else has its console', level: 'info' });
    await first.says('Linux version');
    const from = listener.now;
    expect(await boot(({ result }) => result === 'ok', from)).toMatchObject({ source: null });
    expect(first.isOver()).toBe(false);
  }
  await virsh('reset', address.domain);
  // The bridge has it: what people try without force is refused.
  await heard();
  const second = virshConsole();
  await second.says('Active console session exists');
  await second.ended();
  await using forced = virshConsole('--force');
  await forced.says('Linux version');
  const from = listener.now;
  expect(await boot(({ result }) => result === 'ok', from)).toMatchObject({ source: 'console' });
  // It is stored a moment after it is told.
  await poll(async () => (await stored()).last?.lines.at(-1) === '--- the console was taken away ---');
  expect(forced.isOver()).toBe(false);
});
