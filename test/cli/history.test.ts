import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { history } from '../../src/cli/record/history.ts';
import { vmConfig } from '../bridge/running.ts';
import { captured } from './output.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'history-'));
  await mkdir(join(folder, 'history'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const now = Date.parse('2026-11-29T12:00:00.000Z');
const line = (what: string, day: number, more: object = {}) => ({
  ...{ at: `2026-11-${`${day}`.padStart(2, '0')}T08:00:00.000Z`, what, by: null, how: null, why: null },
  ...{ seconds: null, seen: true, good: false, ...more },
});
const stop = (day: number, seconds: number) =>
  line('stop', day, { by: 'ups', how: 'shutdown', why: 'shutdown', seconds, good: true });

const record = (...lines: object[]) => write(lines.map(each => `${JSON.stringify(each)}\n`).join(''));
const write = (text: string) => writeFile(join(folder, 'history', 'DSM.jsonl'), text);

function run({ vm = 'DSM', json = false } = {}) {
  const config = { vms: [vmConfig()], dataDir: folder };
  return captured(streams => history({ config, vm, json, now, ...streams }));
}

const rowsOf = (stdout: string) =>
  stdout
    .trimEnd()
    .split('\n')
    .map(row => row.trim().split(/ {2,}/))
    .filter(([when]) => when?.startsWith('2026-'));

describe('for people', () => {
  test('the newest first, a start with the seconds of its boot, and how long both take', async () => {
    const start = line('start', 21, { by: 'host', how: 'booted' });
    const away = line('stop', 24, { by: 'guest', how: 'shutdown', seen: false });
    await record(stop(18, 40), stop(19, 52.5), stop(20, 41), start, line('up', 22, { seconds: 83, good: true }), away);
    const { code, stdout, stderr } = await run({ vm: 'DSM VM' });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [title, takes, blank, ...rows] = stdout.trimEnd().split('\n');
    expect([title, takes, blank]).toEqual([
      'DSM VM (DSM)',
      '  a shutdown takes up to 52.5 s, a boot an unknown time',
      '',
    ]);
    expect(rows.map(row => row.trim().split(/ {2,}/).slice(1).join(' | '))).toEqual([
      'What | By | How | Command | Took',
      'stop | guest | shutdown | – | – | noticed later',
      'start | host | booted | – | 83.0 s',
      'stop | ups | shutdown | shutdown | 41.0 s',
      'stop | ups | shutdown | shutdown | 52.5 s',
      'stop | ups | shutdown | shutdown | 40.0 s',
    ]);
    expect(rows[1]).toMatch(/^ {2}2026-11-2\d \d\d:00:00 {2}stop/);
  });

  test('verdicts and rebuilds between them; of the hourly sums only what they come to', async () => {
    const at = (hour: number) => `2026-11-29T0${hour}:00:00.000Z`;
    const hour = { what: 'checks', from: at(6), at: at(7), up: 3_590, meant: 3_600, checks: 60, answers: 59, ms: 1.5 };
    const more = { at: at(8), what: 'verdict', verdict: 'unreachable', problem: true, reason: 'It is.', probes: {} };
    const rebuild = { at: at(9), what: 'rebuild', result: 'failed', code: 'no_recipe', seconds: 80, by: 'dad' };
    const quiet = [
      { at: '2026-11-29T10:00:00.000Z', what: 'quiet', until: '2026-11-29T11:00:00.000Z', by: 'dad' },
      { at: '2026-11-29T11:00:00.000Z', what: 'quiet', until: null, by: null },
    ];
    await record(stop(29, 40), rebuild, ...quiet);
    await writeFile(join(folder, 'history', 'DSM.checks.jsonl'), `${JSON.stringify(hour)}\n${JSON.stringify(more)}\n`);
    const { stdout } = await run();
    expect(stdout).toContain('\n  over 1, 7 and 30 days it was up 99.72 %, 99.72 %, 99.72 %, and answered in 1.5 ms\n');
    expect(rowsOf(stdout).map(row => row.slice(1, 4).concat(row.slice(6)))).toEqual([
      ['quiet', '–', 'over'],
      ['quiet', 'dad', expect.stringMatching(/^until 2026-11-/)],
      ['rebuild', 'dad', 'failed'],
      ['unreachable', '–', '–', 'It is.'],
      ['stop', 'ups', 'shutdown'],
    ]);
    const all = (await run({ json: true })).stdout.trimEnd().split('\n');
    expect(all.map(each => JSON.parse(each))).toEqual([...quiet.toReversed(), rebuild, more, stop(29, 40), hour]);
  });

  test('nothing is recorded', async () => {
    expect(await run()).toMatchObject({ code: 0, stdout: expect.stringContaining('no start and no stop is recorded') });
  });
});

test('in JSON: whatever lines there are, each on its own', async () => {
  const check = { at: '2026-11-21T08:00:00.000Z', what: 'check', verdict: 'up' };
  await record(stop(20, 41), check, { no: 'time' });
  const { code, stdout } = await run({ json: true });
  expect(code).toBe(0);
  expect(
    stdout
      .trimEnd()
      .split('\n')
      .map(each => JSON.parse(each)),
  ).toEqual([check, stop(20, 41)]);
});

test('not what is older than 90 days, although it still counts', async () => {
  const old = { ...stop(20, 60), at: '2026-08-30T08:00:00.000Z' };
  await record(old, stop(20, 41), stop(21, 42));
  const { stdout } = await run();
  expect(stdout).toContain('up to 60 s');
  expect(stdout).not.toContain('60.0 s');
});

test('damaged lines are counted, and the others printed', async () => {
  await write(`\0\0{\n${JSON.stringify(stop(20, 41))}\n{"at":"2026-`);
  const { code, stdout, stderr } = await run({ json: true });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '2 damaged lines of the record are left out.\n' });
  expect(JSON.parse(stdout)).toEqual(stop(20, 41));
});

test('1 if the record cannot be read', async () => {
  await mkdir(join(folder, 'history', 'DSM.jsonl'));
  expect(await run()).toMatchObject({
    ...{ code: 1, stdout: '' },
    stderr: expect.stringMatching(/^The record of DSM cannot be read: EISDIR/),
  });
});

test('2 if there is no such VM', async () => {
  expect(await run({ vm: 'DSMM' })).toMatchObject({ code: 2, stderr: expect.stringContaining("Did you mean 'DSM'?") });
});
