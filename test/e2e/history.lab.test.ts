/** The record of a real guest: its times are those of virsh, and no fault of the disk or of the bridge loses a line. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { powerLines, readRecord, withBootTimes } from '../../src/bridge/history.ts';
import type { PowerLine } from '../../src/model/history/history.ts';
import { address, domainState, guest, inLab, type Mosquitto, poll, startMosquitto, virsh } from '../lab/lab.ts';
import { type BridgeProcess, Listener, runCli, startBridge, usual, vmTopic } from './bridge.ts';

const state = vmTopic('state');
const commands = ['start', 'shutdown', 'reset', 'force_off'];
const checks = { schedule: '*/5 * * * * *', probe_timeout: '3s' };
const vms = [{ domain: 'DSM', commands, checks, shutdown: { timeout: '2m' } }];

let broker: Mosquitto;
let listener: Listener;
let bridge: BridgeProcess;
let folder: string;
const config = () => usual(broker.url, { vms, data_dir: folder });

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  broker = await startMosquitto();
  listener = await Listener.on(broker.url);
});

afterAll(async () => {
  await listener?.[Symbol.asyncDispose]();
  await broker?.stop();
  if (inLab()) await guest.off();
});

beforeEach(async () => {
  await guest.off();
  folder = await mkdtemp(join(tmpdir(), 'dsm2mqtt-history-'));
});

afterEach(async () => {
  await bridge?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function begin(): Promise<void> {
  const from = listener.now;
  bridge = await startBridge(config());
  await listener.text(vmTopic('availability'), text => text === 'online', { from });
}

async function lines(length: number): Promise<PowerLine[]> {
  const read = async () => powerLines(withBootTimes((await readRecord(folder, 'DSM')).lines));
  return poll(async () => (await read()).length >= length && read(), { what: `${length} lines` });
}

/** virsh's own lifecycle events, with their times. */
class Events implements Disposable {
  readonly #child: ChildProcess;
  #text = '';

  constructor() {
    const args = ['event', '--loop', '--timestamp', '--event', 'lifecycle', '--domain', address.domain];
    this.#child = spawn('virsh', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#text += text));
  }

  /** Milliseconds since 1970. */
  times(words: RegExp): number[] {
    return this.#text.split('\n').flatMap(line => {
      const [, date, time, what = ''] = /^(\S+) (\S+): event '\S+' for domain '?\S+?'?: (.+)$/.exec(line) ?? [];
      return words.test(what) ? [Date.parse(`${date}T${time}`.replace('+0000', 'Z'))] : [];
    });
  }

  [Symbol.dispose](): void {
    this.#child.kill();
  }
}

async function command(payload: object, power: 'ON' | 'OFF'): Promise<number> {
  const from = listener.now;
  const asked = Date.now();
  await listener.publish(vmTopic('command'), JSON.stringify(payload));
  await listener.document(state, document => document.power === power, { from });
  return asked;
}

test('ten starts and ten stops, at the times of virsh and with its seconds', async () => {
  using events = new Events();
  await begin();
  // virsh listens once it tells of something; what was before that only the bridge knows.
  let cycles = 0;
  await poll(async () => {
    await virsh('start', address.domain);
    await virsh('destroy', address.domain);
    cycles += 1;
    return events.times(/^Stopped/).length > 0;
  });
  const before = await lines(2 * cycles);
  const asked: (number | null)[] = [];
  for (const kind of [
    'shutdown',
    'shutdown',
    'shutdown',
    'guest',
    ...Array(3).fill('cut'),
    ...Array(3).fill('virsh'),
  ]) {
    const from = listener.now;
    if (kind === 'virsh') await virsh('start', address.domain);
    else await command({ command: 'start', by: 'dad' }, 'ON');
    if (kind === 'shutdown' || kind === 'guest') {
      await guest.up();
      await listener.document(vmTopic('check'), ({ verdict }) => verdict === 'up', { from });
    }
    if (kind === 'shutdown') asked.push(await command({ command: 'shutdown', by: 'ups' }, 'OFF'));
    else if (kind === 'cut') asked.push(await command({ command: 'force_off', by: 'mum' }, 'OFF'));
    else {
      const ran = listener.now;
      await (kind === 'virsh' ? virsh('destroy', address.domain) : guest.run('poweroff').catch(() => {}));
      // Before that, a start is no command: it runs already.
      await listener.document(state, ({ power }) => power === 'OFF', { from: ran });
      asked.push(null);
    }
    await poll(async () => (await domainState()) === 'shut off', { what: 'off' });
  }
  const record = (await lines(before.length + 20)).slice(before.length);
  expect(record.map(({ what }) => what)).toEqual(Array(10).fill(['start', 'stop']).flat());
  const last = Date.parse(record.at(-1)?.at ?? '');
  await poll(() => (events.times(/^Stopped/).at(-1) ?? 0) > last - 1_000, { what: 'the last stop at virsh' });
  const started = events.times(/^Started/).slice(-10);
  const stopped = events.times(/^Stopped/).slice(-10);
  expect([started.length, stopped.length]).toEqual([10, 10]);
  for (const [i, { at, what, seconds }] of record.entries()) {
    const cycle = Math.floor(i / 2);
    const time = (what === 'start' ? started : stopped)[cycle] ?? Number.NaN;
    expect(Math.abs(Date.parse(at) - time), `${what} ${cycle}`).toBeLessThan(1_000);
    if (what === 'start') continue;
    const since = asked[cycle] ?? null;
    if (since === null) expect(seconds).toBeNull();
    else expect(Math.abs((seconds ?? Number.NaN) * 1_000 - (time - since)), `seconds of ${cycle}`).toBeLessThan(1_000);
  }
  expect(record.filter(({ what }) => what === 'stop').map(({ by, how, good }) => [by, how, good])).toEqual([
    ...Array(3).fill(['ups', 'shutdown', true]),
    ['guest', 'shutdown', false],
    ...Array(3).fill(['mum', 'destroyed', false]),
    ...Array(3).fill(['host', 'destroyed', false]),
  ]);
  const boots = record.slice(0, 8).filter(({ what }) => what === 'start');
  for (const { seconds, good } of boots) expect([seconds !== null && seconds > 5, good]).toEqual([true, true]);
  const longest = (wanted: string) => {
    return Math.max(...record.flatMap(({ what, good, seconds }) => (what === wanted && good ? (seconds ?? 0) : [])));
  };
  expect(listener.documents(state).at(-1)).toMatchObject({
    shutdown_expected_seconds: longest('stop'),
    boot_expected_seconds: longest('start'),
  });
  const { code, stdout, stderr } = await runCli(config(), 'history', 'DSM', '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const shown = stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line));
  expect(powerLines(shown.toReversed())).toEqual([...before, ...record]);
  expect(shown.filter(({ what, verdict }) => what === 'verdict' && verdict === 'up').length).toBeGreaterThan(0);
}, 1_200_000);

test('killed with -9, and stopped and started meanwhile: each is there once, without invented seconds', async () => {
  await begin();
  await virsh('start', address.domain);
  await lines(1);
  const file = join(folder, 'history', 'DSM.jsonl');
  await bridge.end('SIGKILL');
  const text = await readFile(file, 'utf8');
  // As if it had been killed in the middle of its last line.
  await writeFile(file, `${text}{"at":"2026-11-2`);
  await virsh('destroy', address.domain);
  await virsh('start', address.domain);
  await begin();
  await bridge.end('SIGKILL');
  await begin();
  await virsh('destroy', address.domain);
  const record = await lines(4);
  expect(record.map(({ what, by, how, seconds, seen }) => [what, by, how, seconds, seen])).toEqual([
    ['start', 'host', 'booted', null, true],
    ['stop', null, 'unseen', null, false],
    ['start', null, 'booted', null, false],
    ['stop', 'host', 'destroyed', null, true],
  ]);
  expect((await readFile(file, 'utf8')).startsWith(text)).toBe(true);
});

test('a reset has the command that asked for it; one by virsh has none', async () => {
  await begin();
  const resets = {
    mum: () => listener.publish(vmTopic('command'), JSON.stringify({ command: 'reset', by: 'mum' })),
    virsh: () => virsh('reset', address.domain),
  };
  // Each in a run of its own: a second one within a second would be the same.
  for (const [round, who] of (['mum', 'virsh', 'mum', 'virsh', 'mum', 'mum', 'virsh'] as const).entries()) {
    await virsh('start', address.domain);
    await lines(3 * round + 1);
    await resets[who]();
    const line = (await lines(3 * round + 2)).at(-1);
    const isMum = who === 'mum';
    expect(line).toMatchObject({ what: 'reboot', by: isMum ? 'mum' : null, why: isMum ? 'reset' : null });
    await virsh('destroy', address.domain);
    await lines(3 * round + 3);
  }
});

describe('a data_dir that cannot be written', () => {
  const mount = (...args: string[]) => execFileSync('mount', args, { stdio: 'inherit' });
  const file = () => join(folder, 'history', 'DSM.jsonl');
  // The checks have a file of their own.
  const warnings = () => bridge.log.filter(({ event, path }) => event === 'record.unwritable' && path === file());

  beforeEach(() => mount('-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder));

  afterEach(async () => {
    await bridge[Symbol.asyncDispose]();
    execFileSync('umount', [folder]);
  });

  async function startAndStop(): Promise<void> {
    const from = listener.now;
    await virsh('start', address.domain);
    await listener.document(state, ({ power }) => power === 'ON', { from });
    await virsh('destroy', address.domain);
    await listener.document(state, ({ power }) => power === 'OFF', { from });
  }

  test.each<[what: string, spoil: () => unknown, mend: () => unknown]>([
    [
      'full',
      () => execFileSync('sh', ['-c', `dd if=/dev/zero of=${join(folder, 'filler')} bs=1k 2>/dev/null; true`]),
      () => rm(join(folder, 'filler')),
    ],
    [
      'read-only',
      () => {
        mount('--bind', folder, folder);
        mount('-o', 'remount,bind,ro', folder);
      },
      () => execFileSync('umount', [folder]),
    ],
  ])('%s: one warning, the bridge goes on, and no line is lost', async (_, spoil, mend) => {
    await begin();
    await startAndStop();
    await lines(2);
    const text = await readFile(file(), 'utf8');
    // The last page of the file would have room.
    await writeFile(file(), text.padEnd(4_096 - 10, '\n'));
    const padded = await readFile(file(), 'utf8');
    await spoil();
    await startAndStop();
    await startAndStop();
    await poll(() => warnings().length > 0, { what: 'a warning' });
    expect(await readFile(file(), 'utf8')).toBe(padded);
    await mend();
    await startAndStop();
    expect(await lines(8)).toHaveLength(8);
    expect((await readFile(file(), 'utf8')).startsWith(padded)).toBe(true);
    expect(warnings()).toHaveLength(1);
    expect((await readRecord(folder, 'DSM')).unreadable).toBe(0);
  });
});
