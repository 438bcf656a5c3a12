/** The process itself: that nothing is left that would keep it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { Running } from './running.ts';

const executable = new URL('../../src/cli/index.ts', import.meta.url).pathname;

async function startProcess({ broker, daemon, folder }: Running) {
  const file = join(folder, 'config.yaml');
  await writeFile(
    file,
    `mqtt: { url: "mqtt://127.0.0.1:${broker.port}", base_topic: b }
libvirt: { uri: "${daemon.uri}" }
vms: [{ domain: DSM, checks: { schedule: never, deep_schedule: never } }]
data_dir: ${folder}
`,
  );
  const child = spawn(process.execPath, [executable, 'run', '--config', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  return {
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
  expect(milliseconds).toBeLessThan(2_000);
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
  expect(milliseconds).toBeLessThan(2_000);
  running.daemon.thaw();
});
