import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { noPhases } from '../../src/boot/recording.ts';
import { boot } from '../../src/cli/record/boot.ts';
import type { Boot } from '../../src/model/boot.ts';
import { type ControlOptions, controlServer } from '../../src/servers/control.ts';
import { silent } from '../../src/util/logger.ts';
import { vmConfig } from '../bridge/running.ts';
import { captured } from './output.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'boot-'));
  await mkdir(join(folder, 'boots'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const recorded: Boot = {
  ...{ startedAt: '2026-11-30T01:00:00.000Z', endedAt: '2026-11-30T01:01:00.000Z', result: 'problem', source: 'log' },
  ...{ phases: { ...noPhases, menu: 4.2, kernel: 9 }, lines: ['[ 1.0] first', '[ 1.2] panic'], next: [] },
};
const good: Boot = { ...recorded, result: 'ok', lines: ['[ 0.9] first', '[ 1.1] two'] };
const write = (text: string) => writeFile(join(folder, 'boots', 'DSM.json'), text);
const keep = (value: object) => write(JSON.stringify({ version: 1, value }));

function run(options: { last?: boolean; diff?: boolean; follow?: boolean; json?: boolean; vm?: string } = {}) {
  const given = { vm: 'DSM', last: false, diff: false, follow: false, json: false, ...options };
  const config = { vms: [vmConfig()], dataDir: folder };
  return captured(streams => boot({ config, ...given, signal: AbortSignal.timeout(60_000), ...streams }));
}

test('the last boot: how it ended, its phases, its lines', async () => {
  await keep({ last: recorded, good: null });
  for (const last of [false, true]) {
    const { code, stdout } = await run({ last });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^DSM VM \(DSM\)\n {2}2026-11-30 \d\d:00:00: problem, from the serial log\n/);
    expect(stdout).toMatch(/\n {2}menu 4.2 s, kernel 9 s\n\n\[ 1.0\] first\n\[ 1.2\] panic\n$/);
  }
  expect(JSON.parse((await run({ json: true })).stdout)).toEqual(recorded);
});

test('a boot of which nothing was read says where to look', async () => {
  await keep({ last: { ...recorded, source: null, lines: [] }, good: null });
  expect((await run()).stdout).toContain('nothing was read: `boot.unread`');
});

test('beside the last good one', async () => {
  await keep({ last: recorded, good });
  expect((await run({ diff: true })).stdout).toMatch(
    /in both:\n {2}\[ 1.0\] first\n.*\n\+ \[ 1.2\] panic\n- \[ 1.1\] two\n$/,
  );
  expect(JSON.parse((await run({ diff: true, json: true })).stdout)).toEqual({
    ...{ common: '[ 1.0] first', last: ['[ 1.2] panic'], good: ['[ 1.1] two'] },
  });
});

test('follows: says once what it waits for, then prints the lines until the end', async () => {
  const follow: ControlOptions['follow'] = (_, follower) => {
    follower(['[ 1.0] first']);
    follower(null);
    return () => {};
  };
  const [path, submit] = [join(folder, 'control.sock'), () => {}];
  const server = controlServer({ path, submit, follow, logger: silent });
  await server.start();
  try {
    const { code, stdout, stderr } = await run({ follow: true });
    expect({ code, stdout }).toEqual({ code: 0, stdout: '[ 1.0] first\n' });
    expect(stderr).toMatch(/^DSM VM \(DSM\): the boot that goes on, or the next one.*Ctrl-C.*\n$/);
  } finally {
    server.close();
  }
});

test.each([
  ['no file', async () => {}, {}, 1, 'no boot is recorded yet'],
  [
    'a damaged file',
    () => write('{"version":1,"value":{"last":{"lines":7}}}'),
    {},
    1,
    'DSM.json cannot be read: damaged',
  ],
  ['half a file', () => write('{"versi'), {}, 1, 'DSM.json cannot be read: Unterminated'],
  ['no good boot', () => keep({ last: recorded, good: null }), { diff: true }, 1, 'no good boot is recorded yet'],
  ['two at once', async () => {}, { diff: true, follow: true }, 2, 'only one of'],
  ['no such VM', async () => {}, { vm: 'NAS' }, 2, "no VM 'NAS'"],
  ['no bridge to follow', async () => {}, { follow: true }, 3, 'no bridge listens'],
] as const)('%s', async (_, prepare, options, code, words) => {
  await prepare();
  expect(await run(options)).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(words) });
});
