/** The process itself: that nothing is left that would keep it. */

import { execFileSync, spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { lockFolder } from '../../src/util/lock.ts';
import { slow } from '../eventually.ts';
import { Running } from './running.ts';

const executable = new URL('../../src/cli/index.ts', import.meta.url).pathname;

/** `stdout`: a file descriptor; default: a pipe that is read. */
async function startProcess({ broker, daemon, folder }: Running, stdout: number | 'pipe' = 'pipe') {
  const file = join(folder, 'config.yaml');
  await writeFile(
    file,
    `mqtt: { url: "mqtt://127.0.0.1:${broker.port}", base_topic: b }
libvirt: { uri: "${daemon.uri}" }
vms: [{ domain: DSM, checks: { schedule: never, deep_schedule: never } }]
data_dir: ${folder}
`,
  );
  const child = spawn(process.execPath, [executable, 'run', '--config', file], {
    stdio: ['ignore', stdout, 'pipe'],
  });
  const output = Promise.all([child.stdout, child.stderr].map(stream => (stream ? text(stream) : '')));
  return {
    /** Resolves when its log has this. */
    async logged(words: string) {
      let log = '';
      for await (const [piece] of on(child.stdout ?? child, 'data', { close: ['close'] })) {
        log += piece;
        if (log.includes(words)) return;
      }
      throw new Error(`it never logged ${words}: ${log}`);
    },
    async end(signal: NodeJS.Signals) {
      const before = performance.now();
      child.kill(signal);
      const [code] = await once(child, 'exit');
      const [log, errors] = await output;
      return { code, log, errors, milliseconds: performance.now() - before };
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

/** A process of its own takes its time to start on a busy machine. */
const patient = { deadline: 60_000 };

function isFrom(topic: string, payload?: string) {
  return (seen: { topic: string; payload: string }) =>
    seen.topic === topic && (payload === undefined || seen.payload === payload);
}

test('SIGTERM: offline, and gone within 2 s, with 0', async () => {
  await using running = await Running.prepare();
  running.daemon.define().start();
  const seen = await running.observe();
  await using bridge = await startProcess(running);
  await seen.seen.take(isFrom('b/DSM/availability', 'online'), patient);
  await seen.take('b/DSM/stats');
  const { code, log, errors, milliseconds } = await bridge.end('SIGTERM');
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  expect(milliseconds).toBeLessThan(slow);
  await seen.take('b/bridge/state', 'offline');
  expect(log).toContain('"bridge.stopped"');
  expect(running.daemon.domain('DSM').active).toBe(true);
});

test('Ctrl-C when nobody answers: gone all the same', async () => {
  await using running = await Running.prepare();
  running.daemon.define().start();
  const seen = await running.observe();
  await using bridge = await startProcess(running);
  await seen.seen.take(isFrom('b/DSM/stats'), patient);
  running.daemon.freeze();
  await running.broker.kill();
  const { code, milliseconds } = await bridge.end('SIGINT');
  expect(code).toBe(0);
  expect(milliseconds).toBeLessThan(slow);
  running.daemon.thaw();
});

/** A pipe that holds all that it can, and that nobody reads. */
async function fullPipe(path: string) {
  execFileSync('mkfifo', [path]);
  const reader = await open(path, constants.O_RDWR | constants.O_NONBLOCK);
  const bytes = Buffer.alloc(4_096, 'x');
  try {
    for (;;) writeSync(reader.fd, bytes);
  } catch (error) {
    expect(error).toMatchObject({ code: 'EAGAIN' });
  }
  return { reader, writer: openSync(path, 'w') };
}

test.each([
  ['nobody reads its log', true],
  ['whoever read its log is gone', false],
])('%s: it serves all the same, and SIGTERM ends it with 0', async (_, there) => {
  await using running = await Running.prepare();
  running.daemon.define().start();
  const seen = await running.observe();
  const { reader, writer } = await fullPipe(join(running.folder, 'log'));
  await using bridge = await startProcess(running, writer);
  closeSync(writer);
  if (!there) await reader.close();
  await seen.seen.take(isFrom('b/DSM/availability', 'online'), patient);
  expect(await bridge.end('SIGTERM')).toMatchObject({ code: 0, errors: '' });
  await seen.take('b/bridge/state', 'offline');
  if (there) await reader.close();
});

test('SIGTERM while another process has the data directory: gone at once, with 0', async () => {
  await using running = await Running.prepare();
  const lock = await lockFolder(running.folder);
  if (lock.reason !== null) throw new Error(lock.message);
  using _ = lock;
  await using bridge = await startProcess(running);
  await bridge.logged('"bridge.starting"');
  const { code, log, errors } = await bridge.end('SIGTERM');
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  expect(log).toContain('"bridge.stopping"');
  expect(log).not.toContain('"bridge.refused"');
});
