/** Quiet time in the whole bridge: what is held back, what is not, and what a restart changes. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { quiet } from '../../src/cli/send.ts';
import type { CheckDocument, StateDocument } from '../../src/model/documents.ts';
import { readLines } from '../../src/util/line-file.ts';
import { captured } from '../cli/output.ts';
import { eventually } from '../eventually.ts';
import { type ConfigChanges, Running, response, state, vmConfig } from './running.ts';

const isQuiet = ({ quiet: { on } }: StateDocument) => on;
const ofChecks = (running: Running) =>
  running.log.entries.flatMap(({ event }) => (event === 'vm.problem' || event === 'vm.solved' ? [event] : []));

/** An off VM that is meant to run: a problem. */
const meant: ConfigChanges = { vms: [vmConfig({ expected: 'running' })] };

async function check(running: Running & { seen: Awaited<ReturnType<Running['observe']>> }, problem: boolean) {
  const read = ({ payload }: { payload: string }): CheckDocument => JSON.parse(payload);
  const isIt = (message: { topic: string; payload: string }) =>
    message.topic === 'b/DSM/check' && read(message).problem === problem;
  return read(await running.seen.seen.take(isIt));
}

const linesOf = async (running: Running) => {
  const { lines } = await readLines(join(running.folder, 'history', 'DSM'));
  return lines.filter(line => (line as { what?: string }).what === 'quiet');
};

test.concurrent('a problem is held back, and the verdict is not; it is told at the end', async () => {
  await using running = await Running.start(meant);
  const { seen } = running;
  expect(await check(running, true)).toMatchObject({ verdict: 'off', quiet_until: null });
  await seen.publish('b/DSM/command', '{"command":"quiet","for":"1h","by":"dad"}');
  expect((await response(seen)).message).toMatch(/^its problems and alarms are held back until 20/);
  const { until } = (await state(seen, isQuiet)).quiet;
  expect(await check(running, false)).toMatchObject({ verdict: 'off', expected: 'running', quiet_until: until });
  await seen.publish('b/DSM/command', '{"command":"quiet","enabled":false}');
  expect(await check(running, true)).toMatchObject({ quiet_until: null });
  expect((await state(seen, state => !isQuiet(state))).quiet).toEqual({ on: false, until: null, by: null });
  // It was told before, and still is one.
  expect(ofChecks(running)).toEqual(['vm.problem']);
  await eventually(async () =>
    expect(await linesOf(running)).toEqual([
      { at: expect.any(String), what: 'quiet', until, by: 'dad' },
      { at: expect.any(String), what: 'quiet', until: null, by: 'bridge' },
    ]),
  );
});

test.concurrent('it survives a restart, and what is over then is ended then', async () => {
  await using running = await Running.start(meant);
  await check(running, true);
  await running.seen.publish('b/DSM/command', '{"command":"quiet","for":"1h","by":"dad"}');
  const { quiet: begun } = await state(running.seen, isQuiet);
  await running.stop();
  await running.start(meant);
  const late = await running.observe();
  expect((await state(late, isQuiet)).quiet).toEqual(begun);
  expect(ofChecks(running)).toEqual(['vm.problem']);
  await running.stop();
  const file = join(running.folder, 'vms.json');
  await writeFile(file, (await readFile(file, 'utf8')).replace(`${begun.until}`, '2026-01-01T00:00:00.000Z'));
  await running.start(meant);
  await eventually(async () => expect((await linesOf(running)).at(-1)).toMatchObject({ until: null, by: null }));
  expect((await state(await running.observe(), state => !isQuiet(state))).quiet.until).toBeNull();
  await eventually(() => expect(ofChecks(running)).toEqual(['vm.problem', 'vm.problem']));
});

test.concurrent('from a shell, and what is no time', async () => {
  await using running = await Running.start();
  const run = (what: string, time?: string) => {
    const call = { config: running.config(), vm: 'DSM', what, time, json: false };
    return captured(streams => quiet({ ...call, ...streams }));
  };
  expect(await run('for', '2h')).toMatchObject({ code: 0, stdout: expect.stringContaining('held back until') });
  expect((await state(running.seen, isQuiet)).quiet.by).toBe('cli');
  expect(await run('off')).toMatchObject({ code: 0, stdout: expect.stringContaining('the quiet time is over') });
  const later = new Date(Date.now() + 60_000).toISOString();
  expect(await run('until', later)).toMatchObject({ code: 0, stdout: expect.stringContaining(later) });
  expect(await run('until', '2020-01-01T00:00Z')).toMatchObject({
    ...{ code: 1, stdout: expect.stringContaining('until has passed') },
  });
  for (const [what, time] of [['for'], ['off', '2h'], ['until'], ['on'], ['during', '2h'], ['', '']] as const)
    expect(await run(what, time)).toMatchObject({ code: 2, stderr: expect.stringMatching(/^Say `for 2h`, `until/) });
  expect(await run('for', 'ever')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^for is seconds, or a text/),
  });
  expect(await run('for', '31d')).toMatchObject({ code: 2, stderr: expect.stringContaining('at most 30 days') });
  expect(await run('until', '18:00')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^until is a time like/),
  });
});
