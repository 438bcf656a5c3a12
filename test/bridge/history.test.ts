/** The record in the whole bridge: each stop and start once, whatever ends the bridge or libvirt in between. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isLine, powerLines, Records, readRecord, withBootTimes } from '../../src/bridge/history.ts';
import { noHistory } from '../../src/model/history/history.ts';
import { noUptime } from '../../src/model/history/uptime.ts';
import { readLines } from '../../src/util/line-file.ts';
import { silent } from '../../src/util/logger.ts';
import { eventually } from '../eventually.ts';
import { recorder } from '../mqtt/inbox.ts';
import { Running, response, state, vmConfig } from './running.ts';

const at = '2026-11-22T08:00:00.000Z';
const stop = { at, what: 'stop', by: 'ups', how: 'shutdown', why: 'shutdown', seconds: 40, seen: true, good: true };
const start = { at, what: 'start', by: 'host', how: 'booted', why: null, seconds: null, seen: true, good: false };

/** What the lines say, without times; once there are so many. */
async function recordOf(running: Running, length: number) {
  const read = async () => powerLines((await readRecord(running.folder, 'DSM')).lines);
  await eventually(async () => expect(await read()).toHaveLength(length));
  return (await read()).map(({ at: _, seconds, ...line }) => ({ ...line, measured: seconds !== null }));
}

const seenStop = { what: 'stop', by: 'guest', how: 'shutdown', why: null, seen: true, good: false, measured: false };
const seenStart = { ...seenStop, what: 'start', by: 'host', how: 'booted' };

test.concurrent('a stop and a start by command, with who, how, why and how long', async () => {
  await using running = await Running.start();
  const { seen } = running;
  await seen.publish('b/DSM/command', '{"command":"start","by":"dad"}');
  await state(seen, ({ power }) => power === 'ON');
  await response(seen);
  await seen.publish('b/DSM/command', '{"command":"shutdown","by":"ups"}');
  const { last_stop } = await state(seen, ({ power, last_stop: { at } }) => power === 'OFF' && at !== null);
  expect(await recordOf(running, 2)).toEqual([
    { ...seenStart, by: 'dad', why: 'start' },
    { ...seenStop, by: 'ups', why: 'shutdown', good: true, measured: true },
  ]);
  const { lines } = await readRecord(running.folder, 'DSM');
  expect(powerLines(lines)[1]).toMatchObject({ at: last_stop.at, seconds: last_stop.seconds });
});

test.concurrent('after three measured ones, what a shutdown takes is known, in the next bridge too', async () => {
  await using running = await Running.prepare();
  await mkdir(join(running.folder, 'history'));
  const former = [40, 52.5, 41].map(seconds => `${JSON.stringify({ ...stop, seconds })}\n`).join('');
  await writeFile(join(running.folder, 'history', 'DSM.jsonl'), former);
  running.daemon.define();
  const seen = await running.observe();
  await running.start();
  expect(await state(seen, () => true)).toMatchObject({ shutdown_expected_seconds: 52.5, boot_expected_seconds: null });
});

describe('written once', () => {
  test.concurrent('although libvirt comes back, and the bridge does', async () => {
    await using running = await Running.start();
    const { daemon, seen } = running;
    daemon.domain('DSM').start();
    await state(seen, ({ power }) => power === 'ON');
    await daemon.kill();
    await daemon.listen();
    const connected = (times: number) =>
      eventually(() => expect(running.log.of('libvirt.connected')).toHaveLength(times));
    await connected(2);
    daemon.domain('DSM').powerOff();
    await recordOf(running, 2);
    await running.stop();
    await running.start();
    await connected(3);
    daemon.domain('DSM').start();
    expect(await recordOf(running, 3)).toEqual([seenStart, seenStop, seenStart]);
  });
});

describe('while the bridge is away', () => {
  /** The bridge sees it run, ends, and begins again after `act`. */
  async function meanwhile(act: (running: Running) => void | Promise<void>): Promise<Running> {
    const running = await Running.start();
    running.daemon.domain('DSM').start();
    await state(running.seen, ({ power }) => power === 'ON');
    await running.stop();
    await act(running);
    await running.start();
    return running;
  }

  test.concurrent('a stop is noticed later, without seconds', async () => {
    await using running = await meanwhile(({ daemon }) => daemon.domain('DSM').powerOff());
    expect(await recordOf(running, 2)).toEqual([seenStart, { ...seenStop, seen: false }]);
  });

  test.concurrent('a stop and a new start are both noticed', async () => {
    await using running = await meanwhile(({ daemon }) => {
      daemon.domain('DSM').powerOff();
      daemon.domain('DSM').start();
    });
    expect(await recordOf(running, 3)).toEqual([
      seenStart,
      { ...seenStop, by: null, how: 'unseen', seen: false },
      { ...seenStart, by: null, seen: false },
    ]);
  });

  test.concurrent('both are noticed although the bridge was killed before it had written more than the record', async () => {
    await using running = await meanwhile(async ({ daemon, folder }) => {
      daemon.domain('DSM').powerOff();
      daemon.domain('DSM').start();
      for (const name of ['vms.json', 'checks.json']) await rm(join(folder, name));
    });
    expect((await recordOf(running, 3)).map(({ what, seen }) => [what, seen])).toEqual([
      ['start', true],
      ['stop', false],
      ['start', false],
    ]);
  });

  test.concurrent('it runs on: nothing is written', async () => {
    await using running = await meanwhile(() => {});
    await running.stop();
    expect(await recordOf(running, 1)).toEqual([seenStart]);
  });
});

test.concurrent('a record that cannot be written: one warning for each of its files, and the bridge goes on', async () => {
  await using running = await Running.prepare();
  running.daemon.define();
  const seen = await running.observe();
  await writeFile(join(running.folder, 'history'), 'in the way');
  await running.start();
  await seen.take('b/DSM/availability', 'online');
  for (const _ of [1, 2]) {
    running.daemon.domain('DSM').start();
    await state(seen, ({ power }) => power === 'ON');
    running.daemon.domain('DSM').powerOff();
    await state(seen, ({ power }) => power === 'OFF');
  }
  await eventually(() => expect(running.log.of('record.unwritable')).toHaveLength(2));
  await rm(join(running.folder, 'history'));
  await running.stop();
  expect(await recordOf(running, 4)).toHaveLength(4);
  const paths = running.log.of('record.unwritable').map(({ path }) => basename(`${path}`));
  expect(paths.toSorted()).toEqual(['DSM.checks.jsonl', 'DSM.jsonl']);
});

test.concurrent('a record that cannot be read: one warning, and nothing is known of it', async () => {
  await using running = await Running.prepare();
  const log = recorder();
  await mkdir(join(running.folder, 'history', 'DSM.jsonl'), { recursive: true });
  const known = await new Records(running.folder, log).load(['DSM', 'other']);
  expect(known).toEqual({ DSM: { history: noHistory, uptime: noUptime } });
  expect(log.entries).toMatchObject([{ level: 'warn', event: 'record.unreadable', vm: 'DSM' }]);
});

test.concurrent('other lines in a record are neither read nor changed', async () => {
  await using running = await Running.prepare();
  const file = join(running.folder, 'history', 'DSM.jsonl');
  await mkdir(join(running.folder, 'history'));
  const others = [{ at, what: 'check', verdict: 'up' }, { ...stop, seconds: '40' }, { ...stop, at: 'then' }, 7, null];
  const text = [start, ...others, stop].map(line => `${JSON.stringify(line)}\n`).join('');
  await writeFile(file, text);
  expect(await new Records(running.folder, silent).load(['DSM'])).toEqual({
    DSM: { history: { last: stop, stops: [40], boots: [], added: [] }, uptime: noUptime },
  });
  expect(await readFile(file, 'utf8')).toBe(text);
});

test('a start has the seconds of its boot', () => {
  const up = { ...start, what: 'up', by: null, how: null, seconds: 83, good: true };
  const check = { at, what: 'check' };
  const reboot = { ...start, what: 'reboot' };
  expect(withBootTimes([up, start, check, up, reboot, up, stop, start, stop, up])).toEqual([
    up,
    { ...start, seconds: 83, good: true },
    check,
    { ...reboot, seconds: 83, good: true },
    stop,
    start,
    stop,
    up,
  ]);
  expect(start.seconds).toBeNull();
});

test.concurrent('the VM of another key has a file of its own', async () => {
  await using running = await Running.prepare();
  const [one, two] = running.daemon.defineMany(2);
  const vms = ['vm-0', 'vm-1'].map(key => vmConfig({ domain: key, key }));
  const seen = await running.observe();
  await running.start({ vms });
  await seen.take('b/vm-1/availability', 'online');
  two?.start();
  await state(seen, ({ power }) => power === 'ON', 'vm-1');
  await running.stop();
  expect(await readLines(join(running.folder, 'history', 'vm-1'))).toMatchObject({ lines: [{ what: 'start' }] });
  expect(powerLines((await readRecord(running.folder, 'vm-0')).lines)).toEqual([]);
  expect(one?.active).toBe(false);
});

describe('what the checks find', () => {
  const kinds = (lines: unknown[]) => lines.filter(isLine).map(line => ('what' in line ? line.what : null));

  test.concurrent('is a verdict, once, and the hour that the end of the bridge cuts short', async () => {
    await using running = await Running.start();
    running.daemon.domain('DSM').start();
    await state(running.seen, ({ power }) => power === 'ON');
    await running.seen.publish('b/DSM/command', 'check');
    await response(running.seen);
    await running.stop();
    const { lines } = await readRecord(running.folder, 'DSM');
    expect(lines).toContainEqual(expect.objectContaining({ what: 'verdict', verdict: 'off', probes: {} }));
    expect(lines).toContainEqual(expect.objectContaining({ what: 'checks', checks: 1 }));
    await running.start();
    await eventually(() => expect(running.log.of('libvirt.connected')).toHaveLength(2));
    await running.seen.publish('b/DSM/command', 'check');
    await response(running.seen);
    await running.stop();
    const again = (await readRecord(running.folder, 'DSM')).lines;
    expect(kinds(again).filter(what => what === 'verdict')).toEqual(kinds(lines).filter(what => what === 'verdict'));
  });

  test.concurrent('shows in the figures of the next bridge, whatever else is in the file', async () => {
    await using running = await Running.prepare();
    await mkdir(join(running.folder, 'history'));
    const hour = { what: 'checks', up: 1_800, meant: 3_600, checks: 60, answers: 60, ms: 4 };
    const then = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString();
    const hours = [2, 100].map(ago => ({ ...hour, from: then(ago + 1), at: then(ago) }));
    const text = [...hours, { ...hour, at: then(1) }, { ...hour, from: 1 }]
      .map(each => JSON.stringify(each))
      .join('\n');
    await writeFile(join(running.folder, 'history', 'DSM.checks.jsonl'), `${text}\n{"at":"20`);
    running.daemon.define();
    const seen = await running.observe();
    await running.start();
    const known = { uptime_percent: { day: 50, week: 50, month: 50 }, response_ms: { day: 4, week: 4, month: 4 } };
    expect(await state(seen, () => true)).toMatchObject(known);
    await running.stop();
    expect(await readFile(join(running.folder, 'history', 'DSM.checks.jsonl'), 'utf8')).toContain(text);
  });
});

test('both files of a record are one, in the order of time', async () => {
  await using running = await Running.prepare();
  const folder = join(running.folder, 'history');
  await mkdir(folder);
  const lines = (...all: unknown[]) => all.map(line => `${JSON.stringify(line)}\n`).join('');
  const minute = (n: number) => ({ at: `2026-11-22T08:0${n}:00.000Z` });
  await writeFile(join(folder, 'DSM.jsonl'), lines(minute(2), 7, minute(1), minute(5)));
  await writeFile(join(folder, 'DSM.checks.jsonl'), lines(minute(0), null, minute(4), minute(6)));
  const at = (await readRecord(running.folder, 'DSM')).lines.map(line => (isLine(line) ? line.at[15] : line));
  expect(at).toEqual(['0', null, '2', 7, '1', '4', '5', '6']);
});
